//! Endpoints: where a peer's datagrams go.
//!
//! A device knows addresses only; a config file may hold a host name, which
//! [`resolve`](crate::resolve) turns into an address when the time has come.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use crate::inet::{self, Ntop};
use crate::number;
use crate::port::{self, PortError};
use crate::raw;

/// An endpoint as a config file or command line names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// An address and port.
    Numeric(SocketAddr),
    /// A host still to be looked up: a name, or an IPv6 address with the name of an interface.
    Name(HostPort),
}

/// A host name and a port. Made by [`Endpoint::parse`] only.
#[derive(Clone, Debug)]
pub struct HostPort {
    host: Box<str>,
    port: u16,
    written: Box<str>,
}

/// Equal if host and port are, however they were written.
impl PartialEq for HostPort {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl Eq for HostPort {}

impl Hash for HostPort {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port).hash(state);
    }
}

impl HostPort {
    /// The host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The text that this was read from.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }
}

/// Why a text names no endpoint. The messages are wg(8)'s, without the text that it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// Nothing at all.
    Empty,
    /// `[` without `]`.
    Brace,
    /// No `:port` after the host.
    NoPort,
    /// A port that is none.
    Port(PortError),
    /// No host before the port, or one that no look-up can find. The message is the C library's.
    Host,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Unable to parse empty endpoint"),
            Self::Brace => f.write_str("Unable to find matching brace of endpoint"),
            Self::NoPort => f.write_str("Unable to find port of endpoint"),
            Self::Port(error) => error.fmt(f),
            Self::Host => f.write_str("Name or service not known"),
        }
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Reads `host:port` or `[host]:port` as wg(8) does. The host may be a name, an IPv4 address
    /// in any form of `inet_aton`, or an IPv6 address, bracketed or not (the last colon then
    /// starts the port), with a scope if need be. No name is looked up here.
    ///
    /// # Errors
    ///
    /// [`EndpointError`].
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (host, port) = split(text)?;
        let port = port::parse(port).map_err(EndpointError::Port)?;
        // No look-up gets past a NUL, and no file could hold a newline.
        if host.is_empty() || host.contains(['\0', '\n']) || !raw::is_decoded(host) {
            return Err(EndpointError::Host);
        }
        Ok(match numeric_host(host) {
            Some((ip, scope_id)) => Self::Numeric(socket_addr(ip, port, scope_id)),
            None => Self::Name(HostPort {
                host: host.into(),
                port,
                written: text.into(),
            }),
        })
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Numeric(addr)
    }
}

/// `1.2.3.4:5`, `[fd00::1]:5`, `[fe80::1%2]:5`, `host:5`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric(addr) => Numeric(*addr).fmt(f),
            // A host with a closing bracket in it was not written in brackets.
            Self::Name(HostPort { host, port, .. })
                if host.contains([':', '[']) && !host.contains(']') =>
            {
                write!(f, "[{host}]:{port}")
            }
            Self::Name(HostPort { host, port, .. }) => write!(f, "{host}:{port}"),
        }
    }
}

/// Shows an address and port as the UAPI has them. The scope of a link-local address is a
/// number, which means the same to every reader, renamed interfaces or not.
pub struct Numeric(pub SocketAddr);

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(addr) => addr.fmt(f),
            SocketAddr::V6(addr) if addr.scope_id() == 0 => {
                write!(f, "[{}]:{}", Ntop(IpAddr::V6(*addr.ip())), addr.port())
            }
            SocketAddr::V6(addr) => {
                let ip = Ntop(IpAddr::V6(*addr.ip()));
                write!(f, "[{ip}%{}]:{}", addr.scope_id(), addr.port())
            }
        }
    }
}

/// The names of interfaces by index, as somebody knows them. See [`Named`].
pub type InterfaceNames<'a> = &'a dyn Fn(u32) -> Option<String>;

/// Shows an address and port as `getnameinfo` does in numbers, and wg(8) with it: the scope of a
/// link-local address is the name of its interface, if it has one.
pub struct Named<'a>(pub SocketAddr, pub InterfaceNames<'a>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let SocketAddr::V6(addr) = self.0
            && addr.scope_id() != 0
            && (addr.ip().is_unicast_link_local() || is_multicast_link_local(*addr.ip()))
            && let Some(name) = (self.1)(addr.scope_id())
        {
            let ip = Ntop(IpAddr::V6(*addr.ip()));
            return write!(f, "[{ip}%{name}]:{}", addr.port());
        }
        Numeric(self.0).fmt(f)
    }
}

/// ff02::/16 whatever its flags (RFC 4291, section 2.7).
fn is_multicast_link_local(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 0xff && second & 0x0f == 0x02
}

/// Reads an endpoint of the UAPI: `ip:port` or `[ip]:port`, numbers only, the address as
/// `inet_pton` takes it. An IPv6 address is always bracketed and may have a scope: the index or
/// the name of an interface of this network namespace.
#[must_use]
pub fn parse_numeric(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let (host, port) = text.rsplit_once(':')?;
    let port = u16::try_from(number::decimal(port.as_bytes(), u16::MAX.into())?).ok()?;
    match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(host) => match host.split_once('%') {
            Some((ip, scope)) => scoped(ip.parse().ok()?, scope, port),
            None => host
                .parse()
                .ok()
                .map(|ip| socket_addr(IpAddr::V6(ip), port, 0)),
        },
        None => host
            .parse()
            .ok()
            .map(|ip| socket_addr(IpAddr::V4(ip), port, 0)),
    }
}

fn scoped(ip: Ipv6Addr, scope: &str, port: u16) -> Option<SocketAddr> {
    if scope.is_empty() || scope.contains('\0') {
        return None;
    }
    if let Some(scope_id) = number::decimal(scope.as_bytes(), u32::MAX.into()) {
        let scope_id = u32::try_from(scope_id).ok()?;
        return Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope_id)));
    }
    // With an address in numbers the resolver asks the kernel for the index, and nobody else.
    let host = format!("{ip}%{scope}");
    (host.as_str(), port)
        .to_socket_addrs()
        .ok()?
        .find(SocketAddr::is_ipv6)
}

/// Takes an endpoint apart: `[host]:port`, else at the last colon.
fn split(text: &str) -> Result<(&str, &str), EndpointError> {
    if text.is_empty() {
        return Err(EndpointError::Empty);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']').ok_or(EndpointError::Brace)?;
            (host, tail.strip_prefix(':').ok_or(EndpointError::NoPort)?)
        }
        None => text.rsplit_once(':').ok_or(EndpointError::NoPort)?,
    };
    if port.is_empty() {
        Err(EndpointError::NoPort)
    } else {
        Ok((host, port))
    }
}

/// A host in numbers, and its scope's index (0: none). `*` is this computer to the C library's resolver.
fn numeric_host(host: &str) -> Option<(IpAddr, u32)> {
    if host == "*" {
        return Some((Ipv6Addr::LOCALHOST.into(), 0));
    }
    if let Some(v4) = inet::aton(host) {
        return Some((v4.into(), 0));
    }
    let (ip, scope) = match host.split_once('%') {
        Some((ip, scope)) => (ip, number::decimal(scope.as_bytes(), u32::MAX.into())?),
        None => (host, 0),
    };
    Some((IpAddr::V6(ip.parse().ok()?), u32::try_from(scope).ok()?))
}

fn socket_addr(ip: IpAddr, port: u16, scope_id: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, port, 0, scope_id)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<String, EndpointError> {
        Endpoint::parse(text).map(|endpoint| endpoint.to_string())
    }

    fn is_name(text: &str) -> bool {
        matches!(Endpoint::parse(text), Ok(Endpoint::Name(_)))
    }

    #[test]
    fn addresses_in_every_form_of_wg() {
        for (text, expected) in [
            ("1.2.3.4:51820", "1.2.3.4:51820"),
            ("[1.2.3.4]:80", "1.2.3.4:80"),
            ("[2001:DB8:0:0::1]:51820", "[2001:db8::1]:51820"),
            ("2001:db8::1:51820", "[2001:db8::1]:51820"),
            ("::1:80", "[::1]:80"),
            ("[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]:80"),
            ("0x7f.1:80", "127.0.0.1:80"),
            ("2130706433:80", "127.0.0.1:80"),
            ("010.0.0.1:80", "8.0.0.1:80"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("*:80", "[::1]:80"),
            ("[*]:80", "[::1]:80"),
            ("[fe80::1%3]:5", "[fe80::1%3]:5"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn names_wait() {
        for text in [
            "vpn.example.com:51820",
            "localhost:1",
            "1.2.3.256:80",
            "[fe80::1%lo]:5",
            "[name]:5",
        ] {
            assert!(is_name(text), "{text}");
        }
        assert_eq!(shown("[name]:5").as_deref(), Ok("name:5"));
        assert_eq!(shown("]:5").as_deref(), Ok("]:5"));
        assert_eq!(shown("[fe80::1%lo]:5").as_deref(), Ok("[fe80::1%lo]:5"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bad, error) in [
            ("", EndpointError::Empty),
            ("[::1", EndpointError::Brace),
            ("[::1]", EndpointError::NoPort),
            ("[::1]51820", EndpointError::NoPort),
            ("[::1]:", EndpointError::NoPort),
            ("1.2.3.4", EndpointError::NoPort),
            ("1.2.3.4:", EndpointError::NoPort),
            ("1.2.3.4:x", EndpointError::Port(PortError::Unknown)),
            ("1.2.3.4:65536", EndpointError::Port(PortError::TooLarge)),
            (":80", EndpointError::Host),
            ("a\0b:80", EndpointError::Host),
        ] {
            assert_eq!(Endpoint::parse(bad), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn the_uapi_takes_numbers_only() {
        for (good, expected) in [
            ("1.2.3.4:5", "1.2.3.4:5"),
            ("1.2.3.4:0", "1.2.3.4:0"),
            ("[2001:DB8:0::1]:5", "[2001:db8::1]:5"),
            ("[fe80::1%7]:5", "[fe80::1%7]:5"),
            ("[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5"),
        ] {
            let addr = parse_numeric(good.as_bytes()).expect(good);
            assert_eq!(Numeric(addr).to_string(), expected);
        }
        for bad in [
            "",
            "localhost:5",
            "1.2.3.4",
            ":5",
            "::1:80",
            "[1.2.3.4]:5",
            "1.2:5",
            "010.0.0.1:5",
            "1.2.3.4:65536",
            "1.2.3.4:+5",
            "1.2.3.4: 5",
            "1.2.3.4:",
            "[::1]",
            "[::1]5",
            "[::1:5",
            "[fe80::1%]:5",
            "[fe80::1%no-such-interface]:5",
            "[x%1]:5",
            "1.2.3.4:domain",
        ] {
            assert_eq!(parse_numeric(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_numeric(b"\xff:1"), None);
    }

    #[test]
    fn link_local_scopes_have_names() {
        let names = |index: u32| (index == 7).then(|| "eth0".to_owned());
        let shown = |text: &str| Named(parse_numeric(text.as_bytes()).unwrap(), &names).to_string();
        assert_eq!(shown("[fe80::1%7]:5"), "[fe80::1%eth0]:5");
        assert_eq!(shown("[ff12::1%7]:5"), "[ff12::1%eth0]:5");
        assert_eq!(shown("[fe80::1%8]:5"), "[fe80::1%8]:5");
        assert_eq!(shown("[fd00::1%7]:5"), "[fd00::1%7]:5");
        assert_eq!(shown("[fe80::1]:5"), "[fe80::1]:5");
        assert_eq!(shown("1.2.3.4:5"), "1.2.3.4:5");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_uapi_knows_interfaces_by_name() {
        let Some(SocketAddr::V6(addr)) = parse_numeric(b"[fe80::1%lo]:5") else {
            panic!("no interface lo");
        };
        assert_eq!(
            addr.scope_id(),
            1,
            "lo is always the first interface of a namespace"
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(ip: IpAddr, port: u16, scope: u32) {
            let addr = socket_addr(ip, port, scope);
            let text = Numeric(addr).to_string();
            prop_assert_eq!(parse_numeric(text.as_bytes()), Some(addr));
            prop_assert_eq!(Endpoint::parse(&text), Ok(Endpoint::Numeric(addr)));
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]:%.0-9a-fx\u{0}é ]{0,24}") {
            let _ = parse_numeric(text.as_bytes());
            if let Ok(endpoint) = Endpoint::parse(&text) {
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}

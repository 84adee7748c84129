use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::{Daemon, Error, Host, Implementation, Result, uapi};

/// A private key and its public key (Curve25519), as a WireGuard interface has them.
#[derive(Clone)]
pub struct KeyPair {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl KeyPair {
    /// Joins a private key and the public key computed from it.
    #[must_use]
    pub fn new(private: [u8; 32], public: [u8; 32]) -> Self {
        let private = Zeroizing::new(private);
        Self { private, public }
    }

    /// Makes a fresh pair with wg(8).
    ///
    /// # Errors
    /// When wireguard-tools is not installed.
    pub fn generate(host: &Host) -> Result<Self> {
        let private = Zeroizing::new(host.output(&["wg", "genkey"])?.stdout);
        let public = host.output_with_input(&["wg", "pubkey"], &private)?.stdout;
        Ok(Self {
            private: Zeroizing::new(decode(&private)?),
            public: decode(&public)?,
        })
    }

    /// The private key in base64, as in a configuration file.
    #[must_use]
    pub fn private_base64(&self) -> String {
        Base64::encode_string(&*self.private)
    }

    /// The public key in base64, as in a configuration file.
    #[must_use]
    pub fn public_base64(&self) -> String {
        Base64::encode_string(&self.public)
    }

    /// The public key in hexadecimal, as on the control socket.
    #[must_use]
    pub fn public_hex(&self) -> String {
        hex(&self.public)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair(public {})", self.public_base64())
    }
}

/// How a [`Tunnel`] is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelOptions {
    /// Tells the tunnels of one lab apart; it goes into interface names, addresses and ports. From 1 to 100.
    pub number: u8,
    /// A pre-shared key of both ends, if there is to be one.
    pub preshared_key: Option<[u8; 32]>,
    /// The MTU of both interfaces in bytes; none leaves it as the daemon has set it.
    pub mtu: Option<u32>,
    /// Seconds between keepalives of the left end; 0 is none.
    pub left_keepalive: u16,
    /// Whether the right end is told where the left one is; if not, the left end must speak first.
    pub right_knows_left: bool,
}

impl Default for TunnelOptions {
    fn default() -> Self {
        Self {
            number: 1,
            preshared_key: None,
            mtu: Some(1420),
            left_keepalive: 0,
            right_knows_left: true,
        }
    }
}

/// A tunnel between two hosts, each with a daemon of its own.
///
/// Tunnel 1 has the interfaces `wg1` and `wg2`, the addresses 10.241.1.1 and 10.241.1.2, fd00:241:1::1 and
/// fd00:241:1::2, and the ports 51821 and 51822; tunnel 2 goes on with `wg3`, `wg4`, 10.241.2.1, 51823, and so on.
#[derive(Debug)]
pub struct Tunnel {
    /// The first end.
    pub left: TunnelEnd,
    /// The second end.
    pub right: TunnelEnd,
}

/// One end of a [`Tunnel`].
#[derive(Debug)]
pub struct TunnelEnd {
    /// The daemon that makes the interface.
    pub daemon: Daemon,
    /// The interface's name.
    pub interface: String,
    /// The end's keys.
    pub keys: KeyPair,
    /// Its IPv4 address inside the tunnel.
    pub ipv4: String,
    /// Its IPv6 address inside the tunnel.
    pub ipv6: String,
    /// Where it is outside.
    pub endpoint: SocketAddr,
}

impl Tunnel {
    /// Starts a daemon on each of two hosts, which reach each other at the given outside addresses, and sets up the
    /// tunnel: interfaces up, with addresses, each allowed to send what has its addresses.
    ///
    /// # Errors
    /// When a daemon does not start or refuses its configuration.
    pub fn between(
        left: (&Host, Implementation, &str),
        right: (&Host, Implementation, &str),
        options: &TunnelOptions,
    ) -> Result<Self> {
        let left_keys = KeyPair::generate(left.0)?;
        let right_keys = KeyPair::generate(right.0)?;
        Self::with_keys(left, left_keys, right, right_keys, options)
    }

    /// As [`Tunnel::between`], with keys of the caller's, so that wg(8) is not needed.
    ///
    /// # Errors
    /// As for [`Tunnel::between`].
    pub fn with_keys(
        left: (&Host, Implementation, &str),
        left_keys: KeyPair,
        right: (&Host, Implementation, &str),
        right_keys: KeyPair,
        options: &TunnelOptions,
    ) -> Result<Self> {
        let tunnel = Self {
            left: TunnelEnd::start(left, left_keys, options, 1)?,
            right: TunnelEnd::start(right, right_keys, options, 2)?,
        };
        // The left end may speak as soon as it knows its peer, so the right one must be ready by then.
        tunnel
            .right
            .configure(right.0, &tunnel.left, options, options.right_knows_left, 0)?;
        tunnel
            .left
            .configure(left.0, &tunnel.right, options, true, options.left_keepalive)?;
        Ok(tunnel)
    }
}

impl TunnelEnd {
    /// Starts one end; `side` is 1 for the left and 2 for the right.
    fn start(
        (host, implementation, outside): (&Host, Implementation, &str),
        keys: KeyPair,
        options: &TunnelOptions,
        side: u16,
    ) -> Result<Self> {
        let number = u16::from(options.number);
        let outside: IpAddr = outside
            .parse()
            .map_err(|_| Error::unexpected("tunnel", format!("`{outside}` is no address")))?;
        let place = number * 2 + side - 2; // 1 and 2 for tunnel 1, 3 and 4 for tunnel 2
        let interface = format!("wg{place}");
        let end = Self {
            daemon: implementation.start(host, &interface)?,
            interface,
            keys,
            ipv4: format!("10.241.{number}.{side}"),
            ipv6: format!("fd00:241:{number}::{side}"),
            endpoint: SocketAddr::new(outside, 51820 + place),
        };
        if let Some(mtu) = options.mtu {
            host.mtu(&end.interface, mtu)?;
        }
        host.address(&end.interface, &format!("{}/24", end.ipv4))?;
        host.address(&end.interface, &format!("{}/64", end.ipv6))?;
        host.up(&end.interface)?;
        Ok(end)
    }

    fn configure(
        &self,
        host: &Host,
        peer: &Self,
        options: &TunnelOptions,
        with_endpoint: bool,
        keepalive: u16,
    ) -> Result<()> {
        let mut request = Zeroizing::new(String::with_capacity(1024));
        request.push_str("set=1\nprivate_key=");
        push_hex(&mut request, &*self.keys.private);
        let _ = write!(
            request,
            "\nlisten_port={}\nreplace_peers=true\n",
            self.endpoint.port()
        );
        let _ = writeln!(request, "public_key={}", peer.keys.public_hex());
        if let Some(key) = &options.preshared_key {
            request.push_str("preshared_key=");
            push_hex(&mut request, key);
            request.push('\n');
        }
        if with_endpoint {
            let _ = writeln!(request, "endpoint={}", peer.endpoint);
        }
        let _ = writeln!(
            request,
            "persistent_keepalive_interval={keepalive}\nreplace_allowed_ips=true"
        );
        let _ = writeln!(
            request,
            "allowed_ip={}/32\nallowed_ip={}/128\n",
            peer.ipv4, peer.ipv6
        );

        let answer = host.uapi(&self.interface, &request)?;
        match uapi::errno(&answer) {
            Some(0) => Ok(()),
            _ => Err(Error::unexpected(
                format!(
                    "{} refused the configuration of {}",
                    self.daemon.implementation(),
                    self.interface
                ),
                answer.trim(),
            )),
        }
    }
}

fn decode(text: &str) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    match Base64::decode(text.trim(), &mut key) {
        Ok(bytes) if bytes.len() == 32 => Ok(key),
        _ => Err(Error::unexpected("wg", "printed something that is no key")),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_in_both_alphabets_and_hide_the_private_one() {
        let keys = KeyPair::new([0xab; 32], [1; 32]);
        assert_eq!(keys.public_hex(), "01".repeat(32));
        assert_eq!(
            keys.public_base64(),
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
        );
        assert_eq!(decode(&keys.private_base64()).unwrap(), [0xab; 32]);
        assert!(!format!("{keys:?}").contains("ab"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "AQEB",
            "not base64 at all",
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==",
        ] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}

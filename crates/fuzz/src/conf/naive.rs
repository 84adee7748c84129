//! The grammar of wg(8)'s config files, read the plain way: one pass, bytes, no types.
//!
//! What it says and sends is that of wireguard-tools 1.0.20260223, as recorded in
//! `crates/cli/tests/cases`, with the one deviation of `docs/wg.md` that concerns files: no port
//! above 65535.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::address_of;

/// What comes of a file.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Standard error.
    pub(super) said: Vec<u8>,
    /// What `setconf` sends, if anything.
    pub(super) replace: Option<String>,
    /// What `addconf` sends, if anything.
    pub(super) add: Option<String>,
}

#[derive(Default)]
struct Peer {
    public_key: Option<String>,
    preshared_key: Option<String>,
    endpoint: Option<String>,
    keepalive: Option<u16>,
    replace: bool,
    allowed_ips: Vec<String>,
}

#[derive(Default)]
struct Reader {
    section: Option<&'static str>,
    private_key: Option<String>,
    port: Option<u16>,
    mark: Option<u32>,
    peers: Vec<Peer>,
    said: Vec<u8>,
}

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn read(text: &[u8]) -> Read {
    let mut reader = Reader::default();
    for line in text.split(|&byte| byte == b'\n') {
        let end = line.iter().position(|&byte| byte == b'#' || byte == 0);
        let mut line = line[..end.unwrap_or(line.len())].to_vec();
        line.retain(|byte| !b" \t\n\x0b\x0c\r".contains(byte));
        if let Err(message) = reader.line(&line) {
            reader.said.extend(message);
            reader.said.extend(b"\nConfiguration parsing error\n");
            return reader.failed();
        }
    }
    if reader.peers.iter().any(|peer| peer.public_key.is_none()) {
        let message = b"A peer is missing a public key\nInvalid configuration\n";
        reader.said.extend(message);
        return reader.failed();
    }
    Read {
        replace: Some(reader.sent(true)),
        add: Some(reader.sent(false)),
        said: reader.said,
    }
}

impl Reader {
    fn failed(self) -> Read {
        Read {
            said: self.said,
            ..Read::default()
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Vec<u8>> {
        if line.is_empty() {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if lower == b"[interface]" {
            self.section = Some("interface");
            return Ok(());
        }
        if lower == b"[peer]" {
            self.section = Some("peer");
            self.peers.push(Peer {
                replace: true,
                ..Peer::default()
            });
            return Ok(());
        }
        let equals = line.iter().position(|&byte| byte == b'=');
        let (key, value) =
            equals.map_or((&lower[..], &[][..]), |at| (&lower[..at], &line[at + 1..]));
        let unrecognized = || quoted("Line unrecognized", line);
        if line[0] == b'[' || value.is_empty() {
            return Err(unrecognized());
        }
        match (self.section, key) {
            (Some("interface"), b"privatekey") => self.private_key = Some(hex_key(value)?),
            (Some("interface"), b"listenport") => self.port = Some(listen_port(value)?),
            (Some("interface"), b"fwmark") => self.mark = Some(mark(value)?),
            (Some("peer"), _) => {
                let said = &mut self.said;
                let peer = self.peers.last_mut().expect("a section begins one");
                match key {
                    b"publickey" => peer.public_key = Some(hex_key(value)?),
                    b"presharedkey" => peer.preshared_key = Some(hex_key(value)?),
                    b"endpoint" => peer.endpoint = Some(endpoint(value)?),
                    b"persistentkeepalive" => peer.keepalive = Some(keepalive(value)?),
                    b"allowedips" => peer.allow(value, said)?,
                    _ => return Err(unrecognized()),
                }
            }
            _ => return Err(unrecognized()),
        }
        Ok(())
    }

    fn sent(&self, replace: bool) -> String {
        let mut text = String::from("set=1\n");
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}={value}");
            }
        };
        let or_zero =
            |value: Option<String>, zero: &str| value.or_else(|| replace.then(|| zero.to_owned()));
        line("private_key", or_zero(self.private_key.clone(), ZERO));
        line(
            "listen_port",
            or_zero(self.port.map(|port| port.to_string()), "0"),
        );
        line(
            "fwmark",
            or_zero(self.mark.map(|mark| mark.to_string()), "0"),
        );
        line("replace_peers", replace.then(|| "true".to_owned()));
        for peer in &self.peers {
            line("public_key", peer.public_key.clone());
            line("preshared_key", peer.preshared_key.clone());
            line("endpoint", peer.endpoint.clone());
            let keepalive = peer.keepalive.map(|seconds| seconds.to_string());
            line("persistent_keepalive_interval", keepalive);
            line(
                "replace_allowed_ips",
                peer.replace.then(|| "true".to_owned()),
            );
            for prefix in &peer.allowed_ips {
                line("allowed_ip", Some(prefix.clone()));
            }
        }
        text + "\n"
    }
}

impl Peer {
    fn allow(&mut self, list: &[u8], said: &mut Vec<u8>) -> Result<(), Vec<u8>> {
        self.replace = true;
        for entry in list.split(|&byte| byte == b',') {
            let signed = matches!(entry.first(), Some(b'+' | b'-'));
            let prefix = &entry[usize::from(signed)..];
            let slash = prefix.iter().position(|&byte| byte == b'/');
            let ip = &prefix[..slash.unwrap_or(prefix.len())];
            let address = text(ip)
                .and_then(|text| text.parse::<IpAddr>().ok())
                .ok_or_else(|| quoted("Unable to parse IP address", ip))?;
            let width: u128 = if address.is_ipv4() { 32 } else { 128 };
            let length = match slash {
                None => Some(width),
                Some(slash) => decimal(&prefix[slash + 1..], width),
            };
            let length =
                length.ok_or_else(|| quoted("AllowedIP is not in the correct format", prefix))?;
            let bits = match address {
                IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
                IpAddr::V6(address) => address.to_bits(),
            };
            if bits.checked_shl(length as u32).unwrap_or(0) != 0 {
                said.extend(b"Warning: AllowedIP has nonzero host part: ");
                said.extend(prefix);
                said.push(b'\n');
            }
            self.replace &= !signed;
            let minus = if entry.first() == Some(&b'-') {
                "-"
            } else {
                ""
            };
            self.allowed_ips
                .push(format!("{minus}{}/{length}", ntop(address)));
        }
        Ok(())
    }
}

fn hex_key(value: &[u8]) -> Result<String, Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bad = || quoted("Key is not the correct length or format", value);
    let digits = value.strip_suffix(b"=").filter(|digits| digits.len() == 43);
    let mut bits = String::new();
    for digit in digits.ok_or_else(bad)? {
        let digit = ALPHABET.iter().position(|letter| letter == digit);
        let _ = write!(bits, "{:06b}", digit.ok_or_else(bad)?);
    }
    let (bits, rest) = bits.split_at(256);
    if rest != "00" {
        return Err(bad());
    }
    let nibbles = (0..64).map(|at| u8::from_str_radix(&bits[at * 4..at * 4 + 4], 2));
    Ok(nibbles
        .map(|nibble| format!("{:x}", nibble.expect("four bits")))
        .collect())
}

fn listen_port(value: &[u8]) -> Result<u16, Vec<u8>> {
    port(value).map_err(|message| quoted(message, value))
}

/// As glibc's getaddrinfo: a sign is taken, the number kept in an `int`, and a negative one is a
/// name.
fn port(value: &[u8]) -> Result<u16, &'static str> {
    let (negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = is_number.then(|| match decimal(digits, u64::MAX.into()) {
        Some(number) if negative => (number as u64).wrapping_neg(),
        Some(number) => number as u64,
        None => u64::MAX,
    });
    match number.filter(|&number| number as u32 as i32 >= 0) {
        Some(number) => u16::try_from(number).map_err(|_| "Port is greater than 65535"),
        None => service(value).ok_or("Servname not supported for ai_socktype"),
    }
}

fn service(name: &[u8]) -> Option<u16> {
    let services = fs::read_to_string("/etc/services").ok()?;
    let name = text(name)?;
    services.lines().find_map(|line| {
        let words: Vec<&str> = line.split('#').next()?.split_ascii_whitespace().collect();
        let (port, names) = (
            words.get(1)?.strip_suffix("/udp")?,
            [&words[..1], &words[2..]].concat(),
        );
        names.contains(&name).then(|| port.parse().ok())?
    })
}

fn mark(value: &[u8]) -> Result<u32, Vec<u8>> {
    let number = if value.eq_ignore_ascii_case(b"off") {
        Some(0)
    } else if let Some(digits) = value.strip_prefix(b"0x") {
        let hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = text(digits)
            .filter(|_| hex)
            .map(|digits| digits.trim_start_matches('0'));
        digits.and_then(|digits| {
            if digits.is_empty() {
                Some(0)
            } else {
                u32::from_str_radix(digits, 16).ok()
            }
        })
    } else {
        decimal(value, u32::MAX.into()).map(|number| number as u32)
    };
    number.ok_or_else(|| quoted("Fwmark is neither 0/off nor 0-0xffffffff", value))
}

fn keepalive(value: &[u8]) -> Result<u16, Vec<u8>> {
    if value.eq_ignore_ascii_case(b"off") {
        return Ok(0);
    }
    let seconds = decimal(value, 65535).map(|seconds| seconds as u16);
    seconds.ok_or_else(|| {
        quoted(
            "Persistent keepalive interval is neither 0/off nor 1-65535",
            value,
        )
    })
}

fn endpoint(value: &[u8]) -> Result<String, Vec<u8>> {
    let no_port = || quoted("Unable to find port of endpoint", value);
    let (host, port_text) = if value[0] == b'[' {
        let end = value.iter().position(|&byte| byte == b']');
        let end = end.ok_or_else(|| quoted("Unable to find matching brace of endpoint", value))?;
        let port = value[end + 1..].strip_prefix(b":").ok_or_else(no_port)?;
        (&value[1..end], port)
    } else {
        let colon = value
            .iter()
            .rposition(|&byte| byte == b':')
            .ok_or_else(no_port)?;
        (&value[..colon], &value[colon + 1..])
    };
    if port_text.is_empty() {
        return Err(no_port());
    }
    let port = port(port_text).map_err(|message| quoted(message, value))?;
    if host.is_empty() {
        return Err(quoted("Name or service not known", value));
    }
    Ok(show(
        numeric(host, port).unwrap_or_else(|| address_of(host, port)),
    ))
}

fn numeric(host: &[u8], port: u16) -> Option<SocketAddr> {
    let host = text(host)?;
    if host == "*" {
        return Some(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
    }
    if let Some(v4) = aton(host) {
        return Some(SocketAddr::new(v4.into(), port));
    }
    let (address, scope) = host.split_once('%').unwrap_or((host, "0"));
    let scope = decimal(scope.as_bytes(), u32::MAX.into())? as u32;
    let address: Ipv6Addr = address.parse().ok()?;
    Some(SocketAddrV6::new(address, port, 0, scope).into())
}

/// One to four numbers of C; the last fills what is left.
fn aton(host: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = host.split('.').map(c_number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3
        || first.iter().any(|&number| number > 255)
        || *last >= 1 << (8 * (4 - first.len()))
    {
        return None;
    }
    let high = first.iter().fold(0, |high, number| high << 8 | number);
    let value = high << (8 * (4 - first.len())) | last;
    Some(Ipv4Addr::from_bits(value as u32))
}

fn c_number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let digits_only = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let significant = digits.trim_start_matches('0');
    match (digits_only, significant) {
        (false, _) => None,
        (true, "") => Some(0),
        (true, digits) => u32::from_str_radix(digits, radix).ok().map(u64::from),
    }
}

fn show(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.to_string(),
        SocketAddr::V6(address) => {
            let ip = ntop(IpAddr::V6(*address.ip()));
            match address.scope_id() {
                0 => format!("[{ip}]:{}", address.port()),
                scope => format!("[{ip}%{scope}]:{}", address.port()),
            }
        }
    }
}

/// Addresses of the old form `::1.2.3.4` are shown so by `inet_ntop`.
fn ntop(address: IpAddr) -> String {
    match address {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == 0 && v6.to_bits() >> 16 != 0 => {
            format!("::{}", Ipv4Addr::from_bits(v6.to_bits() as u32))
        }
        address => address.to_string(),
    }
}

/// Digits only, leading zeros allowed, no more than `max`.
fn decimal(digits: &[u8], max: u128) -> Option<u128> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let significant = text(digits)?.trim_start_matches('0');
    let number = if significant.is_empty() {
        0
    } else {
        significant.parse().ok()?
    };
    (number <= max).then_some(number)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn quoted(message: &str, what: &[u8]) -> Vec<u8> {
    [message.as_bytes(), b": `", what, b"'"].concat()
}

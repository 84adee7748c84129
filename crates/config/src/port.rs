//! UDP ports as wg(8) takes them: a number or the name of a service.

use std::fmt;
use std::fs;

use crate::number;

/// Why a text names no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortError {
    /// Nothing at all.
    Empty,
    /// Neither a number nor a known service. The message is the C library's.
    Unknown,
    /// A number beyond 65,535. wg(8) takes it modulo 65,536, because glibc does: nobody means
    /// that, so here it is an error.
    TooLarge,
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Unable to parse empty port",
            Self::Unknown => "Servname not supported for ai_socktype",
            Self::TooLarge => "Port is greater than 65535",
        })
    }
}

impl std::error::Error for PortError {}

/// Reads a port as `getaddrinfo` of glibc does: leading blanks, a sign and zeros are allowed,
/// and what is no number is looked up in `/etc/services`. Other than there, a number beyond
/// 65,535 is refused.
///
/// # Errors
///
/// [`PortError`].
pub fn parse(text: &str) -> Result<u16, PortError> {
    parse_with(text, |name| {
        let services = fs::read("/etc/services").ok()?;
        service(&services, name)
    })
}

fn parse_with(text: &str, service: impl FnOnce(&str) -> Option<u16>) -> Result<u16, PortError> {
    if text.is_empty() {
        return Err(PortError::Empty);
    }
    match number::strtoul(text).filter(|&number| is_number(number)) {
        Some(number) => u16::try_from(number).map_err(|_| PortError::TooLarge),
        None => service(text).ok_or(PortError::Unknown),
    }
}

/// glibc keeps the number in an `int`, and takes a negative one for a name.
const fn is_number(number: u64) -> bool {
    number as u32 <= i32::MAX as u32
}

/// The UDP port of a service in a text of the form of services(5).
fn service(services: &[u8], name: &str) -> Option<u16> {
    services.split(|&byte| byte == b'\n').find_map(|line| {
        let line = line.split(|&byte| byte == b'#').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let official = words.next()?;
        let port = words.next()?.strip_suffix("/udp")?;
        (official == name || words.any(|alias| alias == name)).then(|| file_port(port))?
    })
}

/// A port as the C library reads it in that file: decimal, octal after `0`, hexadecimal after `0x`.
fn file_port(text: &str) -> Option<u16> {
    let (digits, radix) = match text.strip_prefix('0') {
        Some("") | None => (text, 10),
        Some(rest) => match rest.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (rest, 8),
        },
    };
    u16::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: &[u8] = b"# services\n\
        domain\t53/tcp\t\t# Domain Name Server\n\
        domain\t53/udp\n\
        ntp 123/udp\n\
        kerberos\t88/tcp kerberos5 krb5\n\
        kerberos\t88/udp kerberos5 krb5 # Kerberos\n\
        http 80/tcp www\n\
        hexadecimal 0x10/udp\n\
        octal 012/udp\n\
        nothing 0/udp\n\
        large 70000/udp\n\
        broken x/udp\n\xff\n";

    fn parse(text: &str) -> Result<u16, PortError> {
        parse_with(text, |name| service(SERVICES, name))
    }

    #[test]
    fn numbers() {
        for (text, port) in [
            ("0", 0),
            ("65535", 65535),
            ("+5", 5),
            (" 7", 7),
            ("00080", 80),
        ] {
            assert_eq!(parse(text), Ok(port), "{text:?}");
        }
    }

    #[test]
    fn large_numbers_do_not_wrap() {
        for large in ["65536", "70000", "+99999", "2147483647", "4294967297"] {
            assert_eq!(parse(large), Err(PortError::TooLarge), "{large}");
        }
        assert_eq!(parse("2147483648"), Err(PortError::Unknown));
    }

    #[test]
    fn services_of_udp_by_name_and_alias() {
        assert_eq!(parse("domain"), Ok(53));
        assert_eq!(parse("krb5"), Ok(88));
        assert_eq!(parse("hexadecimal"), Ok(16));
        assert_eq!(parse("octal"), Ok(10));
        assert_eq!(parse("nothing"), Ok(0));
        assert_eq!(parse("large"), Err(PortError::Unknown));
        assert_eq!(parse("http"), Err(PortError::Unknown));
        assert_eq!(parse("broken"), Err(PortError::Unknown));
        assert_eq!(parse("Kerberos"), Err(PortError::Unknown));
    }

    #[test]
    fn the_rest_is_no_port() {
        assert_eq!(parse(""), Err(PortError::Empty));
        for bad in [
            "-1",
            "abc",
            "0x10",
            "=51820",
            "\"51820\"",
            "1 ",
            "99999999999999999999",
        ] {
            assert_eq!(parse(bad), Err(PortError::Unknown), "{bad:?}");
        }
    }
}

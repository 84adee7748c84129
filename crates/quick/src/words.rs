//! Addresses, numbers and tables as ip(8) reads them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use hushwire_config::conf::{InterfaceAddress, Table};
use hushwire_netlink::{IpFamily, MAIN_TABLE, Prefix};

/// Where iproute2 keeps the names of tables, the administrator's first.
const TABLE_NAMES: [&str; 2] = ["/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"];
/// More such files.
const TABLE_NAME_DIRECTORIES: [&str; 2] = [
    "/etc/iproute2/rt_tables.d",
    "/usr/share/iproute2/rt_tables.d",
];

/// The family that wg-quick(8) takes something for: IPv6 if there is a colon in it.
#[must_use]
pub fn family_of(word: &str) -> IpFamily {
    if word.contains(':') {
        IpFamily::V6
    } else {
        IpFamily::V4
    }
}

/// The option of ip(8) for a family.
pub(crate) const fn flag(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "-4",
        IpFamily::V6 => "-6",
    }
}

/// The address of an interface: with a length, a netmask, or all bits. IPv4 may leave out octets
/// at the end.
#[must_use]
pub fn address(word: &str) -> Option<Prefix> {
    match InterfaceAddress::parse(word) {
        Some(address) => Prefix::new(address.ip(), address.prefix_len()).ok(),
        None => short_v4(word),
    }
}

/// `10/8` and `192.168`.
fn short_v4(word: &str) -> Option<Prefix> {
    let (ip, length) = word.split_once('/').unwrap_or((word, "32"));
    let mut octets = [0; 4];
    let mut given = ip.split('.');
    for octet in &mut octets {
        match given.next() {
            Some(digits) => *octet = u8::try_from(number(digits)?).ok()?,
            None => break,
        }
    }
    if given.next().is_some() {
        return None;
    }
    let length = u8::try_from(number(length)?).ok()?;
    Prefix::new(IpAddr::V4(Ipv4Addr::from(octets)), length).ok()
}

/// An MTU in bytes. It is a signed number for ip(8): a negative one is for the kernel to refuse.
#[must_use]
pub fn mtu(word: &str) -> Option<u32> {
    match word.strip_prefix('-') {
        Some(digits) => i32::try_from(magnitude(digits)?)
            .ok()
            .map(|number| number.wrapping_neg().cast_unsigned()),
        None => number(word).filter(|number| i32::try_from(*number).is_ok()),
    }
}

/// A number as in C: decimal, `0x` and hexadecimal, `0` and octal.
fn number(word: &str) -> Option<u32> {
    magnitude(word.strip_prefix('+').unwrap_or(word))
}

fn magnitude(word: &str) -> Option<u32> {
    let (digits, radix) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (word.get(2..)?, 16),
        [b'0', _, ..] => (word.get(1..)?, 8),
        _ => (word, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// The number of a table by its number or name. Zero means the main table.
#[must_use]
pub fn table(word: &str) -> Option<u32> {
    let mut names = String::new();
    for path in TABLE_NAMES {
        names.push_str(&fs::read_to_string(path).unwrap_or_default());
        names.push('\n');
    }
    for directory in TABLE_NAME_DIRECTORIES {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            names.push_str(&fs::read_to_string(entry.path()).unwrap_or_default());
            names.push('\n');
        }
    }
    let id = Table::parse(word)?.id(&names)?;
    Some(if id == 0 { MAIN_TABLE } else { id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let shown = |word: &str| {
            address(word).map(|prefix| format!("{}/{}", prefix.address(), prefix.length()))
        };
        for (word, expected) in [
            ("10.0.0.1/24", "10.0.0.1/24"),
            ("10.0.0.1", "10.0.0.1/32"),
            ("10.0.0.1/255.255.0.0", "10.0.0.1/16"),
            ("10/8", "10.0.0.0/8"),
            ("10.5", "10.5.0.0/32"),
            ("fd00::1/64", "fd00::1/64"),
            ("fd00::1", "fd00::1/128"),
        ] {
            assert_eq!(shown(word).as_deref(), Some(expected), "{word}");
        }
        for word in [
            "300.1.1.1",
            "10.0.0.1/33",
            "fd00::zz",
            "",
            "x",
            "1.2.3.4.5",
            "/8",
        ] {
            assert_eq!(shown(word), None, "{word}");
        }
    }

    #[test]
    fn mtus() {
        assert_eq!(mtu("1420"), Some(1420));
        assert_eq!(mtu("+1420"), Some(1420));
        assert_eq!(mtu("0x578"), Some(1400));
        assert_eq!(mtu("010"), Some(8));
        assert_eq!(mtu("0"), Some(0));
        assert_eq!(mtu("-5"), Some(u32::MAX - 4));
        assert_eq!(mtu("2147483647"), Some(0x7fff_ffff));
        for bad in [
            "",
            "abc",
            "1x",
            "--1",
            "+-1",
            "-+1",
            "0x",
            "0x+1",
            "99999999999",
            "2147483648",
            "4294967295",
        ] {
            assert_eq!(mtu(bad), None, "{bad}");
        }
    }

    #[test]
    fn tables() {
        assert_eq!(table("1234"), Some(1234));
        assert_eq!(table("main"), Some(254));
        assert_eq!(table("0"), Some(254));
        assert_eq!(table("no-such-table-anywhere"), None);
    }
}

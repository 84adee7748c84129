//! Addresses as the C library's `inet_pton`, `inet_ntop` and `inet_aton` read and write them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `inet_pton`: IPv6 if there is a colon, else four decimal octets without leading zeros. No
/// scope, no short form.
pub(crate) fn pton(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') {
        text.parse().ok().map(IpAddr::V6)
    } else {
        text.parse().ok().map(IpAddr::V4)
    }
}

/// `inet_aton` without trailing text: one to four numbers, each decimal, octal (`0…`) or hex
/// (`0x…`), the last of them filling all bytes that are left: `127.1`, `0x7f000001`.
pub(crate) fn aton(text: &str) -> Option<Ipv4Addr> {
    let mut parts = [0_u32; 4];
    let mut count = 0;
    for part in text.split('.') {
        *parts.get_mut(count)? = c_number(part)?;
        count += 1;
    }
    let (last, leading) = parts.get(..count)?.split_last()?;
    let mut address = 0_u32;
    for (index, part) in leading.iter().enumerate() {
        address |= u32::from(u8::try_from(*part).ok()?) << (24 - 8 * index);
    }
    let room = u32::MAX.checked_shr(8 * u32::try_from(leading.len()).ok()?)?;
    (*last <= room).then(|| Ipv4Addr::from(address | last))
}

/// A number by C's rules for literals: `0x` hex, `0` octal, else decimal.
pub(crate) fn c_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        [b'0', rest @ ..] if !rest.is_empty() => (rest, 8),
        all => (all, 10),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, &byte| {
        value
            .checked_mul(radix)?
            .checked_add(char::from(byte).to_digit(radix)?)
    })
}

/// Shows an address as `inet_ntop` does. Differs from the standard library's form for
/// IPv4-compatible IPv6 addresses only: `::1.2.3.4`.
pub(crate) struct Ntop(pub(crate) IpAddr);

impl fmt::Display for Ntop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => match ipv4_compatible(address) {
                Some(tail) => write!(f, "::{tail}"),
                None => address.fmt(f),
            },
        }
    }
}

fn ipv4_compatible(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pton_is_strict() {
        for good in [
            "1.2.3.4",
            "0.0.0.0",
            "::",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:7:8",
            "FD00::1",
        ] {
            assert!(pton(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            "1.2.3",
            "010.0.0.0",
            "1.2.3.256",
            "1.2.3.4 ",
            "fe80::1%lo",
            "fe80::1%1",
            "12345::",
            ":::",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "::ffff:01.2.3.4",
            "[::1]",
        ] {
            assert_eq!(pton(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(pton(b"\xff"), None);
    }

    #[test]
    fn a_mapped_address_stays_ipv6() {
        let address = pton(b"::ffff:1.2.3.4").unwrap();
        assert!(address.is_ipv6());
        assert_eq!(Ntop(address).to_string(), "::ffff:1.2.3.4");
    }

    #[test]
    fn ntop_writes_compatible_addresses_with_dots() {
        let shown = |text: &str| Ntop(pton(text.as_bytes()).unwrap()).to_string();
        assert_eq!(shown("::102:304"), "::1.2.3.4");
        assert_eq!(shown("::1"), "::1");
        assert_eq!(shown("::ffff"), "::ffff");
        assert_eq!(shown("::1:0"), "::0.1.0.0");
        assert_eq!(shown("2001:DB8:0:0::1"), "2001:db8::1");
        assert_eq!(shown("1:0:2:0:0:3:0:0"), "1:0:2::3:0:0");
    }

    #[test]
    fn aton_reads_the_short_forms() {
        let shown = |text: &str| aton(text).map(|address| address.to_string());
        assert_eq!(shown("1.2.3.4").as_deref(), Some("1.2.3.4"));
        assert_eq!(shown("1.2").as_deref(), Some("1.0.0.2"));
        assert_eq!(shown("1.2.65535").as_deref(), Some("1.2.255.255"));
        assert_eq!(shown("0x7f.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(shown("2130706433").as_deref(), Some("127.0.0.1"));
        assert_eq!(shown("010.0.0.1").as_deref(), Some("8.0.0.1"));
        assert_eq!(shown("0").as_deref(), Some("0.0.0.0"));
        for bad in [
            "",
            ".",
            "1.",
            "1.2.3.256",
            "1.2.65536",
            "256.1",
            "4294967296",
            "08",
            "0x",
            "a",
            "1.2.3.4.5",
            "-1",
            "+1",
            " 1",
        ] {
            assert_eq!(shown(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_ntop_writes_pton_reads(address: IpAddr) {
            prop_assert_eq!(pton(Ntop(address).to_string().as_bytes()), Some(address));
        }

        #[test]
        fn aton_reads_every_dotted_quad(address: Ipv4Addr) {
            prop_assert_eq!(aton(&address.to_string()), Some(address));
        }
    }
}

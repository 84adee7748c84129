//! The values that only wg-quick(8) knows.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::inet::{self, Ntop};
use crate::prefix;
use crate::text::Word;

/// An address of the interface: an IP address and the length of its subnet's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceAddress {
    ip: IpAddr,
    prefix_len: u8,
    written: Word,
}

impl InterfaceAddress {
    /// An address in a subnet. `None` if the prefix is longer than the address.
    #[must_use]
    pub fn new(ip: IpAddr, prefix_len: u8) -> Option<Self> {
        if prefix_len > prefix::width(ip) {
            return None;
        }
        let written = Word::new(format!("{}/{prefix_len}", Ntop(ip))).ok()?;
        Some(Self {
            ip,
            prefix_len,
            written,
        })
    }

    /// Reads what ip-address(8) takes: an address, and optionally `/` and a prefix length or a
    /// dotted netmask. Without one, all bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let written = Word::new(text).ok()?;
        let (ip, mask) = match text.split_once('/') {
            Some((ip, mask)) => (ip, Some(mask)),
            None => (text, None),
        };
        let ip = inet::pton(ip.as_bytes())?;
        let prefix_len = match mask {
            None => prefix::width(ip),
            Some(mask) => prefix_len(ip, mask)?,
        };
        Some(Self {
            ip,
            prefix_len,
            written,
        })
    }

    /// The address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The length of the subnet's prefix in bits.
    #[must_use]
    pub const fn prefix_len(&self) -> u8 {
        self.prefix_len
    }
}

/// As it was written.
impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

fn prefix_len(ip: IpAddr, mask: &str) -> Option<u8> {
    if let Some(length) = inet::c_number(mask) {
        return u8::try_from(length)
            .ok()
            .filter(|&length| length <= prefix::width(ip));
    }
    let mask = u32::from(mask.parse::<Ipv4Addr>().ok().filter(|_| ip.is_ipv4())?);
    let contiguous = mask.count_ones() == mask.leading_ones();
    contiguous.then(|| u8::try_from(mask.count_ones()).ok())?
}

/// An entry of `DNS`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dns {
    /// What looks like an address: the name server there.
    Server(Word),
    /// Anything else: a domain to search.
    Search(Word),
}

impl Dns {
    /// Tells the two apart as wg-quick(8) does: digits and dots only, or a colon, mean a server.
    #[must_use]
    pub fn new(word: Word) -> Self {
        let is_server = word.contains(':')
            || word
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit());
        if is_server {
            Self::Server(word)
        } else {
            Self::Search(word)
        }
    }

    /// The entry as it was written.
    #[must_use]
    pub const fn word(&self) -> &Word {
        match self {
            Self::Server(word) | Self::Search(word) => word,
        }
    }

    /// Whether this is a server at something else than an address.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Search(_) => false,
            Self::Server(word) => {
                let ip = word.split('%').next().unwrap_or_default();
                inet::pton(ip.as_bytes()).is_none()
            }
        }
    }
}

/// Where routes go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Table {
    /// `auto`: into the main table, and default routes into one of their own.
    #[default]
    Auto,
    /// `off`: nowhere.
    Off,
    /// Into the table with this number.
    Id(u32),
    /// Into the table that iproute2 knows by this name.
    Name(Word),
}

impl Table {
    /// Reads `auto`, `off`, a number as in C, or a name. `None` for several words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            text => match inet::c_number(text) {
                Some(id) => Self::Id(id),
                None => Self::Name(Word::new(text).ok()?),
            },
        })
    }

    /// The number of a table by its name, with the names that the kernel's headers fix and those
    /// in a text of the form of `/etc/iproute2/rt_tables`. `None` for an unknown name, and for
    /// `auto` and `off`.
    #[must_use]
    pub fn id(&self, rt_tables: &str) -> Option<u32> {
        let name: &str = match self {
            Self::Auto | Self::Off => return None,
            Self::Id(id) => return Some(*id),
            Self::Name(name) => name,
        };
        let listed = rt_tables.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            let id = inet::c_number(words.next()?)?;
            (words.next()? == name).then_some(id)
        });
        listed.or(match name {
            "default" => Some(253),
            "main" => Some(254),
            "local" => Some(255),
            _ => None,
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_ip_takes_them() {
        let parsed = |text: &str| {
            InterfaceAddress::parse(text)
                .map(|address| (address.ip().to_string(), address.prefix_len()))
        };
        assert_eq!(parsed("10.0.0.1/24"), Some(("10.0.0.1".to_owned(), 24)));
        assert_eq!(parsed("10.0.0.1"), Some(("10.0.0.1".to_owned(), 32)));
        assert_eq!(
            parsed("10.0.0.1/255.255.255.0"),
            Some(("10.0.0.1".to_owned(), 24))
        );
        assert_eq!(parsed("fd00::1/64"), Some(("fd00::1".to_owned(), 64)));
        assert_eq!(parsed("fd00::1"), Some(("fd00::1".to_owned(), 128)));
        for bad in [
            "",
            "10.0.0.1/33",
            "fd00::/129",
            "10.0.0.1/255.0.255.0",
            "fd00::1/255.0.0.0",
            "10.0.0.1/",
            "10.0.0.1/-1",
            "example.com",
            "10.0.0/8",
            "10.0.0.1/24/24",
            "fe80::1%eth0/64",
        ] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
        let address = InterfaceAddress::parse("10.0.0.1").unwrap();
        assert_eq!(address.to_string(), "10.0.0.1", "written as it was");
    }

    #[test]
    fn servers_and_domains() {
        let is_server = |text: &str| matches!(Dns::new(Word::new(text).unwrap()), Dns::Server(_));
        assert!(is_server("1.1.1.1") && is_server("fe80::1%eth0") && is_server("1.1"));
        assert!(!is_server("example.com") && !is_server("1.example"));
        assert!(Dns::new(Word::new("1.1").unwrap()).is_broken());
        assert!(!Dns::new(Word::new("fe80::1%eth0").unwrap()).is_broken());
    }

    #[test]
    fn tables() {
        assert_eq!(Table::parse("off"), Some(Table::Off));
        assert_eq!(Table::parse("auto"), Some(Table::Auto));
        assert_eq!(Table::parse("0x10"), Some(Table::Id(16)));
        assert_eq!(Table::parse("1 2"), None);
        let named = |name: &str| {
            Table::parse(name)
                .unwrap()
                .id("# x\n100 vpn # y\n255\tlocal\n")
        };
        assert_eq!(named("vpn"), Some(100));
        assert_eq!(named("main"), Some(254));
        assert_eq!(named("12345"), Some(12345));
        assert_eq!(named("nowhere"), None);
        assert_eq!(named("off"), None);
    }
}

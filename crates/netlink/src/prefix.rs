use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP address and the number of its leading bits that name the network, as in `10.0.0.1/24`.
///
/// The host bits are kept, because `10.0.0.1/24` is also how the address of an interface is written;
/// [`Prefix::network`] clears them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// A text or a length that is no prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPrefix {
    text: String,
}

impl Prefix {
    /// `0.0.0.0/0`, every IPv4 destination.
    pub const ALL_V4: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        length: 0,
    };
    /// `::/0`, every IPv6 destination.
    pub const ALL_V6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        length: 0,
    };

    /// Joins an address and a length in bits.
    ///
    /// # Errors
    /// When the length is more than 32 (IPv4) or 128 (IPv6).
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InvalidPrefix> {
        if length > bits_of(address) {
            return Err(InvalidPrefix {
                text: format!("{address}/{length}"),
            });
        }
        Ok(Self { address, length })
    }

    /// The prefix that holds this one address only: `/32` or `/128`.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: bits_of(address),
        }
    }

    /// The address, host bits included.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of network bits.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The same prefix with its host bits cleared, as a routing table wants it.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.length))
                    .unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.length))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self {
            address,
            length: self.length,
        }
    }

    /// Whether an address lies in this prefix. Addresses of the other family never do.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let other = Self {
            address,
            length: self.length,
        };
        address.is_ipv4() == self.address.is_ipv4()
            && other.network().address == self.network().address
    }

    /// Whether this is an IPv4 prefix.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }
}

fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    /// Reads `10.0.0.1/24`, `fd00::1/64`, or a lone address, which is a prefix of full length.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPrefix {
            text: text.to_owned(),
        };
        let Some((address, length)) = text.split_once('/') else {
            return Ok(Self::host(text.parse().map_err(|_| invalid())?));
        };
        if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        let address = address.parse().map_err(|_| invalid())?;
        let length = length.parse().map_err(|_| invalid())?;
        Self::new(address, length).map_err(|_| invalid())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not an address with a prefix length: write it as 10.0.0.1/24 or fd00::1/64",
            self.text
        )
    }
}

impl std::error::Error for InvalidPrefix {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_in_and_comes_out() {
        for text in [
            "10.0.0.1/24",
            "0.0.0.0/0",
            "fd00::1/64",
            "::/0",
            "1.2.3.4/32",
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!(
            "10.0.0.1".parse::<Prefix>().unwrap().to_string(),
            "10.0.0.1/32"
        );
        assert_eq!(
            "fd00::1".parse::<Prefix>().unwrap().to_string(),
            "fd00::1/128"
        );
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.1/",
            "10.0.0.1/33",
            "::1/129",
            "10.0.0/8",
            "10.0.0.1/+8",
            "10.0.0.1/-1",
            "10.0.0.1/256",
            "10.0.0.1/8/8",
            "eth0/24",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn network_clears_exactly_the_host_bits() {
        let network = |text: &str| text.parse::<Prefix>().unwrap().network().to_string();
        assert_eq!(network("10.1.2.3/24"), "10.1.2.0/24");
        assert_eq!(network("10.1.2.3/0"), "0.0.0.0/0");
        assert_eq!(network("10.1.2.3/32"), "10.1.2.3/32");
        assert_eq!(network("10.1.2.255/31"), "10.1.2.254/31");
        assert_eq!(network("fd00::ffff/112"), "fd00::/112");
        assert_eq!(network("fd00::ffff/0"), "::/0");
        assert_eq!(network("fd00::ffff/128"), "fd00::ffff/128");
    }

    #[test]
    fn contains_keeps_the_families_apart() {
        let prefix: Prefix = "10.0.0.1/24".parse().unwrap();
        assert!(prefix.contains("10.0.0.255".parse().unwrap()));
        assert!(!prefix.contains("10.0.1.0".parse().unwrap()));
        assert!(!Prefix::ALL_V4.contains("::1".parse().unwrap()));
        assert!(!Prefix::ALL_V6.contains("10.0.0.1".parse().unwrap()));
        assert!(Prefix::ALL_V6.contains("::1".parse().unwrap()));
    }
}

//! Allowed IPs: an address and the number of its bits that count.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::inet::{self, Ntop};
use crate::number;

/// A prefix as a device holds it: the bits that do not count are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedIp {
    addr: IpAddr,
    cidr: u8,
}

impl AllowedIp {
    /// The prefix of `addr` that is `cidr` bits long; the other bits are cleared. `None` if the
    /// address has fewer bits.
    #[must_use]
    pub fn new(addr: IpAddr, cidr: u8) -> Option<Self> {
        (cidr <= width(addr)).then(|| Self {
            addr: masked(addr, cidr),
            cidr,
        })
    }

    /// The address, with zeros where it does not count.
    #[must_use]
    pub const fn addr(&self) -> IpAddr {
        self.addr
    }

    /// The number of bits that count: 0 to 32, or to 128 for IPv6.
    #[must_use]
    pub const fn cidr(&self) -> u8 {
        self.cidr
    }
}

/// `10.0.0.0/8`, `fd00::/64`, `::ffff:1.2.3.4/128`.
impl fmt::Display for AllowedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ntop(self.addr), self.cidr)
    }
}

impl FromStr for AllowedIp {
    type Err = PrefixError;

    /// As [`AllowedIpEntry`] without a sign.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        Ok(Prefix::parse(text.as_bytes())?.masked())
    }
}

/// A prefix as somebody wrote it: bits beyond its length may be set. wg(8) warns of them and
/// sends the address as it stands; the device masks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    addr: IpAddr,
    cidr: u8,
}

impl Prefix {
    /// The address with a length in bits. `None` if the address has fewer bits.
    #[must_use]
    pub fn new(addr: IpAddr, cidr: u8) -> Option<Self> {
        (cidr <= width(addr)).then_some(Self { addr, cidr })
    }

    /// Reads `ip[/cidr]` by the rules of wg(8): the address as `inet_pton` takes it (no short
    /// form, no scope, no leading zero in an octet), the length in decimal digits; without a
    /// length all bits count.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] says which of the two is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, PrefixError> {
        let (ip, cidr) = split(text);
        let addr = inet::pton(ip).ok_or(PrefixError::Address)?;
        let cidr = match cidr {
            Some(digits) => parse_cidr(addr, digits)?,
            None => width(addr),
        };
        Ok(Self { addr, cidr })
    }

    /// Reads `ip/cidr` by the rules of the UAPI: the length is not optional and has no leading
    /// zero.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] says which of the two is wrong.
    pub fn parse_strict(text: &[u8]) -> Result<Self, PrefixError> {
        let (ip, cidr) = split(text);
        let addr = inet::pton(ip).ok_or(PrefixError::Address)?;
        match cidr {
            None | Some([b'0', _, ..]) => Err(PrefixError::Length),
            Some(digits) => Ok(Self {
                addr,
                cidr: parse_cidr(addr, digits)?,
            }),
        }
    }

    /// The address as written.
    #[must_use]
    pub const fn addr(&self) -> IpAddr {
        self.addr
    }

    /// The address as it is shown.
    pub(crate) const fn shown_addr(&self) -> Ntop {
        Ntop(self.addr)
    }

    /// The number of bits that count.
    #[must_use]
    pub const fn cidr(&self) -> u8 {
        self.cidr
    }

    /// What a device makes of it.
    #[must_use]
    pub fn masked(&self) -> AllowedIp {
        AllowedIp {
            addr: masked(self.addr, self.cidr),
            cidr: self.cidr,
        }
    }

    /// Whether bits beyond the length are set.
    #[must_use]
    pub fn has_host_bits(&self) -> bool {
        masked(self.addr, self.cidr) != self.addr
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ntop(self.addr), self.cidr)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// As [`Prefix::parse`].
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        Self::parse(text.as_bytes())
    }
}

impl From<AllowedIp> for Prefix {
    fn from(ip: AllowedIp) -> Self {
        Self {
            addr: ip.addr,
            cidr: ip.cidr,
        }
    }
}

/// One entry of an allowed-IPs list: a prefix to add to a peer, or (`-`) to take from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllowedIpEntry {
    /// Whether the prefix is taken away.
    pub remove: bool,
    /// The prefix as written.
    pub prefix: Prefix,
}

impl From<Prefix> for AllowedIpEntry {
    fn from(prefix: Prefix) -> Self {
        Self {
            remove: false,
            prefix,
        }
    }
}

impl From<AllowedIp> for AllowedIpEntry {
    fn from(ip: AllowedIp) -> Self {
        Prefix::from(ip).into()
    }
}

/// `-` before a removal, and never a `+`.
impl fmt::Display for AllowedIpEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.remove { "-" } else { "" }, self.prefix)
    }
}

/// What is wrong with a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// No address, or not one in full form.
    Address,
    /// No length where there must be one, or too long, or no number.
    Length,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "not an IP address",
            Self::Length => "not a prefix length",
        })
    }
}

impl std::error::Error for PrefixError {}

/// The number of bits of an address of this family.
#[must_use]
pub const fn width(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == b'/') {
        Some(slash) => (&text[..slash], Some(&text[slash + 1..])),
        None => (text, None),
    }
}

fn parse_cidr(addr: IpAddr, digits: &[u8]) -> Result<u8, PrefixError> {
    number::decimal(digits, width(addr).into())
        .and_then(|cidr| u8::try_from(cidr).ok())
        .ok_or(PrefixError::Length)
}

fn masked(addr: IpAddr, cidr: u8) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(u32::from(32_u8.saturating_sub(cidr)))
                .unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(u32::from(128_u8.saturating_sub(cidr)))
                .unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<String, PrefixError> {
        text.parse::<AllowedIp>().map(|ip| ip.to_string())
    }

    #[test]
    fn prefixes_are_masked() {
        assert_eq!(shown("10.1.2.3/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(shown("10.1.2.3/0").as_deref(), Ok("0.0.0.0/0"));
        assert_eq!(shown("10.1.2.3/32").as_deref(), Ok("10.1.2.3/32"));
        assert_eq!(shown("fd00::1/64").as_deref(), Ok("fd00::/64"));
        assert_eq!(shown("fd00::1/0").as_deref(), Ok("::/0"));
        assert_eq!(shown("fd00::1/127").as_deref(), Ok("fd00::/127"));
    }

    #[test]
    fn without_a_length_all_bits_count() {
        assert_eq!(shown("10.0.0.1").as_deref(), Ok("10.0.0.1/32"));
        assert_eq!(shown("fd00::1").as_deref(), Ok("fd00::1/128"));
    }

    #[test]
    fn a_mapped_prefix_stays_ipv6() {
        assert_eq!(
            shown("::ffff:1.2.3.4/128").as_deref(),
            Ok("::ffff:1.2.3.4/128")
        );
    }

    #[test]
    fn wg_allows_zeros_before_the_length_and_the_uapi_does_not() {
        assert_eq!(shown("10.0.0.0/008").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(
            Prefix::parse_strict(b"10.0.0.0/08"),
            Err(PrefixError::Length)
        );
        assert_eq!(Prefix::parse_strict(b"10.0.0.0"), Err(PrefixError::Length));
        assert!(Prefix::parse_strict(b"0.0.0.0/0").is_ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in [
            "",
            "/8",
            "010.0.0.0/8",
            "example.com/32",
            "fe80::1%lo/128",
            "+10.0.0.0/8",
            "1.2/8",
        ] {
            assert_eq!(shown(bad), Err(PrefixError::Address), "{bad}");
        }
        for bad in [
            "10.0.0.0/33",
            "fd00::/129",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "1.2.3.4/8/8",
            "1.2.3.4/",
            "::/x",
        ] {
            assert_eq!(shown(bad), Err(PrefixError::Length), "{bad}");
        }
        assert_eq!(AllowedIp::new(Ipv4Addr::LOCALHOST.into(), 33), None);
        assert_eq!(Prefix::new(Ipv6Addr::LOCALHOST.into(), 129), None);
    }

    proptest! {
        #[test]
        fn masking_agrees_with_a_walk_over_the_bits(addr: IpAddr, cidr in 0..=128_u8) {
            let cidr = cidr.min(width(addr));
            let prefix = Prefix::new(addr, cidr).unwrap();
            let octets = |addr: IpAddr| match addr {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            let (before, after) = (octets(addr), octets(prefix.masked().addr()));
            for bit in 0..usize::from(width(addr)) {
                let of = |bytes: &[u8]| bytes[bit / 8] >> (7 - bit % 8) & 1;
                let expected = if bit < usize::from(cidr) { of(&before) } else { 0 };
                prop_assert_eq!(of(&after), expected);
            }
            prop_assert_eq!(prefix.has_host_bits(), before != after);
        }

        #[test]
        fn what_is_printed_is_read(addr: IpAddr, cidr in 0..=128_u8) {
            let prefix = Prefix::new(addr, cidr.min(width(addr))).unwrap();
            prop_assert_eq!(Prefix::parse(prefix.to_string().as_bytes()), Ok(prefix));
            prop_assert_eq!(Prefix::parse_strict(prefix.to_string().as_bytes()), Ok(prefix));
            prop_assert_eq!(prefix.masked().to_string().parse(), Ok(prefix.masked()));
        }
    }
}

//! The values of settings, by the rules that `wg set` and config files share.

use std::fmt;

use zeroize::Zeroizing;

use crate::endpoint::EndpointError;
use crate::key::KeyError;
use crate::number;
use crate::port::PortError;
use crate::prefix::{AllowedIpEntry, Prefix, PrefixError};

/// A value that is not of its setting's form.
#[derive(Clone, PartialEq, Eq)]
pub struct BadValue {
    /// What is wrong with it.
    pub error: SettingError,
    text: Zeroizing<String>,
}

impl BadValue {
    /// The value that did not do, or the part of it that wg(8) would quote.
    #[must_use]
    pub fn new(error: SettingError, text: &str) -> Self {
        Self {
            error,
            text: Zeroizing::new(text.to_owned()),
        }
    }

    /// What was written. Of a key, this may be nearly a secret.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to write instead.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self.error {
            SettingError::Key(_) => "a key is 44 characters of Base64, the last of them `=`",
            SettingError::Port(_) | SettingError::Endpoint(EndpointError::Port(_)) => {
                "write a number up to 65535"
            }
            SettingError::Fwmark => "write off, or a number up to 0xffffffff",
            SettingError::Endpoint(_) => {
                "write it like 192.0.2.1:51820, [2001:db8::1]:51820 or host:51820"
            }
            SettingError::PersistentKeepalive => "write off, or seconds up to 65535",
            SettingError::AllowedIpAddress => {
                "write every prefix like 10.0.0.0/8 or fd00::/64, in full"
            }
            SettingError::AllowedIpLength => "the length is at most 32, or 128 for IPv6",
        }
    }

    /// The message of wg(8), which quotes what was written, keys included.
    #[must_use]
    pub fn standard_message(&self) -> Zeroizing<String> {
        Zeroizing::new(match self.error {
            SettingError::Port(PortError::Empty)
            | SettingError::Endpoint(
                EndpointError::Empty | EndpointError::Port(PortError::Empty),
            ) => self.error.to_string(),
            _ => format!("{}: `{}'", self.error, *self.text),
        })
    }
}

impl fmt::Debug for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BadValue")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a value. The messages are wg(8)'s, without the text that it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// A key.
    Key(KeyError),
    /// A listening port.
    Port(PortError),
    /// A mark.
    Fwmark,
    /// An endpoint.
    Endpoint(EndpointError),
    /// A keepalive interval.
    PersistentKeepalive,
    /// The address of an allowed IP.
    AllowedIpAddress,
    /// The length of an allowed IP.
    AllowedIpLength,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Port(error) => error.fmt(f),
            Self::Fwmark => f.write_str("Fwmark is neither 0/off nor 0-0xffffffff"),
            Self::Endpoint(error) => error.fmt(f),
            Self::PersistentKeepalive => {
                f.write_str("Persistent keepalive interval is neither 0/off nor 1-65535")
            }
            Self::AllowedIpAddress => f.write_str("Unable to parse IP address"),
            Self::AllowedIpLength => f.write_str("AllowedIP is not in the correct format"),
        }
    }
}

impl std::error::Error for SettingError {}

/// A mark: `off`, a decimal number, or `0x` and hex digits; up to 2^32 - 1. 0 is off.
///
/// # Errors
///
/// [`SettingError::Fwmark`].
pub fn fwmark(text: &str) -> Result<u32, BadValue> {
    let max = u32::MAX.into();
    let mark = match text.as_bytes() {
        off if off.eq_ignore_ascii_case(b"off") => Some(0),
        [b'0', b'x', digits @ ..] => number::hexadecimal(digits, max),
        digits => number::decimal(digits, max),
    };
    mark.and_then(|mark| u32::try_from(mark).ok())
        .ok_or_else(|| BadValue::new(SettingError::Fwmark, text))
}

/// A keepalive interval in seconds: `off` or a decimal number up to 65,535. 0 is off.
///
/// # Errors
///
/// [`SettingError::PersistentKeepalive`].
pub fn persistent_keepalive(text: &str) -> Result<u16, BadValue> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(0);
    }
    number::decimal(text.as_bytes(), u16::MAX.into())
        .and_then(|seconds| u16::try_from(seconds).ok())
        .ok_or_else(|| BadValue::new(SettingError::PersistentKeepalive, text))
}

/// An entry of a list of allowed IPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// Where it starts in the list, in bytes.
    pub offset: usize,
    /// The prefix as it was written, without a sign.
    pub written: &'a str,
    /// Whether it has a `+` or `-`. One such entry makes the whole list a change to what the
    /// peer has, instead of a replacement.
    pub signed: bool,
    /// The entry.
    pub entry: AllowedIpEntry,
}

/// The entries of a list of allowed IPs, `[+|-]ip[/cidr]` each, between commas. Blanks must be
/// gone from the text.
///
/// Yields [`SettingError::AllowedIpAddress`] or [`SettingError::AllowedIpLength`] for the
/// entries that are none, an empty one included, with its offset.
pub fn allowed_ips(text: &str) -> impl Iterator<Item = Result<ListEntry<'_>, (usize, BadValue)>> {
    let mut next = 0;
    text.split(',').map(move |word| {
        let offset = next;
        next += word.len() + 1;
        allowed_ip(word, offset).map_err(|bad| (offset, bad))
    })
}

fn allowed_ip(word: &str, offset: usize) -> Result<ListEntry<'_>, BadValue> {
    let unsigned = word.strip_prefix(['+', '-']);
    let text = unsigned.unwrap_or(word);
    let prefix = Prefix::parse(text.as_bytes()).map_err(|error| match error {
        PrefixError::Address => {
            let ip = text.split('/').next().unwrap_or_default();
            BadValue::new(SettingError::AllowedIpAddress, ip)
        }
        PrefixError::Length => BadValue::new(SettingError::AllowedIpLength, text),
    })?;
    let entry = AllowedIpEntry {
        remove: word.starts_with('-'),
        prefix,
    };
    Ok(ListEntry {
        offset,
        written: text,
        signed: unsigned.is_some(),
        entry,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, BadValue>) -> String {
        result
            .err()
            .expect("a bad value")
            .standard_message()
            .to_string()
    }

    #[test]
    fn marks() {
        for (text, mark) in [
            ("off", 0),
            ("OFF", 0),
            ("0", 0),
            ("0x0", 0),
            ("0xFFFFFFFF", u32::MAX),
            ("010", 10),
        ] {
            assert_eq!(fwmark(text).unwrap(), mark, "{text}");
        }
        assert_eq!(fwmark("4294967295").unwrap(), u32::MAX);
        for bad in [
            "0x100000000",
            "4294967296",
            "0X10",
            "0x",
            "",
            " 1",
            "none",
            "0xg",
            "-1",
            "+1",
        ] {
            let expected = format!("Fwmark is neither 0/off nor 0-0xffffffff: `{bad}'");
            assert_eq!(message(fwmark(bad)), expected);
        }
    }

    #[test]
    fn keepalive_intervals() {
        for (text, seconds) in [
            ("off", 0),
            ("Off", 0),
            ("0", 0),
            ("025", 25),
            ("65535", 65535),
        ] {
            assert_eq!(persistent_keepalive(text).unwrap(), seconds, "{text}");
        }
        for bad in ["65536", "-1", "abc", " 25", "", "0x1"] {
            let expected =
                format!("Persistent keepalive interval is neither 0/off nor 1-65535: `{bad}'");
            assert_eq!(message(persistent_keepalive(bad)), expected);
        }
    }

    #[test]
    fn lists_of_allowed_ips() {
        let list: Vec<ListEntry<'_>> = allowed_ips("10.0.0.0/8,+fd00::1,-1.2.3.4/24")
            .map(Result::unwrap)
            .collect();
        let shown: Vec<String> = list.iter().map(|listed| listed.entry.to_string()).collect();
        assert_eq!(shown, ["10.0.0.0/8", "fd00::1/128", "-1.2.3.4/24"]);
        assert_eq!(
            list.iter().map(|listed| listed.signed).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert_eq!(
            list.iter().map(|listed| listed.offset).collect::<Vec<_>>(),
            [0, 11, 20]
        );
    }

    #[test]
    fn entries_that_are_none() {
        for (text, offset, expected) in [
            ("10.0.0.0/8,", 11, "Unable to parse IP address: `'"),
            (",", 0, "Unable to parse IP address: `'"),
            ("+-1.2.3.4", 0, "Unable to parse IP address: `-1.2.3.4'"),
            (
                "example.com/32",
                0,
                "Unable to parse IP address: `example.com'",
            ),
            (
                "-10.0.0.1/-1",
                0,
                "AllowedIP is not in the correct format: `10.0.0.1/-1'",
            ),
            (
                "::,10.0.0.0/8/8",
                3,
                "AllowedIP is not in the correct format: `10.0.0.0/8/8'",
            ),
        ] {
            let (at, bad) = allowed_ips(text).find_map(Result::err).unwrap();
            assert_eq!((at, bad.standard_message().as_str()), (offset, expected));
        }
    }

    #[test]
    fn debug_does_not_quote() {
        let bad = BadValue::new(SettingError::Key(KeyError), "secret");
        assert!(!format!("{bad:?}").contains("secret"));
        assert_eq!(
            bad.standard_message().as_str(),
            "Key is not the correct length or format: `secret'"
        );
    }
}

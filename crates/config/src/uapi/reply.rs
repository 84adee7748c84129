//! Replies, read on the client's side by the rules of wg(8).

use std::fmt;
use std::io::{self, BufRead, Read};
use std::net::SocketAddr;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::device::{Device, Peer};
use crate::endpoint::{Endpoint, EndpointError};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::number;
use crate::prefix::Prefix;
use crate::resolve::{self, Retries};
use crate::uapi::framing::LINE_LIMIT;

/// Why an operation did not succeed.
#[derive(Debug)]
pub enum ReplyError {
    /// The device said so. The number is what wg(8) gives to `strerror`: a positive one is an
    /// error of the system, a negative one comes from a device that has its signs wrong.
    Device(i32),
    /// The device's reply is none, or broke off.
    Protocol,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(code) if *code > 0 => io::Error::from_raw_os_error(*code).fmt(f),
            Self::Device(code) => write!(f, "Unknown error {code}"),
            Self::Protocol => f.write_str("Protocol error"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplyError {}

impl From<io::Error> for ReplyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What wg(8) reports for an endpoint that it cannot make out: ENETUNREACH with the wrong sign.
const BAD_ENDPOINT: ReplyError = ReplyError::Device(-101);

/// ERANGE.
const OUT_OF_RANGE: i32 = 34;

/// Reads the reply to a set. Of several `errno` lines the last counts; other keys mean nothing.
///
/// # Errors
///
/// [`ReplyError`].
pub fn set(reader: &mut impl BufRead) -> Result<(), ReplyError> {
    let mut lines = Lines::new(reader);
    let mut result = Err(ReplyError::Protocol);
    while let Some((key, value)) = lines.next()? {
        if key == b"errno" {
            result = match signed(value).ok_or_else(|| no_errno(value))? {
                0 => Ok(()),
                code => Err(ReplyError::Device(code.wrapping_neg())),
            };
        }
    }
    result
}

/// Reads the reply to a get. Unknown keys mean nothing, nor do a peer's keys before the first
/// peer and a device's after it.
///
/// # Errors
///
/// [`ReplyError`]. An `errno` other than a non-negative number is a protocol error.
pub fn get(reader: &mut impl BufRead) -> Result<Device, ReplyError> {
    let mut lines = Lines::new(reader);
    let mut device = Device::default();
    let mut result = Err(ReplyError::Protocol);
    while let Some((key, value)) = lines.next()? {
        if key == b"errno" {
            result = match int(value, i32::MAX.unsigned_abs().into())? {
                0 => Ok(()),
                code => Err(ReplyError::Device(i32::try_from(code).unwrap_or(i32::MAX))),
            };
        } else if key == b"public_key" {
            let key = PublicKey::from_hex(value).map_err(|_| ReplyError::Protocol)?;
            device.peers.push(Peer::new(key));
        } else if let Some(peer) = device.peers.last_mut() {
            peer_line(peer, key, value)?;
        } else {
            device_line(&mut device, key, value)?;
        }
    }
    result.map(|()| device)
}

fn device_line(device: &mut Device, key: &[u8], value: &[u8]) -> Result<(), ReplyError> {
    match key {
        b"private_key" => {
            let key = PrivateKey::from_hex(value).map_err(|_| ReplyError::Protocol)?;
            device.private_key = Some(key);
        }
        b"listen_port" => device.listen_port = int(value, u16::MAX.into())? as u16,
        b"fwmark" => device.fwmark = int(value, u32::MAX.into())? as u32,
        _ => {}
    }
    Ok(())
}

fn peer_line(peer: &mut Peer, key: &[u8], value: &[u8]) -> Result<(), ReplyError> {
    match key {
        b"preshared_key" => {
            let key = PresharedKey::from_hex(value).map_err(|_| ReplyError::Protocol)?;
            // Told again, zeros are shown: wg(8) remembers that there was a key.
            let shown = peer.preshared_key.is_some() || !key.is_zero();
            peer.preshared_key = shown.then_some(key);
        }
        b"endpoint" => {
            peer.endpoint = Some(endpoint(value)?);
        }
        b"persistent_keepalive_interval" => {
            peer.persistent_keepalive = int(value, u16::MAX.into())? as u16;
        }
        b"allowed_ip" => {
            let prefix = Prefix::parse(value).ok().filter(|_| value.contains(&b'/'));
            peer.allowed_ips.push(prefix.ok_or(ReplyError::Protocol)?);
        }
        b"last_handshake_time_sec" => {
            let seconds = int(value, i64::MAX.unsigned_abs())?;
            let nanoseconds = peer.last_handshake.unwrap_or_default().subsec_nanos();
            peer.last_handshake = time(seconds, nanoseconds);
        }
        b"last_handshake_time_nsec" => {
            // More than a second's worth means nothing, but is no reason to show nothing.
            let nanoseconds = int(value, i64::MAX.unsigned_abs())?.min(999_999_999) as u32;
            let seconds = peer.last_handshake.unwrap_or_default().as_secs();
            peer.last_handshake = time(seconds, nanoseconds);
        }
        b"rx_bytes" => peer.rx_bytes = count(value)?,
        b"tx_bytes" => peer.tx_bytes = count(value)?,
        _ => {}
    }
    Ok(())
}

/// The time comes in two lines, either of which may be missing. Zero: never.
fn time(seconds: u64, nanoseconds: u32) -> Option<Duration> {
    let time = Duration::new(seconds, nanoseconds);
    (!time.is_zero()).then_some(time)
}

/// Daemons write numbers, but wg(8) takes all that it takes elsewhere.
fn endpoint(value: &[u8]) -> Result<SocketAddr, ReplyError> {
    let text = std::str::from_utf8(value).map_err(|_| ReplyError::Protocol)?;
    let endpoint = Endpoint::parse(text).map_err(|error| match error {
        EndpointError::Empty | EndpointError::Brace | EndpointError::NoPort => ReplyError::Protocol,
        EndpointError::Port(_) | EndpointError::Host => BAD_ENDPOINT,
    })?;
    resolve::resolve(&endpoint, Retries::Times(0), |_| {}).map_err(|_| BAD_ENDPOINT)
}

fn int(value: &[u8], max: u64) -> Result<u64, ReplyError> {
    number::decimal(value, max).ok_or(ReplyError::Protocol)
}

/// A count of bytes. More than there can be is as much as there can be.
fn count(value: &[u8]) -> Result<u64, ReplyError> {
    match value {
        [_, ..] if value.iter().all(u8::is_ascii_digit) => {
            Ok(number::decimal(value, u64::MAX).unwrap_or(u64::MAX))
        }
        _ => Err(ReplyError::Protocol),
    }
}

/// A number that fits a C `int`.
pub(super) fn signed(value: &[u8]) -> Option<i32> {
    match value {
        [b'-', digits @ ..] => {
            let magnitude = number::decimal(digits, i32::MIN.unsigned_abs().into())?;
            i32::try_from(-i64::try_from(magnitude).ok()?).ok()
        }
        digits => i32::try_from(number::decimal(digits, i32::MAX.unsigned_abs().into())?).ok(),
    }
}

/// What wg(8) says of an `errno` that is none: where `strtoll` has complained, its words.
fn no_errno(value: &[u8]) -> ReplyError {
    let (magnitude, max) = match value {
        [b'-', magnitude @ ..] => (magnitude, i64::MIN.unsigned_abs()),
        magnitude => (magnitude, i64::MAX.unsigned_abs()),
    };
    let digits = magnitude.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = magnitude.get(..digits.count()).unwrap_or_default();
    if digits.is_empty() || number::decimal(digits, max).is_some() {
        ReplyError::Protocol
    } else {
        ReplyError::Device(OUT_OF_RANGE)
    }
}

/// A key and its value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Reads `key=value` lines up to the empty one. There is no NUL in them.
pub(super) struct Lines<'r, R> {
    reader: &'r mut R,
    line: Zeroizing<Vec<u8>>,
}

impl<'r, R: BufRead> Lines<'r, R> {
    pub(super) fn new(reader: &'r mut R) -> Self {
        Self {
            reader,
            line: Zeroizing::new(Vec::with_capacity(256)),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Pair<'_>>, ReplyError> {
        self.line.clear();
        let limit = LINE_LIMIT as u64 + 1;
        Read::take(&mut *self.reader, limit).read_until(b'\n', &mut self.line)?;
        let Some((b'\n', line)) = self.line.split_last() else {
            return Err(ReplyError::Protocol);
        };
        if line.is_empty() {
            return Ok(None);
        }
        if line.contains(&0) {
            return Err(ReplyError::Protocol);
        }
        let equals = line
            .iter()
            .position(|&byte| byte == b'=')
            .ok_or(ReplyError::Protocol)?;
        Ok(Some((&line[..equals], &line[equals + 1..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";

    fn set_reply(text: &str) -> Result<(), String> {
        set(&mut text.as_bytes()).map_err(|error| error.to_string())
    }

    fn get_reply(text: &str) -> Result<Device, String> {
        get(&mut text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn more_bytes_than_there_can_be_are_as_many_as_there_can_be() {
        let bytes = |count: &str| {
            let text = format!("public_key={HEX}\ntx_bytes={count}\nerrno=0\n\n");
            get_reply(&text).map(|device| device.peers[0].tx_bytes)
        };
        assert_eq!(bytes("18446744073709551616"), Ok(u64::MAX));
        assert_eq!(bytes("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "-1", "+1", "1x"] {
            assert_eq!(bytes(bad), Err("Protocol error".to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn the_sign_of_an_errno_in_a_set_reply() {
        assert_eq!(set_reply("errno=0\n\n"), Ok(()));
        let told = |text: &str| set_reply(text).unwrap_err();
        assert!(told("errno=-22\n\n").starts_with("Invalid argument"));
        assert!(told("errno=-98\n\n").starts_with("Address already in use"));
        assert_eq!(told("errno=22\n\n"), "Unknown error -22");
    }

    #[test]
    fn of_several_the_last_counts_and_other_keys_do_not() {
        assert_eq!(set_reply("errno=-22\nfoo=1\nerrno=0\n\n"), Ok(()));
    }

    #[test]
    fn a_broken_set_reply() {
        for bad in [
            "",
            "\n",
            "errno=\n\n",
            "errno=x\n\n",
            "errno=+1\n\n",
            "errno=2147483648\n\n",
            "errno=-2147483649\n\n",
            "errno=0\n",
            "errno=0",
            "errno=0\nfoo\n\n",
            "errno=0x1\n\n",
        ] {
            assert_eq!(set_reply(bad), Err("Protocol error".to_owned()), "{bad:?}");
        }
        assert!(matches!(
            set(&mut &b"errno=-2147483648\n\n"[..]),
            Err(ReplyError::Device(i32::MIN))
        ));
    }

    #[test]
    fn an_errno_past_all_numbers_is_out_of_range() {
        for large in [
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999x",
        ] {
            let told = set_reply(&format!("errno={large}\nerrno=0\n\n")).unwrap_err();
            assert!(told.starts_with("Numerical result out of range"), "{told}");
        }
        for bad in ["9223372036854775807", "-9223372036854775808", "-x", "-"] {
            let told = set_reply(&format!("errno={bad}\n\n"));
            assert_eq!(told, Err("Protocol error".to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn a_nul_is_in_no_reply() {
        for line in ["foo=\0", "foo=1\0x", "foo\0=1", "\0=1"] {
            let reply = format!("{line}\nerrno=0\n\n");
            assert_eq!(set_reply(&reply), Err("Protocol error".to_owned()));
            assert_eq!(get_reply(&reply), Err("Protocol error".to_owned()));
        }
    }

    #[test]
    fn a_get_reply_has_positive_errors() {
        assert_eq!(get_reply("errno=0\n\n"), Ok(Device::default()));
        assert!(
            get_reply("errno=13\n\n")
                .unwrap_err()
                .starts_with("Permission denied")
        );
        assert_eq!(get_reply("errno=-13\n\n"), Err("Protocol error".to_owned()));
    }

    #[test]
    fn keys_unknown_or_out_of_place_mean_nothing() {
        let device = get_reply(&format!(
            "allowed_ip=x\nfoo=bar\nlisten_port=5\npublic_key={HEX}\nlisten_port=x\nfwmark=9\nerrno=0\n\n"
        ))
        .unwrap();
        assert_eq!(
            (device.listen_port, device.fwmark, device.peers.len()),
            (5, 0, 1)
        );
    }

    #[test]
    fn a_broken_get_reply() {
        for bad in [
            "",
            "\n",
            "foo\nerrno=0\n\n",
            "private_key=zz\nerrno=0\n\n",
            "listen_port=65536\nerrno=0\n\n",
            "fwmark=0x1\nerrno=0\n\n",
            "errno=0\n",
            "listen_port=1\n\n",
        ] {
            assert_eq!(get_reply(bad), Err("Protocol error".to_owned()), "{bad:?}");
        }
        for bad in [
            "allowed_ip=1.2.3.4",
            "allowed_ip=1.2.3.4/33",
            "endpoint=x",
            "endpoint=",
            "endpoint=[::1:5",
            "endpoint=[::1]5",
            "endpoint=1.2.3.4:",
            "rx_bytes=-1",
            "persistent_keepalive_interval=65536",
            "preshared_key=0",
            "last_handshake_time_sec=9223372036854775808",
        ] {
            let reply = get_reply(&format!("public_key={HEX}\n{bad}\nerrno=0\n\n"));
            assert_eq!(reply, Err("Protocol error".to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_made_out() {
        for bad in ["no host:5", "1.2.3.4:x", "1.2.3.4:65536", ":5"] {
            let reply = get_reply(&format!("public_key={HEX}\nendpoint={bad}\nerrno=0\n\n"));
            assert_eq!(reply, Err("Unknown error -101".to_owned()), "{bad}");
        }
    }

    #[test]
    fn hex_of_any_case_and_a_handshake_in_two_lines() {
        let device = get_reply(&format!(
            "public_key={}\nlast_handshake_time_sec=7\nlast_handshake_time_nsec=8\nerrno=0\n\n",
            HEX.to_uppercase()
        ))
        .unwrap();
        assert_eq!(device.peers[0].public_key.to_hex().as_str(), HEX);
        assert_eq!(device.peers[0].last_handshake, Some(Duration::new(7, 8)));
    }

    #[test]
    fn of_preshared_keys_the_last_counts() {
        let preshared_key = |keys: &[&str]| {
            let lines: String = keys
                .iter()
                .map(|key| format!("preshared_key={key}\n"))
                .collect();
            let reply = format!("public_key={HEX}\n{lines}errno=0\n\n");
            get_reply(&reply).unwrap().peers[0].preshared_key.clone()
        };
        let zero = "0".repeat(64);
        assert_eq!(preshared_key(&[&zero, &zero]), None);
        let last = preshared_key(&[HEX, &zero]);
        assert_eq!(last, Some(PresharedKey::new([0; 32])));
        assert_ne!(preshared_key(&[&zero, HEX]), None);
    }

    #[test]
    fn what_a_device_tells_is_shown_as_it_is() {
        let zero = "0".repeat(64);
        let device = get_reply(&format!(
            "private_key={zero}\npublic_key={HEX}\nallowed_ip=10.0.0.1/8\n\
             last_handshake_time_sec=9\nlast_handshake_time_nsec=9999999999\n\
             last_handshake_time_sec=7\nendpoint=localhost:5\nerrno=0\n\n"
        ))
        .unwrap();
        assert_eq!(device.private_key, Some(PrivateKey::new([0; 32])));
        let peer = &device.peers[0];
        assert_eq!(peer.allowed_ips[0].to_string(), "10.0.0.1/8");
        assert_eq!(peer.last_handshake, Some(Duration::new(7, 999_999_999)));
        assert_eq!(peer.endpoint.map(|endpoint| endpoint.port()), Some(5));
    }

    #[test]
    fn a_line_without_end_is_no_reply() {
        let long = format!("foo={}\nerrno=0\n\n", "x".repeat(LINE_LIMIT + 1));
        assert_eq!(get_reply(&long), Err("Protocol error".to_owned()));
    }
}

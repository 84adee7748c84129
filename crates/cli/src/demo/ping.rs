//! ping(8) in small: echo requests, and how long their answers take.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with,
};

use super::error::Error;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(1);
/// How many may be lost; so many that a lost handshake message is sent again.
const LOST_LIMIT: usize = 10;
const HEADER: usize = 8;
const DATA: usize = 56;

/// Round-trip times, sorted.
pub(super) struct Rtt(Vec<Duration>);

impl Rtt {
    /// The median.
    pub(super) fn typical(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }
}

impl fmt::Display for Rtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.first().copied().unwrap_or_default();
        let last = self.0.last().copied().unwrap_or_default();
        write!(
            f,
            "{:.3} ms (least {:.3}, most {:.3})",
            milliseconds(self.typical()),
            milliseconds(first),
            milliseconds(last)
        )
    }
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The message types of a family's echo (RFC 792, RFC 4443), and what is before them in what a
/// raw socket receives.
struct Family {
    domain: AddressFamily,
    protocol: rustix::net::Protocol,
    request: u8,
    reply: u8,
    has_ip_header: bool,
}

const V4: Family = Family {
    domain: AddressFamily::INET,
    protocol: ipproto::ICMP,
    request: 8,
    reply: 0,
    has_ip_header: true,
};

const V6: Family = Family {
    domain: AddressFamily::INET6,
    protocol: ipproto::ICMPV6,
    request: 128,
    reply: 129,
    has_ip_header: false,
};

/// Sends echo requests one after the other, from the calling thread's network namespace.
pub(super) fn ping(address: IpAddr, count: usize) -> Result<Rtt, Error> {
    let family = if address.is_ipv4() { V4 } else { V6 };
    let socket = open(&family).map_err(|error| Error::System("open a socket for pings", error))?;
    let mut rtts = Vec::new();
    let mut lost = 0;
    for sequence in 0..u16::MAX {
        if rtts.len() == count {
            break;
        }
        match echo(&socket, &family, address, sequence)? {
            Some(rtt) => rtts.push(rtt),
            None if lost == LOST_LIMIT => return Err(Error::NoAnswer(address)),
            // A new interface takes a moment to have its IPv6 addresses.
            None => lost += 1,
        }
    }
    rtts.sort();
    Ok(Rtt(rtts))
}

fn open(family: &Family) -> io::Result<OwnedFd> {
    let socket = socket_with(
        family.domain,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(family.protocol),
    )?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT))?;
    Ok(socket)
}

/// Sends one request; none if it, or the answer, is lost.
fn echo(
    socket: &OwnedFd,
    family: &Family,
    address: IpAddr,
    sequence: u16,
) -> Result<Option<Duration>, Error> {
    let request = request(family, sequence);
    let to = SocketAddr::new(address, 0);
    let start = Instant::now();
    match sendto(socket, &request, SendFlags::empty(), &to) {
        Ok(_) => {}
        Err(Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::HOSTUNREACH) => {
            std::thread::sleep(LIMIT);
            return Ok(None);
        }
        Err(errno) => return Err(Error::System("send a ping", errno.into())),
    }
    let mut buffer = [0; 1500];
    while start.elapsed() < LIMIT {
        let length = match recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(Error::System("wait for an answer", errno.into())),
        };
        let received = buffer.get(..length).unwrap_or_default();
        if is_reply(family, received, sequence) {
            return Ok(Some(start.elapsed()));
        }
    }
    Ok(None)
}

/// An echo request, with our process's number as its identifier.
fn request(family: &Family, sequence: u16) -> [u8; HEADER + DATA] {
    let mut message = [0; HEADER + DATA];
    let [high, low] = identifier();
    let [sequence_high, sequence_low] = sequence.to_be_bytes();
    let header = [
        family.request,
        0,
        0,
        0,
        high,
        low,
        sequence_high,
        sequence_low,
    ];
    for (byte, value) in message.iter_mut().zip(header) {
        *byte = value;
    }
    if family.has_ip_header {
        // Of ICMPv6 the kernel makes the checksum.
        let [high, low] = checksum(&message).to_be_bytes();
        message[2] = high;
        message[3] = low;
    }
    message
}

fn is_reply(family: &Family, received: &[u8], sequence: u16) -> bool {
    let before = match received.first() {
        Some(first) if family.has_ip_header => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    let [high, low] = identifier();
    let [sequence_high, sequence_low] = sequence.to_be_bytes();
    matches!(
        received.get(before..),
        Some([kind, 0, _, _, a, b, c, d, ..])
            if *kind == family.reply && [*a, *b, *c, *d] == [high, low, sequence_high, sequence_low]
    )
}

fn identifier() -> [u8; 2] {
    let [.., high, low] = std::process::id().to_be_bytes();
    [high, low]
}

/// The Internet checksum (RFC 1071).
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_checks_itself() {
        assert_eq!(checksum(&request(&V4, 7)), 0);
        // RFC 1071, section 3, complemented.
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
    }

    #[test]
    fn only_the_answer_to_this_request_counts() {
        let mut answer = request(&V6, 7);
        assert!(!is_reply(&V6, &answer, 7), "our own request");
        answer[0] = V6.reply;
        assert!(is_reply(&V6, &answer, 7));
        assert!(!is_reply(&V6, &answer, 8));
        answer[4] ^= 1;
        assert!(!is_reply(&V6, &answer, 7));
        for length in 0..HEADER {
            assert!(!is_reply(&V6, &answer[..length], 7));
            assert!(!is_reply(&V4, &answer[..length], 7));
        }
    }
}

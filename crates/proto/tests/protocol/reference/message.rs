//! Messages by what they mean.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::paper::HANDSHAKE_TOS;
use crate::harness::{Datagram, Kind};

use super::kind_of;

/// A cookie: who baked it of which secret, for which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) secret: u64,
    pub(super) address: SocketAddr,
}

/// A timestamp: seconds, and units of 2²⁴ nanoseconds in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    seconds: i64,
    units: u32,
}

impl Stamp {
    const UNITS: u32 = 1_000_000_000_u32.div_ceil(1 << 24);

    /// Of the wall clock that began with the network and was then set by `offset` seconds.
    pub(super) fn of(now: Duration, offset: i64) -> Self {
        Self {
            seconds: i64::try_from(now.as_secs()).unwrap() + offset,
            units: now.subsec_nanos() >> 24,
        }
    }

    pub(super) const fn successor(self) -> Self {
        let Self { seconds, units } = self;
        if units + 1 < Self::UNITS {
            Self {
                seconds,
                units: units + 1,
            }
        } else {
            Self {
                seconds: seconds + 1,
                units: 0,
            }
        }
    }
}

/// What a message says.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Initiation(Stamp),
    Response {
        /// The serial number of the initiation.
        answers: u64,
        /// The number of the session that it makes.
        session: u64,
        psk: u8,
    },
    Cookie {
        answers: u64,
        cookie: Cookie,
    },
    Data {
        session: u64,
        counter: u64,
        /// The packet inside; none in a keepalive.
        plaintext: Option<u64>,
    },
}

/// A message that was sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) serial: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    /// What the sender of a handshake message wants to be called, else zero.
    pub(super) index: u32,
    pub(super) body: Body,
    /// What the second MAC was made with.
    pub(super) cookie: Option<Cookie>,
    pub(super) mac2: Vec<u8>,
}

impl Message {
    pub(super) const fn is_handshake(&self) -> bool {
        matches!(self.body, Body::Initiation(_) | Body::Response { .. })
    }
}

/// A datagram that must be sent now.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) serial: u64,
    pub(super) at: Duration,
    pub(super) to: SocketAddr,
    /// Whom it is for: the index of the receiver; none in an initiation.
    pub(super) receiver: Option<u32>,
    /// The length in bytes of transport data.
    pub(super) len: Option<usize>,
    pub(super) body: Body,
    pub(super) cookie: Option<Cookie>,
}

impl Expected {
    /// The message that this datagram is, which must be the one expected.
    pub(super) fn matched(self, from: usize, to: usize, datagram: &Datagram) -> Message {
        let kind = datagram.kind();
        let seen = (datagram.at, kind, datagram.to);
        assert_eq!(seen, (self.at, kind_of(&self.body), self.to), "{self:?}");
        let receiver = (kind != Kind::Initiation).then(|| datagram.receiver());
        assert_eq!(receiver, self.receiver, "{self:?}");
        let is_handshake = matches!(kind, Kind::Initiation | Kind::Response);
        if let Body::Data { counter, .. } = self.body {
            assert_eq!(datagram.counter(), counter, "{self:?}");
            assert_eq!(Some(datagram.bytes.len()), self.len, "{self:?}");
        }
        if is_handshake {
            assert_eq!(datagram.has_mac2(), self.cookie.is_some(), "{self:?}");
        }
        let tos = if datagram.is_transport() {
            0
        } else {
            HANDSHAKE_TOS
        };
        assert_eq!(datagram.tos, tos, "{self:?}");
        let tail = datagram.bytes.len() - key_of(&datagram.bytes).len();
        Message {
            serial: self.serial,
            from,
            to,
            index: if is_handshake { datagram.sender() } else { 0 },
            body: self.body,
            cookie: self.cookie,
            mac2: datagram.bytes[datagram.bytes.len() - tail..].to_vec(),
        }
    }
}

/// What a datagram is known by: all of it but the second MAC, which nothing protects.
pub(super) fn key_of(bytes: &[u8]) -> &[u8] {
    match (bytes.first(), bytes.len()) {
        (Some(1), 148) | (Some(2), 92) => &bytes[..bytes.len() - 16],
        _ => bytes,
    }
}

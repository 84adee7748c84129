//! What an attacker can send to a device whose public key he knows: datagrams of every kind that
//! must come to nothing. The device is the server of the [`crowd`].

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hushwire_proto::cookie::CookieGenerator;
use hushwire_proto::crypto::Random;
use hushwire_proto::handshake::{RemoteStatic, initiate};
use hushwire_proto::key::PrivateKey;
use hushwire_proto::messages::{
    COOKIE_REPLY_SIZE, DATA_SIZE_MIN, INITIATION_SIZE, Message, RESPONSE_SIZE, write_data_header,
};
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::{Instant, UnixTime};

use crate::crowd;
use crate::random::Repeatable;

/// The largest datagram that is made, in bytes: one that fits an ordinary link.
const LENGTH_MAX: u64 = 1400;
/// How often a handshake is tried.
const ATTEMPTS: u32 = 5;
/// The number of the crowd whom no device knows.
const STRANGER: u32 = u32::MAX;

/// A kind of hostile datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes of random length.
    Garbage,
    /// Random bytes, but with the type and length of each message of the protocol in turn.
    Shaped,
    /// Initiations with a right first MAC and random bytes inside.
    Mac1,
    /// Responses with a right first MAC and random bytes inside.
    Response,
    /// Whole initiations of somebody whom the device does not know.
    Stranger,
    /// One initiation of a peer's again and again; the first of them may be answered.
    Replay,
    /// Transport data for no session.
    UnknownIndex,
    /// Transport data for a session, with a wrong tag.
    LiveIndex,
    /// Cookie replies that nobody asked for.
    Cookie,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Garbage,
        Self::Shaped,
        Self::Mac1,
        Self::Response,
        Self::Stranger,
        Self::Replay,
        Self::UnknownIndex,
        Self::LiveIndex,
        Self::Cookie,
    ];

    /// The name for command lines and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Shaped => "shaped-garbage",
            Self::Mac1 => "right-mac1",
            Self::Response => "responses",
            Self::Stranger => "strangers",
            Self::Replay => "replays",
            Self::UnknownIndex => "unknown-index",
            Self::LiveIndex => "live-index",
            Self::Cookie => "cookie-replies",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it may be answered with a cookie by a device under load: its first MAC is right.
    #[must_use]
    pub const fn may_draw_cookies(self) -> bool {
        matches!(
            self,
            Self::Mac1 | Self::Response | Self::Stranger | Self::Replay
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes hostile datagrams, the same ones for the same seed but for times and keys of initiations.
pub struct Attacker {
    random: Repeatable,
    macs: CookieGenerator,
    server: RemoteStatic,
    /// The receiver index of a session with the device.
    live_index: u32,
    replayed: Option<[u8; INITIATION_SIZE]>,
    count: u64,
}

impl Attacker {
    /// An attacker who has seen the index of a session go by.
    #[must_use]
    pub fn new(seed: u64, live_index: u32) -> Self {
        let server = *crowd::server().public_key();
        Self {
            random: Repeatable::new(seed),
            macs: CookieGenerator::new::<DefaultCrypto>(&server),
            server: RemoteStatic::new(server),
            live_index,
            replayed: None,
            count: 0,
        }
    }

    /// The next datagram of a kind.
    pub fn datagram(&mut self, kind: Kind) -> Vec<u8> {
        self.count += 1;
        match kind {
            Kind::Garbage => {
                let length = self.random.next() % (LENGTH_MAX + 1);
                self.bytes(length as usize)
            }
            Kind::Shaped => self.shaped(),
            Kind::Mac1 => self.typed(1, INITIATION_SIZE),
            Kind::Response => self.typed(2, RESPONSE_SIZE),
            Kind::Stranger => self.initiation_of(STRANGER).to_vec(),
            Kind::Replay => self.replay(),
            Kind::UnknownIndex => {
                let index = self.random.next() as u32;
                self.data(index)
            }
            Kind::LiveIndex => self.data(self.live_index),
            Kind::Cookie => self.cookie_reply(),
        }
    }

    /// An initiation of one of the crowd, as of now.
    pub fn initiation_of(&mut self, peer: u32) -> [u8; INITIATION_SIZE] {
        let index = self.random.next() as u32;
        let ephemeral = PrivateKey::generate(&mut self.random);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = timestamp(since.unwrap_or_default());
        let identity = crowd::peer(peer);
        let (mut message, _) = initiate(&identity, &self.server, index, &ephemeral, timestamp)
            .expect("the server's key is a good one");
        self.seal(&mut message);
        message
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        bytes
    }

    fn shaped(&mut self) -> Vec<u8> {
        let (kind, length) = match self.count % 4 {
            0 => (1, INITIATION_SIZE),
            1 => (2, RESPONSE_SIZE),
            2 => (3, COOKIE_REPLY_SIZE),
            _ => (4, DATA_SIZE_MIN + 16 * (self.random.next() % 80) as usize),
        };
        let mut message = self.bytes(length);
        message[..4].copy_from_slice(&[kind, 0, 0, 0]);
        message
    }

    /// A message with a right first MAC. A response says that it is for the live session.
    fn typed(&mut self, kind: u8, length: usize) -> Vec<u8> {
        let mut message = self.bytes(length);
        message[..4].copy_from_slice(&[kind, 0, 0, 0]);
        if kind == 2 {
            message[8..12].copy_from_slice(&self.live_index.to_le_bytes());
        }
        self.seal(&mut message);
        message
    }

    fn replay(&mut self) -> Vec<u8> {
        let message = match self.replayed {
            Some(message) => message,
            None => self.initiation_of(1),
        };
        self.replayed = Some(message);
        message.to_vec()
    }

    fn seal(&mut self, message: &mut [u8]) {
        self.macs
            .add_macs::<DefaultCrypto>(Instant::from_nanos(1), message);
    }

    fn data(&mut self, index: u32) -> Vec<u8> {
        let length = DATA_SIZE_MIN + 16 * (self.random.next() % 84) as usize;
        let mut message = self.bytes(length);
        write_data_header(&mut message, index, self.count);
        message
    }

    /// For the live session, or for nobody, in turn.
    fn cookie_reply(&mut self) -> Vec<u8> {
        let mut message = self.bytes(COOKIE_REPLY_SIZE);
        message[..4].copy_from_slice(&[3, 0, 0, 0]);
        if self.count.is_multiple_of(2) {
            message[4..8].copy_from_slice(&self.live_index.to_le_bytes());
        }
        message
    }
}

/// Shakes hands with a device once, as the first of the crowd, and returns the receiver index that it
/// gave the session.
///
/// # Errors
///
/// When the socket fails, or no response comes in time.
pub fn session(server: SocketAddr, patience: Duration) -> io::Result<u32> {
    let socket = UdpSocket::bind(match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    })?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(patience))?;
    let mut attacker = Attacker::new(2, 0);
    let mut datagram = [0; 2048];
    for _ in 0..ATTEMPTS {
        socket.send(&attacker.initiation_of(1))?;
        let Ok(length) = socket.recv(&mut datagram) else {
            continue;
        };
        if let Ok(Message::Response(response)) = Message::parse(&datagram[..length]) {
            return Ok(response.sender);
        }
    }
    Err(io::Error::other("the server does not answer"))
}

fn timestamp(since: Duration) -> Tai64n {
    Tai64n::from_unix(UnixTime {
        secs: since.as_secs(),
        nanos: since.subsec_nanos(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: u32 = 0x1122_3344;

    #[test]
    fn kinds_have_names_of_their_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        assert_eq!(Kind::parse("kind"), None);
    }

    #[test]
    fn what_claims_to_be_a_message_is_read_as_one() {
        let mut attacker = Attacker::new(1, INDEX);
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Garbage) {
            for _ in 0..20 {
                let datagram = attacker.datagram(kind);
                assert!(Message::parse(&datagram).is_ok(), "{kind}");
            }
        }
    }

    #[test]
    fn first_macs_are_right_where_they_are_said_to_be() {
        let mut checker = hushwire_proto::cookie::CookieChecker::new();
        checker.set_identity(Some(&crowd::server()));
        let mut attacker = Attacker::new(2, INDEX);
        for kind in Kind::ALL {
            let datagram = attacker.datagram(kind);
            let right = match Message::parse(&datagram) {
                Ok(Message::Initiation(message)) => {
                    checker.verify_mac1::<DefaultCrypto>(&message.macs)
                }
                Ok(Message::Response(message)) => {
                    checker.verify_mac1::<DefaultCrypto>(&message.macs)
                }
                _ => false,
            };
            assert_eq!(right, kind.may_draw_cookies(), "{kind}");
        }
    }

    #[test]
    fn a_replay_is_the_same_again_and_a_stranger_is_not() {
        let mut attacker = Attacker::new(3, INDEX);
        let mut twice = |kind| [attacker.datagram(kind), attacker.datagram(kind)];
        let [one, other] = twice(Kind::Replay);
        assert_eq!(one, other);
        let [one, other] = twice(Kind::Stranger);
        assert_ne!(one, other);
    }

    #[test]
    fn garbage_has_every_length_sooner_or_later() {
        let mut attacker = Attacker::new(4, INDEX);
        let lengths: std::collections::BTreeSet<usize> = (0..20_000)
            .map(|_| attacker.datagram(Kind::Garbage).len())
            .collect();
        assert!(lengths.len() > 1300 && lengths.last() <= Some(&1400));
    }
}

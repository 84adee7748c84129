//! A peer of the device under attack, played by the test: it speaks the protocol with a clock that the test sets.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hushwire_bench::crowd;
use hushwire_lab::{Datagram, Wire, wait_until};
use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::crypto::Random;
use hushwire_proto::device::Received;
use hushwire_proto::ecn::Ecn;
use hushwire_proto::messages::Message;
use hushwire_proto::path::Path;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::time::{Instant, Now, UnixTime};

use crate::siege::{INSIDE, SOON, VICTIM};

/// One of the crowd whose peers the device has.
pub(crate) struct Peer {
    device: hushwire_proto::Device<DefaultCrypto>,
    pub(crate) place: SocketAddr,
    inside: Ipv4Addr,
    /// How far the peer's clocks are ahead of the real ones.
    ahead: Duration,
    started: std::time::Instant,
    /// The last receiver index that the device gave itself in a session with this peer.
    pub(crate) index: Option<u32>,
    /// What came out of the tunnel.
    received: Vec<Vec<u8>>,
    /// What the peer got, by kind.
    pub(crate) responses: u32,
    pub(crate) cookies: u32,
    echoes: u8,
}

/// What came of waiting for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Response,
    Cookie,
}

impl Peer {
    /// The peer with this number, at this place outside.
    pub(crate) fn new(number: u32, place: SocketAddr) -> Self {
        let inside = Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 16, 0, 0)) + number);
        let mut peer = Self {
            device: hushwire_proto::Device::new(Box::new(Weak(u64::from(number)))),
            place,
            inside,
            ahead: Duration::ZERO,
            started: std::time::Instant::now(),
            index: None,
            received: Vec::new(),
            responses: 0,
            cookies: 0,
            echoes: 0,
        };
        let now = peer.now();
        let device = &mut peer.device;
        device.set_private_key(now, Some(crowd::peer(number).private_key().clone()));
        device.set_up(now, true);
        let server = device.add_peer(now, *crowd::server().public_key()).unwrap();
        let victim = VICTIM.iter().find(|to| to.is_ipv4() == place.is_ipv4());
        device.set_endpoint(now, server, *victim.unwrap());
        let everything = Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
        device.add_allowed_ip(server, everything);
        peer
    }

    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + self.ahead;
        let monotonic = self.started.elapsed() + self.ahead + Duration::from_secs(1);
        Now {
            monotonic: Instant::from_nanos(monotonic.as_nanos() as u64),
            unix: UnixTime {
                secs: since.as_secs(),
                nanos: since.subsec_nanos(),
            },
        }
    }

    /// Sets the peer's clocks forward, and does what is due then.
    pub(crate) fn skip(&mut self, wire: &Wire, time: Duration) {
        self.ahead += time;
        let now = self.now();
        self.device.handle_timeout(now);
        self.send(wire);
    }

    /// Sends a ping into the tunnel, which starts a handshake when there is no session.
    pub(crate) fn ask(&mut self, wire: &Wire) {
        self.echoes = self.echoes.wrapping_add(1);
        self.received.clear();
        let packet = echo_request(self.inside, INSIDE, self.echoes);
        let now = self.now();
        self.device.handle_plaintext(now, &packet).unwrap();
        self.send(wire);
    }

    fn send(&mut self, wire: &Wire) {
        let mut payload = Vec::new();
        while let Some(transmit) = self.device.poll_transmit(&mut payload) {
            let datagram = Datagram {
                from: self.place,
                to: transmit.path.remote,
                payload: payload.clone(),
            };
            for packet in datagram.packets(1500, 0).unwrap() {
                wire.send(&packet).unwrap();
            }
        }
    }

    /// Takes what of the heard packets is for this peer; the others are left.
    pub(crate) fn take(&mut self, wire: &Wire, heard: &mut Vec<Vec<u8>>) {
        let mut others = Vec::new();
        for packet in heard.drain(..) {
            match Datagram::read(&packet) {
                Some(datagram) if datagram.to == self.place => self.receive(wire, datagram),
                _ => others.push(packet),
            }
        }
        *heard = others;
    }

    fn receive(&mut self, wire: &Wire, mut datagram: Datagram) {
        let mut index = None;
        match Message::parse(&datagram.payload) {
            Ok(Message::Response(response)) => {
                self.responses += 1;
                index = Some(response.sender);
            }
            Ok(Message::CookieReply(_)) => self.cookies += 1,
            _ => {}
        }
        let path = Path::to(datagram.from);
        let now = self.now();
        let outcome = self
            .device
            .handle_datagram(now, path, Ecn::NotEct, &mut datagram.payload);
        if let Ok(Received::Packet { packet, .. }) = &outcome {
            self.received.push(packet.to_vec());
        }
        if outcome.is_ok() {
            self.index = index.or(self.index);
        }
        self.send(wire);
    }

    /// Whether the answer to the last ping came.
    fn is_answered(&self) -> bool {
        let last = self.echoes;
        self.received
            .iter()
            .any(|packet| packet.get(20) == Some(&0) && packet.get(27) == Some(&last))
    }

    /// Pings until it is answered; it asks again when nothing comes, because a flood may have swept an answer away. All
    /// else that the device said meanwhile is added to `others`.
    #[track_caller]
    pub(crate) fn ping(&mut self, wire: &Wire, others: &mut Vec<Vec<u8>>) {
        let mut asked = std::time::Instant::now();
        self.ask(wire);
        wait_until(SOON, "a ping through the tunnel", || {
            if asked.elapsed() > Duration::from_millis(500) {
                asked = std::time::Instant::now();
                self.skip(wire, Duration::from_secs(6));
                self.ask(wire);
            }
            self.listen(wire, others);
            self.is_answered()
        })
        .unwrap();
    }

    /// Waits for the answer to an initiation that was sent; none when neither comes.
    pub(crate) fn answer(&mut self, wire: &Wire, others: &mut Vec<Vec<u8>>) -> Option<Answer> {
        let (responses, cookies) = (self.responses, self.cookies);
        let mut answer = None;
        let _ = wait_until(SOON, "an answer to an initiation", || {
            self.listen(wire, others);
            if self.responses > responses {
                answer = Some(Answer::Response);
            } else if self.cookies > cookies {
                answer = Some(Answer::Cookie);
            }
            answer.is_some()
        });
        answer
    }

    pub(crate) fn listen(&mut self, wire: &Wire, others: &mut Vec<Vec<u8>>) {
        let mut heard = wire.heard();
        self.take(wire, &mut heard);
        others.append(&mut heard);
    }
}

/// An ICMP echo request over IPv4.
fn echo_request(from: Ipv4Addr, to: Ipv4Addr, number: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut echo = vec![8, 0, 0, 0, 0, 1, 0, number];
    let sum = checksum(&echo);
    echo[2..4].copy_from_slice(&sum.to_be_bytes());
    packet.extend(echo);
    packet
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Numbers that nobody must not guess: SplitMix64.
struct Weak(u64);

impl Random for Weak {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

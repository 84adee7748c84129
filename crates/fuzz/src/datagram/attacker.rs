//! Who sees everything, and has all keys but the victim's own.

use hushwire_proto::constants::REJECT_AFTER_MESSAGES;
use hushwire_proto::cookie::{CookieChecker, CookieGenerator};
use hushwire_proto::crypto::{Crypto, Packet};
use hushwire_proto::handshake::{
    InitiatorState, LocalIdentity, ReceivedInitiation, RemoteStatic, SessionKeys, initiate,
};
use hushwire_proto::key::PrivateKey;
use hushwire_proto::messages::{DATA_HEADER_SIZE, Message, TAG_SIZE, write_data_header};
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::UnixTime;

use super::harness::host::{inner_v4, inner_v6};
use super::harness::packets;
use super::harness::random::Seeded;
use super::world::{HOSTS, VICTIM, World};
use crate::input::Input;

type Key = <DefaultCrypto as Crypto>::Key;

const KEPT_MAX: usize = 8;

pub(super) struct Attacker {
    victim: RemoteStatic,
    /// One for each peer, whose private key is ours too.
    peers: Vec<Stolen>,
    random: Seeded,
    next_index: u32,
    next_second: u64,
}

struct Stolen {
    identity: LocalIdentity<DefaultCrypto>,
    macs: CookieGenerator,
    /// Our initiations in this peer's name.
    pending: Vec<InitiatorState<DefaultCrypto>>,
    /// Sessions that the victim takes for this peer's: key to seal with, index.
    sessions: Vec<(Key, u32)>,
    /// Its last initiation or response to this peer.
    heard: Option<Vec<u8>>,
    next_counter: u64,
}

impl Attacker {
    pub(super) fn new(world: &World) -> Self {
        let victim = world.hosts[VICTIM].public_key();
        let stolen = |peer: usize| Stolen {
            identity: LocalIdentity::new(world.hosts[peer].private_key.clone()),
            macs: CookieGenerator::new::<DefaultCrypto>(&victim),
            pending: Vec::new(),
            sessions: Vec::new(),
            heard: None,
            next_counter: 0,
        };
        Self {
            victim: RemoteStatic::new(victim),
            peers: (1..HOSTS).map(stolen).collect(),
            random: Seeded::new(0xbad),
            next_index: 0x8000_0000,
            next_second: 0,
        }
    }

    /// Takes in what the victim has sent: responses to our initiations, cookies.
    pub(super) fn watch(&mut self, world: &mut World) {
        let now = world.hosts[VICTIM].now(world.now).monotonic;
        for bytes in world.unseen.drain(..) {
            match Message::parse(&bytes) {
                Ok(Message::Response(response)) => {
                    for peer in &mut self.peers {
                        let answered = peer.pending.iter().find_map(|state| {
                            state.receive_response(&peer.identity, &self.victim, &response)
                        });
                        if let Some(keys) = answered {
                            peer.keep(&keys);
                            peer.heard = Some(bytes.clone());
                        }
                    }
                }
                Ok(Message::CookieReply(reply)) => {
                    for peer in &mut self.peers {
                        let _ = peer.macs.receive_reply::<DefaultCrypto>(now, &reply);
                    }
                }
                Ok(Message::Initiation(initiation)) => {
                    for peer in &mut self.peers {
                        let identity = &peer.identity;
                        let ours = ReceivedInitiation::open::<DefaultCrypto>(identity, &initiation);
                        if ours.is_some() {
                            peer.heard = Some(bytes.clone());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Any bytes under a name that the victim knows, with a good first MAC where there is one.
    pub(super) fn addressed(&mut self, world: &World, input: &mut Input<'_>) -> Vec<u8> {
        let count = world.indices.len();
        let index = world.indices.iter().nth(input.below(count.max(1)));
        let index = index.copied().unwrap_or_default().to_le_bytes();
        let kind = 1 + input.below(4) as u8;
        let len = match kind {
            1 => 148,
            2 => 92,
            3 => 64,
            _ => 16 + input.below(200),
        };
        let mut bytes = vec![kind, 0, 0, 0];
        bytes.extend(index);
        bytes.extend(index);
        bytes.extend(input.piece(64));
        bytes.resize(len, 0);
        if kind < 3 {
            self.macs(world, 1, &mut bytes);
        }
        bytes
    }

    /// What was on the wire, perhaps not quite.
    pub(super) fn replayed(&mut self, world: &World, input: &mut Input<'_>) -> Vec<u8> {
        let (_, bytes) = &world.tape[input.below(world.tape.len().max(1))];
        let mut bytes = bytes.clone();
        self.spoil(world, 1, &mut bytes, input);
        bytes
    }

    /// An initiation in a peer's name.
    pub(super) fn initiation(
        &mut self,
        world: &World,
        peer: usize,
        input: &mut Input<'_>,
    ) -> Vec<u8> {
        let ephemeral = PrivateKey::generate(&mut self.random);
        let index = match input.byte() {
            0..230 => self.new_index(),
            _ => input.u32(),
        };
        let secs = match input.below(4) {
            0 => world.hosts[peer].now(world.now).unix.secs + input.u64() % (1 << 40),
            1 => input.u64(),
            // The future begins a little later each time.
            _ => {
                self.next_second += 1;
                world.hosts[peer].now(world.now).unix.secs + self.next_second
            }
        };
        let time = Tai64n::from_unix(UnixTime { secs, nanos: 0 });
        let stolen = &mut self.peers[peer - 1];
        let identity = &stolen.identity;
        let initiation = initiate::<DefaultCrypto>(identity, &self.victim, index, &ephemeral, time);
        let (message, state) = initiation.expect("usable keys");
        stolen.pending.push(state);
        if stolen.pending.len() > KEPT_MAX {
            stolen.pending.remove(0);
        }
        let mut bytes = message.to_vec();
        self.macs(world, peer, &mut bytes);
        self.spoil(world, peer, &mut bytes, input);
        bytes
    }

    /// A response to the victim's last initiation to a peer.
    pub(super) fn response(
        &mut self,
        world: &World,
        peer: usize,
        input: &mut Input<'_>,
    ) -> Option<Vec<u8>> {
        let ephemeral = PrivateKey::generate(&mut self.random);
        let index = self.new_index();
        let stolen = &mut self.peers[peer - 1];
        let heard = stolen.heard.as_ref()?;
        let Ok(Message::Initiation(initiation)) = Message::parse(heard) else {
            return None;
        };
        let received = ReceivedInitiation::open::<DefaultCrypto>(&stolen.identity, &initiation)?;
        let (_, responder) =
            received.authenticate::<DefaultCrypto>(&stolen.identity, &self.victim)?;
        let (message, keys) =
            responder.respond::<DefaultCrypto>(&self.victim, index, &ephemeral)?;
        stolen.keep(&keys);
        let mut bytes = message.to_vec();
        self.macs(world, peer, &mut bytes);
        self.spoil(world, peer, &mut bytes, input);
        Some(bytes)
    }

    /// A cookie for the victim's last handshake message to a peer.
    pub(super) fn cookie_reply(
        &mut self,
        world: &World,
        peer: usize,
        input: &mut Input<'_>,
    ) -> Option<Vec<u8>> {
        let stolen = &self.peers[peer - 1];
        let heard = stolen.heard.as_ref()?;
        let (macs, sender) = match Message::parse(heard).ok()? {
            Message::Initiation(message) => (message.macs, message.sender),
            Message::Response(message) => (message.macs, message.sender),
            _ => return None,
        };
        let mut checker = CookieChecker::new();
        checker.set_identity(Some(&stolen.identity));
        let host = &world.hosts[VICTIM];
        let now = host.now(world.now).monotonic;
        let random = &mut self.random;
        let reply = checker.reply::<DefaultCrypto>(now, random, sender, &macs, host.address);
        let mut bytes = reply?.to_vec();
        self.spoil(world, peer, &mut bytes, input);
        Some(bytes)
    }

    /// Transport data, well sealed, with any counter and anything in it.
    pub(super) fn data(
        &mut self,
        world: &World,
        peer: usize,
        input: &mut Input<'_>,
    ) -> Option<Vec<u8>> {
        let counter = self.counter(peer, input);
        let plaintext = inner(peer, input);
        let mut bytes = vec![0; DATA_HEADER_SIZE];
        bytes.extend(&plaintext);
        bytes.resize(bytes.len() + TAG_SIZE, 0);
        let place = Packet {
            start: DATA_HEADER_SIZE,
            len: plaintext.len(),
            counter,
        };
        let sessions = &self.peers[peer - 1].sessions;
        let which = input.below(sessions.len() + 1);
        let index = match sessions.get(which) {
            Some((key, index)) => {
                key.seal_batch(&mut bytes, &[place]).expect("it fits");
                *index
            }
            // The honest peer's own.
            None => {
                let keypair = world.shared(peer, VICTIM).current()?;
                keypair.seal_batch(&mut bytes, &[place]).expect("it fits");
                keypair.remote_index()
            }
        };
        write_data_header(&mut bytes, index, counter);
        self.spoil(world, peer, &mut bytes, input);
        Some(bytes)
    }

    fn counter(&mut self, peer: usize, input: &mut Input<'_>) -> u64 {
        let stolen = &mut self.peers[peer - 1];
        match input.below(8) {
            0 => u64::from(input.u16()),
            1 => REJECT_AFTER_MESSAGES - 8 + u64::from(input.byte() % 16),
            2 => input.u64(),
            3 => (1 << 60) + u64::from(input.byte()),
            4 => stolen.next_counter.saturating_sub(input.u16().into()),
            5 => stolen.next_counter.saturating_add(input.u16().into()),
            _ => {
                stolen.next_counter = stolen.next_counter.wrapping_add(1);
                stolen.next_counter
            }
        }
    }

    fn new_index(&mut self) -> u32 {
        self.next_index += 1;
        self.next_index
    }

    /// Mostly not at all; otherwise some bytes changed, cut off or put on, and the MACs made good
    /// again or not.
    fn spoil(&mut self, world: &World, peer: usize, bytes: &mut Vec<u8>, input: &mut Input<'_>) {
        let how = input.byte();
        if how < 160 {
            return;
        }
        for _ in 0..=how % 3 {
            let at = usize::from(input.u16()) % bytes.len().max(1);
            let value = input.byte();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= value;
            }
        }
        if how > 230 {
            bytes.resize(input.below(256), 0x77);
        }
        if how & 8 == 8 {
            self.macs(world, peer, bytes);
        }
    }

    fn macs(&mut self, world: &World, peer: usize, bytes: &mut [u8]) {
        let now = world.hosts[peer].now(world.now).monotonic;
        self.peers[peer - 1]
            .macs
            .add_macs::<DefaultCrypto>(now, bytes);
    }
}

impl Stolen {
    fn keep(&mut self, keys: &SessionKeys) {
        self.sessions
            .push((Key::new(&keys.send), keys.remote_index));
        if self.sessions.len() > KEPT_MAX {
            self.sessions.remove(0);
        }
    }
}

/// What is in a sealed packet: nothing, anything, or a packet with a source that is its peer's or
/// not.
fn inner(peer: usize, input: &mut Input<'_>) -> Vec<u8> {
    let other = 1 + input.below(HOSTS - 1);
    let (id, len) = (input.byte().into(), 48 + input.below(200));
    let mut packet = match input.below(6) {
        0 => return Vec::new(),
        1 => return input.piece(200).to_vec(),
        2 => packets::ip(inner_v4(other), inner_v4(VICTIM), id, len),
        3 => packets::ip(inner_v6(other), inner_v6(VICTIM), id, len),
        4 => {
            let source = [10, 1, input.byte(), input.byte()];
            packets::ip(source.into(), inner_v4(VICTIM), id, len)
        }
        _ => packets::ip(inner_v4(peer), inner_v4(VICTIM), id, len),
    };
    let padding = usize::from(input.byte() % 32);
    packet.resize(packet.len() + padding, 0);
    if input.byte() > 220 {
        let at = input.below(packet.len());
        packet[at] = input.byte();
    }
    packet
}

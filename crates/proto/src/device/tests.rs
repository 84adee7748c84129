//! What can only be seen from inside: counters near their limits, and what is left behind. The
//! rest is in `tests/protocol`, on a virtual clock.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::allowed_ips::Prefix;
use crate::crypto::testing::TestRandom;
use crate::ecn::Ecn;
use crate::key::PrivateKey;
use crate::path::Path;
use crate::provider::DefaultCrypto;
use crate::time::{Instant, Now, UnixTime};

// The paper's limits, declared anew.
const REKEY_MESSAGES: u64 = 1 << 60;
const REJECT_MESSAGES: u64 = u64::MAX - (1 << 13);

/// Two devices and a network that delivers at once.
struct Pair {
    devices: [Device<DefaultCrypto>; 2],
    now: Now,
    /// Sender and type of each datagram.
    log: Vec<(usize, u8)>,
    delivered: [usize; 2],
}

fn address(side: usize) -> SocketAddr {
    ([192, 0, 2, 1 + side as u8], 51820).into()
}

/// The smallest packet from one side to the other.
fn packet(from: usize) -> Vec<u8> {
    let mut packet = vec![0; 20];
    packet[0] = 0x45;
    packet[3] = 20;
    packet[12..16].copy_from_slice(&[10, 0, 0, 1 + from as u8]);
    packet[16..20].copy_from_slice(&[10, 0, 0, 2 - from as u8]);
    packet
}

impl Pair {
    fn new() -> Self {
        let keys = [1, 2].map(|seed| PrivateKey::generate(&mut TestRandom(seed)));
        let now = Now {
            monotonic: Instant::from_nanos(1_000_000_000),
            unix: UnixTime {
                secs: 1_700_000_000,
                nanos: 0,
            },
        };
        let device = |side: usize| {
            let mut device = Device::new(Box::new(TestRandom(10 + side as u64)));
            device.set_private_key(now, Some(keys[side].clone()));
            device.set_up(now, true);
            let other = keys[1 - side].public_key::<DefaultCrypto>();
            let peer = device.add_peer(now, other).unwrap();
            device.set_endpoint(now, peer, address(1 - side));
            let prefix = Prefix::new([10, 0, 0, 2 - side as u8].into(), 32).unwrap();
            device.add_allowed_ip(peer, prefix);
            device
        };
        Self {
            devices: [device(0), device(1)],
            now,
            log: vec![],
            delivered: [0; 2],
        }
    }

    fn connected() -> Self {
        let mut pair = Self::new();
        pair.send(0);
        pair.drive();
        for _ in 0..20 {
            pair.advance(Duration::from_secs(1));
        }
        pair.log.clear();
        pair.delivered = [0; 2];
        pair
    }

    fn send(&mut self, from: usize) {
        self.devices[from]
            .handle_plaintext(self.now, &packet(from))
            .unwrap();
    }

    fn drive(&mut self) {
        let mut buffer = vec![];
        loop {
            let sender = [0, 1]
                .into_iter()
                .find_map(|side| Some((side, self.devices[side].poll_transmit(&mut buffer)?)));
            let Some((from, _)) = sender else {
                return;
            };
            self.log.push((from, buffer[0]));
            let path = Path::to(address(from));
            let received =
                self.devices[1 - from].handle_datagram(self.now, path, Ecn::NotEct, &mut buffer);
            if matches!(received, Ok(Received::Packet { .. })) {
                self.delivered[1 - from] += 1;
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.now.monotonic = self.now.monotonic + time;
        self.now.unix.secs += time.as_secs();
        for side in 0..2 {
            self.devices[side].handle_timeout(self.now);
        }
        self.drive();
    }

    /// Sets the counter of the keypair that this side sends with.
    fn set_counter(&self, side: usize, counter: u64) {
        let peer = self.devices[side].peers().next().unwrap();
        peer.shared().current().unwrap().set_counter(counter);
    }

    fn sent(&self, side: usize, kind: u8) -> usize {
        let of = (side, kind);
        self.log.iter().filter(|sent| **sent == of).count()
    }

    fn sessions(&self, side: usize) -> usize {
        self.devices[side].tables.indices().len()
    }
}

#[test]
fn rekey_after_messages_makes_either_side_initiate() {
    for side in 0..2 {
        let mut pair = Pair::connected();
        pair.set_counter(side, REKEY_MESSAGES);
        pair.send(side);
        assert_eq!(pair.devices[side].pending.len(), 1);
        pair.drive();
        assert_eq!((pair.sent(side, 1), pair.sent(1 - side, 2)), (1, 1));
        assert_eq!(pair.delivered[1 - side], 1);
        pair.send(side);
        pair.drive();
        assert_eq!(pair.sent(side, 1), 1, "the new keypair counts from zero");
    }
}

#[test]
fn one_message_before_rekey_after_messages_nothing_happens() {
    let mut pair = Pair::connected();
    pair.set_counter(0, REKEY_MESSAGES - 1);
    pair.send(0);
    pair.drive();
    assert_eq!(pair.sent(0, 1), 0);
    assert_eq!(pair.delivered[1], 1);
}

#[test]
fn reject_after_messages_makes_packets_wait_for_a_new_keypair() {
    for side in 0..2 {
        let mut pair = Pair::connected();
        pair.set_counter(side, REJECT_MESSAGES);
        pair.send(side);
        let mut buffer = vec![];
        assert!(pair.devices[side].poll_transmit(&mut buffer).is_some());
        assert_eq!(buffer[0], 1, "an initiation, not data");
        let path = Path::to(address(side));
        assert!(
            pair.devices[1 - side]
                .handle_datagram(pair.now, path, Ecn::NotEct, &mut buffer)
                .is_ok()
        );
        pair.drive();
        assert_eq!(pair.delivered[1 - side], 1);
    }
}

#[test]
fn the_last_message_before_reject_after_messages_still_leaves() {
    let mut pair = Pair::connected();
    pair.set_counter(0, REJECT_MESSAGES - 1);
    pair.send(0);
    pair.send(0);
    let mut buffer = vec![];
    let mut kinds = vec![];
    while pair.devices[0].poll_transmit(&mut buffer).is_some() {
        kinds.push(buffer[0]);
    }
    assert_eq!(kinds, [4, 1]);
}

#[test]
fn sessions_and_handshakes_leave_no_index_behind() {
    let mut pair = Pair::new();
    for round in 0..100 {
        pair.send(round % 2);
        pair.drive();
        pair.advance(Duration::from_secs(125));
    }
    for side in 0..2 {
        assert!(pair.sessions(side) <= 3);
        assert_eq!(pair.devices[side].pending.len(), 0);
    }
    pair.advance(Duration::from_secs(600));
    for side in 0..2 {
        assert_eq!(pair.sessions(side), 0);
        assert_eq!(pair.devices[side].schedule.earliest(), None);
    }
}

#[test]
fn attempts_without_an_answer_leave_no_index_behind() {
    let mut pair = Pair::new();
    pair.devices[1].set_up(pair.now, false);
    pair.send(0);
    for _ in 0..30 {
        pair.advance(Duration::from_secs(6));
        assert!(pair.devices[0].pending.len() <= 1);
    }
    assert_eq!(
        pair.devices[0].pending.len(),
        1,
        "an answer would still count"
    );
    pair.advance(Duration::from_secs(600));
    assert_eq!(pair.devices[0].pending.len(), 0);
}

#[test]
fn removed_peers_leave_nothing_behind() {
    let mut pair = Pair::connected();
    pair.set_counter(0, REKEY_MESSAGES);
    pair.send(0);
    let id = pair.devices[0].peers().next().unwrap().shared().id();
    assert_eq!(pair.devices[0].pending.len(), 1);
    pair.devices[0].remove_peer(id);
    let device = &pair.devices[0];
    assert!(device.pending.is_empty() && device.by_key.is_empty() && device.routes.is_empty());
    assert_eq!(device.schedule.earliest(), None);
    assert_eq!(pair.sessions(0), 0);
}

#[test]
fn a_device_that_goes_down_leaves_no_keys_behind() {
    let mut pair = Pair::connected();
    pair.set_counter(0, REKEY_MESSAGES);
    pair.send(0);
    pair.devices[0].set_up(pair.now, false);
    assert_eq!(pair.sessions(0), 0);
    assert!(pair.devices[0].pending.is_empty());
    assert!(pair.devices[0].transmits.is_empty());
    assert_eq!(pair.devices[0].poll_timeout(), None);
}

#[test]
fn datagrams_and_packets_name_their_peer() {
    let mut pair = Pair::new();
    let keys = [0, 1].map(|side| *pair.devices[side].public_key().unwrap());
    let mut buffer = vec![];
    let mut hand_over = |pair: &mut Pair, from: usize| {
        let transmit = pair.devices[from].poll_transmit(&mut buffer).unwrap();
        let to = transmit.peer.map(|peer| *peer.public_key());
        let path = Path::to(address(from));
        let received =
            pair.devices[1 - from].handle_datagram(pair.now, path, Ecn::NotEct, &mut buffer);
        let sender = match received {
            Ok(Received::Packet { peer, packet }) => Some((*peer.public_key(), packet.len())),
            _ => None,
        };
        (to, sender)
    };
    pair.devices[1].report_load(pair.now, 512, 4096);
    pair.send(0);
    assert_eq!(hand_over(&mut pair, 0), (Some(keys[1]), None));
    assert_eq!(
        hand_over(&mut pair, 1),
        (None, None),
        "a cookie is for an address"
    );
    for _ in 0..6 {
        pair.now.monotonic = pair.now.monotonic + Duration::from_secs(1);
        pair.now.unix.secs += 1;
        pair.devices[0].handle_timeout(pair.now);
    }
    assert_eq!(hand_over(&mut pair, 0), (Some(keys[1]), None));
    assert_eq!(hand_over(&mut pair, 1), (Some(keys[0]), None));
    assert_eq!(
        hand_over(&mut pair, 0),
        (Some(keys[1]), Some((keys[0], 20)))
    );
}

#[test]
fn buffers_are_used_again() {
    let mut pair = Pair::connected();
    for _ in 0..200 {
        pair.send(0);
    }
    let mut buffer = vec![];
    while pair.devices[0].poll_transmit(&mut buffer).is_some() {}
    let kept = pair.devices[0].spare.len();
    assert!((1..=64).contains(&kept), "{kept}");
    for _ in 0..1000 {
        pair.send(0);
        assert!(pair.devices[0].poll_transmit(&mut buffer).is_some());
    }
    assert_eq!(pair.devices[0].spare.len(), kept);
}

#[test]
fn a_random_source_that_repeats_itself_does_not_give_an_index_twice() {
    /// Every index is drawn twice.
    struct Stutter(u32);
    impl crate::crypto::Random for Stutter {
        fn fill(&mut self, out: &mut [u8]) {
            self.0 += 1;
            let value = (self.0 / 2).to_le_bytes();
            for (byte, value) in out.iter_mut().zip(value.iter().cycle()) {
                *byte = *value;
            }
        }
    }
    let mut device = Device::<DefaultCrypto>::new(Box::new(Stutter(0)));
    let mut seen = vec![];
    for peer in 0..50 {
        let index = device.new_index();
        assert!(!seen.contains(&index));
        seen.push(index);
        device.pending.insert(index, PeerId(peer));
    }
}

/// What a peer costs that never speaks, beside its key, its allowed IPs and their places in the
/// tables: no thread, no buffer, no window.
#[test]
fn a_peer_at_rest_is_small() {
    let state = size_of::<super::peer_state::PeerState<DefaultCrypto>>();
    let shared = size_of::<crate::Peer<DefaultCrypto>>();
    assert!(state + shared <= 900, "{state} + {shared} bytes");
}

#[test]
fn a_peer_is_unanswered_until_there_is_a_session() {
    let mut pair = Pair::new();
    let unanswered = |pair: &Pair| pair.devices[0].unanswered(pair.now.monotonic);
    assert_eq!(unanswered(&pair), 0);
    pair.send(0);
    assert_eq!(unanswered(&pair), 1);
    pair.drive();
    assert_eq!(unanswered(&pair), 0);
    // A handshake under way beside a session is none of it.
    let mut pair = Pair::connected();
    pair.set_counter(0, REKEY_MESSAGES);
    pair.send(0);
    assert_eq!((pair.devices[0].pending.len(), unanswered(&pair)), (1, 0));
}

#[test]
fn packets_for_a_peer_that_never_answers_are_counted_when_it_is_given_up() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.send(0);
    }
    let dropped = |pair: &Pair| pair.devices[0].tables.staging().dropped();
    let mut lost = vec![];
    for _ in 0..100 {
        pair.now.monotonic = pair.now.monotonic + Duration::from_secs(1);
        pair.devices[0].handle_timeout(pair.now);
        while pair.devices[0].poll_transmit(&mut lost).is_some() {}
    }
    assert_eq!(dropped(&pair), 3);
    assert_eq!(pair.devices[0].unanswered(pair.now.monotonic), 1);
}

/// A device with so many peers, all with an endpoint, none of which will ever answer.
fn device_of_the_silent(count: u16) -> Pair {
    let mut pair = Pair::new();
    let now = pair.now;
    let device = &mut pair.devices[0];
    for number in 0..count {
        let key = PrivateKey::generate(&mut TestRandom(1000 + u64::from(number)));
        let peer = device
            .add_peer(now, key.public_key::<DefaultCrypto>())
            .unwrap();
        device.set_endpoint(now, peer, ([198, 51, 100, 7], 1000 + number).into());
        let [a, b] = number.to_be_bytes();
        device.add_allowed_ip(peer, Prefix::new([10, 9, a, b].into(), 32).unwrap());
    }
    device.publish();
    pair
}

/// How many datagrams wait.
fn drained(device: &mut Device<DefaultCrypto>) -> usize {
    let mut buffer = vec![];
    core::iter::from_fn(|| device.poll_transmit(&mut buffer)).count()
}

/// Calls as an owner does, until nothing is due, and says how many datagrams came of each call.
fn serve(device: &mut Device<DefaultCrypto>, now: Now) -> Vec<usize> {
    let mut calls = vec![];
    while device.poll_timeout().is_some_and(|at| at <= now.monotonic) {
        device.handle_timeout(now);
        calls.push(drained(device));
        assert!(calls.len() < 1000, "what is due does not go away");
    }
    calls
}

#[test]
fn many_peers_that_are_due_at_once_are_served_bit_by_bit() {
    const COUNT: u16 = 200;
    let mut pair = device_of_the_silent(COUNT);
    let mut now = pair.now;
    let device = &mut pair.devices[0];
    // The data path asks for all of them.
    for number in 0..COUNT {
        let [a, b] = number.to_be_bytes();
        let peer = device.tables.route([10, 9, a, b].into()).unwrap();
        peer.stage(packet(0));
        device.tables.request_service(&peer);
    }
    // Then the clock does: nobody has answered, and all initiations are to be sent again.
    for after in [0, 6] {
        now.monotonic = now.monotonic + Duration::from_secs(after);
        let calls = serve(device, now);
        assert_eq!(calls.iter().sum::<usize>(), usize::from(COUNT));
        assert!(calls.iter().all(|count| *count <= 64), "{calls:?}");
    }
}

//! A packet or super-packet from the TUN device of one host to that of another: cut, padded,
//! sealed in a batch, opened and stripped, it is what a naive model makes of it.

use std::cell::RefCell;
use std::time::Duration;

use hushwire_io::offload::VirtioHeader;

use crate::datagram::harness::host::{Host, Style, prefix};
use crate::datagram::harness::packets;
use crate::input::Input;
use crate::offload;

/// Time stands still: the sessions stay.
const NOW: Duration = Duration::ZERO;

/// What a transport data message has beside its packet, in bytes.
const OVERHEAD: usize = 32;

thread_local! {
    /// Sessions are made once: an input changes nothing about them but their counters.
    static PAIRS: RefCell<[Pair; 2]> =
        RefCell::new([Style::DataPath, Style::Embedder].map(Pair::new));
}

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let pair = usize::from(input.bool());
    let mtu = match input.below(3) {
        0 => 1420,
        1 => 1280 + input.below(65_000),
        _ => 1 + input.below(2000),
    };
    let (header, packet) = offload::packet(&mut input);
    let Ok(decoded) = VirtioHeader::decode(header) else {
        return;
    };
    let expected = offload::model::split(header, &packet);
    let segments = offload::split(&decoded, &packet);
    assert_eq!(segments.is_some(), expected.is_some());
    let (Some(segments), Some(expected)) = (segments, expected) else {
        return;
    };
    PAIRS.with_borrow_mut(|pairs| pairs[pair].carry(&segments, &expected, mtu));
}

/// Two hosts with a session, that take any packet of each other.
struct Pair {
    sender: Host,
    receiver: Host,
}

impl Pair {
    fn new(style: Style) -> Self {
        let [mut sender, mut receiver] = [0, 1].map(|number| Host::new(number, style));
        befriend(&mut sender, &receiver);
        befriend(&mut receiver, &sender);
        let mut pair = Self { sender, receiver };
        let ping = packets::ip([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 1, 84);
        pair.sender.send(NOW, &ping).expect("to be sent");
        while pair.receiver.delivered.is_empty() {
            pair.sender.serve(NOW);
            let (one, other) = (&mut pair.sender, &mut pair.receiver);
            assert!(
                deliver(one, other) + deliver(other, one) > 0,
                "a handshake stops"
            );
        }
        pair.receiver.delivered.clear();
        pair
    }

    fn carry(&mut self, segments: &[Vec<u8>], expected: &[Vec<u8>], mtu: usize) {
        let segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
        self.sender.set_mtu(mtu);
        let sent = self.sender.send_batch(NOW, &segments);
        let routed = expected.iter().all(|segment| is_ip(segment));
        assert_eq!(sent.is_ok(), routed, "{sent:?}");
        let outgoing = self.sender.take_outgoing();
        assert_eq!(outgoing.len(), if routed { segments.len() } else { 0 });
        for (datagram, expected) in outgoing.iter().zip(expected) {
            let padded = padded(expected, mtu);
            assert_eq!(datagram.bytes.len(), OVERHEAD + padded.len());
            let address = self.sender.address;
            self.receiver.delivered.clear();
            self.receiver
                .receive(NOW, address, datagram.tos, &datagram.bytes);
            let delivered: Vec<&[u8]> = self.receiver.delivered.iter().map(Vec::as_slice).collect();
            let expected = claimed(&padded).map(|len| &padded[..len]);
            assert_eq!(delivered, expected.as_slice(), "of {padded:x?}");
        }
        // Nobody waits for its keepalives.
        let _ = self.receiver.take_outgoing();
    }
}

fn befriend(host: &mut Host, other: &Host) {
    let (now, key) = (host.now(NOW), other.public_key());
    let id = host.device.add_peer(now, key).expect("a peer");
    host.device.set_endpoint(now, id, other.address);
    for all in ["0.0.0.0/0", "::/0"] {
        host.device.add_allowed_ip(id, prefix(all));
    }
    host.device.publish();
}

fn deliver(from: &mut Host, to: &mut Host) -> usize {
    let outgoing = from.take_outgoing();
    for datagram in &outgoing {
        to.receive(NOW, from.address, datagram.tos, &datagram.bytes);
        to.serve(NOW);
    }
    outgoing.len()
}

fn is_ip(packet: &[u8]) -> bool {
    match packet.first().map(|first| first >> 4) {
        Some(4) => packet.len() >= 20,
        Some(6) => packet.len() >= 40,
        _ => false,
    }
}

/// Zeros up to a multiple of 16, but not past the MTU; of a packet that is longer, its last part
/// that would fit counts.
fn padded(packet: &[u8], mtu: usize) -> Vec<u8> {
    let mut padded = packet.to_vec();
    while !(padded.len() % mtu).is_multiple_of(16) && !padded.len().is_multiple_of(mtu) {
        padded.push(0);
    }
    padded
}

/// The length that a packet claims, if it has as much.
fn claimed(packet: &[u8]) -> Option<usize> {
    let number = |at: usize| usize::from(packet[at]) << 8 | usize::from(packet[at + 1]);
    let (len, least) = match packet[0] >> 4 {
        4 => (number(2), 20),
        _ => (number(4) + 40, 40),
    };
    (least <= len && len <= packet.len()).then_some(len)
}

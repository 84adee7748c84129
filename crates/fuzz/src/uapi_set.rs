//! The control socket: however a conversation is cut into pieces, it means the same; what a device
//! tells can be told to another, which then tells the same; and a protocol device and a device of
//! plain lists come to the same state. And as the answer to `status=1`: what is understood of it can
//! be told again, and is the same then.

mod device;
#[path = "../../config/tests/memory/mod.rs"]
mod memory;

use hushwire_config::Device;
use hushwire_config::uapi::{Conversation, DeviceControl, get, reply, set, status};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};

use crate::input::Input;
use device::ProtocolDevice;
use memory::MemoryDevice;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let cuts = input.array::<4>();
    let text = input.rest();
    let mut memory = MemoryDevice::default();
    let replies = converse(&mut memory, text, &[]);
    let mut pieces = MemoryDevice::default();
    let in_pieces = converse(&mut pieces, text, &cuts);
    let failed = first_failure(&replies);
    let until = failed.unwrap_or(replies.len());
    assert_eq!(in_pieces.get(..until), replies.get(..until), "in pieces");
    if failed.is_none() {
        assert_eq!(in_pieces, replies, "in pieces");
        assert_eq!(pieces.state, memory.state);
    }
    assert_eq!(memory.sets_begun, memory.commits, "a set that never ended");

    let mut protocol = ProtocolDevice::default();
    let told = converse(&mut protocol, text, &[]);
    let state = tell(&mut protocol);
    // The plain device derives one public key only: whose key is its own may differ.
    if !text.windows(12).any(|part| part == b"private_key=") {
        assert_eq!(told, replies);
        assert_eq!(state, memory.state);
    }
    copy(&state);
    copy(&memory.state);
    read_as_status(text);
}

/// What a client makes of these bytes as the answer of a daemon.
fn read_as_status(mut text: &[u8]) {
    let Ok(told) = status::read(&mut text) else {
        return;
    };
    let mut again = Vec::new();
    status::write(&mut again, &told).expect("memory takes it");
    let again = status::read(&mut again.as_slice());
    assert_eq!(again.expect("an answer of ours"), told);
}

/// Where the first answer ends that is a refusal. What the client says after it without waiting
/// for it counts for what it was when it came.
fn first_failure(replies: &[u8]) -> Option<usize> {
    let sign = b"errno=-";
    let at = replies.windows(sign.len()).position(|part| part == sign)?;
    let end = replies[at..].iter().position(|&byte| byte == b'\n')?;
    Some(at + end + 1)
}

/// A whole conversation, cut at these distances; what the device answered.
fn converse(device: &mut impl DeviceControl, text: &[u8], cuts: &[u8]) -> Vec<u8> {
    let mut conversation = Conversation::new();
    let mut replies = Vec::new();
    let mut rest = text;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let len = cuts
            .next()
            .map_or(rest.len(), |&len| usize::from(len).max(1));
        let (piece, after) = rest.split_at(len.min(rest.len()));
        rest = after;
        let next = conversation.receive(piece, device, &mut replies);
        if next.expect("memory takes it").is_break() {
            return replies;
        }
    }
    let end = conversation.finish(device, &mut replies);
    end.expect("memory takes it");
    replies
}

/// What a device tells of itself, in the text that goes over the socket.
fn tell(device: &mut impl DeviceControl) -> Device {
    let text = converse(device, b"get=1\n\n", &[]);
    let state = reply::get(&mut text.as_slice());
    state.unwrap_or_else(|error| panic!("{error:?}: {}", String::from_utf8_lossy(&text)))
}

/// A device that is told what this one is tells the same.
fn copy(state: &Device) {
    let mut text = Vec::new();
    set::write(&mut text, &update_to(state)).expect("memory takes it");
    let mut copy = MemoryDevice::default();
    assert_eq!(converse(&mut copy, &text, &[]), b"errno=0\n\n");
    let mut printer = get::Printer::new(Vec::new());
    copy.snapshot(&mut printer).expect("it tells all");
    let told = printer.finish().expect("memory takes it");
    let told = reply::get(&mut told.as_slice()).expect("an answer of ours");
    assert_eq!(told, copy.state);
    let own = |device: &Device| (device.fwmark, device.peers.clone());
    assert_eq!(own(&copy.state), own(&without_traffic(state)));
}

fn update_to(state: &Device) -> DeviceUpdate {
    let peers = state.peers.iter().map(|peer| PeerUpdate {
        public_key: peer.public_key,
        action: PeerAction::Set(PeerSettings {
            update_only: false,
            preshared_key: peer.preshared_key.clone(),
            endpoint: peer.endpoint,
            persistent_keepalive: Some(peer.persistent_keepalive),
            replace_allowed_ips: true,
            allowed_ips: peer
                .allowed_ips
                .iter()
                .map(|&prefix| hushwire_config::prefix::AllowedIpEntry {
                    remove: false,
                    prefix,
                })
                .collect(),
        }),
    });
    DeviceUpdate {
        // Another private key might make a peer the device itself.
        private_key: None,
        listen_port: None,
        fwmark: Some(state.fwmark),
        replace_peers: true,
        peers: peers.collect(),
    }
}

/// Counters and times are no settings.
fn without_traffic(state: &Device) -> Device {
    let mut state = state.clone();
    for peer in &mut state.peers {
        peer.last_handshake = None;
        (peer.tx_bytes, peer.rx_bytes) = (0, 0);
    }
    state
}

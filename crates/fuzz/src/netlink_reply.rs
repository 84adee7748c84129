//! What the kernel answers over netlink: any bytes, and messages that are nearly right, nested
//! wrongly and cut off; and a device that is told of in our own words reads back the same.

mod message;

use std::collections::BTreeSet;
use std::net::IpAddr;

use hushwire_io::{tun, udp};
use hushwire_netlink::fuzzing;
use hushwire_netlink::wireguard::{
    AllowedIpUpdate, Device, KEY_LEN, PeerUpdate, SecretKey, Update,
};

use crate::input::Input;

const DATAGRAMS_MAX: usize = 6;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    match input.below(4) {
        0 => any_bytes(input.rest()),
        1 => route_answers(&mut input),
        2 => device(&mut input),
        _ => told(&mut input),
    }
}

fn any_bytes(bytes: &[u8]) {
    read_route_answers(bytes);
    let _ = udp::fuzzing::control_messages(bytes, bytes.first().copied().unwrap_or(0).into());
    let _ = fuzzing::device(vec![bytes.to_vec()]);
}

fn route_answers(input: &mut Input<'_>) {
    let mut datagram = Vec::new();
    while !input.is_empty() {
        message::route(input, &mut datagram);
    }
    read_route_answers(&datagram);
}

fn read_route_answers(datagram: &[u8]) {
    if let Ok(read) = fuzzing::route_answers(datagram, message::SEQUENCE) {
        for prefix in read.prefixes {
            assert!(
                fuzzing::is_prefix(prefix.address(), prefix.length()),
                "{prefix:?}"
            );
        }
        assert!(read.links.len() <= datagram.len() / 16);
    }
    assert!(tun::fuzzing::link_messages(datagram) <= datagram.len() / 16);
    let _ = udp::fuzzing::is_route_answer(datagram);
    let _ = fuzzing::error_code(datagram);
}

/// A dump of a device, of a kernel that has lost its mind.
fn device(input: &mut Input<'_>) {
    let mut datagrams = Vec::new();
    while !input.is_empty() && datagrams.len() < DATAGRAMS_MAX {
        let mut datagram = Vec::new();
        for _ in 0..=input.below(4) {
            message::device(input, &mut datagram);
        }
        datagrams.push(datagram);
    }
    let size: usize = datagrams.iter().map(Vec::len).sum();
    let Ok(device) = fuzzing::device(datagrams) else {
        return;
    };
    assert!(device.peers.len() <= size / (KEY_LEN + 8));
    for peer in &device.peers {
        let right = |(address, length): &(IpAddr, u8)| fuzzing::is_prefix(*address, *length);
        assert!(peer.allowed_ips.iter().all(right), "{peer:?}");
    }
    let next = device.peers.iter().skip(1);
    let mut pairs = device.peers.iter().zip(next);
    assert!(pairs.all(|(one, next)| one.public_key != next.public_key));
}

/// What we would say to the kernel, we understand of it; in one message or in many.
fn told(input: &mut Input<'_>) {
    let update = update(input);
    // A message has room for a device and a peer at least.
    let limit = 512 + input.below(4000);
    let told = fuzzing::told(&update, limit).expect("a dump of ours");
    let expected = Device {
        private_key: update.private_key.clone(),
        listen_port: update.listen_port.unwrap_or(0),
        fwmark: update.fwmark.unwrap_or(0),
        peers: told.peers.clone(),
    };
    assert_eq!(told, expected);
    assert_eq!(told.peers.len(), update.peers.len());
    for (told, said) in told.peers.iter().zip(&update.peers) {
        assert_eq!(told.public_key, said.public_key);
        assert_eq!(told.preshared_key, said.preshared_key);
        assert_eq!(told.endpoint, said.endpoint);
        assert_eq!(
            told.persistent_keepalive,
            said.persistent_keepalive.unwrap_or(0)
        );
        let prefixes = said
            .allowed_ips
            .iter()
            .map(|entry| (entry.addr, entry.cidr));
        assert!(told.allowed_ips.iter().copied().eq(prefixes));
    }
}

fn update(input: &mut Input<'_>) -> Update {
    let mut update = Update {
        private_key: input.bool().then(|| SecretKey::new(input.array())),
        listen_port: input.bool().then(|| input.u16()),
        fwmark: input.bool().then(|| input.u32()),
        replace_peers: input.bool(),
        peers: Vec::new(),
    };
    let mut keys = BTreeSet::new();
    while !input.is_empty() && update.peers.len() < 40 {
        let mut peer = PeerUpdate::new([input.byte(); KEY_LEN]);
        peer.preshared_key = input
            .bool()
            .then(|| SecretKey::new([input.byte(); KEY_LEN]));
        peer.persistent_keepalive = input.bool().then(|| input.u16());
        peer.endpoint = input.bool().then(|| (address(input), input.u16()).into());
        for _ in 0..input.below(200) {
            let addr = address(input);
            let width = if addr.is_ipv4() { 33 } else { 129 };
            peer.allowed_ips.push(AllowedIpUpdate {
                addr,
                cidr: input.below(width) as u8,
                remove: false,
            });
        }
        // A kernel that names a peer twice means the same one.
        if keys.insert(peer.public_key) {
            update.peers.push(peer);
        }
    }
    update
}

fn address(input: &mut Input<'_>) -> IpAddr {
    match input.bool() {
        true => IpAddr::from(input.array::<4>()),
        false => IpAddr::from(input.array::<16>()),
    }
}

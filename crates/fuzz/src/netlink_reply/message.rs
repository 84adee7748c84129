//! Netlink messages that the fuzzer thinks of: headers that are mostly right, attributes that nest,
//! lengths that sometimes lie.

use crate::input::Input;

/// The number of the request that the messages answer.
pub(super) const SEQUENCE: u32 = 1;

/// Deeper than any message nests.
const DEPTH_MAX: usize = 4;

/// RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWRULE, RTM_NEWNSID, RTM_DELNSID with
/// the lengths of their headers; then NLMSG_ERROR and NLMSG_DONE.
const ROUTE_KINDS: &[(u16, usize)] = &[
    (16, 16),
    (17, 16),
    (20, 8),
    (24, 12),
    (32, 12),
    (88, 4),
    (89, 4),
    (2, 20),
    (3, 4),
];

/// A message of rtnetlink's.
pub(super) fn route(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let (kind, header) = input.pick(ROUTE_KINDS);
    message(input, out, kind, |input, body| {
        body.extend((0..header).map(|_| input.byte()));
        // IPv4 or IPv6, where the family is known.
        if input.bool() {
            body[0] = input.pick(&[2, 10]);
        }
        attributes(input, body, 0, |input| u16::from(input.byte() % 64));
    });
}

/// A message of the family `wireguard`.
pub(super) fn device(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let kind = input.pick(&[0x1f, 0x1f, 0x1f, 3, 2, 1]);
    message(input, out, kind, |input, body| {
        body.extend([0, 1, 0, 0]);
        match input.below(3) {
            0 => attributes(input, body, 0, |input| u16::from(input.byte() % 12)),
            _ => peers(input, body),
        }
    });
}

/// Peers with keys, which are read further.
fn peers(input: &mut Input<'_>, body: &mut Vec<u8>) {
    const DEVICE_A_PEERS: u16 = 8;
    const PEER_A_PUBLIC_KEY: u16 = 1;
    const PEER_A_ENDPOINT: u16 = 4;
    const PEER_A_LAST_HANDSHAKE: u16 = 6;
    const PEER_A_ALLOWED_IPS: u16 = 9;
    attribute(input, body, DEVICE_A_PEERS, |input, body| {
        for index in 0..input.below(5) as u16 {
            attribute(input, body, index, |input, body| {
                let key = [input.byte(); 32];
                attribute(input, body, PEER_A_PUBLIC_KEY, |_, body| body.extend(key));
                attribute(input, body, PEER_A_ENDPOINT, socket_address);
                attribute(input, body, PEER_A_LAST_HANDSHAKE, |input, body| {
                    body.extend(input.array::<16>());
                });
                attribute(input, body, PEER_A_ALLOWED_IPS, |input, body| {
                    for index in 0..input.below(6) as u16 {
                        attribute(input, body, index, allowed_ip);
                    }
                });
                attributes(input, body, 1, |input| u16::from(input.byte() % 12));
            });
        }
    });
}

fn socket_address(input: &mut Input<'_>, body: &mut Vec<u8>) {
    let len = input.pick(&[16, 28, 28, 0, 3]);
    body.extend(input.pick(&[2u16, 10]).to_ne_bytes());
    body.extend((0..len).map(|_| input.byte()));
    body.truncate(body.len().saturating_sub(2));
}

fn allowed_ip(input: &mut Input<'_>, body: &mut Vec<u8>) {
    let (family, len): (u16, usize) = input.pick(&[(2, 4), (10, 16), (2, 16), (10, 4), (7, 4)]);
    attribute(input, body, 1, |_, body| body.extend(family.to_ne_bytes()));
    attribute(input, body, 2, |input, body| {
        body.extend((0..len).map(|_| input.byte()));
    });
    attribute(input, body, 3, |input, body| body.push(input.byte() % 140));
}

fn message(
    input: &mut Input<'_>,
    out: &mut Vec<u8>,
    kind: u16,
    body: impl FnOnce(&mut Input<'_>, &mut Vec<u8>),
) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind.to_ne_bytes());
    // NLM_F_MULTI, NLM_F_DUMP_INTR, NLM_F_CAPPED and so on, sometimes.
    let flags = if input.byte() < 200 { 2 } else { input.u16() };
    out.extend(flags.to_ne_bytes());
    let sequence = if input.byte() < 240 {
        SEQUENCE
    } else {
        input.u32()
    };
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]);
    body(input, out);
    let len = (out.len() - start) as u32;
    let len = if input.byte() < 240 { len } else { input.u32() };
    out[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

fn attributes(
    input: &mut Input<'_>,
    out: &mut Vec<u8>,
    depth: usize,
    kind: fn(&mut Input<'_>) -> u16,
) {
    for _ in 0..input.below(8) {
        let kind_of_this = kind(input);
        attribute(input, out, kind_of_this, |input, out| {
            if depth < DEPTH_MAX && input.byte() < 80 {
                attributes(input, out, depth + 1, kind);
            } else {
                let len = input.pick(&[4, 4, 4, 1, 2, 8, 16, 32, 0, 5]);
                out.extend(input.bytes(len));
            }
        });
    }
}

fn attribute(
    input: &mut Input<'_>,
    out: &mut Vec<u8>,
    kind: u16,
    value: impl FnOnce(&mut Input<'_>, &mut Vec<u8>),
) {
    let start = out.len();
    out.extend([0; 2]);
    // NLA_F_NESTED and NLA_F_NET_BYTEORDER, sometimes.
    let flags = if input.byte() < 220 {
        0
    } else {
        0x8000 | u16::from(input.byte()) << 8
    };
    out.extend((kind | flags).to_ne_bytes());
    value(input, out);
    let len = (out.len() - start) as u16;
    let len = if input.byte() < 245 { len } else { input.u16() };
    out[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

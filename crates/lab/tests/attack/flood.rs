//! Floods: no answer that the protocol does not demand, no memory, no harm to the session that is there.

use std::collections::BTreeMap;

use hushwire_bench::hostile::{Attacker, Kind};
use hushwire_lab::Datagram;

use crate::answers;
use crate::siege::{MTU_MAX, Siege, VICTIM};

/// Datagrams of a flood. A leak of a few bytes for each would show.
const COUNT: usize = 20_000;
/// Datagrams that come before memory is looked at for the first time: buffers have been used by then.
const FIRST: usize = 4_000;
/// Bytes that the daemon may have more after a flood than after its beginning: 13 a datagram, that is none.
const SLACK: u64 = 256 * 1024;
/// How many are sent one by one.
const SINGLES: usize = 40;

/// Sends so many datagrams of a kind, waits until all is done, and checks what was answered.
fn flood(siege: &mut Siege, attacker: &mut Attacker, kind: Kind, count: usize, v6: bool) {
    let payloads: Vec<Vec<u8>> = (0..count).map(|_| attacker.datagram(kind)).collect();
    let places = siege.send(&payloads, v6);
    siege.settle();
    let asked: BTreeMap<_, _> = if kind.may_draw_cookies() {
        places.into_iter().zip(payloads).collect()
    } else {
        BTreeMap::new()
    };
    answers::only_cookies(&siege.heard(), &asked);
}

/// Uses up the one answer that a replayed initiation may get: the first time it is none.
fn spend_the_first(siege: &mut Siege, attacker: &mut Attacker) {
    let first = attacker.datagram(Kind::Replay);
    siege.send(&[first], false);
    siege.settle();
    let heard = siege.heard();
    let payload = Datagram::read(&heard[0]).unwrap().payload;
    assert_eq!((heard.len(), payload.len()), (1, 92), "one response");
}

fn draws_nothing(kind: Kind) {
    let mut siege = Siege::new();
    let mut attacker = Attacker::new(7, siege.live_index());
    if kind == Kind::Replay {
        spend_the_first(&mut siege, &mut attacker);
    }
    one_by_one(&mut siege, &mut attacker, kind);
    flood(&mut siege, &mut attacker, kind, FIRST, false);
    let before = siege.memory();
    flood(&mut siege, &mut attacker, kind, COUNT, false);
    flood(&mut siege, &mut attacker, kind, FIRST, true);
    let after = siege.memory();
    assert!(
        after <= before + SLACK,
        "{kind}: {before} bytes resident before, {after} after"
    );
    assert_eq!(
        siege.lost(),
        0,
        "the test sent faster than the device could read"
    );
    // The friend's session is the one from the start: nobody had to shake hands again.
    assert_eq!(siege.friend.responses, 1);
}

/// A device that is not under load answers none of them, whatever its first MAC is.
fn one_by_one(siege: &mut Siege, attacker: &mut Attacker, kind: Kind) {
    for _ in 0..SINGLES {
        let datagram = attacker.datagram(kind);
        siege.send(&[datagram], false);
    }
    siege.settle();
    answers::none(&siege.heard());
}

#[test]
fn garbage() {
    draws_nothing(Kind::Garbage);
}

#[test]
fn garbage_in_the_shape_of_messages() {
    draws_nothing(Kind::Shaped);
}

#[test]
fn initiations_with_a_right_mac1_and_garbage_inside() {
    draws_nothing(Kind::Mac1);
}

#[test]
fn responses_with_a_right_mac1_and_garbage_inside() {
    draws_nothing(Kind::Response);
}

#[test]
fn initiations_of_strangers() {
    draws_nothing(Kind::Stranger);
}

#[test]
fn replayed_initiations() {
    draws_nothing(Kind::Replay);
}

#[test]
fn data_for_unknown_sessions() {
    draws_nothing(Kind::UnknownIndex);
}

#[test]
fn data_for_a_live_session() {
    draws_nothing(Kind::LiveIndex);
}

#[test]
fn cookie_replies_that_nobody_asked_for() {
    draws_nothing(Kind::Cookie);
}

/// The sessions before the last two are gone, and their indices are as good as any.
#[test]
fn data_for_expired_sessions() {
    let mut siege = Siege::new();
    let expired = siege.live_index();
    for _ in 0..3 {
        // Older than REKEY_AFTER_TIME by the friend's clock, so the next packet starts a handshake.
        siege
            .friend
            .skip(&siege.wire, std::time::Duration::from_secs(200));
        siege.ping();
    }
    answers::none(&siege.heard());
    assert_ne!(siege.live_index(), expired);
    let mut attacker = Attacker::new(8, expired);
    let renewed = siege.friend.responses;
    flood(&mut siege, &mut attacker, Kind::LiveIndex, COUNT, false);
    assert_eq!(siege.lost(), 0);
    assert_eq!(siege.friend.responses, renewed);
}

/// From nothing to the most that UDP can carry, each with the start of a message.
#[test]
fn every_length() {
    let mut siege = Siege::new();
    siege.victim.mtu("eth0", MTU_MAX).unwrap();
    let index = siege.live_index();
    let mut before = None;
    for first in (0..=65_507_usize).step_by(512) {
        let lengths = first..(first + 512).min(65_508);
        let payloads: Vec<Vec<u8>> = lengths.map(|length| of_length(length, index)).collect();
        siege.send_over(&payloads, false, MTU_MAX as usize);
        if first == 4096 {
            siege.settle();
            before = Some(siege.memory());
        }
    }
    siege.settle();
    answers::none(&siege.heard());
    assert_eq!(siege.lost(), 0);
    let (before, after) = (before.unwrap(), siege.memory());
    assert!(
        after <= before + SLACK,
        "{before} bytes before, {after} after"
    );
    assert_eq!(siege.friend.responses, 1);
}

fn of_length(length: usize, index: u32) -> Vec<u8> {
    let mut bytes = vec![0xa5; length];
    let kind = 1 + (length % 4) as u8;
    let [a, b, c, d] = index.to_le_bytes();
    for (byte, value) in bytes.iter_mut().zip([kind, 0, 0, 0, a, b, c, d]) {
        *byte = value;
    }
    bytes
}

/// Datagrams in pieces, of which some never come, or come twice, or overlap; and whole ones in pieces, which the kernel
/// puts together.
#[test]
fn fragments() {
    let mut siege = Siege::new();
    let mut attacker = Attacker::new(9, siege.live_index());
    for v6 in [false, true] {
        for number in 0..1_000_u32 {
            let datagram = Datagram {
                from: siege.next_source(v6),
                to: VICTIM[usize::from(v6)],
                payload: attacker.datagram(Kind::LiveIndex),
            };
            let mut pieces = datagram.packets(256, number).unwrap();
            match number % 5 {
                0 => pieces.truncate(1),
                1 => drop(pieces.remove(0)),
                2 => pieces.reverse(),
                3 => pieces.extend(datagram.packets(128, number).unwrap()),
                _ => {}
            }
            for piece in pieces {
                siege.wire.send(&piece).unwrap();
            }
        }
    }
    siege.settle();
    answers::none(&siege.heard());
    assert_eq!(siege.friend.responses, 1);
}

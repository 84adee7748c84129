//! What helpers have sealed leaves in order: to the far end, disorder looks like an attack or like loss.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use hushwire_lab::Datagram;

use crate::siege::{INSIDE, SOON, Siege};

/// The first byte of a message with data, and where its counter is.
const DATA: u8 = 4;
const COUNTER: std::ops::Range<usize> = 8..16;
/// Bytes of a datagram that goes into the tunnel in about forty pieces.
const DATAGRAM: usize = 60_000;

#[test]
fn counters_ascend_on_the_wire_whoever_seals() {
    let mut siege = Siege::start(&[("HUSHWIRE_HELPERS", "3"), ("HUSHWIRE_SANDBOX", "strict")]);
    let friend = siege.friend.place;
    // What was said to set the session up.
    siege.heard();
    let inside = siege.victim.run(|| UdpSocket::bind((INSIDE, 0))).unwrap();
    inside
        .connect((Ipv4Addr::new(172, 16, 0, 8), 9))
        .expect("a way into the tunnel");
    let mut last = None;
    let mut packets = 0;
    let start = Instant::now();
    // The wire cannot take all of it, and what it has taken it may tell later.
    while packets < 1000 || siege.number("helped") < 20 {
        for _ in 0..50 {
            inside.send(&[7; DATAGRAM]).unwrap();
        }
        for packet in siege.wire.heard() {
            let Some(datagram) = Datagram::read(&packet).filter(|it| it.to == friend) else {
                continue;
            };
            if datagram.payload.first() != Some(&DATA) {
                continue;
            }
            let counter = datagram.payload.get(COUNTER).unwrap().try_into().unwrap();
            let counter = u64::from_le_bytes(counter);
            assert!(last < Some(counter), "{counter} came after {last:?}");
            last = Some(counter);
            packets += 1;
        }
        assert!(
            start.elapsed() < 4 * SOON,
            "nobody helps, with {packets} packets"
        );
    }
}

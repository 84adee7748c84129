//! What is counted, to the byte.

use crate::common::{World, eventually, ping, pings_at_once};

/// Message sizes of the paper, section 5.4: initiation, response, and the 32 bytes that transport data adds.
const INITIATION: u64 = 148;
const RESPONSE: u64 = 92;
const DATA_OVERHEAD: u64 = 32;
/// An echo request of ping's usual size is 84 bytes, padded to the next multiple of 16.
const PADDED_PING: u64 = 96;

#[test]
fn ten_pings_and_a_handshake_are_counted_exactly_at_both_ends() {
    let world = World::loopback_v4();
    pings_at_once(&world.two, 10, "192.168.241.1");
    let pings = 10 * (PADDED_PING + DATA_OVERHEAD);
    let answered = RESPONSE + pings;
    // The initiator may confirm the session with a keepalive before its first ping.
    let asked = [INITIATION + pings, INITIATION + pings + DATA_OVERHEAD];
    assert_eq!(answered, 1372);
    assert_eq!(asked, [1428, 1460]);

    eventually("the last answer to be counted", || {
        world.transfer("wg2").0 >= answered
    });
    let (received, sent) = world.transfer("wg2");
    assert!(
        received == answered && asked.contains(&sent),
        "{received} received, {sent} sent"
    );
    let (received, sent) = world.transfer("wg1");
    assert!(
        sent == answered && asked.contains(&received),
        "{received} received, {sent} sent"
    );
}

#[test]
fn the_interface_counts_what_is_inside() {
    let world = World::loopback_v4();
    for _ in 0..10 {
        ping(&world.two, "192.168.241.1");
    }
    for (host, interface) in [(&world.one, "wg1"), (&world.two, "wg2")] {
        let counters = host
            .netlink()
            .link(interface)
            .unwrap()
            .expect("the interface")
            .counters;
        // A few packets of IPv6's own housekeeping come on top of the ten pings of 84 bytes.
        assert!(
            (840..2500).contains(&counters.received_bytes),
            "{counters:?}"
        );
        assert!((840..2500).contains(&counters.sent_bytes), "{counters:?}");
    }
}

#[test]
fn a_handshake_is_shown_with_its_time() {
    let world = World::loopback_v4();
    assert_eq!(world.latest_handshake("wg1"), 0);
    ping(&world.one, "fd00::2");
    assert_ne!(world.latest_handshake("wg1"), 0);
    assert_ne!(world.latest_handshake("wg2"), 0);
}

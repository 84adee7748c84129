//! Packets that wait for a handshake.

use std::time::Duration;

use crate::harness::paper::{REJECT_AFTER_TIME, STAGED_MAX};
use crate::harness::{A, B, C, Kind, Net, Style, each_style};

#[test]
fn packets_wait_for_the_handshake_and_leave_in_their_order() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let sent: Vec<_> = (0..20).map(|_| net.send(A, B)).collect();
        assert_eq!(net.count(A, Kind::Initiation), 1);
        assert_eq!(net.count(A, Kind::Data), 0);
        net.drive();
        assert_eq!(net.take_delivered(B), sent);
        assert_eq!(
            net.count(A, Kind::Keepalive),
            0,
            "data is confirmation enough"
        );
    });
}

#[test]
fn of_more_than_128_the_oldest_are_dropped() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let sent: Vec<_> = (0..STAGED_MAX + 72).map(|_| net.send(A, B)).collect();
        net.drive();
        assert_eq!(net.take_delivered(B), sent[72..]);
    });
}

#[test]
fn each_peer_has_its_own_128() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        let first = net.send(A, C);
        for _ in 0..3 * STAGED_MAX {
            net.send(A, B);
        }
        net.drive();
        assert_eq!(net.take_delivered(C), [first]);
        assert_eq!(net.take_delivered(B).len(), STAGED_MAX);
    });
}

#[test]
fn packets_of_the_responder_leave_when_it_is_confirmed() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.lose(|sent| sent.host == B && sent.kind() == Kind::Initiation);
        let from_b: Vec<_> = (0..5).map(|_| net.send(B, A)).collect();
        let from_a = net.send(A, B);
        net.drive();
        assert_eq!(net.take_delivered(B), [from_a]);
        assert_eq!(net.take_delivered(A), from_b);
    });
}

#[test]
fn packets_wait_for_as_long_as_attempts_are_made() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        let sent: Vec<_> = (0..5).map(|_| net.send(A, B)).collect();
        net.advance(Duration::from_secs(80));
        net.heal();
        net.advance(Duration::from_secs(6));
        assert_eq!(net.take_delivered(B), sent);
    });
}

#[test]
fn packets_wait_when_a_keypair_has_expired() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REJECT_AFTER_TIME);
        let sent: Vec<_> = (0..5).map(|_| net.send(A, B)).collect();
        assert_eq!(net.count(A, Kind::Data), 0);
        net.drive();
        assert_eq!(net.take_delivered(B), sent);
    });
}

#[test]
fn packets_that_wait_are_never_sent_in_the_clear() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let packet = net.send(A, B);
        net.drive();
        for datagram in &net.log {
            let seen = datagram.bytes.windows(20).any(|part| part == &packet[..20]);
            assert!(!seen, "{:?}", datagram.kind());
        }
    });
}

#[test]
fn packets_that_wait_for_a_private_key_leave_when_it_is_set() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let key = net.hosts[A].private_key.clone();
        let now = net.now_of(A);
        net.hosts[A].device.set_private_key(now, None);
        let packet = net.send(A, B);
        net.advance(Duration::from_secs(1));
        assert!(net.log.is_empty());
        let now = net.now_of(A);
        net.hosts[A].device.set_private_key(now, Some(key));
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn packets_that_wait_follow_a_new_endpoint() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.move_host(B, "203.0.113.5:5");
        let packet = net.send(A, B);
        net.advance(Duration::from_secs(2));
        let (now, id) = (net.now_of(A), net.peer(A, B));
        let endpoint = net.hosts[B].address;
        net.hosts[A].device.set_endpoint(now, id, endpoint);
        net.advance(Duration::from_secs(4));
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn a_device_that_goes_down_drops_what_waits() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.set_up(A, false);
        net.heal();
        net.advance(Duration::from_secs(10));
        net.set_up(A, true);
        net.advance(Duration::from_secs(100));
        assert!(net.take_delivered(B).is_empty());
        let packet = net.send(A, B);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn a_run_that_no_keypair_has_counters_for_waits_as_a_whole() {
    let mut net = Net::pair(Style::DataPath);
    let packets: Vec<_> = (0..9).map(|_| net.packet(A, B, 500)).collect();
    let run: Vec<_> = packets.iter().map(Vec::as_slice).collect();
    let now = net.now();
    net.hosts[A].send_batch(now, &run).unwrap();
    net.drive();
    assert_eq!(net.take_delivered(B), packets);
    // The second time as one run on the wire, with neighbouring counters.
    let now = net.now();
    net.log.clear();
    net.hosts[A].send_batch(now, &run).unwrap();
    net.drive();
    assert_eq!(net.take_delivered(B), packets);
    let counters: Vec<_> = net
        .sent(A, Kind::Data)
        .iter()
        .map(|sent| sent.counter())
        .collect();
    assert_eq!(counters, (9..18).collect::<Vec<_>>());
}

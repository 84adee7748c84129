//! Packets sent twice, late, or far ahead (the paper, section 5.4.6; RFC 6479).

use std::time::Duration;

use crate::harness::paper::WINDOW;
use crate::harness::random::Seeded;
use crate::harness::{A, B, Datagram, Fate, Kind, Net, Style, each_style};

/// A pair with a session, and `count` packets of A that are on nobody's way yet.
fn held_back(style: Style, count: u64) -> (Net, Vec<Datagram>) {
    let mut net = Net::connected(style);
    net.lose(|sent| sent.kind() == Kind::Data);
    for _ in 0..count {
        net.send(A, B);
    }
    let data = net.sent(A, Kind::Data);
    net.heal();
    (net, data)
}

#[test]
fn a_packet_arrives_once_however_often_it_is_sent() {
    each_style(|style| {
        let (mut net, data) = held_back(style, 1);
        for _ in 0..5 {
            net.replay(B, &data[0]);
        }
        assert_eq!(net.take_delivered(B).len(), 1);
    });
}

#[test]
fn counters_are_consecutive_from_zero() {
    each_style(|style| {
        let mut net = Net::pair(style);
        for _ in 0..10 {
            net.ping(A, B);
        }
        for host in [A, B] {
            let sent = net.sent(host, Kind::Data);
            let counters: Vec<_> = sent.iter().map(Datagram::counter).collect();
            assert_eq!(counters, (0..10).collect::<Vec<_>>());
        }
    });
}

#[test]
fn packets_in_any_order_all_arrive() {
    each_style(|style| {
        let (mut net, mut data) = held_back(style, 500);
        let mut random = Seeded::new(3);
        for i in (1..data.len()).rev() {
            data.swap(i, random.below(i as u64 + 1) as usize);
        }
        for datagram in &data {
            net.replay(B, datagram);
        }
        assert_eq!(net.take_delivered(B).len(), 500);
        for datagram in &data {
            net.replay(B, datagram);
        }
        assert!(net.take_delivered(B).is_empty());
    });
}

#[test]
fn a_packet_may_be_8128_late_and_no_more() {
    each_style(|style| {
        let (mut net, data) = held_back(style, WINDOW + 2);
        net.replay(B, data.last().unwrap());
        assert_eq!(net.take_delivered(B).len(), 1);
        net.replay(B, &data[0]);
        assert!(net.take_delivered(B).is_empty(), "{} late", WINDOW + 1);
        net.replay(B, &data[1]);
        assert_eq!(net.take_delivered(B).len(), 1, "{WINDOW} late");
        net.replay(B, &data[1]);
        assert!(net.take_delivered(B).is_empty());
    });
}

#[test]
fn a_forged_counter_does_not_move_the_window() {
    each_style(|style| {
        let (mut net, data) = held_back(style, 2);
        let mut forged = data[0].clone();
        forged.bytes[8..16].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        net.replay(B, &forged);
        assert!(net.take_delivered(B).is_empty());
        for datagram in &data {
            net.replay(B, datagram);
        }
        assert_eq!(net.take_delivered(B).len(), 2);
    });
}

#[test]
fn each_keypair_has_its_own_window() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..100 {
            net.send(A, B);
        }
        net.drive();
        net.advance_to_age(A, B, Duration::from_secs(120));
        net.send(A, B);
        net.drive();
        net.take_delivered(B);
        net.log.clear();
        let packet = net.send(A, B);
        assert!(net.last(A, Kind::Data).counter() < 100);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn a_packet_for_one_keypair_is_not_one_for_another() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.lose(|sent| sent.kind() == Kind::Data);
        net.advance_to_age(A, B, Duration::from_secs(120));
        net.send(A, B);
        let old = net.last(A, Kind::Data);
        net.drive();
        let index = net.shared(B, A).current().unwrap().local_index();
        assert_ne!(old.receiver(), index);
        let mut forged = old.clone();
        forged.bytes[4..8].copy_from_slice(&index.to_le_bytes());
        net.replay(B, &forged);
        assert!(net.take_delivered(B).is_empty());
        net.replay(B, &old);
        assert_eq!(net.take_delivered(B).len(), 1);
    });
}

#[test]
fn a_network_that_duplicates_everything_delivers_once() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.filter(|_| Fate::Twice(Duration::from_millis(30)));
        let mut sent = Vec::new();
        for _ in 0..200 {
            sent.push(net.send(A, B));
            net.advance(Duration::from_secs(2));
        }
        assert_eq!(net.take_delivered(B), sent);
    });
}

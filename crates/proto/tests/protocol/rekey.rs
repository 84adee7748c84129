//! When a keypair grows old (the paper, sections 6.1 and 6.2).

use std::time::Duration;

use crate::harness::paper::{
    KEEPALIVE_TIMEOUT, REJECT_AFTER_TIME, REKEY_AFTER_TIME, REKEY_ON_RECEIVE,
};
use crate::harness::{A, B, Fate, Kind, Net, Style, each_style};

const TICK: Duration = Duration::from_nanos(1);

#[test]
fn the_initiator_makes_a_new_keypair_when_it_sends_after_120_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_AFTER_TIME - TICK);
        net.send(A, B);
        assert_eq!(net.count(A, Kind::Initiation), 0);
        net.advance(TICK);
        net.send(A, B);
        assert_eq!(net.count(A, Kind::Initiation), 1);
        assert_eq!(net.count(A, Kind::Data), 2, "on the old keypair, at once");
        net.drive();
        assert_eq!(net.take_delivered(B).len(), 2);
    });
}

#[test]
fn a_keepalive_counts_as_sending() {
    let mut net = Net::connected(Style::Embedder);
    net.advance_to_age(A, B, REKEY_AFTER_TIME - KEEPALIVE_TIMEOUT);
    net.log.clear();
    net.send(B, A);
    net.advance(KEEPALIVE_TIMEOUT + Duration::from_millis(50));
    assert_eq!(net.count(A, Kind::Keepalive), 2, "one for each keypair");
    assert_eq!(net.count(A, Kind::Initiation), 1);
}

#[test]
fn the_responder_does_not_go_by_age() {
    each_style(|style| {
        for age in [119, 120, 150, 164, 166, 179] {
            let mut net = Net::connected(style);
            net.advance_to_age(B, A, Duration::from_secs(age));
            net.send(B, A);
            assert_eq!(net.count(B, Kind::Data), 1, "{age} s");
            assert_eq!(net.count(B, Kind::Initiation), 0, "{age} s");
        }
    });
}

#[test]
fn an_idle_initiator_does_not_make_new_keypairs() {
    let mut net = Net::connected(Style::Embedder);
    net.advance(Duration::from_secs(3600));
    assert_eq!(net.count(A, Kind::Initiation), 0);
    assert_eq!(net.count(B, Kind::Initiation), 0);
}

#[test]
fn the_initiator_makes_a_new_keypair_when_it_receives_after_165_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_ON_RECEIVE - TICK - net.latency);
        net.send(B, A);
        net.drive();
        assert_eq!(net.take_delivered(A).len(), 1);
        assert_eq!(net.count(A, Kind::Initiation), 0);
        net.send(B, A);
        net.drive();
        assert_eq!(net.take_delivered(A).len(), 1);
        assert_eq!(net.count(A, Kind::Initiation), 1);
    });
}

#[test]
fn receiving_much_near_the_end_makes_one_new_keypair() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_ON_RECEIVE);
        for _ in 0..40 {
            net.send(B, A);
            net.advance(Duration::from_millis(100));
        }
        assert_eq!(net.count(A, Kind::Initiation), 1);
        assert_eq!(net.take_delivered(A).len(), 40);
    });
}

#[test]
fn sending_much_after_120_s_makes_one_new_keypair() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.latency = Duration::from_millis(400);
        net.advance_to_age(A, B, REKEY_AFTER_TIME);
        for _ in 0..400 {
            net.send(A, B);
            net.advance(Duration::from_millis(10));
        }
        net.drive();
        assert_eq!(net.count(A, Kind::Initiation), 1);
        assert_eq!(net.take_delivered(B).len(), 400);
    });
}

#[test]
fn packets_of_the_old_keypair_do_not_ask_for_another_new_one() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_ON_RECEIVE);
        // On the way for longer than it takes until an initiation may follow the last one.
        net.filter(|sent| match sent.kind() {
            Kind::Data => Fate::Delay(Duration::from_secs(6)),
            _ => Fate::Deliver,
        });
        net.send(B, A);
        net.heal();
        net.send(B, A);
        net.advance(Duration::from_secs(7));
        assert_eq!(net.take_delivered(A).len(), 2);
        assert_eq!(net.count(A, Kind::Initiation), 1);
    });
}

#[test]
fn nothing_is_sent_with_a_keypair_of_180_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.lose(|sent| sent.kind() == Kind::Initiation);
        net.advance_to_age(B, A, REJECT_AFTER_TIME - TICK);
        net.send(B, A);
        assert_eq!(net.count(B, Kind::Data), 1);
        net.advance(TICK);
        net.send(B, A);
        assert_eq!(net.count(B, Kind::Data), 1);
        assert_eq!(net.count(B, Kind::Initiation), 1, "what it needs instead");
    });
}

#[test]
fn nothing_is_received_with_a_keypair_of_180_s() {
    each_style(|style| {
        for (late, arrives) in [(TICK, true), (Duration::ZERO, false)] {
            let mut net = Net::connected(style);
            net.advance_to_age(B, A, REJECT_AFTER_TIME - net.latency - late);
            // Sealed with the current keypair: A's is 5 ms younger, and only its initiator.
            net.lose(|sent| sent.kind() == Kind::Initiation);
            net.send(A, B);
            let before = net.counters(B, A).1;
            net.drive();
            assert_eq!(net.take_delivered(B).len(), usize::from(arrives));
            assert_eq!(net.counters(B, A).1 > before, arrives);
        }
    });
}

#[test]
fn a_busy_tunnel_changes_keys_every_two_minutes_and_loses_nothing() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let mut sent = Vec::new();
        for _ in 0..600 {
            sent.push(net.send(A, B));
            net.advance(Duration::from_secs(1));
        }
        assert_eq!(net.take_delivered(B), sent);
        assert_eq!(net.count(A, Kind::Initiation), 4);
        assert_eq!(net.count(B, Kind::Initiation), 0);
    });
}

#[test]
fn a_tunnel_that_only_the_responder_uses_loses_nothing() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let mut sent = Vec::new();
        for _ in 0..600 {
            sent.push(net.send(B, A));
            net.advance(Duration::from_secs(1));
        }
        assert_eq!(net.take_delivered(A), sent);
        let initiations = net.count(A, Kind::Initiation);
        assert!((3..=5).contains(&initiations), "{initiations}");
        assert_eq!(net.count(B, Kind::Initiation), 0);
    });
}

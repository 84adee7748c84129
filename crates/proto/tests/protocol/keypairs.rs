//! Previous, current and next keypair (the paper, section 6.3), zeroing, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use hushwire_proto::keypair::Role;

use crate::harness::forge::Forger;
use crate::harness::host::outer_v4;
use crate::harness::paper::{REJECT_AFTER_TIME, REKEY_AFTER_TIME};
use crate::harness::{A, B, Fate, Kind, Net, Style, each_style};

/// Lets A make a new keypair.
fn rekey(net: &mut Net) {
    net.advance_to_age(A, B, REKEY_AFTER_TIME);
    net.send(A, B);
    net.drive();
}

#[test]
fn packets_of_the_previous_keypair_are_still_received() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_AFTER_TIME);
        net.filter(|sent| match sent.kind() {
            Kind::Data => Fate::Delay(Duration::from_secs(1)),
            _ => Fate::Deliver,
        });
        let slow = [net.send(A, B), net.send(B, A)];
        net.advance(Duration::from_millis(500));
        net.heal();
        let fast = [net.send(A, B), net.send(B, A)];
        net.drive();
        assert_eq!(net.take_delivered(B), [fast[0].clone(), slow[0].clone()]);
        assert_eq!(net.take_delivered(A), [fast[1].clone(), slow[1].clone()]);
    });
}

#[test]
fn packets_of_the_keypair_before_the_previous_are_not() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let indices = |net: &Net| net.shared(B, A).current().unwrap().local_index();
        net.filter(|sent| match sent.kind() {
            Kind::Data => Fate::Delay(Duration::from_secs(150)),
            _ => Fate::Deliver,
        });
        net.send(A, B);
        net.heal();
        let first = indices(&net);
        rekey(&mut net);
        let second = indices(&net);
        let key = net.hosts[A].private_key.clone();
        let mut forger = Forger::new(&key, net.hosts[B].public_key());
        let tables = Arc::clone(net.hosts[B].device.tables());
        assert!(tables.session(first).is_some() && tables.session(second).is_some());
        net.advance(Duration::from_secs(1));
        let initiation = forger.initiation(77, Duration::from_secs(1000));
        net.inject(B, outer_v4(A), &initiation);
        assert!(
            tables.session(first).is_none(),
            "the next one takes its place"
        );
        assert!(tables.session(second).is_some());
        net.take_delivered(B);
        net.drive();
        assert!(net.take_delivered(B).is_empty());
    });
}

#[test]
fn an_answered_initiation_leaves_the_current_keypair_in_use() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let before = net.shared(B, A).current().unwrap();
        let key = net.hosts[A].private_key.clone();
        let mut forger = Forger::new(&key, net.hosts[B].public_key());
        net.advance(Duration::from_secs(1));
        let initiation = forger.initiation(77, Duration::from_secs(1000));
        net.inject(B, outer_v4(A), &initiation);
        assert_eq!(net.count(B, Kind::Response), 1);
        assert!(Arc::ptr_eq(&before, &net.shared(B, A).current().unwrap()));
        net.drive();
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn the_first_data_makes_next_current_and_current_previous() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let before = net.shared(B, A).current().unwrap();
        rekey(&mut net);
        let after = net.shared(B, A).current().unwrap();
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(after.role(), Role::Responder);
        assert!(after.is_confirmed());
        let tables = net.hosts[B].device.tables();
        assert!(tables.session(before.local_index()).is_some());
        assert!(tables.session(after.local_index()).is_some());
    });
}

#[test]
fn unconfirmed_keypairs_replace_each_other_without_a_trace() {
    let mut net = Net::connected(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    for round in 0..200_u32 {
        net.advance(Duration::from_millis(20));
        let since = Duration::from_secs(1000 + u64::from(round));
        net.inject(B, outer_v4(A), &forger.initiation(round, since));
    }
    let responses = net.sent(B, Kind::Response);
    assert_eq!(responses.len(), 200);
    let tables = net.hosts[B].device.tables();
    let alive = |index| tables.session(index).is_some();
    assert!(responses[..199].iter().all(|sent| !alive(sent.sender())));
    assert!(alive(responses[199].sender()));
}

#[test]
fn keys_are_zeroed_after_540_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let keypairs = [(A, B), (B, A)].map(|(host, other)| {
            let keypair = net.shared(host, other).current().unwrap();
            (host, other, Arc::downgrade(&keypair), keypair.local_index())
        });
        net.advance_to_age(A, B, 3 * REJECT_AFTER_TIME - Duration::from_nanos(1));
        assert!(keypairs[0].2.upgrade().is_some());
        net.advance(Duration::from_nanos(1));
        for (host, other, keypair, index) in &keypairs {
            assert!(net.shared(*host, *other).current().is_none());
            let tables = net.hosts[*host].device.tables();
            assert!(tables.session(*index).is_none());
            assert!(keypair.upgrade().is_none(), "nobody holds it any more");
        }
        net.ping(A, B);
    });
}

#[test]
fn a_new_keypair_starts_the_540_s_again() {
    let mut net = Net::connected(Style::Embedder);
    rekey(&mut net);
    net.advance_to_age(A, B, 3 * REJECT_AFTER_TIME - Duration::from_nanos(1));
    assert!(net.shared(A, B).current().is_some());
    net.advance(Duration::from_nanos(1));
    assert!(net.shared(A, B).current().is_none());
}

#[test]
fn what_is_left_of_a_handshake_without_an_answer_is_zeroed_too() {
    let mut net = Net::pair(Style::Embedder);
    net.lose(|sent| sent.kind() == Kind::Response);
    net.send(A, B);
    net.advance(Duration::from_secs(100));
    let response = net.last(B, Kind::Response);
    net.cut();
    let attempts_over = net.now();
    net.run_until(attempts_over + 3 * REJECT_AFTER_TIME);
    assert!(net.hosts.iter().all(|host| host.deadline().is_none()));
    net.hosts[A].dropped.clear();
    net.replay(A, &response);
    assert!(!net.can_send(A, B), "its ephemeral key is gone");
}

#[test]
fn zeroing_spares_a_handshake_on_its_way() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.latency = Duration::from_millis(100);
        net.advance_to_age(A, B, 3 * REJECT_AFTER_TIME - Duration::from_millis(50));
        net.log.clear();
        let packet = net.send(A, B);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
        assert_eq!(net.count(A, Kind::Initiation), 1);
    });
}

#[test]
fn two_peers_that_initiate_at_the_same_moment_both_get_through() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let (to_b, to_a) = (net.send(A, B), net.send(B, A));
        net.drive();
        assert_eq!(net.take_delivered(A), [to_a]);
        assert_eq!(net.take_delivered(B), [to_b]);
        assert_eq!(net.count(A, Kind::Initiation), 1);
        assert_eq!(net.count(B, Kind::Initiation), 1);
        net.ping(A, B);
        net.ping(B, A);
        net.advance(Duration::from_secs(100));
        assert_eq!(net.count(A, Kind::Initiation), 1, "and that was it");
        assert_eq!(net.count(B, Kind::Initiation), 1);
    });
}

#[test]
fn one_of_two_crossing_handshakes_is_enough() {
    each_style(|style| {
        for victim in [A, B] {
            for kind in [Kind::Initiation, Kind::Response] {
                let mut net = Net::pair(style);
                let start = Duration::from_secs(1);
                net.lose(move |sent| sent.host == victim && sent.kind() == kind && sent.at < start);
                let (to_b, to_a) = (net.send(A, B), net.send(B, A));
                net.drive();
                assert_eq!(net.take_delivered(A), [to_a], "{victim} {kind:?}");
                assert_eq!(net.take_delivered(B), [to_b], "{victim} {kind:?}");
                net.ping(A, B);
                net.ping(B, A);
                net.advance(Duration::from_secs(100));
                let initiations = net.count(A, Kind::Initiation) + net.count(B, Kind::Initiation);
                assert_eq!(initiations, 2, "no more are needed");
            }
        }
    });
}

#[test]
fn crossing_handshakes_end_well_whatever_overtakes_what() {
    each_style(|style| {
        // Each message of the first second, by bit: late or not, by two amounts.
        for order in 0..1_u64 << 8 {
            let mut net = Net::pair(style);
            let mut number = 0;
            net.filter(move |sent| {
                if sent.at > Duration::from_millis(500) {
                    return Fate::Deliver;
                }
                number += 1;
                let bits = order >> (number * 2 - 2) & 3;
                Fate::Delay(Duration::from_millis(bits * 7))
            });
            let (to_b, to_a) = (net.send(A, B), net.send(B, A));
            net.drive();
            assert_eq!(net.take_delivered(A), [to_a], "{order:#x}");
            assert_eq!(net.take_delivered(B), [to_b], "{order:#x}");
            net.advance(Duration::from_secs(1));
            net.ping(A, B);
            net.ping(B, A);
        }
    });
}

#[test]
fn a_late_answer_does_not_replace_a_confirmed_session() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.filter(|sent| match (sent.host, sent.kind()) {
            (B, Kind::Response) => Fate::Delay(Duration::from_secs(130)),
            _ => Fate::Deliver,
        });
        net.send(A, B);
        net.send(B, A);
        net.advance(Duration::from_secs(1));
        net.heal();
        net.ping(A, B);
        // The next handshake of B makes it forget the session that the late answer is about.
        net.advance_to_age(B, A, REKEY_AFTER_TIME);
        net.ping(B, A);
        net.advance(Duration::from_secs(11));
        net.ping(A, B);
        net.ping(B, A);
    });
}

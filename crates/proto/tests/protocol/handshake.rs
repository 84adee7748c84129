//! The handshake (the paper, sections 5.1 to 5.4): who answers what, and who stays silent.

use std::time::Duration;

use hushwire_proto::device::Dropped;

use crate::harness::forge::Forger;
use crate::harness::host::outer_v4;
use crate::harness::paper::{
    HANDSHAKE_TOS, INITIATION_INTERVAL_MIN, INITIATION_SIZE, KEEPALIVE_SIZE, RESPONSE_SIZE,
};
use crate::harness::{A, B, C, Datagram, Fate, Kind, Net, Style, each_style};

#[test]
fn one_message_each_way_and_then_data() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let packet = net.send(A, B);
        net.drive();
        let kinds: Vec<_> = net.log.iter().map(Datagram::kind).collect();
        assert_eq!(kinds, [Kind::Initiation, Kind::Response, Kind::Data]);
        let sizes: Vec<_> = net.log.iter().map(|sent| sent.bytes.len()).collect();
        assert_eq!(sizes, [INITIATION_SIZE, RESPONSE_SIZE, 96 + 32]);
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn handshake_messages_are_marked_af41_and_not_ecn_capable() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.send(A, B);
        net.drive();
        for kind in [Kind::Initiation, Kind::Response] {
            let sent: Vec<_> = net.log.iter().filter(|sent| sent.kind() == kind).collect();
            assert_eq!(sent.len(), 1);
            assert_eq!(sent[0].tos, HANDSHAKE_TOS);
        }
    });
}

#[test]
fn each_message_names_the_index_that_the_other_side_chose() {
    let mut net = Net::pair(Style::Embedder);
    net.ping(A, B);
    let initiation = net.last(A, Kind::Initiation);
    let response = net.last(B, Kind::Response);
    assert_eq!(response.receiver(), initiation.sender());
    assert_eq!(net.last(A, Kind::Data).receiver(), response.sender());
    assert_eq!(net.last(B, Kind::Data).receiver(), initiation.sender());
}

#[test]
fn indices_are_random_and_of_all_sizes() {
    let mut indices = Vec::new();
    let mut net = Net::pair(Style::Embedder);
    for _ in 0..64 {
        net.send(A, B);
        net.drive();
        net.advance(Duration::from_secs(200));
    }
    for sent in &net.log {
        if matches!(sent.kind(), Kind::Initiation | Kind::Response) {
            indices.push(sent.sender());
        }
    }
    indices.sort_unstable();
    assert!(indices.len() >= 128, "{}", indices.len());
    assert!(indices.windows(2).all(|pair| pair[0] != pair[1]));
    // Not counted up from anywhere: all quarters of the numbers are used.
    for quarter in 0..4_u32 {
        assert!(indices.iter().any(|index| index >> 30 == quarter));
    }
    assert!(indices.windows(2).all(|pair| pair[1] - pair[0] > 1));
}

#[test]
fn every_initiation_has_a_new_ephemeral_and_a_new_index() {
    let mut net = Net::pair(Style::Embedder);
    net.cut();
    net.send(A, B);
    net.advance(Duration::from_secs(60));
    let sent = net.sent(A, Kind::Initiation);
    assert!(sent.len() > 9);
    for (i, one) in sent.iter().enumerate() {
        for other in &sent[i + 1..] {
            assert_ne!(one.ephemeral(), other.ephemeral());
            assert_ne!(one.sender(), other.sender());
        }
    }
}

#[test]
fn the_responder_may_not_send_before_the_first_data_of_the_initiator() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.lose(|sent| sent.is_transport());
        net.send(A, B);
        net.drive();
        assert_eq!(net.count(B, Kind::Response), 1);
        assert!(!net.can_send(B, A));
        net.send(B, A);
        net.drive();
        assert_eq!(net.count(B, Kind::Data), 0);
        net.heal();
        let packet = net.send(A, B);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
        assert_eq!(net.count(B, Kind::Data), 1, "what waited is sent now");
        assert_eq!(net.take_delivered(A).len(), 1);
    });
}

#[test]
fn a_keepalive_confirms_the_session_when_nothing_waits() {
    let mut net = Net::pair(Style::Embedder);
    net.set_keepalive(A, B, 25);
    net.drive();
    assert_eq!(net.count(A, Kind::Keepalive), 1);
    assert_eq!(net.last(A, Kind::Keepalive).bytes.len(), KEEPALIVE_SIZE);
    assert!(net.can_send(B, A));
}

#[test]
fn an_initiation_sent_twice_is_answered_once() {
    let mut net = Net::pair(Style::Embedder);
    net.send(A, B);
    net.drive();
    let initiation = net.last(A, Kind::Initiation);
    net.advance(Duration::from_secs(1));
    net.log.clear();
    let before = net.counters(B, A);
    net.replay(B, &initiation);
    assert!(net.log.is_empty());
    assert_eq!(net.hosts[B].dropped, [Dropped::Replay]);
    assert_eq!(net.counters(B, A), before);
    net.ping(B, A);
}

#[test]
fn an_older_initiation_is_refused_after_a_newer_one() {
    let mut net = Net::pair(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let older = forger.initiation(1, Duration::from_secs(1));
    let newer = forger.initiation(2, Duration::from_secs(2));
    net.inject(B, outer_v4(A), &newer);
    assert_eq!(net.count(B, Kind::Response), 1);
    net.advance(Duration::from_secs(1));
    net.inject(B, outer_v4(A), &older);
    assert_eq!(net.count(B, Kind::Response), 1);
    assert_eq!(net.hosts[B].dropped, [Dropped::Replay]);
}

#[test]
fn initiations_of_one_peer_within_20_ms_are_dropped() {
    let mut net = Net::mesh(Style::Embedder, 3);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let mut initiation = |at: u64| forger.initiation(at as u32, Duration::from_millis(100 * at));
    net.inject(B, outer_v4(A), &initiation(1));
    net.advance(INITIATION_INTERVAL_MIN - Duration::from_nanos(1));
    net.inject(B, outer_v4(A), &initiation(2));
    assert_eq!(net.count(B, Kind::Response), 1);
    assert_eq!(net.hosts[B].dropped, [Dropped::Flood]);
    net.advance(Duration::from_nanos(1));
    net.inject(B, outer_v4(A), &initiation(3));
    assert_eq!(net.count(B, Kind::Response), 2);

    // Another peer is not held up by it.
    let key = net.hosts[C].private_key.clone();
    let mut other = Forger::new(&key, net.hosts[B].public_key());
    net.inject(B, outer_v4(C), &other.initiation(9, Duration::ZERO));
    assert_eq!(net.count(B, Kind::Response), 3);
}

#[test]
fn a_flood_that_was_dropped_does_not_use_up_its_timestamp() {
    let mut net = Net::pair(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    net.inject(B, outer_v4(A), &forger.initiation(1, Duration::ZERO));
    let early = forger.initiation(2, Duration::from_secs(1));
    net.inject(B, outer_v4(A), &early);
    assert_eq!(net.count(B, Kind::Response), 1);
    net.advance(INITIATION_INTERVAL_MIN);
    net.inject(B, outer_v4(A), &early);
    assert_eq!(net.count(B, Kind::Response), 2);
}

#[test]
fn a_response_is_good_as_long_as_its_initiation_is_the_last() {
    each_style(|style| {
        for delay in [251, 1000, 4900] {
            let mut net = Net::pair(style);
            net.filter(move |sent| match sent.kind() {
                Kind::Response => Fate::Delay(Duration::from_millis(delay)),
                _ => Fate::Deliver,
            });
            net.deliver(A, B);
            assert_eq!(net.count(A, Kind::Initiation), 1, "{delay} ms");
        }
    });
}

#[test]
fn a_response_to_an_initiation_that_was_sent_again_is_ignored() {
    let mut net = Net::pair(Style::Embedder);
    net.filter(|sent| match sent.kind() {
        Kind::Response if sent.at < Duration::from_secs(1) => {
            Fate::Delay(Duration::from_secs(5) + Duration::from_millis(400))
        }
        Kind::Response => Fate::Delay(Duration::from_secs(1)),
        _ => Fate::Deliver,
    });
    let packet = net.send(A, B);
    net.advance(Duration::from_secs(8));
    assert_eq!(net.hosts[A].dropped, [Dropped::UnknownIndex]);
    assert_eq!(net.take_delivered(B), [packet]);
}

#[test]
fn a_response_sent_twice_makes_one_session() {
    let mut net = Net::pair(Style::Embedder);
    net.filter(|sent| match sent.kind() {
        Kind::Response => Fate::Twice(Duration::from_millis(1)),
        _ => Fate::Deliver,
    });
    net.ping(A, B);
    assert_eq!(net.hosts[A].dropped, [Dropped::UnknownIndex]);
    assert_eq!(net.counters(A, B).1, 92 + 128);
}

#[test]
fn a_forged_response_does_not_end_the_handshake() {
    let mut net = Net::pair(Style::Embedder);
    net.filter(|sent| match sent.kind() {
        Kind::Response => Fate::Delay(Duration::from_secs(1)),
        _ => Fate::Deliver,
    });
    let packet = net.send(A, B);
    net.advance(Duration::from_millis(100));
    let mut forged = net.last(B, Kind::Response);
    // The eavesdropper knows A's public key, so the first MAC is right.
    let mut forger = Forger::new(&net.hosts[B].private_key.clone(), net.hosts[A].public_key());
    forged.bytes[20] ^= 1;
    forger.seal(&mut forged.bytes);
    net.replay(A, &forged);
    assert_eq!(net.hosts[A].dropped, [Dropped::Unauthentic]);
    assert!(!net.can_send(A, B));
    net.drive();
    assert_eq!(net.take_delivered(B), [packet]);
    assert_eq!(net.count(A, Kind::Initiation), 1);
}

#[test]
fn a_message_with_a_wrong_first_mac_draws_no_answer() {
    let mut net = Net::pair(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let mut initiation = forger.initiation(1, Duration::ZERO);
    initiation[116] ^= 1;
    net.inject(B, outer_v4(A), &initiation);
    assert!(net.log.is_empty());
    assert_eq!(net.hosts[B].dropped, [Dropped::Unauthentic]);
    // Under load neither: not even a cookie for who does not know the public key.
    net.load(B);
    net.inject(B, outer_v4(A), &initiation);
    assert!(net.log.is_empty());
}

#[test]
fn a_stranger_draws_no_answer() {
    let mut net = Net::pair(Style::Embedder);
    let stranger = Net::strangers(Style::Embedder, 3).hosts[C]
        .private_key
        .clone();
    let mut forger = Forger::new(&stranger, net.hosts[B].public_key());
    net.inject(B, outer_v4(C), &forger.initiation(1, Duration::ZERO));
    assert!(net.log.is_empty());
    assert_eq!(net.hosts[B].dropped, [Dropped::UnknownPeer]);
}

#[test]
fn an_initiation_for_another_device_draws_no_answer() {
    let mut net = Net::mesh(Style::Embedder, 3);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[C].public_key());
    net.inject(B, outer_v4(A), &forger.initiation(1, Duration::ZERO));
    assert!(net.log.is_empty());
    assert_eq!(net.hosts[B].dropped, [Dropped::Unauthentic]);
}

#[test]
fn a_device_without_a_private_key_neither_asks_nor_answers() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let now = net.now_of(B);
        net.hosts[B].device.set_private_key(now, None);
        net.send(B, A);
        net.send(A, B);
        net.advance(Duration::from_secs(1));
        assert_eq!(net.log.len(), 1, "A's initiation");
        assert_eq!(net.hosts[B].dropped, [Dropped::Unauthentic]);
    });
}

#[test]
fn sessions_with_two_peers_do_not_mix() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.ping(A, B);
        net.ping(A, C);
        net.ping(C, B);
        let from_a = net.last(A, Kind::Data);
        assert_eq!(from_a.to, outer_v4(C));
        net.replay(B, &from_a);
        assert!(net.take_delivered(B).is_empty());
    });
}

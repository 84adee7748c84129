//! What a peer is said to have sent and received: as the kernel driver counts.

use std::time::Duration;

use hushwire_proto::time::UnixTime;

use crate::harness::{A, B, C, Kind, Net, Style, each_style};

#[test]
fn one_ping_after_a_handshake_is_276_bytes_out_and_220_in() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.ping(A, B);
        assert_eq!(net.counters(A, B), (148 + 128, 92 + 128));
        assert_eq!(net.counters(B, A), (92 + 128, 148 + 128));
    });
}

#[test]
fn keepalives_count_32_bytes() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.set_keepalive(A, B, 25);
        net.drive();
        assert_eq!(net.counters(A, B), (148 + 32, 92));
        assert_eq!(net.counters(B, A), (92, 148 + 32));
        net.advance(Duration::from_secs(25));
        net.drive();
        assert_eq!(net.counters(A, B), (148 + 2 * 32, 92));
        assert_eq!(net.counters(B, A), (92, 148 + 2 * 32));
    });
}

#[test]
fn what_is_lost_counts_only_where_it_was_sent() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let (a, b) = (net.counters(A, B), net.counters(B, A));
        net.cut();
        net.send(A, B);
        assert_eq!(net.counters(A, B), (a.0 + 128, a.1));
        assert_eq!(net.counters(B, A), b);
    });
}

#[test]
fn what_does_not_authenticate_does_not_count() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.ping(A, B);
        let before = net.counters(B, A);
        for datagram in net.log.clone() {
            let mut forged = datagram.bytes.clone();
            *forged.last_mut().unwrap() ^= 1;
            forged[12] ^= 1;
            net.inject(B, datagram.from, &forged);
            net.inject(B, datagram.from, &datagram.bytes);
        }
        assert_eq!(net.counters(B, A), before);
    });
}

#[test]
fn cookie_replies_count_on_neither_side() {
    let mut net = Net::pair(Style::Embedder);
    net.load(B);
    net.send(A, B);
    net.drive();
    assert_eq!(net.count(B, Kind::Cookie), 1);
    assert_eq!(net.counters(A, B), (148, 0));
    assert_eq!(net.counters(B, A), (0, 0));
}

#[test]
fn each_peer_has_its_own_counters() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.ping(A, B);
        assert_eq!(net.counters(A, C), (0, 0));
        net.ping(A, C);
        assert_eq!(net.counters(A, B), (276, 220));
        assert_eq!(net.counters(A, C), (276, 220));
    });
}

#[test]
fn counters_outlive_sessions() {
    let mut net = Net::connected(Style::Embedder);
    let before = net.counters(A, B);
    net.advance(Duration::from_secs(600));
    assert!(net.shared(A, B).current().is_none());
    let (tx, rx) = net.counters(A, B);
    assert!(tx >= before.0 && rx >= before.1);
}

#[test]
fn the_last_handshake_is_when_the_initiator_got_its_answer() {
    each_style(|style| {
        let mut net = Net::pair(style);
        assert_eq!(net.view(A, B).last_handshake(), None);
        net.latency = Duration::from_millis(300);
        net.send(A, B);
        net.drive();
        let expected = UnixTime {
            secs: 1_700_000_000,
            nanos: 600_000_000,
        };
        assert_eq!(net.view(A, B).last_handshake(), Some(expected));
    });
}

#[test]
fn the_last_handshake_of_the_responder_is_when_it_was_confirmed() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.latency = Duration::from_millis(300);
        net.send(A, B);
        net.advance(Duration::from_millis(899));
        assert_eq!(net.view(B, A).last_handshake(), None);
        net.advance(Duration::from_millis(1));
        let expected = UnixTime {
            secs: 1_700_000_000,
            nanos: 900_000_000,
        };
        assert_eq!(net.view(B, A).last_handshake(), Some(expected));
    });
}

#[test]
fn the_last_handshake_stays_when_keys_are_zeroed_or_the_device_goes_down() {
    let mut net = Net::connected(Style::Embedder);
    let before = net.view(A, B).last_handshake();
    assert!(before.is_some());
    net.advance(Duration::from_secs(600));
    net.set_up(A, false);
    net.set_up(A, true);
    assert_eq!(net.view(A, B).last_handshake(), before);
}

#[test]
fn one_gibibyte_in_one_count_does_not_overflow() {
    let net = Net::connected(Style::Embedder);
    let peer = net.shared(A, B);
    let keypair = peer.current().unwrap();
    let (before, now) = (peer.tx_bytes(), net.monotonic());
    for _ in 0..8 {
        let _ = peer.sent_data(now, &keypair, 1 << 30);
    }
    assert_eq!(peer.tx_bytes(), before + (8 << 30));
}

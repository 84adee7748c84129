//! Under load (the paper, section 5.3): cookies before work, and not too much work for anybody.

use std::time::Duration;

use hushwire_proto::device::Dropped;

use crate::harness::forge::Forger;
use crate::harness::host::outer_v4;
use crate::harness::paper::{COOKIE_LIFETIME, COOKIE_SIZE, HANDSHAKE_TOS, REKEY_TIMEOUT};
use crate::harness::{A, B, C, Fate, Kind, Net, Style, each_style};

/// Keeps B under load while time passes.
fn advance_under_load(net: &mut Net, time: Duration) {
    let end = net.now() + time;
    while net.now() < end {
        net.load(B);
        let step = Duration::from_millis(500).min(end - net.now());
        net.advance(step);
    }
}

#[test]
fn under_load_an_initiation_is_answered_with_a_cookie() {
    let mut net = Net::pair(Style::Embedder);
    net.load(B);
    net.send(A, B);
    net.drive();
    let cookie = net.last(B, Kind::Cookie);
    assert_eq!(cookie.bytes.len(), COOKIE_SIZE);
    assert_eq!(cookie.tos, HANDSHAKE_TOS);
    assert_eq!(cookie.receiver(), net.last(A, Kind::Initiation).sender());
    assert_eq!(net.count(B, Kind::Response), 0);
    assert_eq!(net.hosts[B].dropped, [Dropped::CookieSent]);
}

#[test]
fn a_cookie_does_not_make_the_initiator_hurry() {
    let mut net = Net::pair(Style::Embedder);
    net.load(B);
    net.send(A, B);
    net.advance(REKEY_TIMEOUT - Duration::from_millis(1));
    assert_eq!(net.count(A, Kind::Initiation), 1);
}

#[test]
fn the_next_initiation_carries_the_cookie_and_is_answered() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let packet = net.send(A, B);
        advance_under_load(&mut net, Duration::from_secs(7));
        let initiations = net.sent(A, Kind::Initiation);
        assert_eq!(initiations.len(), 2);
        assert!(!initiations[0].has_mac2() && initiations[1].has_mac2());
        assert_eq!(net.count(B, Kind::Cookie), 1);
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn without_load_there_is_no_cookie() {
    let mut net = Net::pair(Style::Embedder);
    let now = net.now_of(B);
    net.hosts[B].device.report_load(now, 511, 4096);
    net.ping(A, B);
    assert_eq!(net.count(B, Kind::Cookie), 0);
}

#[test]
fn load_lasts_for_a_second() {
    let mut net = Net::pair(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    net.load(B);
    net.advance(Duration::from_millis(999));
    net.inject(
        B,
        outer_v4(A),
        &forger.initiation(1, Duration::from_secs(1)),
    );
    assert_eq!(net.count(B, Kind::Cookie), 1);
    net.advance(Duration::from_millis(1));
    net.inject(
        B,
        outer_v4(A),
        &forger.initiation(2, Duration::from_secs(2)),
    );
    assert_eq!(net.count(B, Kind::Cookie), 1);
    assert_eq!(net.count(B, Kind::Response), 1);
}

#[test]
fn under_load_a_response_needs_a_cookie_too() {
    let mut net = Net::pair(Style::Embedder);
    let packet = net.send(B, A);
    advance_under_load(&mut net, Duration::from_secs(7));
    let responses = net.sent(A, Kind::Response);
    assert_eq!(responses.len(), 2);
    assert!(!responses[0].has_mac2() && responses[1].has_mac2());
    let cookie = net.last(B, Kind::Cookie);
    assert_eq!(cookie.receiver(), responses[0].sender());
    assert_eq!(net.take_delivered(A), [packet]);
}

#[test]
fn under_load_sessions_go_on() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..10 {
            net.load(B);
            net.ping(A, B);
            net.advance(Duration::from_millis(500));
        }
        assert_eq!(net.count(B, Kind::Cookie), 0);
    });
}

#[test]
fn a_cookie_is_good_for_two_minutes() {
    let mut net = Net::pair(Style::Embedder);
    net.send(A, B);
    advance_under_load(&mut net, Duration::from_secs(7));
    let received = net.times(B, Kind::Cookie)[0] + net.latency;
    // Every restart of the device's session makes A initiate, with or without cookie.
    let with_cookie = |net: &mut Net, at: Duration| {
        net.run_until(received + at);
        let (now, id) = (net.now_of(A), net.peer(A, B));
        net.set_up(A, false);
        net.set_up(A, true);
        net.hosts[A].device.set_persistent_keepalive(now, id, 0);
        net.send(A, B);
        net.last(A, Kind::Initiation).has_mac2()
    };
    assert!(with_cookie(
        &mut net,
        COOKIE_LIFETIME - Duration::from_nanos(1)
    ));
    assert!(!with_cookie(&mut net, COOKIE_LIFETIME));
}

#[test]
fn a_cookie_is_for_one_address_and_port() {
    for elsewhere in ["192.0.2.1:51821", "192.0.2.99:51820", "[2001:db8::1]:51820"] {
        let mut net = Net::pair(Style::Embedder);
        net.lose(|sent| sent.kind() == Kind::Response);
        net.send(A, B);
        net.load(B);
        net.drive();
        net.move_host(A, elsewhere);
        advance_under_load(&mut net, Duration::from_secs(6));
        assert!(net.last(A, Kind::Initiation).has_mac2());
        assert_eq!(net.count(B, Kind::Response), 0, "{elsewhere}");
        assert_eq!(net.count(B, Kind::Cookie), 2, "a new one for there");
        advance_under_load(&mut net, Duration::from_secs(6));
        assert_eq!(net.count(B, Kind::Response), 1);
    }
}

#[test]
fn source_port_65535_is_one_like_others() {
    let mut net = Net::pair(Style::Embedder);
    net.move_host(A, "192.0.2.1:65535");
    let packet = net.send(A, B);
    advance_under_load(&mut net, Duration::from_secs(7));
    assert_eq!(net.take_delivered(B), [packet]);
}

#[test]
fn a_cookie_reply_counts_only_for_the_last_message_and_once() {
    let mut net = Net::pair(Style::Embedder);
    net.load(B);
    net.filter(|sent| match sent.kind() {
        Kind::Cookie => Fate::Drop,
        _ => Fate::Deliver,
    });
    net.send(A, B);
    net.drive();
    let cookie = net.last(B, Kind::Cookie);
    for flipped in [4, 8, 31, 32, 47, 48, 63] {
        let mut forged = cookie.clone();
        forged.bytes[flipped] ^= 1;
        net.replay(A, &forged);
    }
    assert_eq!(net.hosts[A].dropped.len(), 7);
    assert!(!net.hosts[A].dropped.contains(&Dropped::CookieSent));
    net.replay(A, &cookie);
    assert_eq!(net.hosts[A].dropped.len(), 7, "the right one is taken");
    net.replay(A, &cookie);
    assert_eq!(net.hosts[A].dropped.last(), Some(&Dropped::Unauthentic));
    net.advance(Duration::from_secs(6));
    assert!(net.last(A, Kind::Initiation).has_mac2());
    net.replay(A, &cookie);
    assert_eq!(net.hosts[A].dropped.last(), Some(&Dropped::UnknownIndex));
}

#[test]
fn a_cookie_of_another_device_is_no_cookie() {
    let mut net = Net::mesh(Style::Embedder, 3);
    net.load(C);
    net.send(A, C);
    net.send(A, B);
    net.drive();
    let mut cookie = net.last(C, Kind::Cookie);
    let index = net.sent(A, Kind::Initiation)[1].sender();
    cookie.bytes[4..8].copy_from_slice(&index.to_le_bytes());
    net.replay(A, &cookie);
    assert_eq!(net.hosts[A].dropped, [Dropped::Unauthentic]);
}

#[test]
fn under_load_a_source_gets_five_at_once_and_twenty_a_second() {
    let mut net = Net::pair(Style::Embedder);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let now = net.now_of(A).monotonic;
    net.load(B);
    let first = forger.initiation(1, Duration::from_secs(1));
    net.inject(B, outer_v4(A), &first);
    let reply = net.last(B, Kind::Cookie);
    forger.take_cookie(now, &reply.bytes);
    let mut answered = |net: &mut Net, seconds: u64| {
        net.load(B);
        let before = net.hosts[B].dropped.len();
        net.inject(
            B,
            outer_v4(A),
            &forger.initiation(2, Duration::from_secs(seconds)),
        );
        net.hosts[B].dropped[before..].last().copied()
    };
    // The flood guard of the peer comes after the limit of the source.
    assert_eq!(answered(&mut net, 2), None);
    for seconds in 3..7 {
        assert_eq!(answered(&mut net, seconds), Some(Dropped::Flood));
    }
    assert_eq!(answered(&mut net, 7), Some(Dropped::RateLimited));
    net.advance(Duration::from_millis(49));
    assert_eq!(answered(&mut net, 8), Some(Dropped::RateLimited));
    net.advance(Duration::from_millis(1));
    assert_eq!(answered(&mut net, 9), None);
    assert_eq!(answered(&mut net, 10), Some(Dropped::RateLimited));
}

#[test]
fn who_is_limited_does_not_limit_others() {
    let mut net = Net::mesh(Style::Embedder, 3);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let packet = net.send(C, B);
    let end = net.now() + Duration::from_secs(7);
    let mut seconds = 1000;
    while net.now() < end {
        net.load(B);
        seconds += 1;
        net.inject(
            B,
            outer_v4(A),
            &forger.initiation(1, Duration::from_secs(seconds)),
        );
        net.advance(Duration::from_millis(10));
    }
    assert_eq!(net.take_delivered(B), [packet]);
}

#[test]
fn a_flood_without_the_public_key_draws_nothing_and_costs_nobody_a_cookie() {
    let mut net = Net::pair(Style::Embedder);
    let mut junk = [0x5a; 148];
    junk[..4].copy_from_slice(&[1, 0, 0, 0]);
    for host in 0..200_u16 {
        junk[4..6].copy_from_slice(&host.to_le_bytes());
        net.inject(B, outer_v4(C), &junk);
    }
    assert!(net.log.is_empty());
    assert!(
        net.hosts[B]
            .dropped
            .iter()
            .all(|why| *why == Dropped::Unauthentic)
    );
    net.ping(A, B);
    assert_eq!(net.count(B, Kind::Cookie), 0);
}

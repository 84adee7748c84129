//! Passive and persistent keepalives (the paper, section 6.5).

use std::time::Duration;

use crate::harness::paper::{KEEPALIVE_SIZE, KEEPALIVE_TIMEOUT};
use crate::harness::{A, B, Kind, Net, Style, each_style};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn data_without_an_answer_is_answered_after_10_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(30));
        net.log.clear();
        net.send(A, B);
        net.drive();
        let received = net.now();
        net.advance(Duration::from_secs(30));
        assert_eq!(
            net.times(B, Kind::Keepalive),
            [received + KEEPALIVE_TIMEOUT]
        );
        let keepalive = net.last(B, Kind::Keepalive);
        assert_eq!((keepalive.bytes.len(), keepalive.tos), (KEEPALIVE_SIZE, 0));
    });
}

#[test]
fn the_10_s_are_counted_from_the_first_data_without_an_answer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(30));
        net.log.clear();
        net.send(A, B);
        net.drive();
        let received = net.now();
        for _ in 0..9 {
            net.advance(SECOND);
            net.send(A, B);
        }
        net.advance(2 * SECOND);
        assert_eq!(
            net.times(B, Kind::Keepalive),
            [received + KEEPALIVE_TIMEOUT]
        );
    });
}

#[test]
fn the_10_s_are_not_counted_from_what_was_sent_last() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(30));
        net.send(B, A);
        net.advance(5 * SECOND);
        net.log.clear();
        net.send(A, B);
        net.drive();
        let received = net.now();
        net.advance(Duration::from_secs(30));
        assert_eq!(
            net.times(B, Kind::Keepalive),
            [received + KEEPALIVE_TIMEOUT]
        );
    });
}

#[test]
fn a_stream_in_one_direction_is_answered_every_10_s() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..100 {
            net.send(A, B);
            net.advance(SECOND);
        }
        let count = net.count(B, Kind::Keepalive);
        assert!((9..=10).contains(&count), "{count}");
        assert_eq!(net.count(A, Kind::Keepalive), 0);
        assert_eq!(net.count(A, Kind::Initiation), 0);
    });
}

#[test]
fn data_in_return_is_answer_enough() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..12 {
            net.ping(A, B);
            net.advance(9 * SECOND);
        }
        assert_eq!(net.count(A, Kind::Keepalive), 0);
        assert_eq!(net.count(B, Kind::Keepalive), 0);
    });
}

#[test]
fn a_keepalive_is_not_answered() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(60 * SECOND);
        net.log.clear();
        net.set_keepalive(A, B, 1000);
        net.advance(60 * SECOND);
        assert_eq!(net.log.len(), 1);
        assert_eq!(net.count(A, Kind::Keepalive), 1);
    });
}

#[test]
fn two_idle_peers_stay_silent() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(11 * SECOND);
        net.log.clear();
        net.advance(Duration::from_secs(24 * 3600));
        assert!(net.log.is_empty(), "{:?}", net.log);
        assert!(net.hosts.iter().all(|host| host.deadline().is_none()));
    });
}

#[test]
fn a_handshake_alone_is_not_answered_with_keepalives() {
    let mut net = Net::pair(Style::Embedder);
    net.set_keepalive(A, B, 60_000);
    net.advance(Duration::from_secs(300));
    let kinds: Vec<_> = net.log.iter().map(|sent| sent.kind()).collect();
    assert_eq!(kinds, [Kind::Initiation, Kind::Response, Kind::Keepalive]);
}

#[test]
fn a_persistent_keepalive_is_sent_at_once_when_switched_on() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(20 * SECOND);
        net.log.clear();
        let now = net.now();
        net.set_keepalive(A, B, 25);
        assert_eq!(net.times(A, Kind::Keepalive), [now]);
        net.advance(100 * SECOND);
        let times = net.times(A, Kind::Keepalive);
        assert_eq!(times[..4], [0, 25, 50, 75].map(|secs| now + secs * SECOND));
    });
}

#[test]
fn switched_on_without_a_session_it_makes_one() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.set_keepalive(A, B, 25);
        net.drive();
        assert!(net.can_send(A, B) && net.can_send(B, A));
        assert_eq!(net.count(A, Kind::Keepalive), 1);
    });
}

#[test]
fn set_again_it_neither_sends_nor_starts_anew() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(20 * SECOND);
        net.log.clear();
        let now = net.now();
        net.set_keepalive(A, B, 25);
        for _ in 0..6 {
            net.advance(5 * SECOND);
            net.set_keepalive(A, B, 25);
        }
        assert_eq!(net.times(A, Kind::Keepalive), [now, now + 25 * SECOND]);
    });
}

#[test]
fn another_interval_counts_from_the_last_traffic() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(20 * SECOND);
        net.set_keepalive(A, B, 100);
        net.log.clear();
        let now = net.now();
        net.advance(10 * SECOND);
        net.set_keepalive(A, B, 15);
        net.advance(6 * SECOND);
        assert_eq!(net.times(A, Kind::Keepalive), [now + 15 * SECOND]);
    });
}

#[test]
fn switched_off_it_stops() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_keepalive(A, B, 25);
        net.advance(30 * SECOND);
        net.set_keepalive(A, B, 0);
        net.log.clear();
        net.advance(600 * SECOND);
        assert!(net.log.is_empty());
    });
}

#[test]
fn it_is_not_sent_while_the_tunnel_is_in_use() {
    each_style(|style| {
        // Whoever sends: traffic in either direction keeps the path alive.
        for (from, to) in [(A, B), (B, A)] {
            let mut net = Net::connected(style);
            net.set_keepalive(A, B, 8);
            net.advance(SECOND);
            net.log.clear();
            for _ in 0..16 {
                net.send(from, to);
                net.advance(7 * SECOND);
            }
            // A answers data after 10 s; nothing of A's is there because of the interval.
            let sent = net.count(A, Kind::Keepalive);
            assert!(sent <= if from == A { 0 } else { 11 }, "{from}: {sent}");
        }
    });
}

#[test]
fn it_is_put_off_by_any_authenticated_traffic() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(20 * SECOND);
        net.set_keepalive(A, B, 25);
        net.advance(20 * SECOND);
        net.send(B, A);
        net.drive();
        let received = net.now();
        net.log.clear();
        net.advance(KEEPALIVE_TIMEOUT);
        assert_eq!(
            net.times(A, Kind::Keepalive),
            [received + KEEPALIVE_TIMEOUT]
        );
        net.advance(26 * SECOND);
        let second = net.times(A, Kind::Keepalive)[1];
        assert_eq!(second, received + KEEPALIVE_TIMEOUT + 25 * SECOND);
    });
}

#[test]
fn it_keeps_trying_a_peer_that_is_gone() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.set_keepalive(A, B, 25);
        net.advance(Duration::from_secs(3600));
        net.heal();
        net.advance(Duration::from_secs(26));
        assert!(net.can_send(A, B));
        assert!(net.can_send(B, A));
    });
}

#[test]
fn it_keeps_an_idle_session_alive_for_ever() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_keepalive(B, A, 25);
        for _ in 0..200 {
            net.advance(60 * SECOND);
            assert!(net.can_send(A, B));
            net.deliver(A, B);
        }
    });
}

#[test]
fn an_interval_of_65535_s_is_one() {
    let mut net = Net::connected(Style::Embedder);
    net.advance(20 * SECOND);
    net.log.clear();
    net.set_keepalive(A, B, u16::MAX);
    net.advance(Duration::from_secs(65_534));
    assert_eq!(net.log.len(), 1);
    net.advance(SECOND);
    assert_eq!(net.count(A, Kind::Initiation), 1);
}

#[test]
fn it_waits_for_an_endpoint() {
    let mut net = Net::strangers(Style::Embedder, 2);
    let now = net.now_of(A);
    let key = net.hosts[B].public_key();
    let device = &mut net.hosts[A].device;
    let id = device.add_peer(now, key).unwrap();
    device.set_persistent_keepalive(now, id, 5);
    net.advance(Duration::from_secs(60));
    assert!(net.log.is_empty());
    let now = net.now_of(A);
    let endpoint = net.hosts[B].address;
    net.hosts[A].device.set_endpoint(now, id, endpoint);
    // Not only when the next one is due: in which order a client sets the two means nothing.
    net.drive();
    assert_eq!(net.count(A, Kind::Initiation), 1);
    // Another endpoint is no reason for another one.
    net.hosts[A].device.set_endpoint(now, id, endpoint);
    net.advance(Duration::from_secs(4));
    assert_eq!(net.log.len(), 1);
}

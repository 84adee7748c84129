//! Clocks that jump, machines that sleep, programs that start anew.

use std::time::Duration;

use crate::harness::paper::{JITTER_MAX, REKEY_TIMEOUT};
use crate::harness::{A, B, Kind, Net, Style, each_style};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_wall_clock_set_back_does_not_stop_the_initiator() {
    each_style(|style| {
        for back in [1, 3600, 1_000_000_000] {
            let mut net = Net::connected(style);
            net.hosts[A].wall_offset = -back;
            for _ in 0..5 {
                net.advance(Duration::from_secs(200));
                net.ping(A, B);
            }
        }
    });
}

#[test]
fn a_wall_clock_that_stands_still_does_not_stop_the_initiator() {
    let mut net = Net::connected(Style::Embedder);
    for _ in 0..20 {
        net.advance(Duration::from_secs(200));
        net.hosts[A].wall_offset -= 200;
        net.ping(A, B);
    }
}

#[test]
fn a_wall_clock_set_ahead_and_back_does_not_lock_the_initiator_out() {
    let mut net = Net::connected(Style::Embedder);
    net.hosts[A].wall_offset = 10 * 365 * 86_400;
    net.advance(Duration::from_secs(200));
    net.ping(A, B);
    net.hosts[A].wall_offset = 0;
    net.advance(Duration::from_secs(200));
    net.ping(A, B);
}

#[test]
fn a_wall_clock_at_either_end_of_time_is_a_wall_clock() {
    for offset in [i64::MIN, i64::MAX, -1_700_000_000] {
        let mut net = Net::pair(Style::Embedder);
        net.hosts[A].wall_offset = offset;
        net.ping(A, B);
        net.advance(Duration::from_secs(60));
        net.ping(A, B);
    }
}

#[test]
fn the_wall_clock_of_the_responder_does_not_matter() {
    let mut net = Net::pair(Style::Embedder);
    net.hosts[B].wall_offset = -1_600_000_000;
    net.ping(A, B);
    net.hosts[B].wall_offset = 1_600_000_000;
    net.advance(Duration::from_secs(200));
    net.ping(A, B);
}

#[test]
fn after_a_sleep_the_old_keypair_is_not_used() {
    each_style(|style| {
        for sleep in [181, 600, 86_400] {
            let mut net = Net::connected(style);
            net.suspend(Duration::from_secs(sleep));
            net.log.clear();
            let packet = net.send(A, B);
            assert_eq!(net.count(A, Kind::Data), 0);
            net.drive();
            assert_eq!(net.take_delivered(B), [packet]);
        }
    });
}

#[test]
fn after_a_sleep_in_the_middle_of_traffic_the_tunnel_is_there_at_once() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_keepalive(A, B, 25);
        net.send(A, B);
        net.send(B, A);
        net.drive();
        net.send(A, B);
        net.suspend(HOUR);
        // Everything was due: keepalives, silence, zeroing. One handshake comes of it.
        net.drive();
        assert!(net.can_send(A, B));
        net.ping(A, B);
        net.advance(Duration::from_secs(60));
        assert!(net.count(A, Kind::Initiation) <= 2);
    });
}

#[test]
fn a_sleep_in_the_middle_of_a_handshake_does_not_hurt() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.send(A, B);
        net.suspend(HOUR);
        net.take_delivered(B);
        net.advance(Duration::from_secs(1));
        net.ping(A, B);
    });
}

#[test]
fn a_monotonic_clock_that_goes_back_does_not_hurt() {
    // The clock of one thread may be a little behind that of another.
    let mut net = Net::connected(Style::DataPath);
    let peer = net.shared(A, B);
    let keypair = peer.current().unwrap();
    let earlier = hushwire_proto::time::Instant::from_nanos(1);
    assert!(peer.reserve(earlier, 1).is_some());
    let _ = peer.sent_data(earlier, &keypair, 100);
    net.ping(A, B);
}

#[test]
fn a_monotonic_clock_at_its_end_does_not_hang() {
    let mut net = Net::connected(Style::Embedder);
    net.set_keepalive(A, B, 25);
    let mut now = net.now_of(A);
    now.monotonic = hushwire_proto::time::Instant::from_nanos(u64::MAX);
    let device = &mut net.hosts[A].device;
    device.handle_timeout(now);
    device.handle_timeout(now);
}

#[test]
fn an_initiator_that_starts_anew_is_let_in() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(1));
        net.restart(A);
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn a_responder_that_starts_anew_is_found_after_15_s_of_silence() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(1));
        net.restart(B);
        let lost = net.now();
        assert!(!net.reaches(A, B));
        net.advance(Duration::from_secs(15) + JITTER_MAX + Duration::from_secs(1));
        assert!(net.reaches(A, B));
        assert!(net.now() - lost < Duration::from_secs(17));
        net.ping(B, A);
    });
}

#[test]
fn both_sides_may_start_anew_at_once() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..5 {
            net.advance(Duration::from_secs(1));
            net.restart(A);
            net.restart(B);
            let sent = [net.send(A, B), net.send(B, A)];
            net.drive();
            assert_eq!(net.take_delivered(B), sent[..1]);
            assert_eq!(net.take_delivered(A), sent[1..]);
        }
    });
}

#[test]
fn both_sides_may_start_anew_in_the_middle_of_anything() {
    each_style(|style| {
        for millis in (0..60).step_by(3) {
            let mut net = Net::pair(style);
            net.send(A, B);
            net.send(B, A);
            net.advance(Duration::from_millis(millis));
            net.restart(A);
            net.restart(B);
            net.advance(Duration::from_millis(40));
            net.take_delivered(A);
            net.take_delivered(B);
            let sent = [net.send(A, B), net.send(B, A)];
            net.advance(2 * (REKEY_TIMEOUT + JITTER_MAX));
            assert!(net.take_delivered(B).contains(&sent[0]), "{millis} ms");
            assert!(net.take_delivered(A).contains(&sent[1]), "{millis} ms");
        }
    });
}

#[test]
fn deadlines_are_served_late_without_harm() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for _ in 0..200 {
            net.send(A, B);
            net.suspend(Duration::from_millis(1700));
            net.drive();
        }
        net.ping(A, B);
        net.ping(B, A);
    });
}

//! Initiations without an answer (the paper, section 6.4).

use std::time::Duration;

use crate::harness::paper::{JITTER_MAX, REKEY_ATTEMPT_TIME, REKEY_TIMEOUT};
use crate::harness::{A, B, Fate, Kind, Net, Style, each_style};

fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn an_initiation_is_sent_again_after_5_s_and_jitter() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(80));
        let gaps = gaps(&net.times(A, Kind::Initiation));
        assert!(gaps.len() >= 14);
        for gap in &gaps {
            assert!(
                (REKEY_TIMEOUT..=REKEY_TIMEOUT + JITTER_MAX).contains(gap),
                "{gap:?}"
            );
        }
    });
}

#[test]
fn the_jitter_is_different_each_time_and_uses_its_range() {
    let mut net = Net::pair(Style::Embedder);
    net.cut();
    net.send(A, B);
    net.advance(Duration::from_secs(85));
    let gaps = gaps(&net.times(A, Kind::Initiation));
    for (i, gap) in gaps.iter().enumerate() {
        assert!(!gaps[..i].contains(gap));
    }
    let least = gaps.iter().min().unwrap();
    let most = gaps.iter().max().unwrap();
    assert!(*most - *least > JITTER_MAX / 2, "{gaps:?}");
}

#[test]
fn initiations_to_one_peer_are_5_s_apart_however_much_there_is_to_send() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        for _ in 0..2000 {
            net.send(A, B);
            net.advance(Duration::from_millis(50));
        }
        let gaps = gaps(&net.times(A, Kind::Initiation));
        assert!(gaps.len() >= 17);
        assert!(gaps.iter().all(|gap| *gap >= REKEY_TIMEOUT), "{gaps:?}");
    });
}

#[test]
fn attempts_end_after_90_s() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(3600));
        let times = net.times(A, Kind::Initiation);
        let last = *times.last().unwrap();
        assert!(last < REKEY_ATTEMPT_TIME, "{last:?}");
        assert!(
            last >= REKEY_ATTEMPT_TIME - REKEY_TIMEOUT - JITTER_MAX,
            "{last:?}"
        );
        assert_eq!(net.log.len(), times.len(), "and nothing else is sent");
    });
}

#[test]
fn new_data_starts_the_90_s_again() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(60));
        net.send(A, B);
        net.advance(Duration::from_secs(3600));
        let last = *net.times(A, Kind::Initiation).last().unwrap();
        let end = Duration::from_secs(60) + REKEY_ATTEMPT_TIME;
        assert!(
            last < end && last >= end - REKEY_TIMEOUT - JITTER_MAX,
            "{last:?}"
        );
    });
}

#[test]
fn packets_that_wait_are_dropped_when_attempts_end() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(REKEY_ATTEMPT_TIME + REKEY_TIMEOUT + JITTER_MAX);
        net.heal();
        let packet = net.send(A, B);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn new_data_starts_anew_after_attempts_have_ended() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(200));
        let before = net.count(A, Kind::Initiation);
        net.send(A, B);
        assert_eq!(net.count(A, Kind::Initiation), before + 1);
        net.advance(Duration::from_secs(30));
        assert!(net.count(A, Kind::Initiation) > before + 5, "and goes on");
    });
}

#[test]
fn an_answer_to_the_last_attempt_is_still_an_answer() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        let packet = net.send(A, B);
        net.advance(Duration::from_secs(84));
        net.heal();
        net.advance(Duration::from_secs(6));
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn an_answer_ends_the_attempts() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(20));
        net.heal();
        net.advance(Duration::from_secs(10));
        let initiations = net.count(A, Kind::Initiation);
        net.advance(Duration::from_secs(100));
        assert_eq!(net.count(A, Kind::Initiation), initiations);
    });
}

#[test]
fn who_has_answered_an_initiation_waits_before_it_initiates_itself() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.lose(|sent| sent.is_transport() || sent.at > Duration::from_secs(3) && sent.host == A);
        net.send(A, B);
        net.drive();
        let answered = net.times(B, Kind::Response)[0];
        net.send(B, A);
        net.advance(REKEY_TIMEOUT - Duration::from_millis(10));
        assert_eq!(net.count(B, Kind::Initiation), 0);
        net.advance(JITTER_MAX);
        let tried = net.times(B, Kind::Initiation);
        assert_eq!(tried.len(), 1, "but then it does, by itself");
        let after = tried[0] - answered;
        assert!(
            (REKEY_TIMEOUT..=REKEY_TIMEOUT + JITTER_MAX).contains(&after),
            "{after:?}"
        );
    });
}

#[test]
fn who_has_answered_does_not_initiate_once_it_is_confirmed() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.filter(|sent| match sent.kind() {
            Kind::Data => Fate::Delay(Duration::from_secs(2)),
            _ => Fate::Deliver,
        });
        net.send(A, B);
        net.advance(Duration::from_secs(1));
        net.heal();
        net.send(B, A);
        net.advance(Duration::from_secs(60));
        assert_eq!(net.count(B, Kind::Initiation), 0);
        assert_eq!(net.take_delivered(A).len(), 1);
    });
}

#[test]
fn silence_after_data_starts_a_handshake_after_15_s_and_jitter() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.cut();
        let sent = net.now();
        net.send(A, B);
        net.advance(Duration::from_secs(16));
        let times = net.times(A, Kind::Initiation);
        assert_eq!(times.len(), 1);
        let after = times[0] - sent;
        let expected = Duration::from_secs(15);
        assert!(
            (expected..=expected + JITTER_MAX).contains(&after),
            "{after:?}"
        );
    });
}

#[test]
fn silence_is_counted_from_the_first_data_without_an_answer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.cut();
        let first = net.now();
        for _ in 0..16 {
            net.send(A, B);
            net.advance(Duration::from_secs(1));
        }
        let after = net.times(A, Kind::Initiation)[0] - first;
        assert!(after < Duration::from_secs(15) + JITTER_MAX, "{after:?}");
    });
}

#[test]
fn any_authenticated_message_is_an_answer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let sent = net.now();
        net.send(A, B);
        net.drive();
        net.advance(Duration::from_secs(60));
        assert_eq!(net.count(A, Kind::Initiation), 0);
        let keepalive = net.times(B, Kind::Keepalive);
        assert_eq!(keepalive.len(), 1);
        assert!(keepalive[0] - sent < Duration::from_secs(11));
    });
}

#[test]
fn the_jitter_of_silence_differs_from_the_first_time_on() {
    let mut seen = Vec::new();
    for seed in 0..4 {
        let mut net = Net::pair(Style::Embedder);
        for _ in 0..seed {
            net.restart(A);
            net.settle();
            net.advance(Duration::from_secs(1));
            net.ping(A, B);
        }
        net.restart(A);
        net.advance(Duration::from_secs(1));
        net.connect(A, B);
        net.cut();
        let sent = net.now();
        net.send(A, B);
        net.advance(Duration::from_secs(16));
        let after = net.times(A, Kind::Initiation)[0] - sent;
        assert!(after > Duration::from_secs(15), "{after:?}");
        assert!(!seen.contains(&after));
        seen.push(after);
    }
}

#[test]
fn the_jitter_of_silence_differs_each_time() {
    let mut net = Net::connected(Style::Embedder);
    let mut seen = Vec::new();
    for _ in 0..5 {
        net.cut();
        net.log.clear();
        let sent = net.now();
        net.send(A, B);
        net.advance(Duration::from_millis(15_400));
        let after = net.times(A, Kind::Initiation)[0] - sent;
        assert!(!seen.contains(&after), "{after:?}");
        seen.push(after);
        net.heal();
        net.advance(Duration::from_secs(6));
        net.ping(A, B);
    }
}

#[test]
fn a_keepalive_without_an_answer_is_not_silence() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_keepalive(A, B, 60);
        net.cut();
        net.advance(Duration::from_secs(110));
        assert_eq!(net.count(A, Kind::Initiation), 0);
        assert_eq!(net.count(A, Kind::Keepalive), 2);
    });
}

//! The contract with the owner: when it is to call, and that it may call too often.

use std::time::Duration;

use crate::harness::{A, B, Datagram, Kind, Net, Style, each_style};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_device_with_nothing_to_do_has_no_deadline() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        assert!(net.hosts.iter().all(|host| host.deadline().is_none()));
        net.ping(A, B);
        assert!(net.hosts[A].deadline().is_some());
        net.advance(Duration::from_secs(600));
        assert!(net.hosts.iter().all(|host| host.deadline().is_none()));
    });
}

#[test]
fn a_deadline_that_was_served_is_in_the_future() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.set_keepalive(A, B, 7);
        for _ in 0..500 {
            net.advance(Duration::from_millis(777));
            for host in &net.hosts {
                assert!(host.deadline().is_none_or(|at| at > net.now()));
            }
        }
    });
}

#[test]
fn calls_without_a_reason_change_nothing() {
    fn run(style: Style, step: Duration) -> Vec<Datagram> {
        let mut net = Net::pair(style);
        net.set_keepalive(B, A, 25);
        net.lose(|sent| sent.kind() == Kind::Response && sent.at < Duration::from_secs(7));
        for second in 0..400_u32 {
            if second % 37 == 0 {
                net.send(A, B);
            }
            if second % 91 == 0 {
                net.send(B, A);
            }
            let end = net.now() + Duration::from_secs(1);
            while net.now() < end {
                net.advance(step);
                for host in [A, B] {
                    let now = net.now();
                    net.hosts[host].serve(now);
                }
                net.settle();
            }
        }
        net.log
    }
    each_style(|style| {
        let seldom = run(style, Duration::from_secs(1));
        let often = run(style, 20 * MILLISECOND);
        assert!(seldom.len() > 30);
        assert_eq!(seldom.len(), often.len());
        for (one, other) in seldom.iter().zip(&often) {
            assert_eq!((one.at, &one.bytes), (other.at, &other.bytes));
        }
    });
}

#[test]
fn the_two_ways_to_own_a_device_look_the_same_on_the_wire() {
    fn run(style: Style) -> Vec<(Duration, usize, Kind, usize)> {
        let mut net = Net::mesh(style, 3);
        net.set_keepalive(A, B, 20);
        for second in 0..900_usize {
            if second % 17 == 3 {
                net.send(second % 3, (second + 1) % 3);
            }
            net.advance(Duration::from_secs(1));
        }
        let seen = |sent: &Datagram| (sent.at, sent.host, sent.kind(), sent.bytes.len());
        net.log.iter().map(seen).collect()
    }
    assert_eq!(run(Style::Embedder), run(Style::DataPath));
}

#[test]
fn a_hub_serves_many_spokes() {
    each_style(|style| {
        const SPOKES: usize = 40;
        let mut net = Net::strangers(style, 1 + SPOKES);
        for spoke in 1..=SPOKES {
            net.befriend(A, spoke);
            net.befriend(spoke, A);
            net.set_keepalive(spoke, A, 25);
        }
        net.advance(Duration::from_secs(400));
        net.log.clear();
        for spoke in 1..=SPOKES {
            net.deliver(A, spoke);
            net.deliver(spoke, A);
        }
        assert_eq!(net.count(A, Kind::Initiation), 0, "all sessions were there");
    });
}

//! Links that lose, double, reorder and spoil packets, and a router that changes its mind.

use hushwire_lab::{Faults, FaultyLink};

use crate::common::{Pair, bytes_arrive_unchanged, eventually, one_at_a_time};

/// A tunnel over a link with these faults; they begin when the tunnel works.
fn pair_with(faults: Faults) -> (Pair, FaultyLink) {
    let (pair, link) = Pair::on_a_faulty_link();
    link.set(faults);
    (pair, link)
}

#[test]
fn what_happens_to_packets_does_not_happen_to_the_stream() {
    let _alone = one_at_a_time();
    let faults = Faults {
        loss: 0.005,
        duplicate: 0.02,
        reorder: 0.02,
        corrupt: 0.005,
        seed: 7,
        ..Faults::default()
    };
    let (pair, link) = pair_with(faults);
    let Pair {
        left,
        right,
        tunnel,
        ..
    } = &pair;
    bytes_arrive_unchanged(left, right, tunnel.right.ipv4.parse().unwrap(), 4 << 20);
    bytes_arrive_unchanged(right, left, tunnel.left.ipv6.parse().unwrap(), 4 << 20);
    for counts in [link.forth(), link.back()] {
        assert!(
            counts.lost > 0 && counts.duplicated > 0 && counts.corrupted > 0,
            "{counts:?}"
        );
    }
}

#[test]
fn a_doubled_packet_arrives_once() {
    let faults = Faults {
        duplicate: 1.0,
        ..Faults::default()
    };
    let (Pair { left, tunnel, .. }, _link) = &pair_with(faults);
    let words = ["ping", "-n", "-c", "20", "-i", "0.01", &tunnel.right.ipv4];
    let text = left.output(&words).unwrap().stdout;
    assert!(
        !text.contains("DUP!") && !text.contains("duplicates"),
        "{text}"
    );
}

#[test]
fn nothing_spoilt_is_let_in() {
    let faults = Faults {
        corrupt: 1.0,
        ..Faults::default()
    };
    let (pair, link) = pair_with(faults);
    let Pair {
        left,
        right,
        tunnel,
        ..
    } = &pair;
    let received = || {
        right
            .netlink()
            .link(&tunnel.right.interface)
            .unwrap()
            .unwrap()
            .counters
    };
    let before = received().received_bytes;
    let words = [
        "ping",
        "-n",
        "-c",
        "20",
        "-i",
        "0.01",
        "-W",
        "1",
        &tunnel.right.ipv4,
    ];
    assert!(left.output(&words).is_err());
    assert!(link.forth().corrupted >= 20);
    assert_eq!(received().received_bytes, before);
    // The session is as good as before.
    link.set(Faults::default());
    left.ping(&tunnel.right.ipv4).unwrap();
}

#[test]
fn a_router_that_gives_another_port_is_followed() {
    Pair::behind_a_router(|pair, nat| {
        let Pair {
            left: inside,
            right: outside,
            tunnel,
            ..
        } = pair;
        let place = || {
            let answer = outside.uapi(&tunnel.right.interface, "get=1\n\n").unwrap();
            let endpoint = answer
                .lines()
                .find_map(|line| line.strip_prefix("endpoint="));
            endpoint.map(str::to_owned)
        };
        let first = place().expect("the outside has heard the inside");
        nat.rebind().unwrap();
        inside.ping(&tunnel.right.ipv4).unwrap();
        eventually("the new port to be seen", || {
            place().is_some_and(|place| place != first)
        });
        outside.ping(&tunnel.left.ipv4).unwrap();
    });
}

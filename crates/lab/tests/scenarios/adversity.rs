//! Links that lose, double, reorder and spoil packets, and a router that changes its mind.

use hushwire_lab::{Faults, Host, Lab, Nat, Tunnel, TunnelOptions};

use crate::common::{bytes_arrive_unchanged, eventually, implementation, one_at_a_time};

/// A tunnel over a link with these faults; they begin when the tunnel works.
fn tunnel_with(faults: Faults) -> (Lab, [Host; 2], Tunnel, hushwire_lab::FaultyLink) {
    let lab = Lab::new().unwrap();
    let (left, right) = (lab.host("left").unwrap(), lab.host("right").unwrap());
    let link = lab
        .faulty_link(&left, "eth0", &right, "eth0", Faults::default())
        .unwrap();
    left.address("eth0", "10.0.0.1/24").unwrap();
    right.address("eth0", "10.0.0.2/24").unwrap();
    let ours = implementation();
    let ends = ((&left, ours, "10.0.0.1"), (&right, ours, "10.0.0.2"));
    let tunnel = Tunnel::between(ends.0, ends.1, &TunnelOptions::default()).unwrap();
    left.ping(&tunnel.right.ipv4).unwrap();
    link.set(faults);
    (lab, [left, right], tunnel, link)
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
    let (_lab, [left, right], tunnel, link) = tunnel_with(faults);
    bytes_arrive_unchanged(&left, &right, tunnel.right.ipv4.parse().unwrap(), 4 << 20);
    bytes_arrive_unchanged(&right, &left, tunnel.left.ipv6.parse().unwrap(), 4 << 20);
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
    let (_lab, [left, _right], tunnel, _link) = tunnel_with(faults);
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
    let (_lab, [left, right], tunnel, link) = tunnel_with(faults);
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
    let lab = Lab::new().unwrap();
    let [inside, router, outside] =
        ["inside", "router", "outside"].map(|name| lab.host(name).unwrap());
    lab.link(&inside, "eth0", &router, "in").unwrap();
    lab.link(&router, "out", &outside, "eth0").unwrap();
    inside.address("eth0", "192.168.1.2/24").unwrap();
    router.address("in", "192.168.1.1/24").unwrap();
    router.address("out", "10.0.0.1/24").unwrap();
    outside.address("eth0", "10.0.0.2/24").unwrap();
    inside.route_via("0.0.0.0/0", "192.168.1.1").unwrap();
    let nat = Nat::new(&router, "out").unwrap();
    let options = TunnelOptions {
        right_knows_left: false,
        ..TunnelOptions::default()
    };
    let ours = implementation();
    let ends = ((&inside, ours, "192.168.1.2"), (&outside, ours, "10.0.0.2"));
    let tunnel = Tunnel::between(ends.0, ends.1, &options).unwrap();
    let place = || {
        let answer = outside.uapi(&tunnel.right.interface, "get=1\n\n").unwrap();
        let endpoint = answer
            .lines()
            .find_map(|line| line.strip_prefix("endpoint="));
        endpoint.map(str::to_owned)
    };
    inside.ping(&tunnel.right.ipv4).unwrap();
    let first = place().expect("the outside has heard the inside");
    nat.rebind().unwrap();
    inside.ping(&tunnel.right.ipv4).unwrap();
    eventually("the new port to be seen", || {
        place().is_some_and(|place| place != first)
    });
    outside.ping(&tunnel.left.ipv4).unwrap();
}

//! From which of its addresses an end answers: from the one that was dialled, as long as the host has it.

use crate::common::{Shell, World, eventually, ping};

/// Addresses `10.0.0.host/24` and `fd00:aa::host/96` of a host's `eth0`.
fn addresses(host: &hushwire_lab::Host, numbers: &[u8]) {
    for number in numbers {
        host.address("eth0", &format!("10.0.0.{number}/24"))
            .unwrap();
        host.address("eth0", &format!("fd00:aa::{number}/96"))
            .unwrap();
    }
}

#[test]
fn an_ipv4_source_that_goes_away_is_given_up() {
    let world = World::cable();
    addresses(&world.one, &[1]);
    addresses(&world.two, &[2]);
    world.endpoint_of_2("10.0.0.2:20000");
    ping(&world.one, "192.168.241.2");
    world.one.address("eth0", "10.0.0.10/24").unwrap();
    world.one.delete_address("eth0", "10.0.0.1/24").unwrap();
    ping(&world.one, "192.168.241.2");
    assert_eq!(world.seen_endpoint("wg2"), "10.0.0.10:10000");
}

#[test]
fn an_ipv6_source_that_goes_away_is_given_up() {
    let world = World::cable();
    addresses(&world.one, &[1]);
    addresses(&world.two, &[2]);
    world.endpoint_of_2("[fd00:aa::2]:20000");
    ping(&world.one, "192.168.241.2");
    world.one.address("eth0", "fd00:aa::10/96").unwrap();
    world.one.delete_address("eth0", "fd00:aa::1/96").unwrap();
    ping(&world.one, "192.168.241.2");
    assert_eq!(world.seen_endpoint("wg2"), "[fd00:aa::10]:10000");
}

#[test]
fn the_answer_comes_from_the_address_that_was_dialled() {
    let world = World::cable();
    addresses(&world.one, &[1, 2]);
    addresses(&world.two, &[3]);
    for dialled in ["10.0.0.1", "[fd00:aa::1]", "10.0.0.2", "[fd00:aa::2]"] {
        let dialled = format!("{dialled}:10000");
        world.endpoint_of_1(&dialled);
        ping(&world.two, "192.168.241.1");
        assert_eq!(world.seen_endpoint("wg2"), dialled);
    }
}

#[test]
fn the_dialled_address_may_be_one_of_another_interface() {
    let world = World::cable();
    addresses(&world.one, &[1]);
    addresses(&world.two, &[3]);
    world
        .lab
        .link(&world.one, "eth1", &world.middle, "eth0")
        .unwrap();
    world.one.address("eth1", "10.50.0.1/24").unwrap();
    world.two.route_on("10.50.0.0/24", "eth0").unwrap();
    world.endpoint_of_1("10.50.0.1:10000");
    ping(&world.two, "192.168.241.1");
    assert_eq!(world.seen_endpoint("wg2"), "10.50.0.1:10000");
}

#[test]
fn a_better_route_takes_over_a_flow_that_is_under_way() {
    let world = World::cable();
    let World { lab, one, two, .. } = &world;
    lab.link(one, "eth1", two, "eth1").unwrap();
    for parameter in ["all", "eth0", "eth1"] {
        for host in [one, two] {
            host.sysctl(&format!("net.ipv4.conf.{parameter}.rp_filter"), "0")
                .unwrap();
        }
    }
    one.address("eth0", "10.0.0.1/24").unwrap();
    two.address("eth0", "10.0.0.2/24").unwrap();
    one.address("eth1", "10.0.0.3/24").unwrap();
    one.sh("ip route flush dev eth0");
    one.sh("ip route flush dev eth1");
    one.sh("ip route add 10.0.0.0/24 dev eth0 src 10.0.0.1 metric 2");
    world.endpoint_of_2("10.0.0.2:20000");
    ping(one, "192.168.241.2");
    assert_eq!(world.seen_endpoint("wg2"), "10.0.0.1:10000");

    one.sh("ip route add 10.0.0.0/24 dev eth1 src 10.0.0.3 metric 1");
    eventually("the flow to take the better route", || {
        ping(one, "192.168.241.2");
        world.seen_endpoint("wg2") == "10.0.0.3:10000"
    });
}

//! Every kind of traffic, over IPv4 and IPv6 outside, with the usual MTU and with one of 34 KiB.

use std::net::IpAddr;

use crate::common::{World, bytes_arrive_unchanged, every_kind_of_traffic, one_at_a_time, tcp};

/// What is left of a 34 KiB outer packet when WireGuard has taken as much as it takes from an Ethernet packet.
const BIG_MTU: u32 = 34816 - 1500 + 1420;

#[test]
fn over_ipv4() {
    let _alone = one_at_a_time();
    every_kind_of_traffic(&World::loopback_v4());
}

#[test]
fn over_ipv4_with_a_big_mtu() {
    let _alone = one_at_a_time();
    let world = World::loopback_v4();
    world.mtu(BIG_MTU);
    every_kind_of_traffic(&world);
}

#[test]
fn over_ipv6() {
    let _alone = one_at_a_time();
    every_kind_of_traffic(&World::loopback_v6());
}

#[test]
fn over_ipv6_with_a_big_mtu() {
    let _alone = one_at_a_time();
    let world = World::loopback_v6();
    world.mtu(BIG_MTU);
    every_kind_of_traffic(&world);
}

#[test]
fn the_mtu_goes_up_and_down_under_a_live_tunnel() {
    let _alone = one_at_a_time();
    let world = World::loopback_v4();
    for mtu in [1420, BIG_MTU, 1420, 65440, 1280] {
        world.mtu(mtu);
        tcp(&world.one, &world.two, "192.168.241.2", "64M", 1);
        tcp(&world.two, &world.one, "fd00::1", "64M", 1);
    }
}

#[test]
fn parallel_tcp_flows() {
    let _alone = one_at_a_time();
    let world = World::loopback_v4();
    tcp(&world.one, &world.two, "192.168.241.2", "256M", 8);
    tcp(&world.two, &world.one, "fd00::1", "256M", 8);
}

#[test]
fn a_tcp_stream_arrives_byte_for_byte() {
    let _alone = one_at_a_time();
    let world = World::loopback_v4();
    for mtu in [1420, BIG_MTU] {
        world.mtu(mtu);
        for (address, client, server) in [
            ("192.168.241.2", &world.one, &world.two),
            ("fd00::1", &world.two, &world.one),
        ] {
            let address: IpAddr = address.parse().unwrap();
            bytes_arrive_unchanged(client, server, address, 32 << 20);
        }
    }
}

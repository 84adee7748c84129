//! Tunnels in tunnels, and tunnels that would go round in circles.

use std::thread;
use std::time::Duration;

use crate::common::{
    Key, Shell, World, eventually, every_kind_of_traffic, one_at_a_time, ping, start,
};

/// A tunnel whose packets travel through another: `wg1` and `wg2` carry only `wg3` and `wg4`, which have the usual
/// addresses.
fn tunnel_in_tunnel() -> World {
    let world = World::loopback_v4();
    let World {
        one,
        two,
        key1,
        key2,
        ..
    } = &world;
    let (key3, key4) = (Key::generate(one, "3"), Key::generate(two, "4"));
    for (host, outer, inner, side) in [(one, "wg1", "wg3", 1), (two, "wg2", "wg4", 2)] {
        host.sh(&format!("ip addr flush dev {outer}"));
        host.address(outer, &format!("fd00::5:{side}/112")).unwrap();
        start(host, inner);
        host.address(inner, &format!("192.168.241.{side}/24"))
            .unwrap();
        host.address(inner, &format!("fd00::{side}/112")).unwrap();
        // 1420 less the 80 bytes that IPv6, UDP and WireGuard take once more.
        host.mtu(inner, 1340).unwrap();
        host.up(inner).unwrap();
    }
    world.wg(&format!(
        "wg1 peer {} allowed-ips fd00::5:2/128",
        key2.public
    ));
    world.wg(&format!(
        "wg2 peer {} allowed-ips fd00::5:1/128",
        key1.public
    ));
    let inner = |interface: &str, key: &Key, peer: &Key, other: u8| {
        world.wg(&format!(
            "{interface} listen-port 5 private-key {} peer {} \
             allowed-ips 192.168.241.{other}/32,fd00::{other}/128 endpoint [fd00::5:{other}]:5",
            key.file, peer.public
        ));
    };
    inner("wg3", &key3, &key4, 2);
    inner("wg4", &key4, &key3, 1);
    world
}

#[test]
fn a_tunnel_in_a_tunnel_carries_every_kind_of_traffic() {
    let _alone = one_at_a_time();
    every_kind_of_traffic(&tunnel_in_tunnel());
}

/// The outer tunnel is told that its other end is reached through the inner one, which needs the outer one. A daemon
/// cannot see that what it is given to send is its own packet, wrapped by somebody else, so the packets go round; but it
/// stays at everybody's service, and the ring is still once it is cut.
#[test]
fn a_routing_loop_does_no_harm() {
    let _alone = one_at_a_time();
    let world = tunnel_in_tunnel();
    let World {
        middle,
        one,
        two,
        key2,
        ..
    } = &world;
    world.move_link("wg3", one, middle);
    middle.address("wg3", "192.168.241.1/24").unwrap();
    middle.up("wg3").unwrap();
    ping(middle, "192.168.241.2");

    world.wg(&format!(
        "wg1 peer {} endpoint 192.168.241.2:7",
        key2.public
    ));
    two.delete("wg2").unwrap();
    two.delete("wg4").unwrap();
    middle.sh_fails("ping -n -f -c 10 -W 1 192.168.241.2");

    world.wg(&format!("wg1 peer {} endpoint 127.0.0.1:7", key2.public));
    eventually("the packets to stop", || {
        let before = world.transfer("wg3");
        // Long enough for what is still in some queue to have been sent.
        thread::sleep(Duration::from_millis(200));
        world.transfer("wg3") == before
    });
    for interface in ["wg1", "wg3"] {
        assert_eq!(world.show(&format!("{interface} peers")).lines().count(), 1);
    }
}

/// A peer of an interface that is reached through the same interface: first by way of another peer, then, which cannot
/// work, by way of itself.
#[test]
fn an_onion_works_and_one_without_a_core_does_no_harm() {
    let world = World::nat();
    let World { one, two, key1, .. } = &world;
    world.endpoint_of_2("10.0.0.100:20000");
    ping(one, "192.168.241.2");

    let key3 = Key::generate(two, "3");
    start(two, "wg3");
    one.address("wg1", "192.168.242.1/24").unwrap();
    two.address("wg3", "192.168.242.2/24").unwrap();
    two.up("wg3").unwrap();
    world.wg(&format!(
        "wg3 private-key {} listen-port 5 peer {} allowed-ips 192.168.242.1/32",
        key3.file, key1.public
    ));
    world.wg(&format!(
        "wg1 peer {} allowed-ips 192.168.242.2/32 endpoint 192.168.241.2:5",
        key3.public
    ));
    ping(one, "192.168.242.2");

    two.delete("wg3").unwrap();
    world.wg(&format!(
        "wg1 peer {} endpoint 192.168.242.2:5",
        key3.public
    ));
    one.sh_fails("ping -n -c 1 -W 1 192.168.242.2");
    world.wg(&format!("wg1 peer {} remove", key3.public));
    ping(one, "192.168.241.2");
}

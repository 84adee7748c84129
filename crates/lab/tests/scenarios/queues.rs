//! A device with several queues, each with its own sockets on the one port.

use crate::common::{
    PORT_1, Shell, World, bytes_arrive_unchanged, eventually, every_kind_of_traffic, one_at_a_time,
    ping, tcp,
};

const QUEUES: &[(&str, &str)] = &[("HUSHWIRE_QUEUES", "3")];

fn world() -> World {
    let world = World::loopback_with(QUEUES);
    world.meet("127.0.0.1", "127.0.0.1");
    world
}

/// How many UDP sockets hold the port on the host in the middle.
fn sockets(world: &World, port: u16) -> usize {
    let listed = world.middle.sh(&format!("ss -Huan4 sport = :{port}"));
    listed.lines().count()
}

#[test]
fn carries_every_kind_of_traffic() {
    let _alone = one_at_a_time();
    let world = world();
    assert_eq!(sockets(&world, PORT_1), 3);
    every_kind_of_traffic(&world);
    tcp(&world.one, &world.two, "192.168.241.2", "256M", 8);
    let address = "192.168.241.2".parse().unwrap();
    bytes_arrive_unchanged(&world.one, &world.two, address, 32 << 20);
}

#[test]
fn changes_its_port_goes_down_and_comes_back_with_all_of_them() {
    let world = world();
    ping(&world.one, "192.168.241.2");
    world.one.sh("wg set wg1 listen-port 9999");
    assert_eq!((sockets(&world, PORT_1), sockets(&world, 9999)), (0, 3));
    ping(&world.one, "192.168.241.2");
    world.one.sh("ip link set wg1 down");
    eventually("the sockets to close", || sockets(&world, 9999) == 0);
    world.one.sh("ip link set wg1 up");
    eventually("the sockets to open", || sockets(&world, 9999) == 3);
    // From the end that forgot its sessions on the way down.
    ping(&world.one, "192.168.241.2");
}

#[test]
fn a_port_that_another_device_holds_is_refused() {
    let world = world();
    let (_, refused) = world
        .two
        .sh_fails(&format!("wg set wg2 listen-port {PORT_1}"));
    assert!(refused.contains("Address already in use"), "{refused}");
}

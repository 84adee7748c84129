//! A device whose helpers seal and open for a flow that has a queue to itself.

use std::time::Instant;

use hushwire_lab::Implementation;

use crate::common::{
    SOON, World, bytes_arrive_unchanged, every_kind_of_traffic, implementation, one_at_a_time,
};

const HELPERS: &[(&str, &str)] = &[("HUSHWIRE_HELPERS", "3")];

/// A number of the status of a device.
#[track_caller]
fn number(world: &World, interface: &str, name: &str) -> u64 {
    let status = world.middle.uapi(interface, "status=1\n\n").unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("no {name}: {status}"))
        .parse()
        .unwrap()
}

#[test]
fn a_lone_stream_arrives_unchanged_whoever_seals_and_opens_it() {
    if implementation() != Implementation::Hushwired {
        return;
    }
    let _alone = one_at_a_time();
    let world = World::loopback_with(HELPERS);
    world.meet("127.0.0.1", "127.0.0.1");
    assert_eq!(number(&world, "wg1", "helpers"), 3);
    every_kind_of_traffic(&world);
    let address = "192.168.241.2".parse().unwrap();
    let start = Instant::now();
    // On a busy machine the owner is often first, so until some of it was not its own work.
    let helped = |interface| number(&world, interface, "helped");
    while helped("wg1") < 20 || helped("wg2") < 20 {
        bytes_arrive_unchanged(&world.one, &world.two, address, 32 << 20);
        assert!(start.elapsed() < 4 * SOON, "nobody helps");
    }
}

#[test]
fn without_helpers_there_are_none() {
    if implementation() != Implementation::Hushwired {
        return;
    }
    let world = World::loopback_with(&[("HUSHWIRE_HELPERS", "0"), ("HUSHWIRE_QUEUES", "1")]);
    assert_eq!(number(&world, "wg1", "helpers"), 0);
    assert_eq!(number(&world, "wg1", "threads"), 4);
}

//! What is lost comes back by itself, after the protocol's timeouts. `cargo xtask test` runs this module beside the other
//! tests, because it waits more than it works.

use std::time::Duration;

use hushwire_lab::{Faults, Lab, wait_until};

use crate::common::{World, eventually, faulty_link, ping, start, tunnel_on_eth0};

/// Several of the protocol's timeouts of 5 to 15 seconds (paper, section 6.1).
const PATIENCE: Duration = Duration::from_secs(60);

/// The packet that wants a session waits for it, and the initiation is sent again every REKEY_TIMEOUT.
#[test]
fn a_lost_initiation_is_sent_again_and_the_packet_has_waited() {
    let lab = Lab::new().unwrap();
    let ([left, right], link) = faulty_link(&lab);
    // The hosts know each other's hardware address before the cable is cut.
    left.ping("10.0.0.2").unwrap();
    link.set(Faults::cut());
    let tunnel = tunnel_on_eth0(&left, &right);

    let words = ["ping", "-n", "-c", "1", "-W", "50", &tunnel.right.ipv4];
    let ping = left.spawn(left.command(&words)).unwrap();
    eventually("an initiation to be lost", || link.forth().lost > 0);
    link.set(Faults::default());
    ping.finish(PATIENCE).unwrap();
}

/// An end that was restarted knows no session. The other notices that nothing comes back and shakes hands anew.
#[test]
fn an_end_that_was_restarted_is_found_again() {
    let world = World::loopback_v4();
    let World { one, two, .. } = &world;
    ping(one, "192.168.241.2");
    restart_second(&world);

    let before = world.latest_handshake("wg1");
    let words = [
        "ping",
        "-n",
        "-c",
        "50",
        "-i",
        "1",
        "-W",
        "10",
        "192.168.241.2",
    ];
    let mut pings = one.spawn(one.command(&words)).unwrap();
    wait_until(PATIENCE, "another handshake", || {
        world.latest_handshake("wg1") > before && pings.output().stdout.contains("bytes from")
    })
    .unwrap();
    pings.kill();
    ping(one, "192.168.241.2");
    ping(two, "192.168.241.1");
}

/// If it speaks itself, nobody has to wait: its clock has gone on, so its initiation is newer than all before.
#[test]
fn an_end_that_was_restarted_speaks_at_once() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    restart_second(&world);
    ping(&world.two, "192.168.241.1");
    ping(&world.one, "192.168.241.2");
}

fn restart_second(world: &World) {
    let World {
        middle,
        two,
        key1,
        key2,
        psk,
        ..
    } = world;
    two.delete("wg2").unwrap();
    start(middle, "wg2");
    world.move_link("wg2", middle, two);
    two.address("wg2", "192.168.241.2/24").unwrap();
    world.wg(&format!(
        "wg2 private-key {} listen-port 20000 peer {} preshared-key {psk} \
         allowed-ips 192.168.241.1/32 endpoint 127.0.0.1:10000",
        key2.file, key1.public
    ));
    two.up("wg2").unwrap();
}

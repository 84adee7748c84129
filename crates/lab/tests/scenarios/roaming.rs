//! An end that moves is followed by the other, as soon as it says something authentic.

use std::net::UdpSocket;

use crate::common::Shell;
use crate::common::{Key, SOON, World, eventually, ping};

#[test]
fn a_new_ipv4_address_and_port_are_followed() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    world.middle.delete_address("lo", "127.0.0.1/8").unwrap();
    world.middle.address("lo", "127.212.121.99/8").unwrap();
    world.wg("wg1 listen-port 9999");
    world.endpoint_of_2("127.0.0.1:20000");
    ping(&world.one, "fd00::2");
    assert_eq!(world.seen_endpoint("wg2"), "127.212.121.99:9999");
}

#[test]
fn a_change_to_ipv6_is_followed() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    world.wg("wg1 listen-port 9998");
    world.endpoint_of_2("[::1]:20000");
    ping(&world.one, "192.168.241.2");
    assert_eq!(world.seen_endpoint("wg2"), "[::1]:9998");
}

/// The filter on inner source addresses is the device's, not the peer's: a prefix that another peer has more
/// specifically is refused. The packet is authentic all the same, so its sender's new place is believed.
#[test]
fn a_refused_source_address_still_tells_the_place() {
    let world = World::loopback_v6();
    let World { one, two, key2, .. } = &world;
    let inbox = one.run(|| UdpSocket::bind("0.0.0.0:1111")).unwrap();
    inbox.set_read_timeout(Some(SOON)).unwrap();
    let send = |text: &str| {
        let outbox = two.run(|| UdpSocket::bind("192.168.241.2:0")).unwrap();
        outbox
            .send_to(text.as_bytes(), "192.168.241.1:1111")
            .unwrap();
    };
    let received = || {
        let mut buffer = [0; 16];
        let (length, _) = inbox.recv_from(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };

    world.wg(&format!(
        "wg1 peer {} allowed-ips 192.168.241.0/24",
        key2.public
    ));
    send("allowed");
    assert_eq!(received(), "allowed");

    let other = Key::generate(one, "other");
    world.wg(&format!(
        "wg1 peer {} allowed-ips 192.168.241.2/32",
        other.public
    ));
    world.wg("wg2 listen-port 9997");
    send("refused");
    let expected = format!("{}\t[::1]:9997", key2.public);
    eventually("the new place to be seen", || {
        world
            .show("wg1 endpoints")
            .lines()
            .any(|line| line == expected)
    });

    world.wg(&format!("wg1 peer {} remove", other.public));
    send("allowed again");
    assert_eq!(received(), "allowed again", "nothing was let in between");
    assert_eq!(one.sh("wg show wg1 endpoints"), expected);
}

//! Configurations so large that they do not go through any buffer in one piece.

use std::fmt::Write;

use hushwire_lab::KeyPair;

use crate::common::{Key, Shell, World, start, write};

/// Sets a configuration on a fresh `wg0`.
fn configured(configuration: &str) -> World {
    let world = World::empty();
    start(&world.middle, "wg0");
    write(&world.middle, "/run/wg0.conf", configuration);
    world.middle.sh("wg setconf wg0 /run/wg0.conf");
    world
}

/// Keys that are as good as any where nobody shakes hands.
fn public_key(number: u8) -> String {
    KeyPair::new([0; 32], [number; 32]).public_base64()
}

#[test]
fn a_peer_has_130560_allowed_addresses() {
    let mut text = format!("[Peer]\nPublicKey = {}\n", public_key(1));
    for a in 1..=255 {
        for b in 0..=255 {
            let _ = writeln!(text, "AllowedIPs = {a}.{b}.0.0/16, {a}::{b}/128");
        }
    }
    let world = configured(&text);
    let shown = world.show("wg0 allowed-ips");
    assert_eq!(shown.split_whitespace().count(), 1 + 255 * 256 * 2);
    // All of them are gone with the peer, and there is room for them again.
    world.wg(&format!("wg0 peer {} remove", public_key(1)));
    assert_eq!(world.show("wg0 allowed-ips"), "");
    world.middle.sh("wg addconf wg0 /run/wg0.conf");
    assert_eq!(world.show("wg0 allowed-ips"), shown);
}

#[test]
fn forty_peers_have_52_allowed_addresses_each() {
    let mut text = String::new();
    for a in 1..=40 {
        let _ = writeln!(text, "[Peer]\nPublicKey = {}", public_key(a));
        for b in 1..=52 {
            let _ = writeln!(text, "AllowedIPs = {a}.{b}.0.0/16");
        }
    }
    let world = configured(&text);
    let shown = world.show("wg0 allowed-ips");
    assert_eq!(shown.lines().count(), 40);
    assert!(
        shown
            .lines()
            .all(|line| line.split_whitespace().count() == 53)
    );
}

#[test]
fn a_configuration_survives_the_way_out_and_in_again() {
    let mut text = String::new();
    for number in 1..=29 {
        let _ = writeln!(text, "[Peer]\nPublicKey = {}", public_key(number));
    }
    let _ = writeln!(text, "[Peer]\nPublicKey = {}", public_key(30));
    let _ = writeln!(text, "AllowedIPs = 255.2.3.4/32, abcd::255/128");
    let world = configured(&text);
    let World {
        middle, key1, psk, ..
    } = &world;
    world.wg(&format!(
        "wg0 private-key {} listen-port 1234 fwmark 0x77 peer {} preshared-key {psk} \
         endpoint 192.0.2.1:65535 persistent-keepalive 25",
        key1.file,
        public_key(7)
    ));
    // The same port cannot be had twice.
    let shown = middle.sh("wg showconf wg0").replace("1234", "1235");
    assert_eq!(shown.matches("[Peer]").count(), 30);

    start(middle, "wg1");
    write(middle, "/run/wg1.conf", &shown);
    for way in ["setconf", "syncconf"] {
        middle.sh(&format!("wg {way} wg1 /run/wg1.conf"));
        assert_eq!(sections(&middle.sh("wg showconf wg1")), sections(&shown));
    }
}

/// The sections of a configuration in an order that is always the same: not every make keeps that of the peers.
fn sections(configuration: &str) -> Vec<&str> {
    let mut sections: Vec<&str> = configuration.split("\n\n").map(str::trim).collect();
    sections.sort_unstable();
    sections
}

#[test]
fn an_interface_that_is_not_there_is_an_error() {
    let world = World::empty();
    let (code, message) = world.middle.sh_fails("wg show doesnotexist");
    assert_eq!(code, Some(1));
    assert!(
        message.starts_with("Unable to access interface"),
        "{message}"
    );
}

#[test]
fn five_hundred_peers_come_and_go() {
    let world = World::empty();
    start(&world.middle, "wg0");
    let mut text = String::new();
    for number in 0..500_u16 {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_le_bytes());
        key[2] = 9;
        let _ = writeln!(
            text,
            "[Peer]\nPublicKey = {}\nAllowedIPs = 10.{}.{}.0/24\nPresharedKey = {}",
            KeyPair::new([0; 32], key).public_base64(),
            number / 250,
            number % 250,
            public_key(3),
        );
    }
    write(&world.middle, "/run/many.conf", &text);
    for _ in 0..3 {
        world.middle.sh("wg setconf wg0 /run/many.conf");
        assert_eq!(world.show("wg0 peers").lines().count(), 500);
        write(&world.middle, "/run/none.conf", "");
        world.middle.sh("wg syncconf wg0 /run/none.conf");
        assert_eq!(world.show("wg0 peers"), "");
    }
    // Without any peer it still is a working device.
    let key = Key::generate(&world.middle, "later");
    world.wg(&format!("wg0 peer {}", key.public));
    assert_eq!(world.show("wg0 peers"), key.public);
}

//! Keys that change, go away, or are one's own.

use crate::common::{Key, Shell, World, ping, start};

#[test]
fn a_changed_private_key_is_used_at_once() {
    let world = World::loopback_v4();
    let World {
        one,
        key1,
        key2,
        psk,
        ..
    } = &world;
    ping(one, "192.168.241.2");

    let key3 = Key::generate(one, "3");
    world.wg(&format!("wg1 private-key {}", key3.file));
    world.wg(&format!(
        "wg2 peer {} preshared-key {psk} allowed-ips 192.168.241.1/32 peer {} remove",
        key3.public, key1.public
    ));
    ping(one, "192.168.241.2");
    assert_eq!(world.show("wg1 public-key"), key3.public);
    assert_eq!(world.show("wg1 peers"), key2.public);

    // And back again: the same two keys have met before.
    world.wg(&format!("wg1 private-key {}", key1.file));
    world.wg(&format!(
        "wg2 peer {} preshared-key {psk} allowed-ips 192.168.241.1/32 peer {} remove",
        key1.public, key3.public
    ));
    ping(one, "192.168.241.2");
}

/// The pre-shared key of the paper's section 5.2 goes into the next handshake; the session that is there lives on.
#[test]
fn a_changed_preshared_key_leaves_the_session_and_binds_the_next() {
    let world = World::loopback_v4();
    let World {
        one,
        two,
        key1,
        key2,
        ..
    } = &world;
    ping(one, "192.168.241.2");
    world.wg(&format!("wg1 peer {} preshared-key /dev/null", key2.public));
    ping(one, "192.168.241.2");
    ping(two, "192.168.241.1");

    // The peer is made anew without a session: only a handshake can help, and it must fail while the keys differ.
    world.wg(&format!("wg1 peer {} remove", key2.public));
    world.wg(&format!(
        "wg1 peer {} allowed-ips 192.168.241.2/32 endpoint 127.0.0.1:20000",
        key2.public
    ));
    one.sh_fails("ping -n -c 1 -W 1 192.168.241.2");
    world.wg(&format!("wg2 peer {} preshared-key /dev/null", key1.public));
    ping(one, "192.168.241.2");
}

/// An interface `wg0` of its own.
fn bare() -> World {
    let world = World::empty();
    start(&world.middle, "wg0");
    world
}

#[test]
fn empty_files_clear_keys() {
    let world = bare();
    let World {
        middle,
        key1,
        key2,
        psk,
        ..
    } = &world;
    world.wg(&format!(
        "wg0 private-key {} peer {} preshared-key {psk}",
        key1.file, key2.public
    ));
    assert_eq!(world.show("wg0 private-key"), key1.private);
    let preshared = middle.sh(&format!("cat {psk}"));
    assert_eq!(
        world.show("wg0 preshared-keys"),
        format!("{}\t{preshared}", key2.public)
    );

    world.wg(&format!(
        "wg0 private-key /dev/null peer {} preshared-key /dev/null",
        key2.public
    ));
    assert_eq!(world.show("wg0 private-key"), "(none)");
    assert_eq!(
        world.show("wg0 preshared-keys"),
        format!("{}\t(none)", key2.public)
    );
}

#[test]
fn an_interface_is_never_its_own_peer() {
    let world = bare();
    let World { key1, key2, .. } = &world;
    world.wg(&format!(
        "wg0 private-key {} peer {}",
        key1.file, key2.public
    ));
    assert_eq!(world.show("wg0 peers"), key2.public);
    // Its private key becomes the peer's: the peer goes.
    world.wg(&format!("wg0 private-key {}", key2.file));
    assert_eq!(world.show("wg0 public-key"), key2.public);
    assert_eq!(world.show("wg0 peers"), "");
    // Its own public key as a peer is passed over.
    world.wg(&format!("wg0 peer {}", key2.public));
    assert_eq!(world.show("wg0 peers"), "");
    world.wg(&format!("wg0 private-key {}", key1.file));
    world.wg(&format!("wg0 peer {}", key2.public));
    assert_eq!(world.show("wg0 peers"), key2.public);
}

/// Curve25519 (RFC 7748, section 5) fixes five bits of a private key; what is shown is what is used.
#[test]
fn a_private_key_is_shown_clamped() {
    let world = bare();
    let tail = &world.key1.private[1..];
    crate::common::write(&world.middle, "/run/unclamped", &format!("/{tail}"));
    world.wg("wg0 private-key /run/unclamped");
    // The three lowest bits of the first byte are cleared, one of which is the last of the first six: `/` (111111)
    // becomes `+` (111110).
    assert_eq!(world.show("wg0 private-key"), format!("+{tail}"));
}

//! What must never be sent.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use crate::common::{Key, SOON, World, start};

/// The points of small order on Curve25519, in base64: with each of them a Diffie-Hellman result is all zeros, whatever
/// the private key (RFC 7748, section 6.1).
const LOW_ORDER_POINTS: [&str; 7] = [
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
    "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
    "7P///////////////////////////////////////38=",
    "7f///////////////////////////////////////38=",
    "7v///////////////////////////////////////38=",
];

#[test]
fn peers_with_keys_of_small_order_are_sent_nothing() {
    let world = World::empty();
    let World { middle, key1, .. } = &world;
    let inbox = middle.run(|| UdpSocket::bind("127.0.0.1:1111")).unwrap();
    start(middle, "wg0");
    world.wg(&format!("wg0 private-key {}", key1.file));
    for point in LOW_ORDER_POINTS {
        world.wg(&format!(
            "wg0 peer {point} persistent-keepalive 1 endpoint 127.0.0.1:1111"
        ));
    }
    assert_eq!(
        world.show("wg0 peers").lines().count(),
        LOW_ORDER_POINTS.len()
    );
    middle.up("wg0").unwrap();
    inbox
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut buffer = [0; 2048];
    let received = inbox.recv(&mut buffer).map_err(|error| error.kind());
    assert!(
        matches!(received, Err(ErrorKind::WouldBlock)),
        "{received:?}"
    );

    // The same peer with a proper key is sent an initiation: the silence above meant something.
    let proper = Key::generate(middle, "proper");
    world.wg(&format!(
        "wg0 peer {} persistent-keepalive 1 endpoint 127.0.0.1:1111",
        proper.public
    ));
    inbox.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(inbox.recv(&mut buffer).unwrap(), 148);
}

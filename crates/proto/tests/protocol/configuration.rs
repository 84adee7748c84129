//! What an owner may change while sessions are alive.

use std::time::Duration;

use hushwire_proto::device::AddPeerError;
use hushwire_proto::key::{PresharedKey, PrivateKey, PublicKey};
use hushwire_proto::provider::DefaultCrypto;

use crate::harness::host::{inner_v4, outer_v4, prefix};
use crate::harness::paper::REKEY_AFTER_TIME;
use crate::harness::random::Seeded;
use crate::harness::{A, B, C, Kind, Net, Style, each_style, packets};

fn new_key(seed: u64) -> PrivateKey {
    PrivateKey::generate(&mut Seeded::new(seed))
}

fn set_private_key(net: &mut Net, host: usize, key: PrivateKey) {
    let now = net.now_of(host);
    net.hosts[host].private_key = key.clone();
    net.hosts[host].device.set_private_key(now, Some(key));
    net.settle();
}

/// The seven points of small order, and two of them with the bit set that is ignored.
fn low_order_points() -> Vec<[u8; 32]> {
    let hex = |text: &str| -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    };
    let p = |low: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes[31] = 0x7f;
        bytes
    };
    let mut one = [0; 32];
    one[0] = 1;
    vec![
        [0; 32],
        one,
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        p(0xec),
        p(0xed),
        p(0xee),
        {
            let mut bytes = [0; 32];
            bytes[31] = 0x80;
            bytes
        },
        {
            let mut bytes = p(0xee);
            bytes[31] = 0xff;
            bytes
        },
    ]
}

#[test]
fn a_preshared_key_must_be_the_same_on_both_sides() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.set_psk(A, B, 7);
        let packet = net.send(A, B);
        net.advance(Duration::from_secs(20));
        assert!(net.take_delivered(B).is_empty());
        assert!(!net.can_send(A, B));
        net.set_psk(B, A, 7);
        net.advance(Duration::from_secs(6));
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn a_preshared_key_that_changes_leaves_the_live_session_alone() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_psk(A, B, 7);
        net.ping(A, B);
        net.advance(Duration::from_secs(60));
        net.ping(B, A);
        net.set_psk(B, A, 7);
        net.ping(A, B);
        assert_eq!(net.count(A, Kind::Initiation), 0);
    });
}

#[test]
fn a_preshared_key_that_changes_counts_from_the_next_handshake() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_psk(A, B, 7);
        net.advance_to_age(A, B, REKEY_AFTER_TIME);
        let before = net.shared(A, B).current().unwrap().created();
        net.ping(A, B);
        let same = net.shared(A, B).current().unwrap().created();
        assert_eq!(before, same, "B does not know it yet");
        net.set_psk(B, A, 7);
        net.advance(Duration::from_secs(6));
        assert!(net.shared(A, B).current().unwrap().created() > before);
        net.ping(A, B);
    });
}

#[test]
fn a_preshared_key_of_zeros_is_none() {
    let mut net = Net::pair(Style::Embedder);
    net.set_psk(A, B, 7);
    assert!(!net.view(A, B).preshared_key().is_none());
    net.set_psk(A, B, 0);
    assert_eq!(net.view(A, B).preshared_key(), &PresharedKey::NONE);
    net.ping(A, B);
}

#[test]
fn the_own_public_key_is_no_peer() {
    let mut net = Net::pair(Style::Embedder);
    let now = net.now_of(A);
    let own = net.hosts[A].public_key();
    let device = &mut net.hosts[A].device;
    assert_eq!(device.add_peer(now, own), Err(AddPeerError::OwnKey));
    assert_eq!(device.peers().count(), 1);
    net.ping(A, B);
}

#[test]
fn a_peer_whose_key_becomes_the_own_is_removed() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        let stolen = net.hosts[B].private_key.clone();
        let now = net.now_of(A);
        net.hosts[A].device.set_private_key(now, Some(stolen));
        let keys: Vec<_> = net.hosts[A]
            .device
            .peers()
            .map(|peer| *peer.public_key())
            .collect();
        assert_eq!(keys, [net.hosts[C].public_key()]);
        let packet = net.packet(A, B, 84);
        assert!(
            net.send_packet(A, &packet).is_err(),
            "its addresses are gone"
        );
    });
}

#[test]
fn a_new_private_key_asks_for_a_new_handshake_at_once() {
    each_style(|style| {
        let mut net = Net::connected(style);
        set_private_key(&mut net, A, new_key(77));
        net.befriend(B, A);
        net.allow(B, A, "10.0.0.1/32");
        let packet = net.send(A, B);
        assert_eq!(
            net.count(A, Kind::Data),
            0,
            "nothing more under the old key"
        );
        assert_eq!(
            net.count(A, Kind::Initiation),
            1,
            "though the last was just now"
        );
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
        net.ping(B, A);
    });
}

#[test]
fn with_a_new_private_key_packets_on_their_way_still_arrive() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let packet = net.send(B, A);
        let now = net.now_of(A);
        net.hosts[A].device.set_private_key(now, Some(new_key(77)));
        net.drive();
        assert_eq!(net.take_delivered(A), [packet]);
    });
}

#[test]
fn the_private_key_that_is_set_already_changes_nothing() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let key = net.hosts[A].private_key.clone();
        set_private_key(&mut net, A, key);
        net.ping(A, B);
        net.ping(B, A);
        assert_eq!(net.count(A, Kind::Initiation), 0);
    });
}

#[test]
fn after_new_private_keys_on_both_sides_the_tunnel_is_there_again() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let old = [net.peer(A, B), net.peer(B, A)];
        set_private_key(&mut net, A, new_key(77));
        set_private_key(&mut net, B, new_key(78));
        net.hosts[A].device.remove_peer(old[0]);
        net.hosts[B].device.remove_peer(old[1]);
        net.befriend_all(A);
        net.befriend_all(B);
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn a_removed_peer_is_gone_with_everything() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        let id = net.peer(A, B);
        let keypair = net.shared(A, B).current().unwrap();
        let index = keypair.local_index();
        let weak = std::sync::Arc::downgrade(&keypair);
        drop(keypair);
        net.hosts[A].device.remove_peer(id);
        net.settle();
        let device = &net.hosts[A].device;
        assert!(device.view(id).is_none());
        assert!(device.tables().session(index).is_none());
        assert!(weak.upgrade().is_none(), "its keys are zeroed");
        let packet = net.packet(A, B, 84);
        assert!(net.send_packet(A, &packet).is_err());
        let packet = net.packet(B, A, 84);
        net.send_packet(B, &packet).unwrap();
        net.log.clear();
        net.advance(Duration::from_secs(100));
        assert_eq!(net.log.iter().filter(|sent| sent.host == A).count(), 0);
        net.ping(A, C);
    });
}

#[test]
fn a_peer_that_comes_back_is_a_new_one() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let old = net.peer(A, B);
        net.hosts[A].device.remove_peer(old);
        net.advance(Duration::from_secs(1));
        let new = net.befriend(A, B);
        assert!(new > old, "numbers are not used again");
        assert_eq!(net.counters(A, B), (0, 0));
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn a_device_without_peers_goes_on_working() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        net.hosts[A].device.remove_all_peers();
        net.advance(Duration::from_secs(1));
        assert_eq!(net.hosts[A].device.peers().count(), 0);
        assert_eq!(net.hosts[A].device.poll_timeout(), None);
        net.befriend_all(A);
        net.ping(A, B);
        net.ping(C, A);
    });
}

#[test]
fn peers_are_listed_in_the_order_of_their_creation() {
    let mut net = Net::strangers(Style::Embedder, 1);
    let now = net.now_of(A);
    let keys: Vec<_> = (1..50_u8)
        .map(|byte| PublicKey::new([byte.wrapping_mul(37); 32]))
        .collect();
    for key in &keys {
        net.hosts[A].device.add_peer(now, *key).unwrap();
    }
    let again = net.hosts[A].device.add_peer(now, keys[7]).unwrap();
    assert_eq!(net.hosts[A].device.peer(&keys[7]), Some(again));
    let listed: Vec<_> = net.hosts[A]
        .device
        .peers()
        .map(|peer| *peer.public_key())
        .collect();
    assert_eq!(listed, keys);
}

#[test]
fn a_device_that_is_down_neither_sends_nor_receives() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_keepalive(A, B, 25);
        net.drive();
        net.set_up(A, false);
        net.log.clear();
        let packet = net.packet(A, B, 84);
        assert!(net.send_packet(A, &packet).is_err());
        net.send(B, A);
        net.advance(Duration::from_secs(300));
        assert!(net.log.iter().all(|sent| sent.host == B));
        assert!(net.take_delivered(A).is_empty());
        assert!(net.shared(A, B).current().is_none());
        assert!(net.hosts[A].device.poll_timeout().is_none());
    });
}

#[test]
fn a_device_that_comes_up_handshakes_anew() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.set_up(A, false);
        net.set_up(A, true);
        assert!(net.log.is_empty(), "but not without a reason");
        net.ping(A, B);
        assert_eq!(net.count(A, Kind::Initiation), 1);
    });
}

#[test]
fn a_device_that_comes_up_sends_its_persistent_keepalives() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.set_up(A, false);
        net.set_keepalive(A, B, 25);
        net.advance(Duration::from_secs(60));
        assert!(net.log.is_empty());
        net.set_up(A, true);
        net.drive();
        assert!(net.can_send(A, B) && net.can_send(B, A));
        assert_eq!(net.shared(A, C).tx_bytes(), 0);
    });
}

#[test]
fn a_device_that_goes_down_and_up_at_once_does_not_wait_for_old_timers() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(2));
        net.set_up(A, false);
        net.set_up(A, true);
        net.heal();
        net.log.clear();
        net.advance(Duration::from_secs(30));
        assert!(net.log.is_empty(), "what wanted the handshake is gone");
        net.ping(A, B);
    });
}

#[test]
fn peers_of_low_order_never_draw_a_packet() {
    each_style(|style| {
        for point in low_order_points() {
            let mut net = Net::strangers(style, 1);
            let now = net.now_of(A);
            let device = &mut net.hosts[A].device;
            let id = device.add_peer(now, PublicKey::new(point)).unwrap();
            device.set_endpoint(now, id, outer_v4(B));
            device.add_allowed_ip(id, prefix("10.0.0.0/8"));
            device.set_persistent_keepalive(now, id, 1);
            let packet = packets::ip(inner_v4(A), inner_v4(B), 1, 84);
            net.send_packet(A, &packet).unwrap();
            net.advance(Duration::from_secs(200));
            assert!(net.log.is_empty(), "{point:02x?}");
        }
    });
}

#[test]
fn an_initiation_with_an_ephemeral_of_low_order_draws_no_packet() {
    for point in low_order_points() {
        let mut net = Net::pair(Style::Embedder);
        net.cut();
        net.send(A, B);
        let mut initiation = net.last(A, Kind::Initiation);
        initiation.bytes[8..40].copy_from_slice(&point);
        let key = net.hosts[A].private_key.clone();
        crate::harness::forge::Forger::new(&key, net.hosts[B].public_key())
            .seal(&mut initiation.bytes);
        net.log.clear();
        net.replay(B, &initiation);
        assert!(net.log.is_empty());
    }
}

#[test]
fn setting_everything_again_drops_nothing() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let sent = net.send(A, B);
        let key = net.hosts[B].private_key.clone();
        set_private_key(&mut net, B, key);
        let (now, id) = (net.now_of(B), net.befriend(B, A));
        let device = &mut net.hosts[B].device;
        device.set_preshared_key(id, PresharedKey::NONE);
        device.clear_allowed_ips(id);
        device.add_allowed_ip(id, prefix("10.0.0.1/32"));
        device.set_persistent_keepalive(now, id, 0);
        device.set_up(now, true);
        device.set_mtu(1420);
        net.drive();
        assert_eq!(net.take_delivered(B), [sent]);
        net.ping(B, A);
        assert_eq!(
            net.count(A, Kind::Initiation) + net.count(B, Kind::Initiation),
            0
        );
    });
}

#[test]
fn public_keys_are_those_of_the_private_keys() {
    let net = Net::pair(Style::Embedder);
    let device = &net.hosts[A].device;
    let private = device.private_key().unwrap();
    assert_eq!(
        device.public_key(),
        Some(&private.public_key::<DefaultCrypto>())
    );
    assert_eq!(device.public_key(), Some(&net.hosts[A].public_key()));
}

//! Datagrams that nobody honest sent: no panic, no answer, nothing changed.

use std::net::SocketAddr;
use std::time::Duration;

use hushwire_proto::crypto::Random;
use hushwire_proto::device::Dropped;

use crate::harness::forge::Forger;
use crate::harness::host::outer_v4;
use crate::harness::random::Seeded;
use crate::harness::{A, B, C, Datagram, Kind, Net, Style, each_style};

fn attacker() -> SocketAddr {
    "203.0.113.66:666".parse().unwrap()
}

/// All that a datagram may not change of B.
#[derive(Debug, PartialEq)]
struct State {
    endpoints: Vec<Option<SocketAddr>>,
    bytes: Vec<(u64, u64)>,
    keypairs: Vec<Option<u32>>,
    handshakes: Vec<Option<hushwire_proto::time::UnixTime>>,
    deadline: Option<Duration>,
}

impl State {
    fn of(net: &Net, host: usize) -> Self {
        let device = &net.hosts[host].device;
        let peers: Vec<_> = device.peers().collect();
        Self {
            endpoints: peers.iter().map(|peer| peer.endpoint()).collect(),
            bytes: peers
                .iter()
                .map(|peer| (peer.shared().tx_bytes(), peer.shared().rx_bytes()))
                .collect(),
            keypairs: peers
                .iter()
                .map(|peer| peer.shared().current().map(|current| current.local_index()))
                .collect(),
            handshakes: peers.iter().map(|peer| peer.last_handshake()).collect(),
            deadline: net.hosts[host].deadline(),
        }
    }
}

/// A mesh in which B has a session with A, waits for an answer of C, and all has calmed down.
fn busy(style: Style) -> Net {
    let mut net = Net::mesh(style, 3);
    net.ping(A, B);
    net.ping(B, A);
    net.lose(|sent| sent.to == outer_v4(C));
    net.send(B, C);
    net.drive();
    net
}

/// Hands B a datagram and sees to it that nothing comes of it.
fn ignored(net: &mut Net, datagram: &[u8]) {
    let before = State::of(net, B);
    let sent = net.log.len();
    net.inject(B, attacker(), datagram);
    assert_eq!(net.log.len(), sent, "an answer to {datagram:02x?}");
    assert_eq!(State::of(net, B), before, "after {datagram:02x?}");
    assert!(net.take_delivered(B).is_empty());
}

#[test]
fn random_datagrams_of_every_length_are_ignored() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        let mut random = Seeded::new(11);
        for len in 0..=2000 {
            let datagram = random.bytes(len);
            ignored(&mut net, &datagram);
        }
        net.ping(A, B);
    });
}

#[test]
fn random_datagrams_with_a_type_are_ignored_at_every_length() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        let mut random = Seeded::new(12);
        let indices: Vec<_> = net.log.iter().filter(|sent| sent.host == B).collect();
        let known = indices
            .iter()
            .find(|sent| sent.kind() == Kind::Response)
            .map(|sent| sent.sender())
            .unwrap();
        for len in 4..=2000 {
            for kind in 1..=4 {
                let mut datagram = random.bytes(len);
                datagram[..4].copy_from_slice(&[kind, 0, 0, 0]);
                ignored(&mut net, &datagram);
                if len >= 12 {
                    // An index that exists, where a message has one.
                    let at = if kind == 2 { 8 } else { 4 };
                    datagram[at..at + 4].copy_from_slice(&known.to_le_bytes());
                    ignored(&mut net, &datagram);
                }
            }
        }
        net.ping(A, B);
    });
}

#[test]
fn real_datagrams_with_any_bit_changed_are_ignored() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        for datagram in net.log.clone() {
            for byte in 0..datagram.bytes.len() {
                let mut forged = datagram.bytes.clone();
                forged[byte] ^= 1 << (byte % 8);
                // The second MAC is looked at under load only: any initiation with a right first
                // one is an initiation, but this one was received before.
                ignored(&mut net, &forged);
            }
        }
        net.ping(A, B);
    });
}

#[test]
fn real_datagrams_cut_short_or_lengthened_are_ignored() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        for datagram in net.log.clone() {
            for len in 0..datagram.bytes.len() {
                ignored(&mut net, &datagram.bytes[..len]);
            }
            for more in [1, 2, 15, 16, 17, 1000] {
                let mut longer = datagram.bytes.clone();
                longer.resize(longer.len() + more, 0);
                ignored(&mut net, &longer);
            }
        }
        net.ping(A, B);
    });
}

#[test]
fn real_datagrams_played_again_are_ignored() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        for datagram in net.log.clone() {
            ignored(&mut net, &datagram.bytes);
        }
        net.ping(A, B);
    });
}

#[test]
fn one_device_s_own_datagrams_sent_back_to_it_are_ignored() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        let own: Vec<_> = net
            .log
            .iter()
            .filter(|sent| sent.host == B)
            .cloned()
            .collect();
        assert!(own.iter().any(|sent| sent.kind() == Kind::Initiation));
        for datagram in own {
            ignored(&mut net, &datagram.bytes);
        }
    });
}

#[test]
fn reserved_bytes_must_be_zero() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.lose(|sent| sent.kind() == Kind::Data);
        net.send(A, B);
        let data = net.last(A, Kind::Data);
        for at in 1..4 {
            let mut forged = data.bytes.clone();
            forged[at] = 1;
            ignored(&mut net, &forged);
        }
        net.replay(B, &data);
        assert_eq!(net.take_delivered(B).len(), 1);
    });
}

#[test]
fn oversized_datagrams_are_harmless() {
    each_style(|style| {
        let mut net = busy(style);
        net.take_delivered(B);
        let response = net.sent(B, Kind::Response)[0].sender();
        for len in [2048, 9000, 65_507, 65_535, 1 << 20] {
            let mut datagram = vec![0xa5; len];
            datagram[..4].copy_from_slice(&[4, 0, 0, 0]);
            datagram[4..8].copy_from_slice(&response.to_le_bytes());
            ignored(&mut net, &datagram);
        }
        net.ping(A, B);
    });
}

#[test]
fn everything_is_harmless_to_a_device_without_key_peers_or_interface() {
    let mut sample = busy(Style::Embedder);
    sample.take_delivered(B);
    let mut random = Seeded::new(13);
    for (keyed, up) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut net = Net::strangers(Style::Embedder, 2);
        let now = net.now_of(B);
        if !keyed {
            net.hosts[B].device.set_private_key(now, None);
        }
        net.hosts[B].device.set_up(now, up);
        for datagram in &sample.log {
            ignored(&mut net, &datagram.bytes);
        }
        for len in 0..300 {
            ignored(&mut net, &random.bytes(len));
        }
    }
}

#[test]
fn under_load_only_the_first_mac_draws_a_cookie() {
    let mut net = busy(Style::Embedder);
    net.take_delivered(B);
    net.load(B);
    let initiation = net.sent(A, Kind::Initiation)[0].clone();
    for byte in 0..132 {
        let mut forged = initiation.bytes.clone();
        forged[byte] ^= 1;
        ignored(&mut net, &forged);
    }
    let before = State::of(&net, B);
    net.replay(B, &initiation);
    assert_eq!(net.count(B, Kind::Cookie), 1);
    assert_eq!(State::of(&net, B), before, "a cookie costs no state");
}

#[test]
fn an_authentic_initiation_with_a_wrong_timestamp_seal_changes_nothing() {
    let mut net = busy(Style::Embedder);
    net.take_delivered(B);
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    let later = Duration::from_secs(5000);
    for byte in [8, 39, 40, 71, 72, 87, 88, 99, 100, 115] {
        let mut initiation = forger.initiation(5, later);
        initiation[byte] ^= 0x10;
        forger.seal(&mut initiation);
        ignored(&mut net, &initiation);
    }
    // Its timestamp was not taken note of: the right one still passes.
    net.inject(B, outer_v4(A), &forger.initiation(5, later));
    assert_eq!(net.last(B, Kind::Response).receiver(), 5);
}

#[test]
fn who_knows_a_public_key_cannot_speak_for_its_owner() {
    // An initiation needs the static secret of its sender; with another, the static key inside
    // is the forger's, and with a claimed one the timestamp does not open.
    let mut net = busy(Style::Embedder);
    net.take_delivered(B);
    let stranger = Net::strangers(Style::Embedder, 4).hosts[3]
        .private_key
        .clone();
    let mut forger = Forger::new(&stranger, net.hosts[B].public_key());
    let initiation = forger.initiation(5, Duration::from_secs(5000));
    ignored(&mut net, &initiation);
    assert_eq!(net.hosts[B].dropped.last(), Some(&Dropped::UnknownPeer));
}

#[test]
fn spliced_messages_are_ignored() {
    // Fields of one authentic message in another, with the first MAC mended.
    let mut net = Net::mesh(Style::Embedder, 3);
    net.ping(A, B);
    net.advance(Duration::from_secs(200));
    net.lose(|sent| sent.kind() == Kind::Initiation && sent.to == outer_v4(B));
    net.send(A, B);
    let initiations: Vec<Datagram> = net.sent(A, Kind::Initiation);
    let (old, new) = (&initiations[0], initiations.last().unwrap());
    let key = net.hosts[A].private_key.clone();
    let mut forger = Forger::new(&key, net.hosts[B].public_key());
    for range in [8..40, 40..88, 88..116, 8..88, 40..116] {
        let mut spliced = old.bytes.clone();
        spliced[range.clone()].copy_from_slice(&new.bytes[range]);
        forger.seal(&mut spliced);
        ignored(&mut net, &spliced);
    }
    net.replay(B, new);
    assert_eq!(net.last(B, Kind::Response).receiver(), new.sender());
}

#[test]
fn garbage_from_the_tunnel_interface_is_harmless() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.allow(A, B, "0.0.0.0/0");
        net.allow(A, B, "::/0");
        let mut random = Seeded::new(14);
        for len in 0..1500 {
            let mut packet = vec![0; len];
            random.fill(&mut packet);
            if let Some(first) = packet.first_mut() {
                *first = [0x45, 0x60, 0x4f, 0x00][len % 4] | *first & 0x0f;
            }
            let _ = net.send_packet(A, &packet);
            net.drive();
        }
        net.take_delivered(B);
        net.ping(A, B);
    });
}

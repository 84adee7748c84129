//! Cryptokey routing (the paper, section 2): one table for both directions.

use hushwire_proto::decapsulate::Refused;
use hushwire_proto::device::{Dropped, PlaintextError};

use crate::harness::host::{inner_v4, inner_v6, prefix};
use crate::harness::packets;
use crate::harness::{A, B, C, Kind, Net, Style, each_style};

const REFUSED: Dropped = Dropped::Packet(Refused::SourceNotAllowed);

/// Sends from A to B a packet with any source, and says whether it came out.
fn passes(net: &mut Net, source: &str) -> bool {
    let to = match source.contains(':') {
        true => inner_v6(B),
        false => inner_v4(B),
    };
    let packet = packets::ip(source.parse().unwrap(), to, 1, 100);
    net.send_packet(A, &packet).unwrap();
    net.drive();
    net.take_delivered(B).contains(&packet)
}

#[test]
fn a_packet_goes_to_the_peer_with_the_longest_prefix() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.allow(A, B, "10.0.0.0/8");
        net.allow(A, C, "10.9.0.0/16");
        for (to, expected) in [("10.8.255.1", B), ("10.9.0.1", C), ("10.10.0.1", B)] {
            let packet = packets::ip(inner_v4(A), to.parse().unwrap(), 1, 60);
            net.log.clear();
            net.send_packet(A, &packet).unwrap();
            net.drive();
            let data = net.sent(A, Kind::Data);
            assert_eq!(data.len(), 1, "{to}");
            assert_eq!(data[0].to, net.hosts[expected].address, "{to}");
        }
    });
}

#[test]
fn a_packet_for_nobody_is_an_error() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let stray = packets::ip(inner_v4(A), "10.1.2.3".parse().unwrap(), 1, 60);
        assert_eq!(net.send_packet(A, &stray), Err(PlaintextError::NoPeer));
        for garbage in [&[][..], &[0x45; 19], &[0x60; 39], &[0x00; 64], &[0x50; 64]] {
            assert_eq!(net.send_packet(A, garbage), Err(PlaintextError::NotIp));
        }
        assert!(net.log.is_empty());
    });
}

#[test]
fn a_packet_is_taken_from_the_peer_that_its_source_leads_to() {
    each_style(|style| {
        let mut net = Net::connected(style);
        assert!(passes(&mut net, "10.0.0.1"));
        assert!(passes(&mut net, "fd00::1"));
        for source in ["10.0.0.2", "10.0.0.3", "192.0.2.1", "fd00::2", "::1"] {
            assert!(!passes(&mut net, source), "{source}");
            assert_eq!(net.hosts[B].dropped.pop(), Some(REFUSED));
        }
    });
}

#[test]
fn a_wide_prefix_does_not_cover_another_peers_narrower_one() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.allow(B, A, "0.0.0.0/0");
        net.allow(B, A, "::/0");
        net.connect(A, B);
        assert!(passes(&mut net, "10.77.0.1"));
        assert!(passes(&mut net, "2001:db8::1"));
        assert!(!passes(&mut net, "10.0.0.3"), "C's own address");
        assert!(!passes(&mut net, "fd00::3"));
        net.allow(B, C, "10.77.0.0/24");
        assert!(!passes(&mut net, "10.77.0.1"), "from now on C's");
        assert!(passes(&mut net, "10.77.1.1"));
    });
}

#[test]
fn a_prefix_that_moves_is_the_old_peers_no_more() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        net.connect(C, B);
        assert!(net.reaches(A, B));
        net.allow(B, C, "10.0.0.1/32");
        assert!(!passes(&mut net, "10.0.0.1"));
        let listed = |net: &Net, peer| -> Vec<String> {
            let ips = net.view(B, peer).allowed_ips();
            ips.map(|prefix| prefix.to_string()).collect()
        };
        assert_eq!(listed(&net, A), ["fd00::1/128"]);
        assert_eq!(
            listed(&net, C),
            ["10.0.0.3/32", "fd00::3/128", "10.0.0.1/32"]
        );
        let packet = packets::ip(inner_v4(B), inner_v4(A), 5, 60);
        net.log.clear();
        net.send_packet(B, &packet).unwrap();
        net.drive();
        assert_eq!(net.last(B, Kind::Data).to, net.hosts[C].address);
        net.allow(B, A, "10.0.0.1/32");
        net.ping(A, B);
    });
}

#[test]
fn a_prefix_is_taken_only_from_the_peer_that_has_it() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        let (a, c) = (net.peer(B, A), net.peer(B, C));
        let device = &mut net.hosts[B].device;
        device.remove_allowed_ip(c, prefix("10.0.0.1/32"));
        device.remove_allowed_ip(a, prefix("10.0.0.0/24"));
        net.ping(A, B);
        net.hosts[B]
            .device
            .remove_allowed_ip(a, prefix("10.0.0.1/32"));
        assert!(!passes(&mut net, "10.0.0.1"));
        assert!(passes(&mut net, "fd00::1"));
    });
}

#[test]
fn all_prefixes_of_a_peer_go_at_once_and_the_session_stays() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.allow(B, A, "0.0.0.0/0");
        net.connect(A, B);
        let a = net.peer(B, A);
        net.hosts[B].device.clear_allowed_ips(a);
        assert!(!passes(&mut net, "10.0.0.1"));
        assert!(!passes(&mut net, "fd00::1"));
        assert_eq!(net.view(B, A).allowed_ips().count(), 0);
        net.allow(B, A, "10.0.0.1/32");
        net.ping(A, B);
        assert_eq!(net.count(A, Kind::Initiation), 0);
    });
}

#[test]
fn under_a_removed_prefix_the_wider_one_shows_again() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.allow(B, A, "10.0.0.0/8");
        net.connect(A, B);
        assert!(!passes(&mut net, "10.0.0.3"));
        let c = net.peer(B, C);
        net.hosts[B].device.remove_peer(c);
        assert!(passes(&mut net, "10.0.0.3"));
    });
}

#[test]
fn changes_count_for_packets_that_are_on_their_way() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let packet = net.send(A, B);
        let a = net.peer(B, A);
        net.hosts[B].device.clear_allowed_ips(a);
        net.hosts[B].device.publish();
        net.drive();
        assert!(!net.take_delivered(B).contains(&packet));
    });
}

#[test]
fn host_bits_and_families_are_kept_apart() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.allow(B, A, "10.5.6.7/8");
        let ips: Vec<_> = net.view(B, A).allowed_ips().collect();
        assert_eq!(ips[2].to_string(), "10.0.0.0/8");
        net.connect(A, B);
        assert!(passes(&mut net, "10.255.0.1"));
        // The IPv6 address with the same bits is not covered.
        assert!(!passes(&mut net, "a00::1"));
        assert!(!passes(&mut net, "::ffff:10.255.0.1"));
    });
}

#[test]
fn what_is_no_ip_packet_inside_is_not_delivered() {
    let mut net = Net::connected(Style::DataPath);
    let fine = net.packet(A, B, 84);
    // Headers that claim more than there is, or less than themselves, or a wrong version.
    let wrong: [&[(usize, u8)]; 4] = [
        &[(2, 0xff)],
        &[(3, 19)],
        &[(0, 0x35)],
        &[(0, 0x65), (4, 0xff)],
    ];
    for changes in wrong {
        let mut packet = fine.clone();
        for (at, value) in changes {
            packet[*at] = *value;
        }
        // The first packet of a run decides where it goes, so a bad one follows a good one.
        let now = net.now();
        net.hosts[A].send_batch(now, &[&fine, &packet]).unwrap();
        net.drive();
        assert_eq!(net.take_delivered(B), std::slice::from_ref(&fine));
        let reason = net.hosts[B].dropped.pop();
        assert_eq!(reason, Some(Dropped::Packet(Refused::NotIp)));
    }
    net.ping(A, B);
}

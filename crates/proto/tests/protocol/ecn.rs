//! Congestion marks across the tunnel (RFC 6040, normal mode).

use hushwire_proto::decapsulate::Refused;
use hushwire_proto::device::Dropped;

use crate::harness::{A, B, Kind, Net, Style, each_style, fields};

const NOT_ECT: u8 = 0b00;
const ECT_1: u8 = 0b01;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

#[test]
fn the_outer_header_gets_the_marks_of_the_inner_one() {
    each_style(|style| {
        for v6 in [false, true] {
            for bits in [NOT_ECT, ECT_1, ECT_0, CE] {
                let mut net = Net::connected(style);
                let mut packet = packet(&mut net, v6);
                fields::set_ecn(&mut packet, bits);
                net.send_packet(A, &packet).unwrap();
                assert_eq!(net.last(A, Kind::Data).tos, bits);
                net.drive();
                assert_eq!(net.take_delivered(B), [packet]);
            }
        }
    });
}

#[test]
fn the_rest_of_the_inner_traffic_class_stays_inside() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let mut packet = packet(&mut net, true);
        packet[0] |= 0x0b;
        packet[1] |= 0x90;
        net.send_packet(A, &packet).unwrap();
        assert_eq!(net.last(A, Kind::Data).tos & !3, 0);
        net.drive();
        assert_eq!(net.take_delivered(B), [packet]);
    });
}

#[test]
fn a_mark_on_the_way_comes_out_inside() {
    each_style(|style| {
        for v6 in [false, true] {
            for bits in [ECT_0, ECT_1, CE] {
                let mut net = Net::connected(style);
                net.congested = true;
                let mut packet = packet(&mut net, v6);
                fields::set_ecn(&mut packet, bits);
                net.send_packet(A, &packet).unwrap();
                net.drive();
                fields::set_ecn(&mut packet, CE);
                assert_eq!(net.take_delivered(B), [packet.clone()]);
                assert!(v6 || fields::checksum_holds(&packet));
            }
        }
    });
}

#[test]
fn a_mark_that_the_inner_packet_cannot_carry_drops_it() {
    each_style(|style| {
        for v6 in [false, true] {
            let mut net = Net::connected(style);
            let packet = packet(&mut net, v6);
            net.send_packet(A, &packet).unwrap();
            let mut marked = net.last(A, Kind::Data);
            net.cut();
            marked.tos = CE;
            let now = net.now();
            net.hosts[B].receive(now, marked.from, CE, &marked.bytes);
            assert!(net.take_delivered(B).is_empty());
            let reason = net.hosts[B].dropped.pop();
            assert_eq!(reason, Some(Dropped::Packet(Refused::Congestion)));
        }
    });
}

#[test]
fn every_pair_of_marks_follows_figure_4_of_the_rfc() {
    let table = [
        (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
        (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
        (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
        (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
    ];
    each_style(|style| {
        let mut net = Net::connected(style);
        for (inner, row) in table {
            for (outer, expected) in [NOT_ECT, ECT_0, ECT_1, CE].into_iter().zip(row) {
                let mut packet = packet(&mut net, false);
                fields::set_ecn(&mut packet, inner);
                net.send_packet(A, &packet).unwrap();
                let sent = net.last(A, Kind::Data);
                net.cut();
                let now = net.now();
                net.hosts[B].receive(now, sent.from, outer, &sent.bytes);
                net.heal();
                let seen = net.take_delivered(B);
                let seen = seen.first().map(|packet| fields::ecn(packet));
                assert_eq!(seen, expected, "{inner:02b} in {outer:02b}");
            }
        }
    });
}

#[test]
fn keepalives_carry_no_mark() {
    let mut net = Net::connected(Style::Embedder);
    net.set_keepalive(A, B, 25);
    assert_eq!(net.last(A, Kind::Keepalive).tos, 0);
}

#[test]
fn packets_that_waited_keep_their_mark() {
    each_style(|style| {
        let mut net = Net::pair(style);
        let mut packet = packet(&mut net, false);
        fields::set_ecn(&mut packet, ECT_0);
        net.send_packet(A, &packet).unwrap();
        net.drive();
        assert_eq!(net.last(A, Kind::Data).tos, ECT_0);
    });
}

fn packet(net: &mut Net, v6: bool) -> Vec<u8> {
    match v6 {
        true => net.packet_v6(A, B, 100),
        false => net.packet(A, B, 100),
    }
}

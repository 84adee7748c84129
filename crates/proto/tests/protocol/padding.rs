//! Sizes on the wire (the paper, section 5.4.6): padding, and not one byte more than the MTU.

use proptest::prelude::*;

use crate::harness::paper::OVERHEAD;
use crate::harness::{A, B, Kind, Net, Style, each_style};

/// The size on the wire of a packet of `len` bytes, and that it came out as it went in.
fn size_of(net: &mut Net, len: usize) -> usize {
    net.log.clear();
    let packet = net.packet(A, B, len);
    net.send_packet(A, &packet).unwrap();
    net.drive();
    assert_eq!(net.take_delivered(B), [packet]);
    net.last(A, Kind::Data).bytes.len() - OVERHEAD
}

#[test]
fn packets_are_padded_to_multiples_of_16() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for (len, padded) in [(28, 32), (32, 32), (33, 48), (84, 96), (1400, 1408)] {
            assert_eq!(size_of(&mut net, len), padded, "{len}");
        }
    });
}

#[test]
fn padding_stops_at_the_mtu() {
    each_style(|style| {
        let mut net = Net::connected(style);
        for mtu in [1420, 1280, 1300, 576, 68, 9000] {
            net.hosts[A].set_mtu(mtu);
            for len in mtu - 20..=mtu {
                let padded = len.next_multiple_of(16).min(mtu);
                assert_eq!(size_of(&mut net, len), padded, "{len} of {mtu}");
            }
        }
    });
}

#[test]
fn a_packet_beyond_the_mtu_is_padded_as_its_parts_would_be() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.hosts[A].set_mtu(1420);
        assert_eq!(size_of(&mut net, 2 * 1420), 2 * 1420);
        assert_eq!(size_of(&mut net, 1420 + 100), 1420 + 112);
        assert_eq!(size_of(&mut net, 1420 + 1419), 2 * 1420);
    });
}

#[test]
fn jumbo_packets_pass() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.hosts[A].set_mtu(65_440);
        assert_eq!(size_of(&mut net, 65_440), 65_440);
        assert_eq!(size_of(&mut net, 65_430), 65_440);
    });
}

#[test]
fn packets_that_waited_are_padded_for_the_mtu_at_which_they_leave() {
    let mut net = Net::pair(Style::Embedder);
    let packet = net.packet(A, B, 1290);
    net.send_packet(A, &packet).unwrap();
    net.hosts[A].set_mtu(1290);
    net.drive();
    assert_eq!(net.take_delivered(B), [packet]);
    assert_eq!(net.last(A, Kind::Data).bytes.len(), 1290 + OVERHEAD);
}

#[test]
fn padding_is_zeros_and_is_cut_off_again() {
    // Data of a datagram that was read before must not leak into the padding of the next.
    let mut net = Net::connected(Style::Embedder);
    for len in [1400, 29, 700, 31] {
        size_of(&mut net, len);
    }
}

/// Fewer than usual, unless as many as are asked for: each has a connection of its own.
fn cases() -> u32 {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_packet_of_any_size_comes_out_as_it_went_in(
        lens in proptest::collection::vec(28..3000_usize, 1..8),
        mtu in 68..2000_usize,
    ) {
        let mut net = Net::connected(Style::DataPath);
        net.hosts[A].set_mtu(mtu);
        for len in lens {
            let padded = size_of(&mut net, len);
            prop_assert!(padded >= len && padded < len + 16);
            prop_assert!(len > mtu || padded <= mtu);
        }
    }
}

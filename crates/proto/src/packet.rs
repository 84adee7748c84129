//! Just enough of an IP packet: version, addresses, length and the ECN bits.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ecn::Ecn;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// The destination address; `None` when this is no IPv4 or IPv6 packet.
#[must_use]
pub fn destination(packet: &[u8]) -> Option<IpAddr> {
    match version(packet)? {
        Version::V4 => Some(ipv4_at(packet, 16)?.into()),
        Version::V6 => Some(ipv6_at(packet, 24)?.into()),
    }
}

/// The source address; `None` when this is no IPv4 or IPv6 packet.
#[must_use]
pub fn source(packet: &[u8]) -> Option<IpAddr> {
    match version(packet)? {
        Version::V4 => Some(ipv4_at(packet, 12)?.into()),
        Version::V6 => Some(ipv6_at(packet, 8)?.into()),
    }
}

/// The length that the header claims, in bytes, header included. A tunnelled packet is longer than
/// that by its padding; `None` when the header is not there, is wrong, or claims more than there is.
#[must_use]
pub fn total_length(packet: &[u8]) -> Option<usize> {
    let (length, header) = match version(packet)? {
        Version::V4 => (usize::from(u16_at(packet, 2)?), IPV4_HEADER),
        Version::V6 => (usize::from(u16_at(packet, 4)?) + IPV6_HEADER, IPV6_HEADER),
    };
    (header..=packet.len()).contains(&length).then_some(length)
}

/// The ECN bits; not ECN-capable when this is no IP packet.
#[must_use]
pub fn ecn(packet: &[u8]) -> Ecn {
    Ecn::from_tos(traffic_class(packet).unwrap_or(0))
}

/// Writes the ECN bits and mends the IPv4 header checksum (RFC 1624).
pub fn set_ecn(packet: &mut [u8], ecn: Ecn) {
    match version(packet) {
        Some(Version::V4) => set_ecn_ipv4(packet, ecn),
        Some(Version::V6) => {
            if let Some(byte) = packet.get_mut(1) {
                *byte = *byte & !0x30 | ecn.bits() << 4;
            }
        }
        None => {}
    }
}

fn set_ecn_ipv4(packet: &mut [u8], ecn: Ecn) {
    let (Some(old), Some(checksum)) = (u16_at(packet, 0), u16_at(packet, 10)) else {
        return;
    };
    let new = old & !3 | u16::from(ecn.bits());
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    let folded = !(sum as u16);
    if let Some(bytes) = packet.get_mut(0..2) {
        bytes.copy_from_slice(&new.to_be_bytes());
    }
    if let Some(bytes) = packet.get_mut(10..12) {
        bytes.copy_from_slice(&folded.to_be_bytes());
    }
}

/// What padding makes of a packet of `length` bytes on an interface of `mtu` bytes: the next
/// multiple of 16, but never past the MTU (the paper, section 5.4.6; the kernel driver does the
/// same for each MTU-sized part of a packet that is longer than the MTU).
#[must_use]
pub const fn padded_length(length: usize, mtu: usize) -> usize {
    let multiple = crate::constants::PADDING_MULTIPLE;
    let last_unit = if mtu == 0 { length } else { length % mtu };
    if mtu != 0 && length > 0 && last_unit == 0 {
        return length;
    }
    let aligned = last_unit.next_multiple_of(multiple);
    let padded = if mtu != 0 && aligned > mtu {
        mtu
    } else {
        aligned
    };
    length - last_unit + padded
}

#[derive(Clone, Copy)]
enum Version {
    V4,
    V6,
}

fn version(packet: &[u8]) -> Option<Version> {
    match packet.first()? >> 4 {
        4 if packet.len() >= IPV4_HEADER => Some(Version::V4),
        6 if packet.len() >= IPV6_HEADER => Some(Version::V6),
        _ => None,
    }
}

fn traffic_class(packet: &[u8]) -> Option<u8> {
    match version(packet)? {
        Version::V4 => packet.get(1).copied(),
        Version::V6 => Some((u16_at(packet, 0)? >> 4) as u8),
    }
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}

fn ipv4_at(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?))
}

fn ipv6_at(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
    Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn ipv4(tos: u8) -> Vec<u8> {
        let mut packet = alloc::vec![0u8; 24];
        packet[0] = 0x45;
        packet[1] = tos;
        packet[3] = 22;
        packet[12..16].copy_from_slice(&[10, 0, 0, 1]);
        packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn checksum(header: &[u8]) -> u16 {
        let mut sum: u32 = header
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn addresses_and_length_of_both_versions() {
        let packet = ipv4(0);
        assert_eq!(source(&packet), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(destination(&packet), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(total_length(&packet), Some(22));

        let mut packet = alloc::vec![0u8; 44];
        packet[0] = 0x60;
        packet[5] = 3;
        packet[23] = 1;
        packet[39] = 2;
        assert_eq!(source(&packet), Some("::1".parse().unwrap()));
        assert_eq!(destination(&packet), Some("::2".parse().unwrap()));
        assert_eq!(total_length(&packet), Some(43));
        packet[5] = 5;
        assert_eq!(total_length(&packet), None);
    }

    #[test]
    fn ecn_is_written_and_the_checksum_mended() {
        for tos in [0u8, 1, 2, 3, 0x88, 0xff] {
            for new in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
                let mut packet = ipv4(tos);
                set_ecn(&mut packet, new);
                assert_eq!(ecn(&packet), new);
                assert_eq!(packet[1] & !3, tos & !3);
                assert_eq!(checksum(&packet[..20]), 0);
            }
        }
        let mut packet = alloc::vec![0u8; 40];
        packet[0] = 0x6f;
        packet[1] = 0xff;
        set_ecn(&mut packet, Ecn::Ect1);
        assert_eq!(ecn(&packet), Ecn::Ect1);
        assert_eq!((packet[0], packet[1]), (0x6f, 0xdf));
    }

    #[test]
    fn padding_is_to_sixteen_but_never_past_the_mtu() {
        assert_eq!(padded_length(0, 1420), 0);
        assert_eq!(padded_length(1, 1420), 16);
        assert_eq!(padded_length(16, 1420), 16);
        assert_eq!(padded_length(1409, 1420), 1420);
        assert_eq!(padded_length(1420, 1420), 1420);
        assert_eq!(padded_length(1421, 1420), 1436);
        assert_eq!(padded_length(100, 0), 112);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (source(&bytes), destination(&bytes), total_length(&bytes), ecn(&bytes));
            set_ecn(&mut bytes, Ecn::Ce);
        }

        #[test]
        fn padding_holds_its_bounds(length in 0usize..70_000, mtu in 1usize..66_000) {
            let padded = padded_length(length, mtu);
            prop_assert!(padded >= length && padded < length + 16);
            if length <= mtu {
                prop_assert!(padded <= mtu);
            }
        }
    }
}

//! IP packets to send through the tunnel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP packet of `len` bytes in all, with `id` in its payload.
pub(crate) fn ip(from: IpAddr, to: IpAddr, id: u64, len: usize) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(from, to, id, len),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(from, to, id, len),
        _ => panic!("{from} and {to} are of different families"),
    }
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, id: u64, len: usize) -> Vec<u8> {
    let mut packet = vec![0; len];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    packet[8] = 64;
    packet[9] = 17;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    write_checksum(&mut packet);
    packet[20..28].copy_from_slice(&id.to_be_bytes());
    packet
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, id: u64, len: usize) -> Vec<u8> {
    let mut packet = vec![0; len];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&u16::try_from(len - 40).unwrap().to_be_bytes());
    packet[6] = 17;
    packet[7] = 64;
    packet[8..24].copy_from_slice(&from.octets());
    packet[24..40].copy_from_slice(&to.octets());
    packet[40..48].copy_from_slice(&id.to_be_bytes());
    packet
}

/// Makes the checksum of an IPv4 header right.
pub(super) fn write_checksum(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let checksum = !sum(&packet[..20]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

/// The ones' complement sum of a header; of one with a right checksum, all ones (RFC 1071).
pub(super) fn sum(header: &[u8]) -> u16 {
    let mut sum: u32 = header
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

//! What is in an IP packet, and marking it.

use super::packets::{sum, write_checksum};

/// The `id` that a packet was made with.
pub(crate) fn id(packet: &[u8]) -> u64 {
    let at = if packet[0] >> 4 == 4 { 20 } else { 40 };
    u64::from_be_bytes(packet[at..at + 8].try_into().unwrap())
}

/// Sets the congestion bits of a packet.
pub(crate) fn set_ecn(packet: &mut [u8], bits: u8) {
    if packet[0] >> 4 == 4 {
        packet[1] = packet[1] & !3 | bits;
        write_checksum(packet);
    } else {
        packet[1] = packet[1] & !0x30 | bits << 4;
    }
}

pub(crate) fn ecn(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 {
        packet[1] & 3
    } else {
        packet[1] >> 4 & 3
    }
}

/// Whether the checksum of an IPv4 header is right.
pub(crate) fn checksum_holds(packet: &[u8]) -> bool {
    sum(&packet[..20]) == 0xffff
}

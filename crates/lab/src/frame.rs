//! Ethernet frames, as far as a link that harms them has to understand them.

/// Destination, source and type.
pub(crate) const ETHERNET_HEADER: usize = 14;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;

/// Whether a frame only serves to keep the link usable: broadcast, multicast, ARP, neighbour discovery (RFC 4861).
pub(crate) fn is_housekeeping(frame: &[u8]) -> bool {
    let to_many = frame.first().is_some_and(|byte| byte & 1 != 0);
    to_many || ether_type(frame) == Some(ARP) || is_neighbour_discovery(frame)
}

fn is_neighbour_discovery(frame: &[u8]) -> bool {
    let header = frame.get(ETHERNET_HEADER + 6).copied();
    let message = frame.get(ETHERNET_HEADER + IPV6_HEADER).copied();
    ether_type(frame) == Some(IPV6) && header == Some(ICMPV6) && matches!(message, Some(133..=137))
}

fn ether_type(frame: &[u8]) -> Option<u16> {
    let bytes = frame.get(12..ETHERNET_HEADER)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

/// Flips one bit, chosen by `choice`. In UDP it is one of the payload, with the checksum mended; elsewhere one of
/// anything behind the Ethernet header.
pub(crate) fn corrupt(frame: &mut [u8], choice: u64) {
    match udp_start(frame) {
        Some(udp) if frame.len() > udp + UDP_HEADER => {
            let position = flip_bit(frame, udp + UDP_HEADER, choice);
            mend_udp_checksum(frame, udp, position, choice);
        }
        _ => {
            flip_bit(frame, ETHERNET_HEADER, choice);
        }
    }
}

/// Flips a bit at or after `start`; returns the byte's position.
fn flip_bit(frame: &mut [u8], start: usize, choice: u64) -> usize {
    let Some(span) = frame.len().checked_sub(start).filter(|span| *span > 0) else {
        return start;
    };
    let position = start + (choice >> 3) as usize % span;
    if let Some(byte) = frame.get_mut(position) {
        *byte ^= bit(choice);
    }
    position
}

fn bit(choice: u64) -> u8 {
    1 << (choice & 7)
}

/// Where the UDP header begins, in a whole (not fragmented) packet without IPv6 extension headers.
fn udp_start(frame: &[u8]) -> Option<usize> {
    match ether_type(frame)? {
        IPV4 => {
            let header_length = usize::from(frame.get(ETHERNET_HEADER)? & 0x0f) * 4;
            let fragment = u16::from_be_bytes([
                *frame.get(ETHERNET_HEADER + 6)?,
                *frame.get(ETHERNET_HEADER + 7)?,
            ]);
            let whole = fragment & 0x3fff == 0; // neither "more fragments" nor an offset
            (whole && *frame.get(ETHERNET_HEADER + 9)? == UDP)
                .then_some(ETHERNET_HEADER + header_length)
        }
        IPV6 => (*frame.get(ETHERNET_HEADER + 6)? == UDP).then_some(ETHERNET_HEADER + IPV6_HEADER),
        _ => None,
    }
}

/// Brings the checksum up to date for one flipped bit (RFC 1624, equation 3). Zero means that there is none.
fn mend_udp_checksum(frame: &mut [u8], udp: usize, position: usize, choice: u64) {
    let Some(&new_byte) = frame.get(position) else {
        return;
    };
    let Some(field) = frame.get_mut(udp + 6..udp + 8) else {
        return;
    };
    let Ok(old_sum) = <[u8; 2]>::try_from(&*field).map(u16::from_be_bytes) else {
        return;
    };
    if old_sum == 0 {
        return;
    }
    let in_word = |byte: u8| {
        u32::from(byte)
            << if (position - udp).is_multiple_of(2) {
                8
            } else {
                0
            }
    };
    let (old, new) = (in_word(new_byte ^ bit(choice)), in_word(new_byte));
    let mut sum = u32::from(!old_sum) + (!old & 0xffff) + new;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = match !(sum as u16) {
        0 => 0xffff,
        other => other,
    };
    field.copy_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An Ethernet frame with an IPv4 UDP packet of this payload and a right UDP checksum.
    fn udp_frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend([
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        let length = (UDP_HEADER + payload.len()) as u16;
        frame.extend([0x30, 0x39, 0xc8, 0x22]);
        frame.extend(length.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        let checksum = udp_checksum(&frame);
        frame[40..42].copy_from_slice(&checksum.to_be_bytes());
        frame
    }

    /// The checksum of RFC 768 computed from scratch, over the pseudo-header too.
    fn udp_checksum(frame: &[u8]) -> u16 {
        let udp = &frame[34..];
        let mut bytes = frame[26..34].to_vec();
        bytes.extend([0, UDP]);
        bytes.extend((udp.len() as u16).to_be_bytes());
        bytes.extend(&udp[..6]);
        bytes.extend([0, 0]);
        bytes.extend(&udp[8..]);
        let words = bytes
            .chunks(2)
            .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |b| u32::from(*b)));
        let mut sum: u32 = words.sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        match !(sum as u16) {
            0 => 0xffff,
            other => other,
        }
    }

    #[test]
    fn what_keeps_the_link_usable_is_known() {
        let arp = [
            [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6].as_slice(),
            &[0; 28],
        ]
        .concat();
        assert!(is_housekeeping(&arp));
        assert!(is_housekeeping(&[0xff; 60]));
        assert!(is_housekeeping(
            &[[0x33, 0x33].as_slice(), &[0; 58]].concat()
        ));

        let mut ipv6 = vec![0; 80];
        ipv6[12..14].copy_from_slice(&IPV6.to_be_bytes());
        ipv6[20] = ICMPV6;
        ipv6[54] = 136;
        assert!(is_housekeeping(&ipv6));
        ipv6[54] = 128; // an echo request is a packet as any other
        assert!(!is_housekeeping(&ipv6));
        assert!(!is_housekeeping(&udp_frame(b"payload")));
        assert!(!is_housekeeping(&[]));
    }

    #[test]
    fn a_fragment_is_not_taken_for_udp() {
        let mut frame = udp_frame(b"payload");
        frame[20] = 0x20; // more fragments
        assert_eq!(udp_start(&frame), None);
        frame[20..22].copy_from_slice(&[0, 1]); // an offset
        assert_eq!(udp_start(&frame), None);
        frame[20..22].copy_from_slice(&[0x40, 0]); // do not fragment
        assert_eq!(udp_start(&frame), Some(34));
    }

    proptest! {
        #[test]
        fn a_corrupted_datagram_differs_in_one_bit_and_keeps_a_right_checksum(
            payload in proptest::collection::vec(any::<u8>(), 1..100),
            choice: u64,
        ) {
            let before = udp_frame(&payload);
            let mut after = before.clone();
            corrupt(&mut after, choice);
            let flipped: u32 = before[42..].iter().zip(&after[42..]).map(|(a, b)| (a ^ b).count_ones()).sum();
            prop_assert_eq!(flipped, 1);
            prop_assert_eq!(&before[..40], &after[..40]);
            prop_assert_eq!(u16::from_be_bytes([after[40], after[41]]), udp_checksum(&after));
        }

        #[test]
        fn any_bytes_are_survived(mut frame in proptest::collection::vec(any::<u8>(), 0..80), choice: u64) {
            let _ = is_housekeeping(&frame);
            let before = frame.clone();
            corrupt(&mut frame, choice);
            prop_assert_eq!(before.len(), frame.len());
            if frame.len() > ETHERNET_HEADER {
                prop_assert_ne!(&before, &frame);
            }
            prop_assert_eq!(before.get(..ETHERNET_HEADER), frame.get(..ETHERNET_HEADER));
        }
    }
}

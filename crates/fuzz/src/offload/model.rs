//! Cutting a super-packet the plain way: every segment on its own, every checksum from scratch.
//!
//! Facts: Virtual I/O Device 1.2, section 5.1.6; RFC 791, 8200, 9293, 768; the checksum as
//! RFC 1071 says it, byte pair by byte pair.

/// Flags of TCP: not repeated after the first segment, and not before the last.
const FIRST_ONLY: u8 = 0x80;
const LAST_ONLY: u8 = 0x01 | 0x08;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Whether the header is one that is asked for: no segmentation, TCP or UDP in segments of some
/// size.
pub(crate) fn is_known(header: [u8; 10]) -> bool {
    match header[1] & 0x7f {
        0 => true,
        1 | 4 | 5 => header[4] != 0 || header[5] != 0,
        _ => false,
    }
}

/// The packets that a packet with this header stands for; `None` if it is none.
pub(crate) fn split(header: [u8; 10], packet: &[u8]) -> Option<Vec<Vec<u8>>> {
    let little = |at: usize| usize::from(header[at]) | usize::from(header[at + 1]) << 8;
    let partial = (header[0] & 1 == 1).then(|| (little(6), little(8)));
    match header[1] & 0x7f {
        0 => whole(packet, partial).map(|packet| vec![packet]),
        kind => cut(kind, little(4), packet, partial),
    }
}

fn whole(packet: &[u8], partial: Option<(usize, usize)>) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    if let Some((start, offset)) = partial {
        let field = start + offset;
        if field + 2 > packet.len() {
            return None;
        }
        let sum = !sum(0, &packet[start..]);
        put(&mut packet, field, if sum == 0 { 0xffff } else { sum });
    }
    Some(packet)
}

fn cut(
    kind: u8,
    size: usize,
    packet: &[u8],
    partial: Option<(usize, usize)>,
) -> Option<Vec<Vec<u8>>> {
    let (protocol, transport) = match packet.first()? >> 4 {
        4 => transport_v4(packet)?,
        6 => transport_v6(packet)?,
        _ => return None,
    };
    let is_v4 = packet[0] >> 4 == 4;
    let (expected, header_len, checksum) = match kind {
        1 | 4 => {
            if (kind == 1) != is_v4 {
                return None;
            }
            (TCP, usize::from(packet.get(transport + 12)? >> 4) * 4, 16)
        }
        _ => (UDP, 8, 6),
    };
    let least = if kind == 5 { 8 } else { 20 };
    let payload = transport + header_len;
    if protocol != expected || header_len < least || payload > packet.len() {
        return None;
    }
    let whole_len = packet.len() - transport;
    let field = transport + checksum;
    // The pseudo-header's sum without its length.
    let pseudo = match partial {
        Some(places) if places != (transport, checksum) => return None,
        Some(_) => add(word(packet, field), !(whole_len as u16)),
        None => {
            let addresses = if is_v4 { 12..20 } else { 8..40 };
            sum(protocol.into(), &packet[addresses])
        }
    };
    let count = (packet.len() - payload).div_ceil(size).max(1);
    let segments = (0..count).map(|index| {
        let from = payload + index * size;
        let body = &packet[from..packet.len().min(from + size)];
        let mut segment = [&packet[..payload], body].concat();
        let len = segment.len();
        if is_v4 {
            put(&mut segment, 2, len as u16);
            let id = word(packet, 4).wrapping_add(index as u16);
            put(&mut segment, 4, id);
            put(&mut segment, 10, 0);
            let header_sum = !sum(0, &segment[..transport]);
            put(&mut segment, 10, header_sum);
        } else {
            put(&mut segment, 4, (len - 40) as u16);
        }
        let len = (len - transport) as u16;
        if protocol == TCP {
            let at = transport + 4;
            let sequence: [u8; 4] = packet[at..at + 4].try_into().expect("four bytes");
            let sequence = u32::from_be_bytes(sequence).wrapping_add((index * size) as u32);
            segment[at..at + 4].copy_from_slice(&sequence.to_be_bytes());
            if index > 0 {
                segment[transport + 13] &= !FIRST_ONLY;
            }
            if index + 1 < count {
                segment[transport + 13] &= !LAST_ONLY;
            }
        } else {
            put(&mut segment, transport + 4, len);
        }
        put(&mut segment, field, 0);
        let check = !sum(add(pseudo, len), &segment[transport..]);
        let check = if protocol == UDP && check == 0 {
            0xffff
        } else {
            check
        };
        put(&mut segment, field, check);
        segment
    });
    Some(segments.collect())
}

/// The protocol, and where its header is.
fn transport_v4(packet: &[u8]) -> Option<(u8, usize)> {
    let header = usize::from(packet[0] & 15) * 4;
    let fits = header >= 20 && packet.len() >= header;
    let whole = fits && usize::from(word(packet, 2)) == packet.len();
    let fragment = whole && word(packet, 6) & 0x3fff != 0;
    (whole && !fragment).then(|| (packet[9], header))
}

fn transport_v6(packet: &[u8]) -> Option<(u8, usize)> {
    if packet.len() < 40 || usize::from(word(packet, 4)) + 40 != packet.len() {
        return None;
    }
    let (mut next, mut at) = (packet[6], 40);
    // Hop-by-hop options, routing, destination options; a fragment is not cut.
    while matches!(next, 0 | 43 | 60) {
        let units = usize::from(*packet.get(at + 1)?) + 1;
        (next, at) = (packet[at], at + units * 8);
    }
    (next != 44).then_some((next, at))
}

/// The sum in ones' complement, from `start` on.
pub(crate) fn sum(start: u16, bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(start, |sum, pair| {
        add(
            sum,
            u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]),
        )
    })
}

fn add(one: u16, other: u16) -> u16 {
    let (sum, carry) = one.overflowing_add(other);
    sum + u16::from(carry)
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

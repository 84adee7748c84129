//! Telling the sender that a packet cannot go through the tunnel.
//!
//! A packet that no peer takes, or whose peer has no endpoint, would otherwise be waited for until
//! the program that sent it gives up. As the kernel driver does, we answer with an ICMP "host
//! unreachable" (RFC 792; RFC 4443, section 3.1). The answer bears the address that could not be
//! reached as its source: that address routes to this device, so no filter takes offence.

use std::time::Duration;

use hushwire_proto::time::Instant;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const ICMP_HEADER: usize = 8;
/// The longest answer: the least MTU of IPv6, which every path takes.
const ANSWER_MAX: usize = 1280;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Answers, a few at once and then one in 100 ms, so that a flood into the void costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Unreachable {
    /// When the answers given will have been paid for.
    paid_until: Instant,
}

const INTERVAL: Duration = Duration::from_millis(100);
const BURST: Duration = Duration::from_secs(1);

impl Unreachable {
    /// The answer to `packet`; `None` when there is to be none: the packet is itself an error or
    /// has no sender that could be answered, or there were too many.
    pub(crate) fn answer(&mut self, now: Instant, packet: &[u8]) -> Option<Vec<u8>> {
        let answer = match packet.first()? >> 4 {
            4 => answer_ipv4(packet),
            6 => answer_ipv6(packet),
            _ => None,
        }?;
        self.allow(now).then_some(answer)
    }

    /// The generic cell rate algorithm: each answer is paid for with an interval of time, and
    /// a burst of them may be paid for later.
    fn allow(&mut self, now: Instant) -> bool {
        let paid_until = self.paid_until.max(now);
        if paid_until.saturating_since(now) + INTERVAL > BURST {
            return false;
        }
        self.paid_until = paid_until + INTERVAL;
        true
    }
}

fn answer_ipv4(packet: &[u8]) -> Option<Vec<u8>> {
    let header = packet.get(..IPV4_HEADER)?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let [source, destination] = [12, 16].map(|at| [0, 1, 2, 3].map(|i| header[at + i]));
    let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    let is_unanswerable = source[0] == 0 || source[0] >= 224 || destination[0] >= 224;
    let is_icmp_error = header[9] == ICMP && !matches!(packet.get(header_length)?, 0 | 8 | 13..=18);
    if is_later_fragment || is_unanswerable || is_icmp_error {
        return None;
    }
    let quoted = packet.get(..packet.len().min(ANSWER_MAX - IPV4_HEADER - ICMP_HEADER))?;
    let length = IPV4_HEADER + ICMP_HEADER + quoted.len();
    let mut answer = Vec::with_capacity(length);
    answer.extend_from_slice(&[0x45, 0xc0]);
    answer.extend_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    answer.extend_from_slice(&[0, 0, 0, 0, 64, ICMP, 0, 0]);
    answer.extend_from_slice(&destination);
    answer.extend_from_slice(&source);
    fill_checksum(&mut answer, 0, 10, 0);
    // Destination unreachable, host unreachable.
    answer.extend_from_slice(&[3, 1, 0, 0, 0, 0, 0, 0]);
    answer.extend_from_slice(quoted);
    fill_checksum(&mut answer, IPV4_HEADER, IPV4_HEADER + 2, 0);
    Some(answer)
}

fn answer_ipv6(packet: &[u8]) -> Option<Vec<u8>> {
    let header = packet.get(..IPV6_HEADER)?;
    let source = header.get(8..24)?;
    let destination = header.get(24..40)?;
    let is_unanswerable =
        source[0] == 0xff || source.iter().all(|byte| *byte == 0) || destination[0] == 0xff;
    // Types below 128 are errors (RFC 4443, section 2.1).
    let is_icmp_error = header[6] == ICMPV6 && *packet.get(IPV6_HEADER)? < 128;
    if is_unanswerable || is_icmp_error {
        return None;
    }
    let quoted = packet.get(..packet.len().min(ANSWER_MAX - IPV6_HEADER - ICMP_HEADER))?;
    let length = ICMP_HEADER + quoted.len();
    let mut answer = Vec::with_capacity(IPV6_HEADER + length);
    answer.extend_from_slice(&[0x60, 0, 0, 0]);
    answer.extend_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    answer.extend_from_slice(&[ICMPV6, 64]);
    answer.extend_from_slice(destination);
    answer.extend_from_slice(source);
    // Destination unreachable, address unreachable.
    answer.extend_from_slice(&[1, 3, 0, 0, 0, 0, 0, 0]);
    answer.extend_from_slice(quoted);
    let pseudo_header = sum(&answer[8..IPV6_HEADER]) + u32::from(ICMPV6) + length as u32;
    fill_checksum(&mut answer, IPV6_HEADER, IPV6_HEADER + 2, pseudo_header);
    Some(answer)
}

/// Writes the internet checksum of everything from `start` on to `at`.
fn fill_checksum(bytes: &mut [u8], start: usize, at: usize, initial: u32) {
    let mut total = initial + sum(bytes.get(start..).unwrap_or_default());
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&(!(total as u16)).to_be_bytes());
    }
}

/// The sum of 16-bit words; no carry is lost below 64 KiB.
fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4(protocol: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend_from_slice(body);
        packet
    }

    fn ipv6(next_header: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next_header, 64];
        packet.extend_from_slice(&[0xfd; 16]);
        packet.extend_from_slice(&[0xfc; 16]);
        packet.extend_from_slice(body);
        packet
    }

    fn answer(packet: &[u8]) -> Option<Vec<u8>> {
        Unreachable::default().answer(Instant::from_nanos(1), packet)
    }

    #[test]
    fn the_answer_quotes_the_packet_and_comes_from_its_destination() {
        let packet = ipv4(17, &[7; 8]);
        let answer = answer(&packet).unwrap();
        assert_eq!(answer[12..20], [10, 0, 0, 2, 10, 0, 0, 1]);
        assert_eq!(answer[20..22], [3, 1]);
        assert_eq!(answer[28..], packet);
        for part in [&answer[..20], &answer[20..]] {
            assert_eq!(sum(part) % 0xffff, 0, "checksum");
        }
    }

    #[test]
    fn the_answer_over_ipv6_has_the_pseudo_header_in_its_checksum() {
        let packet = ipv6(6, &[7; 2000]);
        let answer = answer(&packet).unwrap();
        assert_eq!(answer.len(), ANSWER_MAX);
        assert_eq!(answer[40..42], [1, 3]);
        assert_eq!(answer[8..24], [0xfc; 16]);
        let length = u32::from(u16::from_be_bytes([answer[4], answer[5]]));
        assert_eq!(length as usize, answer.len() - 40);
        assert_eq!((sum(&answer[8..]) + 58 + length) % 0xffff, 0);
    }

    #[test]
    fn errors_fragments_and_multicast_get_no_answer() {
        assert!(answer(&ipv4(1, &[8, 0, 0, 0])).is_some());
        assert!(answer(&ipv4(1, &[3, 1, 0, 0])).is_none());
        assert!(answer(&ipv6(58, &[128, 0])).is_some());
        assert!(answer(&ipv6(58, &[1, 3])).is_none());
        let mut fragment = ipv4(17, &[0; 8]);
        fragment[7] = 1;
        assert!(answer(&fragment).is_none());
        let mut multicast = ipv4(17, &[0; 8]);
        multicast[16] = 239;
        assert!(answer(&multicast).is_none());
        for length in 0..60 {
            let _ = answer(&ipv4(1, &[0; 60])[..length]);
            let _ = answer(&ipv6(58, &[0; 60])[..length]);
        }
    }

    #[test]
    fn a_burst_and_then_ten_a_second() {
        let mut unreachable = Unreachable::default();
        let packet = ipv4(17, &[0; 8]);
        let start = Instant::from_nanos(5_000_000_000);
        let mut count = |at| {
            (0..100)
                .filter(|_| unreachable.answer(at, &packet).is_some())
                .count()
        };
        assert_eq!(count(start), 10);
        assert_eq!(count(start + Duration::from_millis(99)), 0);
        assert_eq!(count(start + Duration::from_millis(300)), 3);
        assert_eq!(count(start + Duration::from_secs(60)), 10);
    }
}

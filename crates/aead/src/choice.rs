//! When an implementation for batches is the faster one.
//!
//! The figures are those of `examples/bench.rs` on Emerald Rapids. An implementation for batches
//! pays for what it sets up with how many packets it sets it up for; aws-lc-rs starts anew with each
//! packet, but its start is short.

use crate::lines::Packets;

/// From how many bytes of plaintext in total on a batch is faster, by the number of its packets:
/// the first entry is for one packet, and larger numbers have the last entry. `None` where it never
/// is.
type Thresholds = [Option<usize>; 8];

/// From how many bytes on, and up to how long packets are on average.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    from: Thresholds,
    longest: usize,
}

pub(crate) const AVX512_SEAL: Range = Range {
    from: [
        Some(1300),
        Some(250),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
    ],
    longest: usize::MAX,
};

pub(crate) const AVX512_OPEN: Range = Range {
    from: [
        Some(2300),
        Some(1400),
        Some(1000),
        Some(500),
        Some(0),
        Some(0),
        Some(0),
        Some(0),
    ],
    longest: usize::MAX,
};

pub(crate) const AVX2_SEAL: Range = Range {
    from: [None, None, None, None, None, None, None, Some(0)],
    longest: 2000,
};

pub(crate) const AVX2_OPEN: Range = Range {
    longest: 900,
    ..AVX2_SEAL
};

impl Range {
    /// Whether a batch is in the range.
    pub(crate) fn contains(&self, packets: &impl Packets) -> bool {
        let count = packets.count();
        let Some(last) = count.checked_sub(1) else {
            return false;
        };
        let from = self.from[last.min(self.from.len() - 1)];
        // Without need for the total, it is not counted.
        let Some(from) = from else {
            return false;
        };
        if from == 0 && self.longest == usize::MAX {
            return true;
        }
        let lens = (0..count).filter_map(|packet| packets.text_len(packet));
        let total = lens.fold(0, usize::saturating_add);
        total >= from && total / count <= self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use crate::in_place::Plain;

    fn is_in(range: &Range, lens: &[usize]) -> bool {
        let packet = |&len| Packet {
            start: 0,
            len,
            counter: 0,
        };
        let packets: Vec<_> = lens.iter().map(packet).collect();
        range.contains(&Plain {
            buffer: &mut [],
            packets: &packets,
        })
    }

    #[test]
    fn a_batch_needs_packets_or_bytes() {
        assert!(!is_in(&AVX512_SEAL, &[]));
        assert!(!is_in(&AVX512_SEAL, &[1299]));
        assert!(is_in(&AVX512_SEAL, &[1300]));
        assert!(is_in(&AVX512_SEAL, &[0; 4]));
        assert!(!is_in(&AVX512_OPEN, &[1399, 0]));
        assert!(is_in(&AVX512_OPEN, &[1400, 0]));
        assert!(is_in(&AVX512_OPEN, &[0; 100]));
    }

    #[test]
    fn long_packets_can_be_out_of_range() {
        assert!(!is_in(&AVX2_SEAL, &[1420; 7]));
        assert!(is_in(&AVX2_SEAL, &[1420; 8]));
        assert!(!is_in(&AVX2_SEAL, &[2001; 8]));
        assert!(!is_in(&AVX2_OPEN, &[1420; 8]));
        assert!(is_in(&AVX2_OPEN, &[64; 8]));
    }
}

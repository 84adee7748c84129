//! The Internet checksum (RFC 1071), its pseudo-headers (RFC 793, RFC 8200 section 8.1) and
//! its incremental update (RFC 1624).
//!
//! A ones'-complement sum of 16-bit words does not depend on the byte order in which the words
//! are loaded, so long as the result is stored in that same order (RFC 1071 section 2 (B)),
//! nor on the width of the additions, so long as carries are kept (section 2 (C)). So
//! [`Sum`] adds 32-bit words in native order into 64-bit lanes, which the compiler turns into
//! vector instructions, and swaps nothing.

/// Bytes that one turn of the wide loop takes.
const BLOCK: usize = 64;
/// 32-bit words in a block.
const LANES: usize = BLOCK / 4;

/// A running ones'-complement sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The pseudo-header of a transport protocol over IPv4 or IPv6.
    ///
    /// `addresses` is the source address followed by the destination address, as they stand
    /// side by side in either IP header; `len` is the length of the transport header and its
    /// payload in bytes.
    #[must_use]
    pub fn pseudo_header(addresses: &[u8], protocol: u8, len: usize) -> Self {
        // A length past 65,535 only occurs with IPv6, whose pseudo-header has 32 bits for it.
        Self::new()
            .bytes(addresses)
            .word(u16::from(protocol))
            .word((len >> 16) as u16)
            .word(len as u16)
    }

    /// Adds a 16-bit number in host order.
    #[must_use]
    pub fn word(self, word: u16) -> Self {
        self.add(u64::from(word.to_be()))
    }

    /// Adds bytes. Only the last slice added may have an odd length: it is padded with a zero
    /// byte as RFC 1071 asks.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        self.add(sum_blocks(blocks)).tail(tail)
    }

    fn tail(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let (halves, odd) = rest.as_chunks::<2>();
        // At most 18 small numbers: no carry can be lost.
        let mut sum = 0u64;
        for word in words {
            sum += u64::from(u32::from_ne_bytes(*word));
        }
        for half in halves {
            sum += u64::from(u16::from_ne_bytes(*half));
        }
        for byte in odd {
            sum += u64::from(u16::from_ne_bytes([*byte, 0]));
        }
        self.add(sum)
    }

    /// Adds another sum.
    #[must_use]
    pub fn sum(self, other: Self) -> Self {
        self.add(other.0)
    }

    fn add(self, value: u64) -> Self {
        let (sum, carry) = self.0.overflowing_add(value);
        Self(sum + u64::from(carry))
    }

    /// The sum in 16 bits, as the bytes to store. This is what a field holds whose checksum is
    /// to be finished by someone else ([`super::PartialChecksum`]).
    #[must_use]
    pub fn partial(self) -> [u8; 2] {
        self.folded().to_ne_bytes()
    }

    /// The finished checksum, as the bytes to store: the complement of the sum.
    #[must_use]
    pub fn finish(self) -> [u8; 2] {
        (!self.folded()).to_ne_bytes()
    }

    /// The finished checksum where an all-zero field would mean that there is none: zero is
    /// written as its other form, all ones (RFC 768). The two are equal in ones' complement,
    /// so this is right for TCP as well.
    #[must_use]
    pub fn finish_nonzero(self) -> [u8; 2] {
        match self.finish() {
            [0, 0] => [0xff, 0xff],
            bytes => bytes,
        }
    }

    /// Whether this is the sum of data and its own valid checksum.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.folded() == 0xffff
    }

    fn folded(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 32) + (sum & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        // The first of the last two leaves at most 17 bits, so the second leaves 16.
        sum as u16
    }
}

/// The wide loop, kept out of its callers, in whose midst it may not become vector code.
#[inline(never)]
fn sum_blocks(blocks: &[[u8; BLOCK]]) -> u64 {
    let mut lanes = [0u64; LANES];
    // A slice would have to be 16 GiB long for the lanes, or their sum, to overflow.
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().sum()
}

/// The checksum of data in which one 16-bit word changed from `old` to `new`, given the
/// checksum before (RFC 1624, equation 3). All four are as stored, in network order.
///
/// ```
/// use hushwire_io::offload::{Sum, adjust};
/// let before = [0x45, 0x00, 0x05, 0x8c];
/// let after = [0x45, 0x01, 0x05, 0x8c]; // marked by a router: ECN (RFC 3168)
/// let checksum = Sum::new().bytes(&before).finish();
/// assert_eq!(
///     adjust(checksum, [0x45, 0x00], [0x45, 0x01]),
///     Sum::new().bytes(&after).finish(),
/// );
/// ```
#[must_use]
pub fn adjust(checksum: [u8; 2], old: [u8; 2], new: [u8; 2]) -> [u8; 2] {
    let complement = |bytes: [u8; 2]| u64::from(!u16::from_ne_bytes(bytes));
    Sum(complement(checksum) + complement(old) + u64::from(u16::from_ne_bytes(new))).finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071 to the letter: big-endian words, one carry at a time.
    fn naive(bytes: &[u8]) -> [u8; 2] {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
        (!(sum as u16)).to_be_bytes()
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().bytes(&bytes).partial(), [0xdd, 0xf2]);
        assert_eq!(Sum::new().bytes(&bytes).finish(), [0x22, 0x0d]);
    }

    #[test]
    fn the_example_of_rfc_1624() {
        // Section 4: a checksum of 0xDD2F, a word that goes from 0x5555 to 0x3285.
        assert_eq!(adjust([0xdd, 0x2f], [0x55, 0x55], [0x32, 0x85]), [0, 0]);
    }

    #[test]
    fn all_ones_do_not_lose_a_carry() {
        for len in [0, 1, 2, 3, 63, 64, 65, 1500, 65_535] {
            let bytes = vec![0xff; len];
            assert_eq!(Sum::new().bytes(&bytes).finish(), naive(&bytes), "{len}");
        }
    }

    #[test]
    fn a_zero_checksum_is_written_as_all_ones() {
        assert_eq!(Sum::new().word(0xffff).finish(), [0, 0]);
        assert_eq!(Sum::new().word(0xffff).finish_nonzero(), [0xff, 0xff]);
    }

    #[test]
    fn the_pseudo_header_is_that_of_the_rfcs() {
        let v4 = [10, 0, 0, 1, 10, 0, 0, 2];
        let spelled_out = [10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0x12, 0x34];
        assert_eq!(
            Sum::pseudo_header(&v4, 6, 0x1234).finish(),
            naive(&spelled_out)
        );
        let v6: Vec<u8> = (0..32).collect();
        let mut spelled_out = v6.clone();
        spelled_out.extend([0, 1, 0x12, 0x34, 0, 0, 0, 17]);
        assert_eq!(
            Sum::pseudo_header(&v6, 17, 0x1_1234).finish(),
            naive(&spelled_out)
        );
    }

    proptest! {
        #[test]
        fn the_wide_sum_is_the_naive_one(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(Sum::new().bytes(&bytes).finish(), naive(&bytes));
        }

        #[test]
        fn slices_of_even_length_add_up(
            bytes in proptest::collection::vec(any::<u8>(), 0..500),
            cut in 0usize..250,
        ) {
            let (head, tail) = bytes.split_at((cut * 2).min(bytes.len() & !1));
            let parts = Sum::new().bytes(tail).sum(Sum::new().bytes(head));
            prop_assert_eq!(parts.finish(), naive(&bytes));
        }

        #[test]
        fn data_with_its_checksum_is_valid(mut bytes in proptest::collection::vec(any::<u8>(), 2..100)) {
            bytes[..2].fill(0);
            let checksum = Sum::new().bytes(&bytes).finish();
            bytes[..2].copy_from_slice(&checksum);
            prop_assert!(Sum::new().bytes(&bytes).is_valid());
            bytes[1] ^= 1;
            prop_assert!(!Sum::new().bytes(&bytes).is_valid());
        }

        #[test]
        fn an_adjusted_checksum_is_valid(
            mut bytes in proptest::collection::vec(any::<u8>(), 1..50).prop_map(|mut half| {
                half.extend_from_within(..);
                half
            }),
            at in any::<proptest::sample::Index>(),
            new: [u8; 2],
        ) {
            let at = at.index(bytes.len() / 2) * 2;
            let before = Sum::new().bytes(&bytes).finish();
            let old = [bytes[at], bytes[at + 1]];
            bytes[at..at + 2].copy_from_slice(&new);
            let after = adjust(before, old, new);
            // Both forms of zero are right; which one comes out differs (RFC 1624 section 3).
            prop_assert!(Sum::new().bytes(&bytes).bytes(&after).is_valid());
        }
    }
}

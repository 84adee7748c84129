//! The ChaCha20 block function (RFC 8439, section 2.3), many blocks at once.
//!
//! The blocks of one call need not belong together: they are runs of consecutive blocks, each with
//! its own nonce, so that sixteen blocks can be the first blocks of sixteen packets, or the end of
//! one packet and the beginning of the next. Only the middle word of the nonce is of each run,
//! though. The first word and the last are the same throughout, as they are for counters in a row,
//! and so a good part of the first round is: it is made once ([`Frame`]).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

use zeroize::Zeroizing;

/// Bytes of keystream in a block.
pub(crate) const BLOCK_LEN: usize = 64;

/// "expand 32-byte k", the first row of the state.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Consecutive blocks of one keystream.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Whose keystream it is: the position in the group at hand.
    pub(crate) member: usize,
    /// The middle word of the nonce.
    pub(crate) nonce: u32,
    /// Number of the first block.
    pub(crate) first: u32,
    /// How many blocks.
    pub(crate) count: u32,
}

impl Run {
    pub(crate) const EMPTY: Self = Self {
        member: 0,
        nonce: 0,
        first: 0,
        count: 0,
    };
}

/// The blocks to make in one call: `N` at most, in runs that are not empty.
pub(crate) struct Lanes<const N: usize> {
    runs: [Run; N],
    len: usize,
}

impl<const N: usize> Lanes<N> {
    pub(crate) const fn new() -> Self {
        Self {
            runs: [Run::EMPTY; N],
            len: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs[..self.len]
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    #[inline(always)]
    pub(crate) const fn push(&mut self, run: Run) {
        self.runs[self.len] = run;
        self.len += 1;
    }
}

/// States in which the words 12 and 14 are yet to be filled in, with what is of each block: its
/// number and the middle word of its nonce.
pub(crate) struct Frame {
    /// Before the first round.
    pub(crate) start: Zeroizing<[u32; 16]>,
    /// Within the first round: the columns 1 and 3 are finished, and in the columns 0 and 2 the
    /// first addition is made.
    pub(crate) begun: Zeroizing<[u32; 16]>,
}

impl Frame {
    /// With the first and the last word of the nonces.
    pub(crate) fn new(key: &[u32; 8], nonce: [u32; 2]) -> Self {
        let mut start = Zeroizing::new([0; 16]);
        start[..4].copy_from_slice(&CONSTANTS);
        start[4..12].copy_from_slice(key);
        [start[13], start[15]] = nonce;
        let mut begun = start.clone();
        for column in [1, 3] {
            quarter_round(&mut begun, column);
        }
        for column in [0, 2] {
            begun[column] = begun[column].wrapping_add(begun[column + 4]);
        }
        Self { start, begun }
    }
}

/// RFC 8439, section 2.1, on a column of the state.
fn quarter_round(state: &mut [u32; 16], column: usize) {
    let [a, b, c, d] = [0, 4, 8, 12].map(|row| row + column);
    for (to, by, xored, bits) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        state[to] = state[to].wrapping_add(state[by]);
        state[xored] = (state[xored] ^ state[to]).rotate_left(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.1.1.
    #[test]
    fn the_quarter_round_of_the_rfc() {
        let mut state = [0; 16];
        for (row, word) in [0x1111_1111, 0x0102_0304, 0x9b8d_6f43, 0x0123_4567]
            .into_iter()
            .enumerate()
        {
            state[4 * row + 2] = word;
        }
        quarter_round(&mut state, 2);
        let column = [0, 1, 2, 3].map(|row| state[4 * row + 2]);
        assert_eq!(column, [0xea2a_92f4, 0xcb1c_f8ce, 0x4581_472e, 0x5881_c4bb]);
    }
}

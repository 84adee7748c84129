//! The ChaCha20 block function (RFC 8439, section 2.3), many blocks at once.
//!
//! The blocks of one call need not belong together: they are runs of consecutive blocks, each with
//! its own nonce, so that sixteen blocks can be the first blocks of sixteen packets, or the end of
//! one packet and the beginning of the next.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

use crate::lines::Nonce;

/// Bytes of keystream in a block.
pub(crate) const BLOCK_LEN: usize = 64;

/// "expand 32-byte k", the first row of the state.
pub(crate) const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Consecutive blocks of one keystream.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Whose keystream it is: the position in the group at hand.
    pub(crate) member: usize,
    pub(crate) nonce: Nonce,
    /// Number of the first block.
    pub(crate) first: u32,
    /// How many blocks.
    pub(crate) count: u32,
}

impl Run {
    pub(crate) const EMPTY: Self = Self {
        member: 0,
        nonce: [0; 3],
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

//! The ChaCha20 block function (RFC 8439, section 2.3), many blocks at once.
//!
//! The blocks of one call need not belong together: they are runs of consecutive blocks, each with
//! its own nonce, so that sixteen blocks can be the first blocks of sixteen packets, or the end of
//! one packet and the beginning of the next.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

use crate::lines::Nonce;

/// Most blocks of one call.
pub(crate) const LANES: usize = 16;

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
    pub(crate) count: usize,
}

/// The blocks to make in one call.
pub(crate) struct Lanes {
    runs: [Run; LANES],
    run_count: usize,
    used: usize,
}

impl Lanes {
    pub(crate) const fn new() -> Self {
        const NONE: Run = Run {
            member: 0,
            nonce: [0; 3],
            first: 0,
            count: 0,
        };
        Self {
            runs: [NONE; LANES],
            run_count: 0,
            used: 0,
        }
    }

    /// None of the runs is empty.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs[..self.run_count]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.used == LANES
    }

    pub(crate) const fn clear(&mut self) {
        (self.run_count, self.used) = (0, 0);
    }

    /// Takes as much of the beginning of a run as there is room for; `run` becomes the rest.
    pub(crate) fn take(&mut self, run: &mut Run) {
        let count = run.count.min(LANES - self.used);
        if count > 0 {
            self.runs[self.run_count] = Run { count, ..*run };
            self.run_count += 1;
            self.used += count;
            run.first = run.first.wrapping_add(count as u32);
            run.count -= count;
        }
    }
}

//! Randomness that is the same in every run.

use hushwire_proto::crypto::Random;

/// SplitMix64 from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

/// The same, but every jitter is what the test wants. Jitter is the only thing that a device draws
/// eight bytes for.
#[derive(Clone, Debug)]
pub(crate) struct FixedJitter {
    pub(crate) random: Seeded,
    /// In nanoseconds.
    pub(crate) jitter: u64,
}

impl Random for FixedJitter {
    fn fill(&mut self, out: &mut [u8]) {
        match out.len() {
            8 => out.copy_from_slice(&self.jitter.to_le_bytes()),
            _ => self.random.fill(out),
        }
    }
}

//! Poly1305 (RFC 8439, section 2.5), many messages at once.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
mod reader;
mod schedule;
pub(crate) mod words;

/// Bytes in a Poly1305 block.
pub(crate) const BLOCK_LEN: usize = 16;

/// Blocks in a line, the unit in which messages are read.
const LINE_BLOCKS: usize = 4;
const LINE_LEN: usize = LINE_BLOCKS * BLOCK_LEN;

const MASK_26: u64 = (1 << 26) - 1;

/// The bits of `r` that are kept, lower and upper half ("clamping").
const CLAMP: [u64; 2] = [0x0fff_fffc_0fff_ffff, 0x0fff_fffc_0fff_fffc];

/// A message as the AEAD authenticates it: the data, zeros up to a multiple of sixteen, and a
/// last block with the lengths (RFC 8439, section 2.8).
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    /// The one-time key, `r` and `s`.
    pub(crate) key: &'a [u8; 32],
    pub(crate) data: &'a [u8],
    /// Bytes of associated data and of ciphertext.
    pub(crate) lengths: [u64; 2],
}

impl Message<'_> {
    pub(crate) const EMPTY: Self = Message {
        key: &[0; 32],
        data: &[],
        lengths: [0; 2],
    };

    /// Blocks of the data and the block with the lengths.
    pub(crate) const fn blocks(&self) -> usize {
        self.data.len().div_ceil(BLOCK_LEN) + 1
    }

    const fn lines(&self) -> usize {
        self.blocks().div_ceil(LINE_BLOCKS)
    }
}

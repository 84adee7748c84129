//! Poly1305 (RFC 8439, section 2.5), many messages at once.
//!
//! A number modulo 2^130 - 5 is three limbs in radix 2^52, the least significant first.

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;

use crate::TAG_LEN;

/// Bytes in a Poly1305 block.
pub(crate) const BLOCK_LEN: usize = 16;

const MASK_52: u64 = (1 << 52) - 1;
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

    /// The clamped `r`, lower and upper half.
    pub(crate) fn r(&self) -> [u64; 2] {
        let r = halves(self.key.first_chunk().expect("16 of 32 bytes"));
        [r[0] & CLAMP[0], r[1] & CLAMP[1]]
    }

    fn s(&self) -> u128 {
        u128::from_le_bytes(*self.key.last_chunk().expect("16 of 32 bytes"))
    }

    /// Blocks of the data and the block with the lengths.
    pub(crate) const fn blocks(&self) -> usize {
        self.data.len().div_ceil(BLOCK_LEN) + 1
    }
}

/// Reduces `sum` (four columns in radix 2^52, each below 2^61, the last below 2^35) and adds `s`:
/// the authenticator.
pub(crate) fn finish(sum: [u64; 4], s: u128) -> [u8; TAG_LEN] {
    // 2^130 is 5, so everything from bit 26 of the third column upwards returns as five times
    // itself.
    let above = u128::from(sum[2] >> 26) + (u128::from(sum[3]) << 26);
    let low = u128::from(sum[0]) + 5 * above;
    let mid = u128::from(sum[1]) + (low >> 52);
    let high = (sum[2] & MASK_26) + (mid >> 52) as u64;
    let (h0, h1) = (low as u64 & MASK_52, mid as u64 & MASK_52);

    // The same for what the carry has left above: the result is then below 2^130 and a little.
    let h0 = h0 + 5 * (high >> 26);
    let h1 = h1 + (h0 >> 52);
    let h2 = (high & MASK_26) + (h1 >> 52);
    let (h0, h1) = (h0 & MASK_52, h1 & MASK_52);

    // Minus the prime, if it is not below it: that is plus five without bit 130. Only the lower
    // 128 bits count from here on.
    let g0 = h0 + 5;
    let g1 = h1 + (g0 >> 52);
    let g2 = h2 + (g1 >> 52);
    let subtract = (g2 >> 26).wrapping_neg();
    let select = |h: u64, g: u64| u128::from((h & !subtract) | (g & subtract));
    let h = select(h0, g0 & MASK_52)
        | (select(h1, g1 & MASK_52) << 52)
        | (select(h2, g2 & MASK_26) << 104);
    h.wrapping_add(s).to_le_bytes()
}

fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let value = u128::from_le_bytes(*bytes);
    [value as u64, (value >> 64) as u64]
}

//! Arithmetic modulo 2^130 - 5 in four lanes of 32-bit multiplication.
//!
//! The columns of a sum are in radix 2^26. There are two ways to multiply: an accumulator is five
//! limbs in radix 2^26 ([`Factor`]); the words of a block are limbs in radix 2^32 as they are, if
//! each is multiplied by a number that has been shifted and reduced for its place ([`WordFactor`]).
//! The instruction reads 32 bits of a limb only, so that a word needs no mask.
//!
//! Bounds: a reduced limb is below 2^26 and a little. An accumulator with a block added is below
//! 2^27.1 a limb, and a column of its product below 5 * 2^27.1 * 5 * 2^26.1 < 2^58. A column of the
//! product of a block is below 4 * 2^32 * 2^26.1 < 2^60.2, so that three of these, a fourth block
//! and an accumulator stay below 2^62. [`Sum::carry`] takes that.

use core::arch::x86_64::*;

use crate::poly1305::MASK_26;

/// Five limbs in radix 2^26 a lane.
pub(super) type Limbs = [__m256i; 5];

/// Four words of a block a lane; bits above 32 are to be ignored.
pub(super) type Words = [__m256i; 4];

/// Words of a number of 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn words(low: __m256i, high: __m256i) -> Words {
    [
        low,
        _mm256_srli_epi64::<32>(low),
        high,
        _mm256_srli_epi64::<32>(high),
    ]
}

/// Limbs of a number of 128 bits, with another bit 128 on top.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn split(low: __m256i, high: __m256i, bit_128: __m256i) -> Limbs {
    let middle = _mm256_or_si256(_mm256_srli_epi64::<52>(low), _mm256_slli_epi64::<12>(high));
    [
        low_26(low),
        low_26(_mm256_srli_epi64::<26>(low)),
        low_26(middle),
        low_26(_mm256_srli_epi64::<14>(high)),
        _mm256_or_si256(
            _mm256_srli_epi64::<40>(high),
            _mm256_slli_epi64::<24>(bit_128),
        ),
    ]
}

/// The limbs of `b` where `mask` has all bits, of `a` where it has none.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn choose(mask: __m256i, a: &Limbs, b: &Limbs) -> Limbs {
    let mut chosen = *a;
    for (a, &b) in chosen.iter_mut().zip(b) {
        *a = _mm256_blendv_epi8(*a, b, mask);
    }
    chosen
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add(a: &Limbs, b: &Limbs) -> Limbs {
    let mut sum = *a;
    for (a, &b) in sum.iter_mut().zip(b) {
        *a = _mm256_add_epi64(*a, b);
    }
    sum
}

#[inline]
#[target_feature(enable = "avx2")]
fn low_26(limb: __m256i) -> __m256i {
    _mm256_and_si256(limb, _mm256_set1_epi64x(MASK_26.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx2")]
fn five_times(limb: __m256i) -> __m256i {
    _mm256_add_epi64(_mm256_slli_epi64::<2>(limb), limb)
}

/// Products, five columns in radix 2^26.
#[derive(Clone, Copy)]
pub(super) struct Sum(Limbs);

impl Sum {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn zero() -> Self {
        Self([_mm256_setzero_si256(); 5])
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn product(x: &Limbs, factor: &Factor) -> Self {
        let mut sum = Self::zero();
        sum.multiply_add(x, factor);
        sum
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn multiply_add(&mut self, limbs: &Limbs, factor: &Factor) {
        for (i, &limb) in limbs.iter().enumerate() {
            for k in 0..5 {
                let part = if k < i {
                    factor.five_times[5 + k - i]
                } else {
                    factor.limbs[k - i]
                };
                self.0[k] = _mm256_add_epi64(self.0[k], _mm256_mul_epu32(limb, part));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn multiply_add_words(&mut self, words: &Words, factor: &WordFactor) {
        for (&word, multiple) in words.iter().zip(&factor.multiples) {
            for (column, &part) in self.0.iter_mut().zip(multiple) {
                *column = _mm256_add_epi64(*column, _mm256_mul_epu32(word, part));
            }
        }
    }

    /// Adds limbs below 2^30.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn add(&mut self, limbs: &Limbs) {
        self.0 = add(&self.0, limbs);
    }

    /// Adds limbs below 2^30 in those lanes in which `mask` has all bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn add_masked(&mut self, limbs: &Limbs, mask: __m256i) {
        for (column, &limb) in self.0.iter_mut().zip(limbs) {
            *column = _mm256_add_epi64(*column, _mm256_and_si256(limb, mask));
        }
    }

    /// What there is in those lanes in which `mask` has all bits, nothing in the others.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn masked(&self, mask: __m256i) -> Self {
        let mut sum = *self;
        for column in &mut sum.0 {
            *column = _mm256_and_si256(*column, mask);
        }
        sum
    }

    /// Reduces to 130 bits and a little.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn carry(&self) -> Limbs {
        carry(self.0)
    }

    /// Adds up the lanes of each group of `SPREAD`, reduces, and adds `s`, 128 bits in two halves:
    /// the authenticators, in two halves, in each lane of a group. With a `SPREAD` above one, the
    /// columns have to be those of an accumulator's product.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn finish<const SPREAD: usize>(&self, s: [__m256i; 2]) -> [__m256i; 2] {
        let mut columns = self.0;
        for column in &mut columns {
            if SPREAD >= 2 {
                *column = _mm256_add_epi64(*column, _mm256_shuffle_epi32::<0x4e>(*column));
            }
            if SPREAD >= 4 {
                *column = _mm256_add_epi64(*column, _mm256_permute4x64_epi64::<0x4e>(*column));
            }
        }
        // All limbs but two are now below 2^26, and a carry out of the top one leaves next to
        // nothing: so the last step cannot carry on.
        let [h0, h1, h2, h3, h4] = carry(carry(columns));
        let [h1, h2] = step(h1, h2);
        let [h2, h3] = step(h2, h3);
        let [h3, h4] = step(h3, h4);
        let [h4, h0] = step_around(h4, h0);
        let [h0, h1] = step(h0, h1);

        // Minus the prime, if it is not below it: that is plus five without bit 130.
        let g0 = _mm256_add_epi64(h0, _mm256_set1_epi64x(5));
        let [g0, g1] = step(g0, h1);
        let [g1, g2] = step(g1, h2);
        let [g2, g3] = step(g2, h3);
        let [g3, g4] = step(g3, h4);
        let zero = _mm256_setzero_si256();
        let subtract = _mm256_sub_epi64(zero, _mm256_srli_epi64::<26>(g4));
        let h = choose(subtract, &[h0, h1, h2, h3, h4], &[g0, g1, g2, g3, g4]);
        pack_and_add(h, s)
    }
}

/// The lower 128 bits of `h`, plus `s`.
#[inline]
#[target_feature(enable = "avx2")]
fn pack_and_add([h0, h1, h2, h3, h4]: Limbs, s: [__m256i; 2]) -> [__m256i; 2] {
    let low = _mm256_or_si256(h0, _mm256_slli_epi64::<26>(h1));
    let low = _mm256_or_si256(low, _mm256_slli_epi64::<52>(h2));
    let high = _mm256_or_si256(_mm256_srli_epi64::<12>(h2), _mm256_slli_epi64::<14>(h3));
    let high = _mm256_or_si256(high, _mm256_slli_epi64::<40>(h4));
    let sum = _mm256_add_epi64(low, s[0]);
    // The instruction compares signed numbers; all bits are minus one.
    let sign = _mm256_set1_epi64x(i64::MIN);
    let over = _mm256_cmpgt_epi64(_mm256_xor_si256(s[0], sign), _mm256_xor_si256(sum, sign));
    [sum, _mm256_sub_epi64(_mm256_add_epi64(high, s[1]), over)]
}

/// In two chains side by side.
#[inline]
#[target_feature(enable = "avx2")]
fn carry([d0, d1, d2, d3, d4]: Limbs) -> Limbs {
    let [d0, d1] = step(d0, d1);
    let [d3, d4] = step(d3, d4);
    let [d1, d2] = step(d1, d2);
    let [d4, d0] = step_around(d4, d0);
    let [d2, d3] = step(d2, d3);
    let [d0, d1] = step(d0, d1);
    let [d3, d4] = step(d3, d4);
    [d0, d1, d2, d3, d4]
}

#[inline]
#[target_feature(enable = "avx2")]
fn step(from: __m256i, to: __m256i) -> [__m256i; 2] {
    [
        low_26(from),
        _mm256_add_epi64(to, _mm256_srli_epi64::<26>(from)),
    ]
}

/// 2^130 is 5, so that what is above returns at the bottom.
#[inline]
#[target_feature(enable = "avx2")]
fn step_around(from: __m256i, to: __m256i) -> [__m256i; 2] {
    let above = _mm256_srli_epi64::<26>(from);
    [low_26(from), _mm256_add_epi64(to, five_times(above))]
}

/// A number to multiply limbs by.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    limbs: Limbs,
    five_times: Limbs,
}

impl Factor {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(limbs: &Limbs) -> Self {
        let mut factor = Self {
            limbs: *limbs,
            five_times: *limbs,
        };
        for limb in &mut factor.five_times {
            *limb = five_times(*limb);
        }
        factor
    }
}

/// A number `x` to multiply words by.
pub(super) struct WordFactor {
    /// `x`, `x * 2^32`, `x * 2^64` and `x * 2^96`.
    multiples: [Limbs; 4],
    /// `x * 2^128`, for the bit that marks a block.
    pub(super) mark: Limbs,
}

impl WordFactor {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(x: &Limbs) -> Self {
        let x1 = shift_32(x);
        let x2 = shift_32(&x1);
        let x3 = shift_32(&x2);
        Self {
            multiples: [*x, x1, x2, x3],
            mark: shift_32(&x3),
        }
    }
}

/// `x * 2^32`, reduced: one limb and six bits further up.
#[inline]
#[target_feature(enable = "avx2")]
fn shift_32(x: &Limbs) -> Limbs {
    let up = [five_times(x[4]), x[0], x[1], x[2], x[3]];
    let mut columns = up;
    for column in &mut columns {
        *column = _mm256_slli_epi64::<6>(*column);
    }
    carry(columns)
}

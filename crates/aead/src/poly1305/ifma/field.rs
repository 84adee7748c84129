//! Arithmetic modulo 2^130 - 5 in eight lanes.
//!
//! A number is three limbs in radix 2^52. A limb is multiplied by `x`, `x * 2^52` or `x * 2^104`,
//! according to its place, all reduced beforehand ([`Factor`]): the columns of the sum are then in
//! radix 2^52 too, which is how the instructions split a product. They read 52 bits of a limb only,
//! so that a limb needs no mask.
//!
//! Bounds: a limb counts as below 2^52, the upper one is below 2^27 (a factor's, a carried sum's) or
//! 2^25 (a block's). A column of at most eighteen products, each below 2^52 in its lower and in its
//! upper part, stays below 2^57, the last column below 2^33; [`Sum::carry`] and [`Sum::finish`] have
//! room for eight times that.

use core::arch::x86_64::*;

use crate::poly1305::MASK_26;

const MASK_52: u64 = (1 << 52) - 1;

/// Three limbs in radix 2^52 a lane; bits above 52 of the lower two are to be ignored.
pub(super) type Limbs = [__m512i; 3];

/// Limbs of a number of 128 bits, with another bit 128 on top.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2")]
pub(super) fn split(low: __m512i, high: __m512i, bit_128: __m512i) -> Limbs {
    [
        low,
        _mm512_shrdi_epi64::<52>(low, high),
        _mm512_shrdi_epi64::<40>(high, bit_128),
    ]
}

/// The lanes of `b` that `mask` has, the others of `a`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn choose(mask: __mmask8, a: &Limbs, b: &Limbs) -> Limbs {
    [
        _mm512_mask_blend_epi64(mask, a[0], b[0]),
        _mm512_mask_blend_epi64(mask, a[1], b[1]),
        _mm512_mask_blend_epi64(mask, a[2], b[2]),
    ]
}

/// Products, four columns in radix 2^52, those of the lower halves and those of the upper halves
/// apart, so that fewer additions wait for one another.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    low: [__m512i; 3],
    high: [__m512i; 3],
}

impl Sum {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> Self {
        let zero = [_mm512_setzero_si512(); 3];
        Self {
            low: zero,
            high: zero,
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn product(x: &Limbs, factor: &Factor) -> Self {
        let mut sum = Self::zero();
        sum.multiply_add(x, factor);
        sum
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply_add(&mut self, limbs: &Limbs, factor: &Factor) {
        for (&limb, multiple) in limbs.iter().zip(&factor.0) {
            for (k, &part) in multiple.iter().enumerate() {
                self.low[k] = _mm512_madd52lo_epu64(self.low[k], limb, part);
                self.high[k] = _mm512_madd52hi_epu64(self.high[k], limb, part);
            }
        }
    }

    /// The same for limbs of a block: the upper one is below 2^25, so that its product with an upper
    /// limb has no upper part.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply_add_block(&mut self, limbs: &Limbs, factor: &Factor) {
        for (i, (&limb, multiple)) in limbs.iter().zip(&factor.0).enumerate() {
            for (k, &part) in multiple.iter().enumerate() {
                self.low[k] = _mm512_madd52lo_epu64(self.low[k], limb, part);
                if (i, k) != (2, 2) {
                    self.high[k] = _mm512_madd52hi_epu64(self.high[k], limb, part);
                }
            }
        }
    }

    /// Adds limbs of a block.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn add(&mut self, limbs: &Limbs) {
        let mask = _mm512_set1_epi64(MASK_52.cast_signed());
        for (low, &limb) in self.low.iter_mut().zip(limbs) {
            *low = _mm512_add_epi64(*low, _mm512_and_si512(limb, mask));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn columns(&self) -> [__m512i; 4] {
        [
            self.low[0],
            _mm512_add_epi64(self.low[1], self.high[0]),
            _mm512_add_epi64(self.low[2], self.high[1]),
            self.high[2],
        ]
    }

    /// Reduces to a little more than 130 bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn carry(&self) -> Limbs {
        carry(self.columns())
    }

    /// Adds up the lanes of each group of `SPREAD`, reduces, and adds `s`, 128 bits in two halves:
    /// the authenticators, in two halves, in each lane of a group.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn finish<const SPREAD: usize>(&self, s: [__m512i; 2]) -> [__m512i; 2] {
        let mut columns = self.columns();
        for column in &mut columns {
            if SPREAD >= 2 {
                *column = _mm512_add_epi64(*column, _mm512_shuffle_epi32::<0x4e>(*column));
            }
            if SPREAD >= 4 {
                *column = _mm512_add_epi64(*column, _mm512_permutex_epi64::<0x4e>(*column));
            }
            if SPREAD >= 8 {
                *column = _mm512_add_epi64(*column, _mm512_shuffle_i64x2::<0x4e>(*column, *column));
            }
        }
        let mask_52 = _mm512_set1_epi64(MASK_52.cast_signed());
        let mask_26 = _mm512_set1_epi64(MASK_26.cast_signed());
        let low_52 = |limb| _mm512_and_si512(limb, mask_52);
        // Twice, as the second pass can still leave bit 130 set after the first.
        let [h0, h1, h2] = carry(columns);
        let [h0, h1, h2] = carry([low_52(h0), low_52(h1), h2, _mm512_setzero_si512()]);
        let [h0, h1] = [low_52(h0), low_52(h1)];

        // Minus the prime, if it is not below it: that is plus five without bit 130.
        let g0 = _mm512_add_epi64(h0, _mm512_set1_epi64(5));
        let g1 = _mm512_add_epi64(h1, _mm512_srli_epi64::<52>(g0));
        let g2 = _mm512_add_epi64(h2, _mm512_srli_epi64::<52>(g1));
        let subtract = _mm512_test_epi64_mask(g2, _mm512_set1_epi64(1 << 26));
        let g = [low_52(g0), low_52(g1), _mm512_and_si512(g2, mask_26)];
        let [h0, h1, h2] = choose(subtract, &[h0, h1, h2], &g);

        // Only 128 bits count from here on.
        let low = _mm512_or_si512(h0, _mm512_slli_epi64::<52>(h1));
        let high = _mm512_or_si512(_mm512_srli_epi64::<12>(h1), _mm512_slli_epi64::<40>(h2));
        let low = _mm512_add_epi64(low, s[0]);
        let over = _mm512_cmplt_epu64_mask(low, s[0]);
        let high = _mm512_add_epi64(high, s[1]);
        let high = _mm512_mask_add_epi64(high, over, high, _mm512_set1_epi64(1));
        [low, high]
    }
}

/// 2^130 is 5, so that what is above returns at the bottom.
#[inline]
#[target_feature(enable = "avx512f")]
fn carry([d0, d1, d2, d3]: [__m512i; 4]) -> Limbs {
    let mask = _mm512_set1_epi64(MASK_26.cast_signed());
    let above = _mm512_add_epi64(_mm512_srli_epi64::<26>(d2), _mm512_slli_epi64::<26>(d3));
    let five = _mm512_add_epi64(_mm512_slli_epi64::<2>(above), above);
    let d0 = _mm512_add_epi64(d0, five);
    let d1 = _mm512_add_epi64(d1, _mm512_srli_epi64::<52>(d0));
    let d2 = _mm512_and_si512(d2, mask);
    let d2 = _mm512_add_epi64(d2, _mm512_srli_epi64::<52>(d1));
    [d0, d1, d2]
}

/// A number `x` to multiply by, as `x`, `x * 2^52` and `x * 2^104`.
#[derive(Clone, Copy)]
pub(super) struct Factor([Limbs; 3]);

impl Factor {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> Self {
        Self([[_mm512_setzero_si512(); 3]; 3])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(limbs: &Limbs) -> Self {
        let mask_26 = _mm512_set1_epi64(MASK_26.cast_signed());
        let x = [low_52(limbs[0]), low_52(limbs[1]), limbs[2]];
        // Everything from bit 130 upwards returns at the bottom, five times. Bit 130 is bit 26 of
        // the upper limb, which is, one place further up, the middle limb of `x` and, two places
        // further up, the lower one.
        let [low, middle] = [0, 1].map(|i| _mm512_srli_epi64::<26>(x[i]));
        let [above_low, above_middle] = [1, 2].map(|i| _mm512_slli_epi64::<26>(x[i]));
        let above = five_times(_mm512_add_epi64(middle, above_middle));
        let once = [above, x[0], _mm512_and_si512(x[1], mask_26)];
        let above_low = _mm512_and_si512(above_low, _mm512_set1_epi64(MASK_52.cast_signed()));
        let twice = [
            five_times(_mm512_add_epi64(low, above_low)),
            five_times(_mm512_add_epi64(middle, above_middle)),
            _mm512_and_si512(x[0], mask_26),
        ];
        Self([x, settle(&once), settle(&twice)])
    }
}

/// Brings the lower limbs below 2^52.
#[inline]
#[target_feature(enable = "avx512f")]
fn settle([x0, x1, x2]: &Limbs) -> Limbs {
    let x1 = _mm512_add_epi64(*x1, _mm512_srli_epi64::<52>(*x0));
    let x2 = _mm512_add_epi64(*x2, _mm512_srli_epi64::<52>(x1));
    [low_52(*x0), low_52(x1), x2]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn low_52(limb: __m512i) -> __m512i {
    _mm512_and_si512(limb, _mm512_set1_epi64(MASK_52.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn five_times(limb: __m512i) -> __m512i {
    _mm512_add_epi64(_mm512_slli_epi64::<2>(limb), limb)
}

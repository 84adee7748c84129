//! The lines of eight messages, block by block and lane by lane.

use core::arch::x86_64::*;

use super::LANES;
use super::field::{Limbs, split};
use crate::poly1305::reader::{Edge, Reader, Rows};
use crate::poly1305::{BLOCK_LEN, LINE_BLOCKS, LINE_LEN};

/// The lines of one step.
pub(super) struct Line {
    low: [__m512i; LINE_BLOCKS],
    high: [__m512i; LINE_BLOCKS],
    /// One in each lane in which the block is there.
    present: [__m512i; LINE_BLOCKS],
}

impl Line {
    #[inline]
    #[target_feature(enable = "avx512f,avx512vbmi2")]
    pub(super) fn limbs(&self, block: usize) -> Limbs {
        split(self.low[block], self.high[block], self.present[block])
    }

    /// A line of a group with a beginning or the end of a message in it, or nothing at all.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn edge<const GROUPS: usize, const SPREAD: usize>(
        reader: &Reader<'_, GROUPS, LANES, SPREAD>,
        step: usize,
        group: usize,
    ) -> Self {
        let mut rows = [[0; LINE_LEN]; LANES];
        let mut leads = [0; LANES];
        let mut ends = 0;
        for lane in 0..LANES {
            let Edge { lead, data } = reader.edge(step, group, lane);
            store(&mut rows[lane], load_behind(data, lead * BLOCK_LEN));
            leads[lane] = lead as u64;
            ends |= u8::from(reader.is_end(step, lane)) << lane;
        }
        let leads = load_lanes(&leads);
        let mut present = [leads; LINE_BLOCKS];
        for (block, present) in present.iter_mut().enumerate() {
            let there = _mm512_cmple_epu64_mask(leads, _mm512_set1_epi64(block as i64));
            *present = _mm512_maskz_set1_epi64(there, 1);
        }
        let mut line = Self::read(&rows.each_ref().map(halves), present);
        if ends != 0 {
            let [aad, text] = reader.lengths(group).map(|lengths| load_lanes(&lengths));
            let last = LINE_BLOCKS - 1;
            line.low[last] = _mm512_mask_mov_epi64(line.low[last], ends, aad);
            line.high[last] = _mm512_mask_mov_epi64(line.high[last], ends, text);
        }
        line
    }

    /// A line that is all data in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn all(rows: &Rows<'_, LANES>) -> Self {
        Self::read(&rows.map(halves), [_mm512_set1_epi64(1); LINE_BLOCKS])
    }

    /// A line that is all data in those lanes that have begun.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn some(rows: &Rows<'_, LANES>, begins: &[u64; LANES], step: usize) -> Self {
        let step = _mm512_set1_epi64((step as u64).cast_signed());
        let begun = _mm512_cmple_epu64_mask(load_lanes(begins), step);
        let present = _mm512_maskz_set1_epi64(begun, 1);
        Self::read(&rows.map(halves), [present; LINE_BLOCKS])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn read(rows: &[[&[u8; 32]; 2]; LANES], present: [__m512i; LINE_BLOCKS]) -> Self {
        let [low_0, low_1, high_0, high_1] = transpose(&rows.map(|[half, _]| half));
        let [low_2, low_3, high_2, high_3] = transpose(&rows.map(|[_, half]| half));
        Self {
            low: [low_0, low_1, low_2, low_3],
            high: [high_0, high_1, high_2, high_3],
            present,
        }
    }
}

/// Transposes two blocks of eight rows: the lower halves of the first blocks, those of the second
/// blocks, and the upper halves of both. The first of three stages is done by how the rows are
/// loaded, because only one execution port of some processors can shuffle.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: &[&[u8; 32]; LANES]) -> [__m512i; 4] {
    let a = load_two(rows[0], rows[2]);
    let b = load_two(rows[1], rows[3]);
    let c = load_two(rows[4], rows[6]);
    let d = load_two(rows[5], rows[7]);
    let low = [_mm512_unpacklo_epi64(a, b), _mm512_unpacklo_epi64(c, d)];
    let high = [_mm512_unpackhi_epi64(a, b), _mm512_unpackhi_epi64(c, d)];
    [
        _mm512_shuffle_i64x2::<0x88>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0xdd>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0x88>(high[0], high[1]),
        _mm512_shuffle_i64x2::<0xdd>(high[0], high[1]),
    ]
}

#[inline(always)]
fn halves(line: &[u8; LINE_LEN]) -> [&[u8; 32]; 2] {
    let (halves, _) = line.as_chunks();
    [&halves[0], &halves[1]]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_two(a: &[u8; 32], b: &[u8; 32]) -> __m512i {
    // SAFETY: the arrays are 32 readable bytes each; no alignment is asked for.
    let (a, b) = unsafe {
        (
            _mm256_loadu_si256(a.as_ptr().cast()),
            _mm256_loadu_si256(b.as_ptr().cast()),
        )
    };
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
}

/// `lead` zeros, the bytes, and zeros behind them: a line at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_behind(bytes: &[u8], lead: usize) -> __m512i {
    let mask = !u64::MAX.unbounded_shl(bytes.len() as u32);
    let mask = mask.unbounded_shl(lead as u32);
    // SAFETY: the mask has a bit for no byte that is not in the slice, and bytes without a bit
    // are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().wrapping_sub(lead).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_lanes(lanes: &[u64; LANES]) -> __m512i {
    // SAFETY: the array is 64 readable bytes; no alignment is asked for.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; LINE_LEN], value: __m512i) {
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

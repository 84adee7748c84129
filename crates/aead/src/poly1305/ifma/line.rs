//! The lines of eight messages, block by block and lane by lane.

use core::arch::x86_64::*;

use super::LANES;
use super::field::{Limbs, split};
use crate::poly1305::reader::{Edge, Reader};
use crate::poly1305::{LINE_BLOCKS, LINE_LEN};

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

    /// A line with a beginning or the end of a message in it, or nothing at all.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
    pub(super) fn edge<const SPREAD: usize>(
        reader: &Reader<'_, LANES, SPREAD>,
        step: usize,
    ) -> Self {
        let mut rows = [[0; LINE_LEN]; LANES];
        let mut present = [0_u8; LINE_BLOCKS];
        for (lane, row) in rows.iter_mut().enumerate() {
            let Edge {
                lead,
                data,
                lengths,
            } = reader.edge(step, lane);
            for block in &mut present[lead..] {
                *block |= 1 << lane;
            }
            let mut blocks =
                _mm512_maskz_expand_epi64(u8::MAX.unbounded_shl(2 * lead as u32), load_part(data));
            if let Some(lengths) = lengths {
                let [a, b] = lengths.map(u64::cast_signed);
                blocks = _mm512_inserti32x4::<3>(blocks, _mm_set_epi64x(b, a));
            }
            store(row, blocks);
        }
        Self::read(
            &rows.each_ref().map(halves),
            present.map(|lanes| _mm512_maskz_set1_epi64(lanes, 1)),
        )
    }

    /// A line that is data in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn full(rows: &[&[u8; LINE_LEN]; LANES]) -> Self {
        Self::read(&rows.map(halves), [_mm512_set1_epi64(1); LINE_BLOCKS])
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

/// At most a line, zeros behind it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part(bytes: &[u8]) -> __m512i {
    let above = u64::MAX.checked_shl(bytes.len() as u32).unwrap_or(0);
    // SAFETY: the mask has a bit for no byte that is not in the slice, and bytes without a bit
    // are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(!above, bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; LINE_LEN], value: __m512i) {
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

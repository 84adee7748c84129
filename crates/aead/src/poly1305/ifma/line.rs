//! The lines of eight messages, block by block and lane by lane.

use core::arch::x86_64::*;
use core::ops::Range;

use super::field::{Limbs, split};
use super::{LANES, LINE_BLOCKS, LINE_LEN, lines};
use crate::poly1305::{BLOCK_LEN, Message};

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

/// Reads messages line by line, so that all of them end together. A message of several lanes has
/// every second (fourth, eighth) line in each of them.
pub(super) struct Reader<'a, const SPREAD: usize> {
    lanes: &'a [&'a Message<'a>; LANES],
    /// Zero blocks before each message.
    lead: [usize; LANES],
    steps: usize,
    /// The steps that need no masks in any lane.
    full: Range<usize>,
}

impl<'a, const SPREAD: usize> Reader<'a, SPREAD> {
    pub(super) fn new(lanes: &'a [&'a Message<'a>; LANES]) -> Self {
        let longest = lanes
            .iter()
            .fold(0, |most, message| most.max(lines(message)));
        let steps = longest.div_ceil(SPREAD);
        let blocks = steps * SPREAD * LINE_BLOCKS;
        let lead = lanes.map(|message| blocks - message.blocks());
        let most = lead.iter().fold(0, |most, &lead| most.max(lead));
        let last = steps - 1;
        Self {
            lanes,
            lead,
            steps,
            full: most.div_ceil(LINE_BLOCKS * SPREAD).min(last)..last,
        }
    }

    /// The steps that [`Self::full_lines`] reads.
    pub(super) const fn full(&self) -> &Range<usize> {
        &self.full
    }

    /// All lines that need no masks.
    #[inline(always)]
    pub(super) fn full_lines(&self) -> FullLines<'a, SPREAD> {
        let mut lanes = [[].as_slice(); LANES];
        for (lane, bytes) in lanes.iter_mut().enumerate() {
            let line = self.full.start * SPREAD + lane % SPREAD;
            let from = (line * LINE_BLOCKS).checked_sub(self.lead[lane]);
            let from = from.map(|block| block * BLOCK_LEN);
            *bytes = from
                .and_then(|from| self.lanes[lane].data.get(from..))
                .unwrap_or_default();
        }
        FullLines(lanes)
    }

    /// A line with a beginning or the end of a message in it, or nothing at all.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
    pub(super) fn edge(&self, step: usize) -> Line {
        let mut rows = [[0; LINE_LEN]; LANES];
        let mut present = [0_u8; LINE_BLOCKS];
        for (lane, row) in rows.iter_mut().enumerate() {
            let line = step * SPREAD + lane % SPREAD;
            let lead = self.lead[lane].saturating_sub(line * LINE_BLOCKS);
            if lead >= LINE_BLOCKS {
                continue;
            }
            present[lead..]
                .iter_mut()
                .for_each(|block| *block |= 1 << lane);
            let message = self.lanes[lane];
            let from = (line * LINE_BLOCKS + lead - self.lead[lane]) * BLOCK_LEN;
            let bytes = message.data.get(from..).unwrap_or_default();
            let bytes = &bytes[..bytes.len().min(LINE_LEN - lead * BLOCK_LEN)];
            let mut blocks = _mm512_maskz_expand_epi64(0xff << (2 * lead), load_part(bytes));
            if line + 1 == self.steps * SPREAD {
                let [a, b] = message.lengths.map(u64::cast_signed);
                blocks = _mm512_inserti32x4::<3>(blocks, _mm_set_epi64x(b, a));
            }
            store(row, blocks);
        }
        Line::read(
            &rows.each_ref().map(halves),
            present.map(|lanes| _mm512_maskz_set1_epi64(lanes, 1)),
        )
    }
}

/// Lines that are full in all lanes.
pub(super) struct FullLines<'a, const SPREAD: usize>([&'a [u8]; LANES]);

impl<const SPREAD: usize> FullLines<'_, SPREAD> {
    /// The lines of the next step; `None` behind the last.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn next(&mut self) -> Option<Line> {
        let mut rows = [[&[0; 32]; 2]; LANES];
        for (row, bytes) in rows.iter_mut().zip(&mut self.0) {
            *row = halves(bytes.first_chunk()?);
            *bytes = bytes.get(SPREAD * LINE_LEN..).unwrap_or_default();
        }
        Some(Line::read(&rows, [_mm512_set1_epi64(1); LINE_BLOCKS]))
    }
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

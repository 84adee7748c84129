//! Eight blocks at once: register `w` holds word `w` of eight states.

use core::arch::x86_64::*;

use core::hint::black_box;

use super::{BLOCK_LEN, Frame, Lanes};
use crate::lines::{Span, Stream};

const LANES: usize = 8;

/// Half a block.
const HALF_LEN: usize = 32;

/// A round of eight states. Macros, because a call would clear the registers.
macro_rules! column_round {
    ($v:ident, $rotations:ident) => {
        quarter_rounds!(
            $v,
            $rotations,
            [4, 5, 6, 7],
            [8, 9, 10, 11],
            [12, 13, 14, 15]
        );
    };
}

macro_rules! diagonal_round {
    ($v:ident, $rotations:ident) => {
        quarter_rounds!(
            $v,
            $rotations,
            [5, 6, 7, 4],
            [10, 11, 8, 9],
            [15, 12, 13, 14]
        );
    };
}

/// The first round from where [`Frame::begun`] leaves it.
macro_rules! rest_of_first_round {
    ($v:ident, $rotations:ident) => {
        for i in [12, 14] {
            $v[i] = $rotations.by_16(_mm256_xor_si256($v[i], $v[i - 12]));
        }
        add_xor_rotate!($v, [8, 10], [12, 14], [4, 6], rotate::<12, 20>);
        add_xor_rotate!($v, [0, 2], [4, 6], [12, 14], |v| $rotations.by_8(v));
        add_xor_rotate!($v, [8, 10], [12, 14], [4, 6], rotate::<7, 25>);
    };
}

/// Four quarter rounds side by side, so that no instruction waits for the one before it: on the
/// words 0 to 3 and those listed.
macro_rules! quarter_rounds {
    ($v:ident, $rotations:ident, $b:expr, $c:expr, $d:expr) => {
        add_xor_rotate!($v, [0, 1, 2, 3], $b, $d, |v| $rotations.by_16(v));
        add_xor_rotate!($v, $c, $d, $b, rotate::<12, 20>);
        add_xor_rotate!($v, [0, 1, 2, 3], $b, $d, |v| $rotations.by_8(v));
        add_xor_rotate!($v, $c, $d, $b, rotate::<7, 25>);
    };
}

/// `to += by; xored = (xored ^ to) <<< bits`, for each of a few.
macro_rules! add_xor_rotate {
    ($v:ident, $to:expr, $by:expr, $xored:expr, $rotate:expr) => {
        for i in 0..$to.len() {
            $v[$to[i]] = _mm256_add_epi32($v[$to[i]], $v[$by[i]]);
            $v[$xored[i]] = $rotate(_mm256_xor_si256($v[$xored[i]], $v[$to[i]]));
        }
    };
}

/// One word of eight blocks a register.
type State = [__m256i; 16];

/// Makes all blocks of a stream and applies each to its line.
#[target_feature(enable = "avx2")]
pub(crate) fn apply<S: Stream>(key: &[u32; 8], stream: &mut S) {
    let mut lanes = Lanes::<LANES>::new();
    let frame = Frame::new(key, stream.nonce());
    let mut start = splat(&frame.start);
    let mut begun = splat(&frame.begun);
    let mut blocks = Blocks::new();
    let rotations = ByteRotations::new();
    while stream.fill(&mut lanes) {
        let own = own_rows(&lanes);
        [start[12], start[14]] = own;
        [begun[12], begun[14]] = own;
        let mut state = begun;
        rest_of_first_round!(state, rotations);
        diagonal_round!(state, rotations);
        for _ in 1..10 {
            column_round!(state, rotations);
            diagonal_round!(state, rotations);
        }
        for (row, &start) in state.iter_mut().zip(&start) {
            *row = _mm256_add_epi32(*row, start);
        }
        blocks.transpose(&state);
        apply_blocks(&lanes, &blocks, stream);
    }
}

/// The same state in all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn splat(words: &[u32; 16]) -> State {
    let mut state = [_mm256_setzero_si256(); 16];
    for (row, word) in state.iter_mut().zip(words) {
        *row = _mm256_set1_epi32(word.cast_signed());
    }
    state
}

/// Block numbers and middle words of the nonces: the rows 12 and 14.
#[inline]
#[target_feature(enable = "avx2")]
fn own_rows(lanes: &Lanes<LANES>) -> [__m256i; 2] {
    let lane_numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let [mut numbers, mut nonces] = [_mm256_setzero_si256(); 2];
    // Each run overwrites the lanes from its first one on.
    let mut lane = 0;
    for run in lanes.runs() {
        let before = _mm256_cmpgt_epi32(_mm256_set1_epi32(lane), lane_numbers);
        let first = run.first.wrapping_sub(lane.cast_unsigned()).cast_signed();
        let number = _mm256_add_epi32(lane_numbers, _mm256_set1_epi32(first));
        numbers = _mm256_blendv_epi8(number, numbers, before);
        let nonce = _mm256_set1_epi32(run.nonce.cast_signed());
        nonces = _mm256_blendv_epi8(nonce, nonces, before);
        lane += run.count.cast_signed();
    }
    [numbers, nonces]
}

/// Rotations by whole bytes are shuffles.
struct ByteRotations {
    by_16: __m256i,
    by_8: __m256i,
}

impl ByteRotations {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        let by_16 = _mm256_setr_epi8(
            2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, //
            2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
        );
        let by_8 = _mm256_setr_epi8(
            3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, //
            3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14,
        );
        // A compiler that knows the constants finds other instructions for them, but more of them.
        black_box(Self { by_16, by_8 })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn by_16(&self, words: __m256i) -> __m256i {
        _mm256_shuffle_epi8(words, self.by_16)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn by_8(&self, words: __m256i) -> __m256i {
        _mm256_shuffle_epi8(words, self.by_8)
    }
}

/// `RIGHT` is 32 minus `LEFT`.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(words: __m256i) -> __m256i {
    _mm256_or_si256(
        _mm256_slli_epi32::<LEFT>(words),
        _mm256_srli_epi32::<RIGHT>(words),
    )
}

/// Blocks as they are applied, in two halves each.
struct Blocks([[__m256i; 2]; LANES]);

impl Blocks {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        Self([[_mm256_setzero_si256(); 2]; LANES])
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn transpose(&mut self, state: &State) {
        for half in 0..2 {
            let first = transpose_rows(state, 8 * half);
            let second = transpose_rows(state, 8 * half + 4);
            let (low, high) = self.0.split_at_mut(LANES / 2);
            let blocks = low.iter_mut().zip(high);
            for ((low, high), (a, b)) in blocks.zip(first.into_iter().zip(second)) {
                low[half] = _mm256_permute2x128_si256::<0x20>(a, b);
                high[half] = _mm256_permute2x128_si256::<0x31>(a, b);
            }
        }
    }
}

/// Four words of the lanes `j` and `4 + j` from the row `first` on.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_rows(rows: &State, first: usize) -> [__m256i; 4] {
    let [a, b, c, d] = [
        rows[first],
        rows[first + 1],
        rows[first + 2],
        rows[first + 3],
    ];
    let low_ab = _mm256_unpacklo_epi32(a, b);
    let high_ab = _mm256_unpackhi_epi32(a, b);
    let low_cd = _mm256_unpacklo_epi32(c, d);
    let high_cd = _mm256_unpackhi_epi32(c, d);
    [
        _mm256_unpacklo_epi64(low_ab, low_cd),
        _mm256_unpackhi_epi64(low_ab, low_cd),
        _mm256_unpacklo_epi64(high_ab, high_cd),
        _mm256_unpackhi_epi64(high_ab, high_cd),
    ]
}

/// Applies the blocks of all lanes to their lines.
#[inline]
#[target_feature(enable = "avx2")]
fn apply_blocks<S: Stream>(lanes: &Lanes<LANES>, blocks: &Blocks, stream: &mut S) {
    let mut blocks = blocks.0.as_slice();
    for run in lanes.runs() {
        let (mut first, mut count) = (run.first, run.count as usize);
        while count > 0 {
            let Span { source, target } = stream.span(run.member, first, count);
            let (lines, end) = target.as_chunks_mut();
            let (now, later) = blocks.split_at(lines.len());
            match source {
                None => {
                    for (line, block) in lines.iter_mut().zip(now) {
                        let text = *line;
                        apply_block(&text, line, block);
                    }
                }
                Some(source) => {
                    for ((line, from), block) in lines.iter_mut().zip(source.as_chunks().0).zip(now)
                    {
                        apply_block(from, line, block);
                    }
                }
            }
            blocks = later;
            count -= now.len();
            first = first.wrapping_add(now.len() as u32);
            if !end.is_empty()
                && let Some((block, later)) = blocks.split_first()
            {
                let text = source.map_or(&*end, |source| source.as_chunks::<BLOCK_LEN>().1);
                let mut line = [0; BLOCK_LEN];
                line[..text.len()].copy_from_slice(text);
                let text = line;
                apply_block(&text, &mut line, block);
                end.copy_from_slice(&line[..end.len()]);
                blocks = later;
                count = 0;
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn apply_block(from: &[u8; BLOCK_LEN], line: &mut [u8; BLOCK_LEN], block: &[__m256i; 2]) {
    let from = from.as_chunks::<HALF_LEN>().0;
    let halves = line.as_chunks_mut::<HALF_LEN>().0;
    for ((half, from), &block) in halves.iter_mut().zip(from).zip(block) {
        // SAFETY: the arrays are 32 bytes each, readable and writable; no alignment is asked for.
        unsafe {
            let text = _mm256_loadu_si256(from.as_ptr().cast());
            _mm256_storeu_si256(half.as_mut_ptr().cast(), _mm256_xor_si256(text, block));
        }
    }
}

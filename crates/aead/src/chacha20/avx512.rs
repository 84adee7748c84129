//! Sixteen blocks at once: register `w` holds word `w` of sixteen states.

use core::arch::x86_64::*;

use super::{BLOCK_LEN, CONSTANTS, Lanes};
use crate::lines::{Span, Stream};

const LANES: usize = 16;

/// Two rounds of sixteen states. Macros, because all of it has to stay in registers.
macro_rules! double_round {
    ($v:ident) => {
        quarter_rounds!($v, [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]);
        quarter_rounds!($v, [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]);
    };
}

/// Four quarter rounds side by side, so that no instruction waits for the one before it: on the
/// words 0 to 3 and those listed.
macro_rules! quarter_rounds {
    ($v:ident, $b:expr, $c:expr, $d:expr) => {
        add_xor_rotate!($v, [0, 1, 2, 3], $b, $d, 16);
        add_xor_rotate!($v, $c, $d, $b, 12);
        add_xor_rotate!($v, [0, 1, 2, 3], $b, $d, 8);
        add_xor_rotate!($v, $c, $d, $b, 7);
    };
}

/// `to += by; xored = (xored ^ to) <<< bits`, four times.
macro_rules! add_xor_rotate {
    ($v:ident, $to:expr, $by:expr, $xored:expr, $bits:literal) => {
        for i in 0..4 {
            $v[$to[i]] = _mm512_add_epi32($v[$to[i]], $v[$by[i]]);
        }
        for i in 0..4 {
            $v[$xored[i]] = _mm512_xor_si512($v[$xored[i]], $v[$to[i]]);
        }
        for i in 0..4 {
            $v[$xored[i]] = _mm512_rol_epi32::<$bits>($v[$xored[i]]);
        }
    };
}

/// Applies the blocks of all lanes to their lines. A macro for the same reason: a call would clear
/// all registers.
macro_rules! apply_blocks {
    ($lanes:expr, $blocks:expr, $stream:expr) => {
        let mut blocks = $blocks.as_slice();
        for run in $lanes.runs() {
            let (mut first, mut count) = (run.first, run.count as usize);
            while count > 0 {
                let Span { source, target } = $stream.span(run.member, first, count);
                let (lines, end) = target.as_chunks_mut();
                let (now, later) = blocks.split_at(lines.len());
                match source {
                    None => {
                        for (line, &block) in lines.iter_mut().zip(now) {
                            store(line, _mm512_xor_si512(load(line), block));
                        }
                    }
                    Some(source) => {
                        for ((line, from), &block) in
                            lines.iter_mut().zip(source.as_chunks().0).zip(now)
                        {
                            store(line, _mm512_xor_si512(load(from), block));
                        }
                    }
                }
                blocks = later;
                count -= now.len();
                first = first.wrapping_add(now.len() as u32);
                if !end.is_empty()
                    && let Some((&block, later)) = blocks.split_first()
                {
                    let text =
                        load_part(source.map_or(&*end, |source| source.as_chunks::<BLOCK_LEN>().1));
                    store_part(end, _mm512_xor_si512(text, block));
                    blocks = later;
                    count = 0;
                }
            }
        }
    };
}

/// One word of sixteen blocks a register.
type State = [__m512i; 16];

/// One block a register.
type Blocks = [__m512i; LANES];

/// Makes all blocks of a stream and applies each to its line.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn apply<S: Stream>(key: &[u32; 8], stream: &mut S) {
    let mut lanes = [Lanes::new(), Lanes::new(), Lanes::new()];
    let [mut before, mut now, mut next] = lanes.each_mut();
    let mut more = stream.fill(now);
    let mut start = start(key);
    let mut own = own_rows(now);
    let mut scratch = Scratch::new();
    while more {
        start[12..].copy_from_slice(&own);
        let mut state = start;
        double_round!(state);
        more = stream.fill(next);
        own = own_rows(next);
        for i in [0, 2] {
            double_round!(state);
            transpose_rows(&scratch.finished, &mut scratch.fours, i);
            transpose_rows(&scratch.finished, &mut scratch.fours, i + 1);
        }
        for j in [0, 2] {
            double_round!(state);
            transpose_fours(&scratch.fours, &mut scratch.blocks, j);
            transpose_fours(&scratch.fours, &mut scratch.blocks, j + 1);
        }
        double_round!(state);
        double_round!(state);
        apply_blocks!(before, scratch.blocks, stream);
        double_round!(state);
        double_round!(state);
        double_round!(state);
        for i in 0..16 {
            scratch.finished[i] = _mm512_add_epi32(state[i], start[i]);
        }
        (before, now, next) = (now, next, before);
    }
    for i in 0..4 {
        transpose_rows(&scratch.finished, &mut scratch.fours, i);
    }
    for j in 0..4 {
        transpose_fours(&scratch.fours, &mut scratch.blocks, j);
    }
    apply_blocks!(before, scratch.blocks, stream);
}

/// The state before the first round, but for the rows that are different in each lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn start(key: &[u32; 8]) -> State {
    let mut state = [_mm512_setzero_si512(); 16];
    for (row, word) in state.iter_mut().zip(CONSTANTS.iter().chain(key)) {
        *row = _mm512_set1_epi32(word.cast_signed());
    }
    state
}

/// Block numbers and nonces: the last four rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn own_rows(lanes: &Lanes<LANES>) -> [__m512i; 4] {
    let lane_numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut rows = [_mm512_setzero_si512(); 4];
    // Each run overwrites the lanes from its first one on.
    let mut lane = 0;
    for run in lanes.runs() {
        let mask = u16::MAX << lane;
        let first = run.first.wrapping_sub(lane).cast_signed();
        let number = _mm512_add_epi32(lane_numbers, _mm512_set1_epi32(first));
        rows[0] = _mm512_mask_mov_epi32(rows[0], mask, number);
        for (row, word) in rows[1..].iter_mut().zip(run.nonce) {
            *row = _mm512_mask_set1_epi32(*row, mask, word.cast_signed());
        }
        lane += run.count;
    }
    rows
}

/// What goes from one call of the block function to the next.
struct Scratch {
    /// States after their last round, still one word a register.
    finished: State,
    /// The same half transposed: `fours[4 * i + j]` has words 4i to 4i + 3 of the lanes j, 4 + j,
    /// 8 + j and 12 + j.
    fours: State,
    blocks: Blocks,
}

impl Scratch {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new() -> Self {
        let zero = [_mm512_setzero_si512(); 16];
        Self {
            finished: zero,
            fours: zero,
            blocks: zero,
        }
    }
}

/// The first half of the transposition: rows 4i to 4i + 3.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_rows(rows: &State, fours: &mut State, i: usize) {
    let [a, b, c, d] = [
        rows[4 * i],
        rows[4 * i + 1],
        rows[4 * i + 2],
        rows[4 * i + 3],
    ];
    let low_ab = _mm512_unpacklo_epi32(a, b);
    let high_ab = _mm512_unpackhi_epi32(a, b);
    let low_cd = _mm512_unpacklo_epi32(c, d);
    let high_cd = _mm512_unpackhi_epi32(c, d);
    fours[4 * i] = _mm512_unpacklo_epi64(low_ab, low_cd);
    fours[4 * i + 1] = _mm512_unpackhi_epi64(low_ab, low_cd);
    fours[4 * i + 2] = _mm512_unpacklo_epi64(high_ab, high_cd);
    fours[4 * i + 3] = _mm512_unpackhi_epi64(high_ab, high_cd);
}

/// The second half: lanes j, 4 + j, 8 + j and 12 + j.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_fours(fours: &State, blocks: &mut Blocks, j: usize) {
    let [a, b, c, d] = [fours[j], fours[j + 4], fours[j + 8], fours[j + 12]];
    let ab_low = _mm512_shuffle_i32x4::<0x44>(a, b);
    let ab_high = _mm512_shuffle_i32x4::<0xee>(a, b);
    let cd_low = _mm512_shuffle_i32x4::<0x44>(c, d);
    let cd_high = _mm512_shuffle_i32x4::<0xee>(c, d);
    blocks[j] = _mm512_shuffle_i32x4::<0x88>(ab_low, cd_low);
    blocks[j + 4] = _mm512_shuffle_i32x4::<0xdd>(ab_low, cd_low);
    blocks[j + 8] = _mm512_shuffle_i32x4::<0x88>(ab_high, cd_high);
    blocks[j + 12] = _mm512_shuffle_i32x4::<0xdd>(ab_high, cd_high);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(bytes: &[u8; BLOCK_LEN]) -> __m512i {
    // SAFETY: the array is 64 readable bytes; no alignment is asked for.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(bytes: &mut [u8; BLOCK_LEN], value: __m512i) {
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

/// The first 64 bytes at most, zeros behind them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask has a bit for no byte that is not in the slice, and bytes without a bit
    // are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(mask(bytes.len()), bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_part(bytes: &mut [u8], value: __m512i) {
    // SAFETY: as for `load_part`.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask(bytes.len()), value) }
}

/// A bit for each of `len` bytes, 64 at most.
#[inline]
const fn mask(len: usize) -> __mmask64 {
    if len < BLOCK_LEN {
        (1 << len) - 1
    } else {
        __mmask64::MAX
    }
}

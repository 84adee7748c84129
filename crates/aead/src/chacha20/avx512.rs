//! Sixteen blocks at once: register `w` holds word `w` of sixteen states.

use core::arch::x86_64::*;

use super::{BLOCK_LEN, Frame, Lanes};
use crate::lines::{Span, Stream};

const LANES: usize = 16;

/// Two rounds of sixteen states. Macros, because all of it has to stay in registers.
macro_rules! double_round {
    ($v:ident) => {
        quarter_rounds!($v, [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]);
        diagonal_round!($v);
    };
}

macro_rules! diagonal_round {
    ($v:ident) => {
        quarter_rounds!($v, [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]);
    };
}

/// The first round from where [`Frame::begun`] leaves it.
macro_rules! rest_of_first_round {
    ($v:ident) => {
        for i in [12, 14] {
            $v[i] = _mm512_rol_epi32::<16>(_mm512_xor_si512($v[i], $v[i - 12]));
        }
        add_xor_rotate!($v, [8, 10], [12, 14], [4, 6], 12);
        add_xor_rotate!($v, [0, 2], [4, 6], [12, 14], 8);
        add_xor_rotate!($v, [8, 10], [12, 14], [4, 6], 7);
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

/// `to += by; xored = (xored ^ to) <<< bits`, for each of a few.
macro_rules! add_xor_rotate {
    ($v:ident, $to:expr, $by:expr, $xored:expr, $bits:literal) => {
        for i in 0..$to.len() {
            $v[$to[i]] = _mm512_add_epi32($v[$to[i]], $v[$by[i]]);
        }
        for i in 0..$to.len() {
            $v[$xored[i]] = _mm512_xor_si512($v[$xored[i]], $v[$to[i]]);
        }
        for i in 0..$to.len() {
            $v[$xored[i]] = _mm512_rol_epi32::<$bits>($v[$xored[i]]);
        }
    };
}

/// Applies the blocks of all lanes to their lines. A macro for the same reason: a call would clear
/// all registers.
macro_rules! apply_blocks {
    ($lanes:expr, $blocks:expr, $stream:expr) => {
        let mut blocks = $blocks.0.as_slice();
        for run in $lanes.runs() {
            let (mut first, mut count) = (run.first, run.count as usize);
            while count > 0 {
                let Span { source, target } = $stream.span(run.member, first, count);
                let (lines, end) = target.as_chunks_mut();
                let (now, later) = blocks.split_at(lines.len());
                match source {
                    None => {
                        for (line, block) in lines.iter_mut().zip(now) {
                            store(line, _mm512_xor_si512(load(line), load(block)));
                        }
                    }
                    Some(source) => {
                        for ((line, from), block) in
                            lines.iter_mut().zip(source.as_chunks().0).zip(now)
                        {
                            store(line, _mm512_xor_si512(load(from), load(block)));
                        }
                    }
                }
                blocks = later;
                count -= now.len();
                first = first.wrapping_add(now.len() as u32);
                if !end.is_empty()
                    && let Some((block, later)) = blocks.split_first()
                {
                    let text =
                        load_part(source.map_or(&*end, |source| source.as_chunks::<BLOCK_LEN>().1));
                    store_part(end, _mm512_xor_si512(text, load(block)));
                    blocks = later;
                    count = 0;
                }
            }
        }
    };
}

/// One word of sixteen blocks a register.
type State = [__m512i; 16];

/// Makes all blocks of a stream and applies each to its line. While one call of the block function
/// is in its rounds, the blocks of the one before are put together, and those of the one before that
/// are applied.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn apply<S: Stream>(key: &[u32; 8], stream: &mut S) {
    let mut lanes = [Lanes::new(), Lanes::new(), Lanes::new()];
    let [mut before, mut now, mut next] = lanes.each_mut();
    let mut more = stream.fill(now);
    let frame = Frame::new(key, stream.nonce());
    let mut start = splat(&frame.start);
    let mut begun = splat(&frame.begun);
    let mut own = own_rows(now);
    let mut finished = [_mm512_setzero_si512(); 16];
    let mut blocks = Blocks::new();
    while more {
        [start[12], start[14]] = own;
        [begun[12], begun[14]] = own;
        let mut state = begun;
        rest_of_first_round!(state);
        diagonal_round!(state);
        more = stream.fill(next);
        own = own_rows(next);
        for i in 0..4 {
            double_round!(state);
            blocks.put_rows(&finished, i);
        }
        double_round!(state);
        double_round!(state);
        apply_blocks!(before, blocks, stream);
        double_round!(state);
        double_round!(state);
        double_round!(state);
        for i in 0..16 {
            finished[i] = _mm512_add_epi32(state[i], start[i]);
        }
        (before, now, next) = (now, next, before);
    }
    for i in 0..4 {
        blocks.put_rows(&finished, i);
    }
    apply_blocks!(before, blocks, stream);
}

/// The same state in all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn splat(words: &[u32; 16]) -> State {
    let mut state = [_mm512_setzero_si512(); 16];
    for (row, word) in state.iter_mut().zip(words) {
        *row = _mm512_set1_epi32(word.cast_signed());
    }
    state
}

/// Block numbers and middle words of the nonces: the rows 12 and 14.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn own_rows(lanes: &Lanes<LANES>) -> [__m512i; 2] {
    let lane_numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let [mut numbers, mut nonces] = [_mm512_setzero_si512(); 2];
    // Each run overwrites the lanes from its first one on.
    let mut lane = 0;
    for run in lanes.runs() {
        let mask = u16::MAX << lane;
        let first = run.first.wrapping_sub(lane).cast_signed();
        let first = _mm512_set1_epi32(first);
        numbers = _mm512_mask_add_epi32(numbers, mask, lane_numbers, first);
        nonces = _mm512_mask_set1_epi32(nonces, mask, run.nonce.cast_signed());
        lane += run.count;
    }
    [numbers, nonces]
}

/// Blocks as they are applied.
#[repr(align(64))]
struct Blocks([[u8; BLOCK_LEN]; LANES]);

impl Blocks {
    const fn new() -> Self {
        Self([[0; BLOCK_LEN]; LANES])
    }

    /// Puts the words 4i to 4i + 3 of all lanes into their places. The second half of the
    /// transposition is done by how they are stored, because only one execution port of some
    /// processors can shuffle.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn put_rows(&mut self, rows: &State, i: usize) {
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
        // Of the lanes j, 4 + j, 8 + j and 12 + j.
        let fours = [
            _mm512_unpacklo_epi64(low_ab, low_cd),
            _mm512_unpackhi_epi64(low_ab, low_cd),
            _mm512_unpacklo_epi64(high_ab, high_cd),
            _mm512_unpackhi_epi64(high_ab, high_cd),
        ];
        for (j, four) in fours.into_iter().enumerate() {
            self.put_four(j, i, _mm512_extracti32x4_epi32::<0>(four));
            self.put_four(j + 4, i, _mm512_extracti32x4_epi32::<1>(four));
            self.put_four(j + 8, i, _mm512_extracti32x4_epi32::<2>(four));
            self.put_four(j + 12, i, _mm512_extracti32x4_epi32::<3>(four));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn put_four(&mut self, lane: usize, i: usize, words: __m128i) {
        let quarter = &mut self.0[lane].as_chunks_mut::<16>().0[i];
        // SAFETY: the array is 16 writable bytes; no alignment is asked for.
        unsafe { _mm_storeu_si128(quarter.as_mut_ptr().cast(), words) }
    }
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

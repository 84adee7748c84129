//! Sixteen blocks at once: register `w` holds word `w` of sixteen states.

use core::arch::x86_64::*;

use super::{BLOCK_LEN, CONSTANTS, LANES, Lanes};
use crate::lines::Lines;

/// Makes all blocks and applies each to its line.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn apply<L: Lines>(key: &[u32; 8], lanes: &Lanes, lines: &mut L) {
    let blocks = blocks(key, lanes);
    let mut rest = blocks.as_slice();
    for run in lanes.runs() {
        let mut done = 0;
        while done < run.count {
            let span = lines.span(run.member, run.first + done as u32, run.count - done);
            let (now, later) = rest.split_at(span.lines());
            apply_blocks(span.source, span.target, now);
            done += now.len();
            rest = later;
        }
    }
}

/// Four quarter rounds side by side, so that no instruction waits for the one before it: on the
/// words 0 to 3 and those listed. A macro, because all of it has to stay in registers.
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

/// The keystream of sixteen lanes, one register a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn blocks(key: &[u32; 8], lanes: &Lanes) -> [__m512i; LANES] {
    let mut state = [_mm512_setzero_si512(); 16];
    for (row, word) in state.iter_mut().zip(CONSTANTS.iter().chain(key)) {
        *row = _mm512_set1_epi32(word.cast_signed());
    }
    let lane_numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // Each run overwrites the lanes from its first one on.
    let mut free = 0;
    for run in lanes.runs() {
        let mask = u16::MAX << free;
        let first = run.first.wrapping_sub(free).cast_signed();
        let number = _mm512_add_epi32(lane_numbers, _mm512_set1_epi32(first));
        state[12] = _mm512_mask_mov_epi32(state[12], mask, number);
        for (row, word) in state[13..].iter_mut().zip(run.nonce) {
            *row = _mm512_mask_set1_epi32(*row, mask, word.cast_signed());
        }
        free += run.count as u32;
    }
    let start = state;
    for _ in 0..10 {
        quarter_rounds!(state, [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]);
        quarter_rounds!(state, [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]);
    }
    for (row, start) in state.iter_mut().zip(start) {
        *row = _mm512_add_epi32(*row, start);
    }
    transpose(&state)
}

/// From one word of sixteen blocks a register to one block a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(v: &[__m512i; 16]) -> [__m512i; 16] {
    // Four rows at a time: `fours[4 * i + j]` has words 4i to 4i + 3 of the lanes j, 4 + j, 8 + j
    // and 12 + j.
    let mut fours = *v;
    for i in (0..16).step_by(4) {
        let low_a = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        let high_a = _mm512_unpackhi_epi32(v[i], v[i + 1]);
        let low_b = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]);
        let high_b = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
        fours[i] = _mm512_unpacklo_epi64(low_a, low_b);
        fours[i + 1] = _mm512_unpackhi_epi64(low_a, low_b);
        fours[i + 2] = _mm512_unpacklo_epi64(high_a, high_b);
        fours[i + 3] = _mm512_unpackhi_epi64(high_a, high_b);
    }
    let mut blocks = fours;
    for j in 0..4 {
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
    blocks
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn apply_blocks(source: Option<&[u8]>, target: &mut [u8], blocks: &[__m512i]) {
    let (lines, end) = target.as_chunks_mut();
    let last = blocks.get(lines.len());
    let Some(source) = source else {
        for (line, &block) in lines.iter_mut().zip(blocks) {
            store(line, _mm512_xor_si512(load(line), block));
        }
        if let Some(&block) = last {
            store_part(end, _mm512_xor_si512(load_part(end), block));
        }
        return;
    };
    let (sources, source_end) = source.as_chunks();
    for ((line, source), &block) in lines.iter_mut().zip(sources).zip(blocks) {
        store(line, _mm512_xor_si512(load(source), block));
    }
    if let Some(&block) = last {
        store_part(end, _mm512_xor_si512(load_part(source_end), block));
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

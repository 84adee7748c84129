//! Eight lanes of 52-bit multiply-add: eight messages in lock-step, or fewer with two, four or
//! eight lanes each.

mod field;
mod line;

use core::arch::x86_64::*;
use core::hint::black_box;

use self::field::{Factor, Limbs, Sum, choose, split};
use self::line::{Line, transpose};
use super::reader::Reader;
use super::schedule::{Schedule, Turn};
use super::{CLAMP, Message};
use crate::TAG_LEN;

const LANES: usize = 8;

/// Authenticates up to sixteen messages; `tags[i]` is that of `messages[i]`.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
pub(crate) fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let mut schedule = Schedule::new(messages);
    while let Some(Turn { spread, order }) = schedule.next(LANES) {
        match spread {
            1 => run::<1>(messages, order, tags),
            2 => run::<2>(messages, order, tags),
            4 => run::<4>(messages, order, tags),
            _ => run::<8>(messages, order, tags),
        }
    }
}

/// Authenticates `LANES / SPREAD` messages at most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn run<const SPREAD: usize>(messages: &[Message<'_>], order: &[usize], tags: &mut [[u8; TAG_LEN]]) {
    // Lanes to spare follow the longest message: no masks on their account.
    let mut lanes = [&messages[order[0]]; LANES];
    for (lane, &i) in lanes.chunks_exact_mut(SPREAD).zip(order) {
        lane.fill(&messages[i]);
    }
    let [r_low, s_low, r_high, s_high] = transpose(&lanes.map(|message| message.key));
    let factors = Factors::new::<SPREAD>(r_low, r_high);
    let sum = evaluate::<SPREAD>(&lanes, &factors);
    let [low, high] = sum.finish::<SPREAD>([s_low, s_high]);
    let (low, high) = (store(low), store(high));
    for (group, &i) in order.iter().enumerate() {
        tags[i][..8].copy_from_slice(&low[group * SPREAD].to_le_bytes());
        tags[i][8..].copy_from_slice(&high[group * SPREAD].to_le_bytes());
    }
}

/// The polynomials; those of a message are to be added up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn evaluate<const SPREAD: usize>(lanes: &[&Message<'_>; LANES], factors: &Factors) -> Sum {
    let reader = Reader::<LANES, SPREAD>::new(lanes);
    let mut sum = Sum::zero();
    for step in 0..reader.full().start {
        add_line::<SPREAD>(&mut sum, &Line::edge(&reader, step), factors);
    }
    if !reader.full().is_empty() {
        add_full::<SPREAD>(&mut sum, &reader, factors);
    }
    add_line::<SPREAD>(&mut sum, &Line::edge(&reader, reader.full().end), factors);
    if SPREAD > 1 {
        sum = Sum::product(&sum.carry(), &factors.weight);
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn add_line<const SPREAD: usize>(sum: &mut Sum, line: &Line, factors: &Factors) {
    let h = accumulator::<SPREAD>(sum, line);
    *sum = products::<SPREAD>(line, factors);
    sum.multiply_add(&h, factors.onward::<SPREAD>());
}

/// All the lines that need no masks. A function of its own, so that the registers are its own.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn add_full<const SPREAD: usize>(
    sum: &mut Sum,
    reader: &Reader<'_, LANES, SPREAD>,
    factors: &Factors,
) {
    let mut lines = reader.full_lines();
    let mut total = *sum;
    let Some(mut line) = lines.next().map(|rows| Line::full(&rows)) else {
        return;
    };
    loop {
        // Behind the barrier the factors stay in memory: copied to the stack, as there are too many
        // for the registers, they would not be aligned.
        let factors = black_box(factors);
        let h = accumulator::<SPREAD>(&mut total, &line);
        total = products::<SPREAD>(&line, factors);
        // The next line is read while the accumulator is on its way.
        let next = lines.next().map(|rows| Line::full(&rows));
        total.multiply_add(&h, factors.onward::<SPREAD>());
        match next {
            Some(next) => line = next,
            None => break,
        }
    }
    *sum = total;
}

/// What a line itself contributes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn products<const SPREAD: usize>(line: &Line, factors: &Factors) -> Sum {
    let [r1, r2, r3, r4] = &factors.r;
    let mut sum = Sum::product(&line.limbs(1), r3);
    sum.multiply_add(&line.limbs(2), r2);
    sum.multiply_add(&line.limbs(3), r1);
    if SPREAD > 1 {
        sum.multiply_add(&line.limbs(0), r4);
    }
    sum
}

/// The accumulator before a line; with a lane for each message it has the same way to go as the
/// first block of the line and takes it along.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn accumulator<const SPREAD: usize>(sum: &mut Sum, line: &Line) -> Limbs {
    if SPREAD == 1 {
        sum.add(&line.limbs(0));
    }
    sum.carry()
}

/// The powers of `r`, lane by lane.
struct Factors {
    /// `r[i]` is `r` to the power `i + 1`.
    r: [Factor; 4],
    /// That by which a lane goes on from one of its lines to its next.
    stride: Factor,
    /// That by which the result of a lane is ahead of the end of the message.
    weight: Factor,
}

impl Factors {
    const fn onward<const SPREAD: usize>(&self) -> &Factor {
        if SPREAD == 1 {
            &self.r[3]
        } else {
            &self.stride
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn new<const SPREAD: usize>(r_low: __m512i, r_high: __m512i) -> Self {
        let [clamp_low, clamp_high] = CLAMP.map(|mask| _mm512_set1_epi64(mask.cast_signed()));
        let r_low = _mm512_and_si512(r_low, clamp_low);
        let r_high = _mm512_and_si512(r_high, clamp_high);
        let r = split(r_low, r_high, _mm512_setzero_si512());
        let r1 = Factor::new(&r);
        let r2 = Sum::product(&r, &r1).carry();
        let f2 = Factor::new(&r2);
        let f3 = Factor::new(&Sum::product(&r2, &r1).carry());
        let r4 = Sum::product(&r2, &f2).carry();
        let f4 = Factor::new(&r4);
        let one = [
            _mm512_set1_epi64(1),
            _mm512_setzero_si512(),
            _mm512_setzero_si512(),
        ];
        // Lane `i` of `SPREAD` is `SPREAD - 1 - i` lines ahead. The bits of that number, as lanes
        // that have them set.
        let [odd, second, third] = [0b0101_0101, 0b0011_0011, 0b0000_1111];
        let mut weight = choose(odd, &one, &r4);
        let mut stride = r4;
        if SPREAD > 1 {
            stride = Sum::product(&r4, &f4).carry();
        }
        for (spread, lanes) in [(4, second), (8, third)] {
            if SPREAD >= spread {
                let factor = Factor::new(&stride);
                weight = choose(lanes, &weight, &Sum::product(&weight, &factor).carry());
                stride = Sum::product(&stride, &factor).carry();
            }
        }
        Self {
            r: [r1, f2, f3, f4],
            stride: Factor::new(&stride),
            weight: Factor::new(&weight),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(value: __m512i) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), value) };
    lanes
}

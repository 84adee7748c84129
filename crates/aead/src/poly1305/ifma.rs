//! Eight lanes of 52-bit multiply-add: eight messages in lock-step, or fewer with two, four or
//! eight lanes each.

mod field;
mod line;

use core::arch::x86_64::*;
use core::hint::black_box;
use core::ops::Range;

use self::field::{Factor, Limbs, Sum, choose, split};
use self::line::{Line, transpose};
use super::reader::{Lanes, Reader};
use super::schedule::Schedule;
use super::{CLAMP, Message};
use crate::TAG_LEN;

const LANES: usize = 8;

/// Authenticates up to sixteen messages; `tags[i]` is that of `messages[i]`.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
pub(crate) fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let mut schedule = Schedule::new(messages);
    while let Some(turn) = schedule.next(LANES, 2) {
        match (turn.groups, turn.spread) {
            (2, _) => run::<2, 1>(messages, turn.order, tags),
            (_, 1) => run::<1, 1>(messages, turn.order, tags),
            (_, 2) => run::<1, 2>(messages, turn.order, tags),
            (_, 4) => run::<1, 4>(messages, turn.order, tags),
            _ => run::<1, 8>(messages, turn.order, tags),
        }
    }
}

/// Authenticates `GROUPS * LANES / SPREAD` messages at most. With two groups there are two chains
/// of instructions that do not wait for one another.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn run<const GROUPS: usize, const SPREAD: usize>(
    messages: &[Message<'_>],
    order: &[usize],
    tags: &mut [[u8; TAG_LEN]],
) {
    // Lanes to spare follow the longest message: no masks on their account.
    let mut lanes = [[&messages[order[0]]; LANES]; GROUPS];
    for (lane, &i) in lanes.as_flattened_mut().chunks_exact_mut(SPREAD).zip(order) {
        lane.fill(&messages[i]);
    }
    let zero = _mm512_setzero_si512();
    let (mut r, mut s) = ([[zero; 2]; GROUPS], [[zero; 2]; GROUPS]);
    for g in 0..GROUPS {
        let [r_low, s_low, r_high, s_high] = transpose(&lanes[g].map(|message| message.key));
        (r[g], s[g]) = ([r_low, r_high], [s_low, s_high]);
    }
    let factors = Factors::new::<GROUPS, SPREAD>(&r);
    let sums = evaluate::<GROUPS, SPREAD>(&lanes, &factors);
    let mut halves = [[[0; LANES]; 2]; GROUPS];
    for g in 0..GROUPS {
        let [low, high] = sums[g].finish::<SPREAD>(s[g]);
        halves[g] = [store(low), store(high)];
    }
    for (member, &i) in order.iter().enumerate() {
        let lane = member * SPREAD;
        let [low, high] = &halves[lane / LANES];
        tags[i][..8].copy_from_slice(&low[lane % LANES].to_le_bytes());
        tags[i][8..].copy_from_slice(&high[lane % LANES].to_le_bytes());
    }
}

/// The polynomials; those of a message are to be added up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn evaluate<const GROUPS: usize, const SPREAD: usize>(
    lanes: &Lanes<'_, GROUPS, LANES>,
    factors: &[Factors; GROUPS],
) -> [Sum; GROUPS] {
    let reader = Reader::<GROUPS, LANES, SPREAD>::new(lanes);
    let mut sums = [Sum::zero(); GROUPS];
    let mut step = 0;
    while step < reader.steps() {
        let whole = reader.whole(step);
        if whole.is_empty() {
            add_edge(&mut sums, &reader, step, factors);
            step += 1;
        } else {
            step = whole.end;
            if whole.start < reader.all_begun() {
                add_some(&mut sums, &reader, whole, factors);
            } else {
                add_all(&mut sums, &reader, whole, factors);
            }
        }
    }
    if SPREAD > 1 {
        for g in 0..GROUPS {
            sums[g] = Sum::product(&sums[g].carry(), &factors[g].weight);
        }
    }
    sums
}

/// A line with a beginning or the end of a message in it, or nothing at all.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn add_edge<const GROUPS: usize, const SPREAD: usize>(
    sums: &mut [Sum; GROUPS],
    reader: &Reader<'_, GROUPS, LANES, SPREAD>,
    step: usize,
    factors: &[Factors; GROUPS],
) {
    for g in 0..GROUPS {
        let line = Line::edge(reader, step, g);
        add_line::<SPREAD>(&mut sums[g], &line, &factors[g]);
    }
}

/// Lines that are all data in those lanes that have begun.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn add_some<const GROUPS: usize, const SPREAD: usize>(
    sums: &mut [Sum; GROUPS],
    reader: &Reader<'_, GROUPS, LANES, SPREAD>,
    steps: Range<usize>,
    factors: &[Factors; GROUPS],
) {
    let lines = reader.some_lines(steps.start);
    for step in steps {
        for g in 0..GROUPS {
            let line = Line::some(&lines.rows(step, g), lines.begins(g), step);
            add_line::<SPREAD>(&mut sums[g], &line, &factors[g]);
        }
    }
}

/// Lines that are all data in all lanes. A function of its own, so that the registers are its own.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn add_all<const GROUPS: usize, const SPREAD: usize>(
    sums: &mut [Sum; GROUPS],
    reader: &Reader<'_, GROUPS, LANES, SPREAD>,
    steps: Range<usize>,
    factors: &[Factors; GROUPS],
) {
    let mut lines = reader.all_lines(steps);
    let mut totals = *sums;
    while let Some(rows) = lines.next() {
        // Behind the barrier the factors stay in memory: copied to the stack, as there are too many
        // for the registers, they would not be aligned.
        let factors = black_box(factors);
        add_line::<SPREAD>(&mut totals[0], &Line::all(&rows[0]), &factors[0]);
        if GROUPS == 2 {
            add_line::<SPREAD>(&mut totals[1], &Line::all(&rows[1]), &factors[1]);
        }
    }
    *sums = totals;
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn add_line<const SPREAD: usize>(sum: &mut Sum, line: &Line, factors: &Factors) {
    let h = accumulator::<SPREAD>(sum, line);
    *sum = products::<SPREAD>(line, factors);
    sum.multiply_add(&h, factors.onward::<SPREAD>());
}

/// What a line itself contributes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
fn products<const SPREAD: usize>(line: &Line, factors: &Factors) -> Sum {
    let [r1, r2, r3, r4] = &factors.r;
    let mut sum = Sum::zero();
    if SPREAD > 1 {
        sum.multiply_add_block(&line.limbs(0), r4);
    }
    sum.multiply_add_block(&line.limbs(1), r3);
    sum.multiply_add_block(&line.limbs(2), r2);
    sum.multiply_add_block(&line.limbs(3), r1);
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
#[derive(Clone, Copy)]
struct Factors {
    /// `r[i]` is `r` to the power `i + 1`.
    r: [Factor; 4],
    /// That by which a lane of several goes on from one of its lines to its next.
    stride: Factor,
    /// That by which the result of a lane of several is ahead of the end of the message.
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

    /// Of the clamped `r` of each lane. Each step for all groups before the next step, as each has
    /// to wait for the one before it.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn new<const GROUPS: usize, const SPREAD: usize>(r: &[[__m512i; 2]; GROUPS]) -> [Self; GROUPS] {
        let mut factors = [Self::zero(); GROUPS];
        let zero = _mm512_setzero_si512();
        let (mut r1, mut r2) = ([[zero; 3]; GROUPS], [[zero; 3]; GROUPS]);
        for g in 0..GROUPS {
            r1[g] = clamped(r[g]);
            factors[g].r[0] = Factor::new(&r1[g]);
        }
        for g in 0..GROUPS {
            r2[g] = Sum::product(&r1[g], &factors[g].r[0]).carry();
            factors[g].r[1] = Factor::new(&r2[g]);
        }
        for g in 0..GROUPS {
            let r3 = Sum::product(&r1[g], &factors[g].r[1]).carry();
            let r4 = Sum::product(&r2[g], &factors[g].r[1]).carry();
            factors[g].r[2] = Factor::new(&r3);
            factors[g].r[3] = Factor::new(&r4);
            if SPREAD > 1 {
                factors[g].spread::<SPREAD>(&r4);
            }
        }
        factors
    }

    /// Adds what several lanes for a message need.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn spread<const SPREAD: usize>(&mut self, r4: &Limbs) {
        let zero = _mm512_setzero_si512();
        let one = [_mm512_set1_epi64(1), zero, zero];
        // Lane `i` of `SPREAD` is `SPREAD - 1 - i` lines ahead. The bits of that number, as lanes
        // that have them set.
        let [odd, second, third] = [0b0101_0101, 0b0011_0011, 0b0000_1111];
        let mut weight = choose(odd, &one, r4);
        let mut stride = Sum::product(r4, &self.r[3]).carry();
        for (spread, lanes) in [(4, second), (8, third)] {
            if SPREAD >= spread {
                let factor = Factor::new(&stride);
                weight = choose(lanes, &weight, &Sum::product(&weight, &factor).carry());
                stride = Sum::product(&stride, &factor).carry();
            }
        }
        self.stride = Factor::new(&stride);
        self.weight = Factor::new(&weight);
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn zero() -> Self {
        let zero = Factor::zero();
        Self {
            r: [zero; 4],
            stride: zero,
            weight: zero,
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2")]
fn clamped([low, high]: [__m512i; 2]) -> Limbs {
    let [clamp_low, clamp_high] = CLAMP.map(|mask| _mm512_set1_epi64(mask.cast_signed()));
    split(
        _mm512_and_si512(low, clamp_low),
        _mm512_and_si512(high, clamp_high),
        _mm512_setzero_si512(),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(value: __m512i) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), value) };
    lanes
}

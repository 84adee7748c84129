//! Four lanes of 32-bit multiplication: four messages in lock-step, or fewer with two or four lanes
//! each.

mod field;

use core::arch::x86_64::*;
use core::hint::black_box;
use core::ops::Range;

use self::field::{Factor, Limbs, Sum, WordFactor, add, choose, split, words};
use super::reader::{Edge, Lanes, Reader, Rows};
use super::schedule::Schedule;
use super::{BLOCK_LEN, CLAMP, LINE_BLOCKS, LINE_LEN, Message};
use crate::TAG_LEN;

const LANES: usize = 4;

/// Authenticates up to sixteen messages; `tags[i]` is that of `messages[i]`.
#[target_feature(enable = "avx2")]
pub(crate) fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let mut schedule = Schedule::new(messages);
    while let Some(turn) = schedule.next(LANES, 1) {
        match turn.spread {
            1 => run::<1>(messages, turn.order, tags),
            2 => run::<2>(messages, turn.order, tags),
            _ => run::<4>(messages, turn.order, tags),
        }
    }
}

/// Authenticates `LANES / SPREAD` messages at most.
#[inline]
#[target_feature(enable = "avx2")]
fn run<const SPREAD: usize>(messages: &[Message<'_>], order: &[usize], tags: &mut [[u8; TAG_LEN]]) {
    // Lanes to spare follow the longest message: no masks on their account.
    let mut lanes = [&messages[order[0]]; LANES];
    for (lane, &i) in lanes.chunks_exact_mut(SPREAD).zip(order) {
        lane.fill(&messages[i]);
    }
    let keys = lanes.map(|message| message.key.as_chunks().0);
    let r = transpose(&keys.map(|halves| &halves[0]));
    let s = transpose(&keys.map(|halves| &halves[1]));
    let factors = Factors::new::<SPREAD>(r);
    let sum = evaluate::<SPREAD>(&[lanes], &factors);
    let [low, high] = sum.finish::<SPREAD>(s);
    let (low, high) = (store(low), store(high));
    for (member, &i) in order.iter().enumerate() {
        tags[i][..8].copy_from_slice(&low[member * SPREAD].to_le_bytes());
        tags[i][8..].copy_from_slice(&high[member * SPREAD].to_le_bytes());
    }
}

/// The polynomials; those of a message are to be added up.
#[inline]
#[target_feature(enable = "avx2")]
fn evaluate<const SPREAD: usize>(lanes: &Lanes<'_, 1, LANES>, factors: &Factors) -> Sum {
    let reader = Reader::<1, LANES, SPREAD>::new(lanes);
    let mut sum = Sum::zero();
    let mut step = 0;
    while step < reader.steps() {
        let whole = reader.whole(step);
        if whole.is_empty() {
            add_edge(&mut sum, &reader, step, factors);
            step += 1;
        } else {
            step = whole.end;
            if whole.start < reader.all_begun() {
                add_some(&mut sum, &reader, whole, factors);
            } else {
                add_all(&mut sum, &reader, whole, factors);
            }
        }
    }
    if SPREAD > 1 {
        sum = Sum::product(&sum.carry(), &factors.weight);
    }
    sum
}

/// A line with a beginning or the end of a message in it, or nothing at all.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn add_edge<const SPREAD: usize>(
    sum: &mut Sum,
    reader: &Reader<'_, 1, LANES, SPREAD>,
    step: usize,
    factors: &Factors,
) {
    let mut rows = [[0; LINE_LEN]; LANES];
    let mut leads = [0; LANES];
    let lengths = reader.lengths(0);
    for (lane, row) in rows.iter_mut().enumerate() {
        let Edge { lead, data } = reader.edge(step, 0, lane);
        leads[lane] = lead as i64;
        row[lead * BLOCK_LEN..][..data.len()].copy_from_slice(data);
        if reader.is_end(step, lane) {
            let [aad, text] = lengths.map(|lengths| u128::from(lengths[lane]));
            row[LINE_LEN - BLOCK_LEN..].copy_from_slice(&(aad | (text << 64)).to_le_bytes());
        }
    }
    let leads = _mm256_setr_epi64x(leads[0], leads[1], leads[2], leads[3]);
    let present = |block: i64| _mm256_cmpgt_epi64(_mm256_set1_epi64x(block + 1), leads);
    let mut marks = Sum::zero();
    for (block, factor) in (1_i64..).zip(&factors.words) {
        marks.add_masked(&factor.mark, present(block));
    }
    let first = _mm256_srli_epi64::<63>(present(0));
    add_line::<SPREAD>(sum, &rows.each_ref(), first, &marks, factors);
}

/// Lines that are all data in those lanes that have begun.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn add_some<const SPREAD: usize>(
    sum: &mut Sum,
    reader: &Reader<'_, 1, LANES, SPREAD>,
    steps: Range<usize>,
    factors: &Factors,
) {
    let lines = reader.some_lines(steps.start);
    let begins = lines.begins(0).map(u64::cast_signed);
    let begins = _mm256_setr_epi64x(begins[0], begins[1], begins[2], begins[3]);
    for step in steps {
        let after = _mm256_set1_epi64x((step as u64).cast_signed() + 1);
        let begun = _mm256_cmpgt_epi64(after, begins);
        let marks = factors.marks.masked(begun);
        let first = _mm256_srli_epi64::<63>(begun);
        add_line::<SPREAD>(sum, &lines.rows(step, 0), first, &marks, factors);
    }
}

/// Lines that are all data in all lanes. A function of its own, so that the registers are its own.
#[inline(never)]
#[target_feature(enable = "avx2")]
fn add_all<const SPREAD: usize>(
    sum: &mut Sum,
    reader: &Reader<'_, 1, LANES, SPREAD>,
    steps: Range<usize>,
    factors: &Factors,
) {
    let mut lines = reader.all_lines(steps);
    let mut total = *sum;
    while let Some([rows]) = lines.next() {
        // Behind the barrier the factors stay in memory: copied to the stack, as there are too many
        // for the registers, they would not be aligned.
        let factors = black_box(factors);
        let one = _mm256_set1_epi64x(1);
        add_line::<SPREAD>(&mut total, &rows, one, &factors.marks, factors);
    }
    *sum = total;
}

/// Goes on from the line before and adds a line. `first` has a one in each lane in which the first
/// block is there; `marks` is what the bits contribute which mark the others.
#[inline]
#[target_feature(enable = "avx2")]
fn add_line<const SPREAD: usize>(
    sum: &mut Sum,
    rows: &Rows<'_, LANES>,
    first: __m256i,
    marks: &Sum,
    factors: &Factors,
) {
    let [low, high] = block(rows, 0);
    let block_0 = split(low, high, first);
    let h = sum.carry();
    *sum = *marks;
    for (i, factor) in factors.words.iter().enumerate() {
        let [low, high] = block(rows, i + 1);
        sum.multiply_add_words(&words(low, high), factor);
    }
    if SPREAD == 1 {
        // The first block has the same way to go as the accumulator.
        sum.multiply_add(&add(&h, &block_0), &factors.line);
    } else {
        sum.multiply_add(&block_0, &factors.line);
        sum.multiply_add(&h, &factors.stride);
    }
}

/// A block of each line, lower and upper halves.
#[inline]
#[target_feature(enable = "avx2")]
fn block(rows: &Rows<'_, LANES>, block: usize) -> [__m256i; 2] {
    transpose(&rows.map(|row| &row.as_chunks().0[block]))
}

/// The powers of `r`, lane by lane.
struct Factors {
    /// `r` to the powers 3, 2 and 1, for all blocks of a line but the first.
    words: [WordFactor; LINE_BLOCKS - 1],
    /// What the bits contribute which mark these blocks.
    marks: Sum,
    /// `r` to the power 4, for the first block.
    line: Factor,
    /// That by which a lane of several goes on from one of its lines to its next.
    stride: Factor,
    /// That by which the result of a lane of several is ahead of the end of the message.
    weight: Factor,
}

impl Factors {
    /// Of the `r` of each lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new<const SPREAD: usize>(r: [__m256i; 2]) -> Self {
        let r1 = clamped(r);
        let f1 = Factor::new(&r1);
        let r2 = Sum::product(&r1, &f1).carry();
        let f2 = Factor::new(&r2);
        let r3 = Sum::product(&r1, &f2).carry();
        let r4 = Sum::product(&r2, &f2).carry();
        let words = [r3, r2, r1].map(|power| WordFactor::new(&power));
        let mut marks = Sum::zero();
        for factor in &words {
            marks.add(&factor.mark);
        }
        let line = Factor::new(&r4);
        let mut factors = Self {
            words,
            marks,
            line,
            stride: line,
            weight: line,
        };
        if SPREAD > 1 {
            factors.spread::<SPREAD>(&r4);
        }
        factors
    }

    /// Adds what several lanes for a message need.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn spread<const SPREAD: usize>(&mut self, r4: &Limbs) {
        let zero = _mm256_setzero_si256();
        // Lane `i` of `SPREAD` is `SPREAD - 1 - i` lines ahead.
        let one = [_mm256_set1_epi64x(1), zero, zero, zero, zero];
        let odd = _mm256_setr_epi64x(-1, 0, -1, 0);
        let second = _mm256_setr_epi64x(-1, -1, 0, 0);
        let mut weight = choose(odd, &one, r4);
        let mut stride = Sum::product(r4, &self.line).carry();
        if SPREAD > 2 {
            let factor = Factor::new(&stride);
            weight = choose(second, &weight, &Sum::product(&weight, &factor).carry());
            stride = Sum::product(&stride, &factor).carry();
        }
        self.stride = Factor::new(&stride);
        self.weight = Factor::new(&weight);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn clamped([low, high]: [__m256i; 2]) -> Limbs {
    let [clamp_low, clamp_high] = CLAMP.map(|mask| _mm256_set1_epi64x(mask.cast_signed()));
    split(
        _mm256_and_si256(low, clamp_low),
        _mm256_and_si256(high, clamp_high),
        _mm256_setzero_si256(),
    )
}

/// Transposes a block of four rows: the lower halves and the upper halves. The first of two stages
/// is done by how the rows are loaded, because only one execution port of some processors can
/// shuffle.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: &[&[u8; BLOCK_LEN]; LANES]) -> [__m256i; 2] {
    let a = load_two(rows[0], rows[2]);
    let b = load_two(rows[1], rows[3]);
    [_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_two(a: &[u8; BLOCK_LEN], b: &[u8; BLOCK_LEN]) -> __m256i {
    // SAFETY: the arrays are 16 readable bytes each; no alignment is asked for.
    unsafe { _mm256_loadu2_m128i(b.as_ptr().cast(), a.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(value: __m256i) -> [u64; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the array is 32 writable bytes; no alignment is asked for.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), value) };
    lanes
}

//! Eight lanes of 52-bit multiply-add: eight messages in lock-step, or fewer with two, four or
//! eight lanes each.
//!
//! The unit is a line of four blocks. A message of several lanes gives each of them every second
//! (fourth, eighth) line. Messages are padded at the front, with zero blocks that lack even the
//! bit which marks a block and so leave the accumulator at zero; so all messages end together, and
//! the last line of every message has the block with the lengths at its end.
//!
//! A limb is multiplied by `r`, `r * 2^52` or `r * 2^104`, according to its place, all reduced
//! beforehand: the columns of the sum are then in radix 2^52 too, which is how the instructions
//! split a product, and a limb of the message needs no mask, because they read 52 bits only.

use core::arch::x86_64::*;

use super::{BLOCK_LEN, MASK_26, MASK_52, Message, finish};
use crate::TAG_LEN;

const LANES: usize = 8;
const LINE_BLOCKS: usize = 4;
const LINE_LEN: usize = LINE_BLOCKS * BLOCK_LEN;

/// Up to this many lines a message has one lane: more would cost more than they spare.
const SHORT: usize = 3;

/// Authenticates up to sixteen messages; `tags[i]` is that of `messages[i]`.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
pub(crate) fn tags(messages: &[Message<'_>], tags: &mut [[u8; TAG_LEN]]) {
    let mut order: [usize; 16] = core::array::from_fn(|i| i);
    let mut rest = &mut order[..messages.len()];
    let len = |&i: &usize| core::cmp::Reverse(lines(&messages[i]));
    if !rest.is_sorted_by_key(len) {
        rest.sort_unstable_by_key(len);
    }
    while !rest.is_empty() {
        let spread = spread(messages, rest);
        let (now, later) = rest.split_at_mut(rest.len().min(LANES / spread));
        match spread {
            1 => run::<1>(messages, now, tags),
            2 => run::<2>(messages, now, tags),
            4 => run::<4>(messages, now, tags),
            _ => run::<8>(messages, now, tags),
        }
        rest = later;
    }
}

/// How many lanes a message should get. `order` begins with the longest messages.
fn spread(messages: &[Message<'_>], order: &[usize]) -> usize {
    let longest = lines(&messages[order[0]]);
    if longest <= SHORT {
        return 1;
    }
    // Messages that are far shorter would leave their lanes idle for most of the time.
    let alike = order.iter().take(LANES);
    match alike
        .filter(|&&i| lines(&messages[i]) * 2 > longest)
        .count()
    {
        1 => 8,
        2 => 4,
        3 | 4 => 2,
        _ => 1,
    }
}

const fn lines(message: &Message<'_>) -> usize {
    message.blocks().div_ceil(LINE_BLOCKS)
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
    let steps = lines(&messages[order[0]]).div_ceil(SPREAD);
    let sum = evaluate::<SPREAD>(&lanes, steps);
    for (group, &i) in order.iter().enumerate() {
        let columns = sum
            .each_ref()
            .map(|column| column[group * SPREAD..][..SPREAD].iter().sum());
        tags[i] = finish(columns, messages[i].s());
    }
}

/// The polynomials, lane by lane, in four columns that are still to be reduced.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
fn evaluate<const SPREAD: usize>(lanes: &[&Message<'_>; LANES], steps: usize) -> [[u64; LANES]; 4] {
    let reader = Reader::<SPREAD>::new(lanes, steps);
    let factors = Factors::new::<SPREAD>(lanes);
    let mut sum = Sum::zero();
    for step in 0..reader.full.start {
        reader.edge(step).add_to::<SPREAD>(&mut sum, &factors);
    }
    if !reader.full.is_empty() {
        reader.add_full(&mut sum, &factors);
    }
    reader.edge(steps - 1).add_to::<SPREAD>(&mut sum, &factors);
    if SPREAD > 1 {
        sum = Sum::product(&sum.carry(), &factors.weight);
    }
    sum.store()
}

/// Three limbs in radix 2^52 a lane; bits above 52 are to be ignored.
type Limbs = [__m512i; 3];

/// Products, four columns in radix 2^52, those of the lower halves and those of the upper halves
/// apart, so that fewer additions wait for one another.
#[derive(Clone, Copy)]
struct Sum {
    low: [__m512i; 3],
    high: [__m512i; 3],
}

impl Sum {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn zero() -> Self {
        let zero = [_mm512_setzero_si512(); 3];
        Self {
            low: zero,
            high: zero,
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn product(x: &Limbs, factor: &Factor) -> Self {
        let mut sum = Self::zero();
        sum.multiply_add(x, factor);
        sum
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply_add(&mut self, limbs: &Limbs, factor: &Factor) {
        for (&limb, multiple) in limbs.iter().zip(&factor.0) {
            for (k, &part) in multiple.iter().enumerate() {
                self.low[k] = _mm512_madd52lo_epu64(self.low[k], limb, part);
                self.high[k] = _mm512_madd52hi_epu64(self.high[k], limb, part);
            }
        }
    }

    /// Adds limbs of which the upper bits do count: a block of a message.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(&mut self, limbs: &Limbs) {
        let mask = _mm512_set1_epi64(MASK_52.cast_signed());
        for (low, &limb) in self.low.iter_mut().zip(limbs) {
            *low = _mm512_add_epi64(*low, _mm512_and_si512(limb, mask));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn columns(&self) -> [__m512i; 4] {
        [
            self.low[0],
            _mm512_add_epi64(self.low[1], self.high[0]),
            _mm512_add_epi64(self.low[2], self.high[1]),
            self.high[2],
        ]
    }

    /// Reduces to 131 bits: 2^130 is 5, so what is above returns at the bottom.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn carry(&self) -> Limbs {
        let [d0, d1, d2, d3] = self.columns();
        let mask = _mm512_set1_epi64(MASK_26.cast_signed());
        let above = _mm512_add_epi64(_mm512_srli_epi64::<26>(d2), _mm512_slli_epi64::<26>(d3));
        let five = _mm512_add_epi64(_mm512_slli_epi64::<2>(above), above);
        let d0 = _mm512_add_epi64(d0, five);
        let d1 = _mm512_add_epi64(d1, _mm512_srli_epi64::<52>(d0));
        let d2 = _mm512_and_si512(d2, mask);
        let d2 = _mm512_add_epi64(d2, _mm512_srli_epi64::<52>(d1));
        [d0, d1, d2]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn store(&self) -> [[u64; LANES]; 4] {
        self.columns().map(|column| {
            let mut lanes = [0; LANES];
            // SAFETY: the array is 64 writable bytes; no alignment is asked for.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), column) };
            lanes
        })
    }
}

/// A number `x` to multiply by, as `x`, `x * 2^52` and `x * 2^104`.
struct Factor([Limbs; 3]);

impl Factor {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(limbs: &Limbs) -> Self {
        let mask = _mm512_set1_epi64(MASK_52.cast_signed());
        let x = [
            _mm512_and_si512(limbs[0], mask),
            _mm512_and_si512(limbs[1], mask),
            limbs[2],
        ];
        let shifted = shift_52(&x);
        Self([x, shifted, shift_52(&shifted)])
    }
}

/// `x * 2^52`, reduced.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn shift_52(x: &Limbs) -> Limbs {
    let mask_52 = _mm512_set1_epi64(MASK_52.cast_signed());
    let mask_26 = _mm512_set1_epi64(MASK_26.cast_signed());
    // Bit 26 of the middle limb is bit 130 afterwards, and the upper limb begins at bit 156.
    let above = _mm512_add_epi64(_mm512_srli_epi64::<26>(x[1]), _mm512_slli_epi64::<26>(x[2]));
    let y0 = _mm512_add_epi64(_mm512_slli_epi64::<2>(above), above);
    let y1 = _mm512_add_epi64(x[0], _mm512_srli_epi64::<52>(y0));
    let y2 = _mm512_add_epi64(_mm512_and_si512(x[1], mask_26), _mm512_srli_epi64::<52>(y1));
    [
        _mm512_and_si512(y0, mask_52),
        _mm512_and_si512(y1, mask_52),
        y2,
    ]
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
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
    fn new<const SPREAD: usize>(lanes: &[&Message<'_>; LANES]) -> Self {
        let (mut low, mut high) = ([0; LANES], [0; LANES]);
        for (lane, message) in lanes.iter().enumerate() {
            [low[lane], high[lane]] = message.r();
        }
        let r = split(load_words(&low), load_words(&high), _mm512_setzero_si512());
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

/// The lanes of `b` that `mask` has, the others of `a`.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(mask: __mmask8, a: &Limbs, b: &Limbs) -> Limbs {
    [0, 1, 2].map(|i| _mm512_mask_blend_epi64(mask, a[i], b[i]))
}

/// Limbs of a number of 128 bits, with another bit 128 on top.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi2")]
fn split(low: __m512i, high: __m512i, bit_128: __m512i) -> Limbs {
    [
        low,
        _mm512_shrdi_epi64::<52>(low, high),
        _mm512_shrdi_epi64::<40>(high, bit_128),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_words(words: &[u64; LANES]) -> __m512i {
    // SAFETY: the array is 64 readable bytes; no alignment is asked for.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// The lines of one step: block by block the lower and upper halves of eight lanes.
struct Line {
    low: [__m512i; LINE_BLOCKS],
    high: [__m512i; LINE_BLOCKS],
    /// One in each lane in which the block is there.
    present: [__m512i; LINE_BLOCKS],
}

impl Line {
    #[inline]
    #[target_feature(enable = "avx512f,avx512vbmi2")]
    fn limbs(&self, block: usize) -> Limbs {
        split(self.low[block], self.high[block], self.present[block])
    }

    /// Goes on by one step.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn add_to<const SPREAD: usize>(&self, sum: &mut Sum, factors: &Factors) {
        let own = self.products::<SPREAD>(factors);
        let h = self.accumulator::<SPREAD>(sum);
        *sum = own;
        sum.multiply_add(&h, factors.onward::<SPREAD>());
    }

    /// What the line itself contributes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn products<const SPREAD: usize>(&self, factors: &Factors) -> Sum {
        let [r1, r2, r3, r4] = &factors.r;
        let mut sum = Sum::product(&self.limbs(1), r3);
        sum.multiply_add(&self.limbs(2), r2);
        sum.multiply_add(&self.limbs(3), r1);
        if SPREAD > 1 {
            sum.multiply_add(&self.limbs(0), r4);
        }
        sum
    }

    /// The accumulator before this line; with a lane for each message it has the same way to go as
    /// the first block of the line and takes it along.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi2")]
    fn accumulator<const SPREAD: usize>(&self, sum: &mut Sum) -> Limbs {
        if SPREAD == 1 {
            sum.add(&self.limbs(0));
        }
        sum.carry()
    }

    /// From a line a lane: transposes. The first of three stages is done by how the lines are
    /// loaded, because only one execution port of some processors can shuffle.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn read(rows: &[&[u8; LINE_LEN]; LANES], present: [__m512i; LINE_BLOCKS]) -> Self {
        // Two blocks of one row, two of the next but one.
        let first = [0, 1, 4, 5].map(|row| load_halves::<0>(rows[row], rows[row + 2]));
        let second = [0, 1, 4, 5].map(|row| load_halves::<32>(rows[row], rows[row + 2]));
        let [low_0, low_1, high_0, high_1] = transpose(first);
        let [low_2, low_3, high_2, high_3] = transpose(second);
        Self {
            low: [low_0, low_1, low_2, low_3],
            high: [high_0, high_1, high_2, high_3],
            present,
        }
    }
}

/// From two blocks of rows 0 and 2, 1 and 3, 4 and 6, and 5 and 7, the lower halves of the first
/// blocks, those of the second blocks, and the upper halves of both.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let low = [_mm512_unpacklo_epi64(a, b), _mm512_unpacklo_epi64(c, d)];
    let high = [_mm512_unpackhi_epi64(a, b), _mm512_unpackhi_epi64(c, d)];
    [
        _mm512_shuffle_i64x2::<0x88>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0xdd>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0x88>(high[0], high[1]),
        _mm512_shuffle_i64x2::<0xdd>(high[0], high[1]),
    ]
}

/// Reads the messages of eight lanes line by line, so that they end together.
struct Reader<'a, const SPREAD: usize> {
    lanes: &'a [&'a Message<'a>; LANES],
    /// Zero blocks before each message.
    lead: [usize; LANES],
    steps: usize,
    /// The steps that need no masks in any lane.
    full: core::ops::Range<usize>,
}

impl<'a, const SPREAD: usize> Reader<'a, SPREAD> {
    fn new(lanes: &'a [&'a Message<'a>; LANES], steps: usize) -> Self {
        let blocks = steps * SPREAD * LINE_BLOCKS;
        let lead = lanes.map(|message| blocks - message.blocks());
        let longest = lead.iter().fold(0, |longest, &lead| lead.max(longest));
        Self {
            lanes,
            lead,
            steps,
            full: longest.div_ceil(LINE_BLOCKS * SPREAD).min(steps - 1)..steps - 1,
        }
    }

    /// All the steps that need no masks. A function of its own, so that the registers are its own.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi2")]
    fn add_full(&self, sum: &mut Sum, factors: &Factors) {
        let mut total = *sum;
        let mut lines = [[].as_slice(); LANES];
        for (lane, lines) in lines.iter_mut().enumerate() {
            let line = self.full.start * SPREAD + lane % SPREAD;
            let from = line * LINE_BLOCKS - self.lead[lane];
            *lines = self.lanes[lane]
                .data
                .get(from * BLOCK_LEN..)
                .unwrap_or_default();
        }
        let mut next = || {
            let mut rows = [&[0; LINE_LEN]; LANES];
            for (row, lines) in rows.iter_mut().zip(&mut lines) {
                *row = lines.first_chunk()?;
                *lines = lines.get(SPREAD * LINE_LEN..).unwrap_or_default();
            }
            Some(Line::read(&rows, [_mm512_set1_epi64(1); LINE_BLOCKS]))
        };
        let Some(mut line) = next() else { return };
        let mut products = line.products::<SPREAD>(factors);
        for _ in 1..self.full.len() {
            let factors = core::hint::black_box(factors);
            let h = line.accumulator::<SPREAD>(&mut total);
            total = products;
            let Some(following) = next() else { return };
            line = following;
            products = line.products::<SPREAD>(factors);
            total.multiply_add(&h, factors.onward::<SPREAD>());
        }
        let h = line.accumulator::<SPREAD>(&mut total);
        products.multiply_add(&h, factors.onward::<SPREAD>());
        *sum = products;
    }

    /// A line with a beginning or the end of a message in it, or nothing at all.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
    fn edge(&self, step: usize) -> Line {
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
            &rows.each_ref(),
            present.map(|lanes| _mm512_maskz_set1_epi64(lanes, 1)),
        )
    }
}

/// 32 bytes of each of two lines.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_halves<const FROM: usize>(a: &[u8; LINE_LEN], b: &[u8; LINE_LEN]) -> __m512i {
    const { assert!(FROM + 32 <= LINE_LEN) };
    // SAFETY: the arrays have 32 readable bytes from there on; no alignment is asked for.
    let (a, b) = unsafe {
        (
            _mm256_loadu_si256(a.as_ptr().add(FROM).cast()),
            _mm256_loadu_si256(b.as_ptr().add(FROM).cast()),
        )
    };
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; LINE_LEN], value: __m512i) {
    // SAFETY: the array is 64 writable bytes; no alignment is asked for.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

/// At most a line, zeros behind it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part(bytes: &[u8]) -> __m512i {
    let mask = u64::MAX
        .checked_shl(bytes.len() as u32)
        .map_or(u64::MAX, |above| !above);
    // SAFETY: the mask has a bit for no byte that is not in the slice, and bytes without a bit
    // are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()) }
}

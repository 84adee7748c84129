//! Does the time depend on secrets? After Reparaz, Balasch and Verbauwhede, "Dude, is my code
//! constant time?" (DATE 2017): two classes of inputs in random order, one fixed and one random, and
//! Welch's t-test on the two sets of times. Above 4.5 a difference is likely, above 10 certain. A
//! small value proves nothing: it says that so many measurements on this processor showed nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hushwire_aead::{Key, Packet, TAG_LEN};

use crate::Subject;

const BATCH: usize = 16;
/// Bytes of a packet: short ones and longer ones are authenticated in different ways.
const SIZES: [usize; 2] = [64, 256];
/// The slowest measurements are interrupts and the like: only those below these percentiles count,
/// each by itself, as a difference may hide in any part.
const PERCENTILES: [usize; 4] = [50, 75, 90, 99];
/// Measurements from which the percentiles are taken.
const WARM_UP: usize = 5000;

/// What a class of inputs differs in.
#[derive(Clone, Copy, Debug)]
enum Secret {
    /// Sealing under a key of zeros, or random keys.
    Key,
    /// Sealing zeros, or random plaintexts.
    Plaintext,
    /// Opening packets whose authenticators are wrong in the first byte, or all over: how far a
    /// forgery has got must not show.
    Forgery,
}

/// Prints the largest |t| for each kind of secret.
pub(crate) fn report(subject: Subject, time: Duration) {
    let secrets = [Secret::Key, Secret::Plaintext, Secret::Forgery];
    for (size, secret) in SIZES
        .into_iter()
        .flat_map(|size| secrets.map(|it| (size, it)))
    {
        let (t, count) = largest_t(subject, secret, size, time);
        let verdict = match t {
            t if t < 4.5 => "nothing found",
            t if t < 10.0 => "suspicious, run it longer on a quiet machine",
            _ => "depends on the secret",
        };
        let name = subject.name();
        println!(
            "{name:>8} {size:>3} bytes, {secret:?}: |t| = {t:.2} of {count} measurements: {verdict}"
        );
    }
}

fn largest_t(subject: Subject, secret: Secret, size: usize, time: Duration) -> (f64, usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut limits = [u64::MAX; PERCENTILES.len()];
    let mut tests = [[Moments::default(); 2]; PERCENTILES.len() + 1];
    let mut warm_up = Vec::with_capacity(WARM_UP);
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time || count < 2 * WARM_UP {
        let class = usize::from(random.next() & 1 == 1);
        let took = measure(subject, secret, size, class, &mut random);
        if warm_up.len() < WARM_UP {
            warm_up.push(took);
            if warm_up.len() == WARM_UP {
                warm_up.sort_unstable();
                limits = PERCENTILES.map(|percentile| warm_up[WARM_UP * percentile / 100]);
            }
            continue;
        }
        count += 1;
        for (test, limit) in tests.iter_mut().zip(limits.into_iter().chain([u64::MAX])) {
            if took <= limit {
                test[class].add(took as f64);
            }
        }
    }
    let largest = tests.iter().map(|[a, b]| a.t(b).abs());
    (largest.fold(0.0, f64::max), count)
}

/// Nanoseconds for one batch. Both classes take the same steps before the clock starts.
fn measure(
    subject: Subject,
    secret: Secret,
    size: usize,
    class: usize,
    random: &mut Random,
) -> u64 {
    let (mut key, mut text) = ([0; 32], vec![0; size]);
    random.fill(&mut key);
    random.fill(&mut text);
    match (secret, class) {
        (Secret::Key, 0) => key.fill(0),
        (Secret::Plaintext, 0) => text.fill(0),
        _ => {}
    }
    let key = match subject {
        Subject::Backend(backend) => Key::with_backend(&key, backend).expect("it is supported"),
        Subject::Auto => Key::new(&key),
    };
    let mut buffer = vec![0; BATCH * (size + TAG_LEN)];
    for place in buffer.chunks_exact_mut(size + TAG_LEN) {
        place[..size].copy_from_slice(&text);
    }
    let plain: [Packet; BATCH] = std::array::from_fn(|index| Packet {
        start: index * (size + TAG_LEN),
        len: size,
        counter: index as u64,
    });
    if !matches!(secret, Secret::Forgery) {
        let start = Instant::now();
        key.seal_batch(black_box(&mut buffer), &plain)
            .expect("a good layout");
        return nanoseconds(start);
    }
    key.seal_batch(&mut buffer, &plain).expect("a good layout");
    let mut damage = [[0xff; TAG_LEN]; 2][class];
    damage[1..].iter_mut().for_each(|byte| *byte *= class as u8);
    let damage = black_box(damage);
    for place in buffer.chunks_exact_mut(size + TAG_LEN) {
        for (byte, damage) in place[size..].iter_mut().zip(damage) {
            *byte ^= damage;
        }
    }
    let sealed = plain.map(|packet| Packet {
        len: size + TAG_LEN,
        ..packet
    });
    let mut verdicts = [true; BATCH];
    let start = Instant::now();
    key.open_batch(black_box(&mut buffer), &sealed, &mut verdicts)
        .expect("a good layout");
    let took = nanoseconds(start);
    assert_eq!(verdicts, [false; BATCH]);
    took
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Mean and variance, after Welford.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn t(&self, other: &Self) -> f64 {
        let part = |moments: &Self| moments.squares / (moments.count - 1.0) / moments.count;
        let t = (self.mean - other.mean) / (part(self) + part(other)).sqrt();
        if t.is_finite() { t } else { 0.0 }
    }
}

/// xorshift64*: the classes need no better.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next() as u8);
    }
}

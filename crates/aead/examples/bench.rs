//! Throughput of each implementation beside aws-lc-rs, in one run.
//!
//! `cargo run --release -p hushwire-aead --example bench [SIZE...] [xBATCH...] [BACKEND...]`
//!
//! Every figure is the best of many short runs, and the implementations take turns, so that a busy
//! machine slows all of them or none.

use std::time::{Duration, Instant};

use hushwire_aead::{Backend, Key, Packet, TAG_LEN};

const SIZES: [usize; 5] = [64, 256, 1420, 8192, 65_000];
const BATCHES: [usize; 5] = [1, 4, 8, 16, 45];
const HEADER_LEN: usize = 16;
const ROUNDS: usize = 60;
const ROUND: Duration = Duration::from_micros(150);

fn main() {
    let plan = Plan::from_args(std::env::args().skip(1));
    println!("Gbit/s of plaintext, and the ratio to aws-lc in the same run");
    print!("{:>6} {:>5}", "bytes", "batch");
    for backend in &plan.backends {
        print!(" | {:>8} seal {:>5} open {:>5}", backend.name(), "", "");
    }
    println!();
    for &size in &plan.sizes {
        for &batch in &plan.batches {
            let rates = measure(&plan.backends, size, batch);
            let base = plan.backends.iter().position(|&b| b == Backend::AwsLc);
            let base = rates[base.unwrap_or(0)];
            print!("{size:>6} {batch:>5}");
            for rate in rates {
                let [seal, open] = [0, 1].map(|i| rate[i] / base[i]);
                print!(
                    " |  {:>6.2} ({seal:4.2}) {:>6.2} ({open:4.2})",
                    rate[0], rate[1]
                );
            }
            println!();
        }
    }
}

struct Plan {
    sizes: Vec<usize>,
    batches: Vec<usize>,
    backends: Vec<Backend>,
}

impl Plan {
    fn from_args(args: impl Iterator<Item = String>) -> Self {
        let mut plan = Self {
            sizes: Vec::new(),
            batches: Vec::new(),
            backends: vec![Backend::AwsLc],
        };
        for arg in args {
            if let Some(backend) = Backend::ALL.into_iter().find(|b| b.name() == arg) {
                plan.backends.push(backend);
            } else if let Some(batch) = arg.strip_prefix('x') {
                plan.batches.push(batch.parse().expect("a batch size"));
            } else {
                plan.sizes.push(arg.parse().expect("a size in bytes"));
            }
        }
        if plan.sizes.is_empty() {
            plan.sizes = SIZES.to_vec();
        }
        if plan.batches.is_empty() {
            plan.batches = BATCHES.to_vec();
        }
        if plan.backends.len() == 1 {
            for backend in Backend::ALL {
                if !backend.is_supported() {
                    println!("{backend}: this processor cannot run it, not measured");
                } else if backend != Backend::AwsLc {
                    plan.backends.push(backend);
                }
            }
        }
        plan
    }
}

/// Gbit/s of sealing and opening, backend by backend.
fn measure(backends: &[Backend], size: usize, batch: usize) -> Vec<[f64; 2]> {
    let mut runs: Vec<_> = backends.iter().map(|&b| Run::new(b, size, batch)).collect();
    let mut best = vec![[f64::INFINITY; 2]; runs.len()];
    for _ in 0..ROUNDS {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            best[0] = best[0].min(run.time(Run::seal));
            best[1] = best[1].min(run.time(Run::open));
        }
    }
    let bits = (size * batch * 8) as f64;
    let rate = |seconds: f64| bits / seconds / 1e9;
    best.iter().map(|best| best.map(rate)).collect()
}

struct Run {
    key: Key,
    plain: Vec<Packet>,
    sealed: Vec<Packet>,
    clear: Vec<u8>,
    cipher: Vec<u8>,
    verdicts: Vec<bool>,
}

impl Run {
    fn new(backend: Backend, size: usize, batch: usize) -> Self {
        let stride = HEADER_LEN + size + TAG_LEN;
        let key = Key::with_backend(&[7; 32], backend).expect("a supported backend");
        let plain: Vec<_> = (0..batch)
            .map(|index| Packet {
                start: index * stride + HEADER_LEN,
                len: size,
                counter: index as u64,
            })
            .collect();
        let sealed = |packet: &Packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        };
        let sealed = plain.iter().map(sealed).collect();
        let clear = vec![0x55; batch * stride];
        let mut cipher = clear.clone();
        key.seal_batch(&mut cipher, &plain).expect("a good layout");
        Self {
            key,
            plain,
            sealed,
            clear,
            cipher,
            verdicts: vec![false; batch],
        }
    }

    fn seal(&mut self) {
        let sealed = self.key.seal_batch(&mut self.clear, &self.plain);
        sealed.expect("a good layout");
    }

    /// Opens what it has to copy first, as opening destroys it; the copy is timed apart.
    fn open(&mut self) {
        let opened = self
            .key
            .open_batch(&mut self.clear, &self.sealed, &mut self.verdicts);
        opened.expect("a good layout");
        assert!(self.verdicts.iter().all(|&good| good));
    }

    /// Seconds a call, over about one round.
    fn time(&mut self, what: fn(&mut Self)) -> f64 {
        let (mut calls, mut spent) = (0_u32, Duration::ZERO);
        while spent < ROUND {
            self.clear.copy_from_slice(&self.cipher);
            let start = Instant::now();
            what(self);
            spent += start.elapsed();
            calls += 1;
        }
        spent.as_secs_f64() / f64::from(calls)
    }
}

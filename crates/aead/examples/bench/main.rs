//! Throughput of each implementation beside aws-lc-rs, in one run, and whether timing depends on
//! secrets.
//!
//! `cargo run --release -p hushwire-aead --example bench [SIZE...] [xBATCH...] [NAME...]`
//!
//! A name is that of an implementation, or `auto` for what a key does that nobody has forced. With
//! `mixed`, every batch ends in a packet of a seventh of the size, as a segmented send does; with
//! `copy`, packets are sealed and opened from one buffer into another (aws-lc-rs copies first).
//! Every figure is the best of many short runs, and the implementations take turns, so that a busy
//! machine slows all of them or none.
//!
//! `… --example bench -- --dudect [SECONDS] [NAME...]` looks for a difference in time between two
//! classes of secrets; see `dudect.rs`.

mod dudect;
mod run;

use std::time::Duration;

use hushwire_aead::Backend;

use self::run::{Run, Shape};

const SIZES: [usize; 5] = [64, 256, 1420, 8192, 65_000];
const BATCHES: [usize; 6] = [1, 2, 4, 8, 16, 45];
const ROUNDS: usize = 60;
const DUDECT_TIME: Duration = Duration::from_secs(5);

fn main() {
    let plan = Plan::from_args(std::env::args().skip(1));
    if let Some(time) = plan.dudect {
        for subject in plan.subjects {
            dudect::report(subject, time);
        }
        return;
    }
    println!("Gbit/s of plaintext, and the ratio to aws-lc in the same run");
    print!("{:>6} {:>5}", "bytes", "batch");
    for subject in &plan.subjects {
        print!(" | {:>8} seal {:>5} open {:>5}", subject.name(), "", "");
    }
    println!();
    for &size in &plan.sizes {
        for &batch in &plan.batches {
            let shape = Shape {
                size,
                batch,
                mixed: plan.mixed,
                copy: plan.copy,
            };
            let rates = measure(&plan.subjects, shape);
            let base = rates[0];
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

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Backend(Backend),
    Auto,
}

impl Subject {
    fn from_name(name: &str) -> Option<Self> {
        let backend = Backend::ALL.into_iter().find(|b| b.name() == name);
        let auto = (name == "auto").then_some(Self::Auto);
        backend.map(Self::Backend).or(auto)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Backend(backend) => backend.name(),
            Self::Auto => "auto",
        }
    }
}

struct Plan {
    sizes: Vec<usize>,
    batches: Vec<usize>,
    /// aws-lc first.
    subjects: Vec<Subject>,
    mixed: bool,
    copy: bool,
    dudect: Option<Duration>,
}

impl Plan {
    fn from_args(args: impl Iterator<Item = String>) -> Self {
        let mut plan = Self {
            sizes: Vec::new(),
            batches: Vec::new(),
            subjects: vec![Subject::Backend(Backend::AwsLc)],
            mixed: false,
            copy: false,
            dudect: None,
        };
        for arg in args {
            if let Some(subject) = Subject::from_name(&arg) {
                plan.subjects.push(subject);
            } else if let Some(batch) = arg.strip_prefix('x') {
                plan.batches.push(batch.parse().expect("a batch size"));
            } else if arg == "--dudect" {
                plan.dudect = Some(DUDECT_TIME);
            } else if arg == "mixed" {
                plan.mixed = true;
            } else if arg == "copy" {
                plan.copy = true;
            } else {
                plan.sizes.push(arg.parse().expect("a size in bytes"));
            }
        }
        if plan.subjects.len() == 1 {
            for backend in Backend::ALL {
                if !backend.is_supported() {
                    println!("{backend}: this processor cannot run it, not measured");
                } else if backend != Backend::AwsLc {
                    plan.subjects.push(Subject::Backend(backend));
                }
            }
            plan.subjects.push(Subject::Auto);
        }
        if let Some(time) = &mut plan.dudect {
            let seconds = plan.sizes.pop();
            *time = seconds.map_or(*time, |seconds| Duration::from_secs(seconds as u64));
        }
        if plan.sizes.is_empty() {
            plan.sizes = SIZES.to_vec();
        }
        if plan.batches.is_empty() {
            plan.batches = BATCHES.to_vec();
        }
        plan
    }
}

/// Gbit/s of sealing and opening, subject by subject.
fn measure(subjects: &[Subject], shape: Shape) -> Vec<[f64; 2]> {
    let mut runs: Vec<_> = subjects.iter().map(|&s| Run::new(s, shape)).collect();
    let mut best = vec![[f64::INFINITY; 2]; runs.len()];
    for _ in 0..ROUNDS {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            best[0] = best[0].min(run.time(Run::seal));
            best[1] = best[1].min(run.time(Run::open));
        }
    }
    let bits = 8.0 * runs[0].plaintext() as f64;
    let rate = |seconds: f64| bits / seconds / 1e9;
    best.iter().map(|best| best.map(rate)).collect()
}

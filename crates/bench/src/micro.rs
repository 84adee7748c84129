//! Timing cases.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Case, Runner};

/// Rounds, in each of which every case is timed once, so that what else the machine does meets all.
const ROUNDS: usize = 15;

/// How long one sample should take.
const SAMPLE: Duration = Duration::from_millis(4);

/// What was found out about a case.
#[derive(Clone, Debug)]
pub struct Timing {
    name: String,
    bytes: Option<u64>,
    /// Nanoseconds a turn, sorted.
    samples: Vec<f64>,
}

impl Timing {
    /// The median time of a turn in nanoseconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The shortest time of a turn in nanoseconds.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// Gigabits a second at the median.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.bytes.map(|bytes| bytes as f64 * 8.0 / self.median())
    }

    fn quantile(&self, share: f64) -> f64 {
        let last = self.samples.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.samples.get(at).copied().unwrap_or(f64::NAN)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "nanoseconds": self.median(),
            "least": self.least(),
            "gigabits_per_second": self.rate(),
            "samples": self.samples,
        })
    }
}

/// Times all cases, one after the other in every round.
#[must_use]
pub fn time(cases: &[Case]) -> Vec<Timing> {
    let mut prepared: Vec<Prepared<'_>> = cases.iter().map(Prepared::new).collect();
    for _ in 0..ROUNDS {
        prepared.iter_mut().for_each(Prepared::sample);
    }
    prepared.into_iter().map(Prepared::finish).collect()
}

struct Prepared<'a> {
    case: &'a Case,
    runner: Runner,
    turns: u64,
    samples: Vec<f64>,
}

impl<'a> Prepared<'a> {
    fn new(case: &'a Case) -> Self {
        let mut runner = case.prepare();
        let turns = turns_for(&mut runner, SAMPLE);
        Self {
            case,
            runner,
            turns,
            samples: Vec::with_capacity(ROUNDS),
        }
    }

    fn sample(&mut self) {
        let spent = (self.runner)(self.turns);
        self.samples
            .push(spent.as_nanos() as f64 / self.turns as f64);
    }

    fn finish(mut self) -> Timing {
        self.samples.sort_by(f64::total_cmp);
        Timing {
            name: self.case.name().to_owned(),
            bytes: self.case.bytes_per_turn(),
            samples: self.samples,
        }
    }
}

/// How many turns take about that long; finding out also warms everything up.
fn turns_for(runner: &mut Runner, time: Duration) -> u64 {
    let mut turns = 1_u64;
    loop {
        let spent = runner(turns);
        if spent >= time {
            return turns;
        }
        let nanos = spent.as_nanos().max(1) as f64;
        let factor = (time.as_nanos() as f64 / nanos * 1.1).clamp(2.0, 100.0);
        turns = (turns as f64 * factor) as u64;
    }
}

/// A line for each case.
#[must_use]
pub fn table(timings: &[Timing]) -> String {
    let mut text = format!(
        "{:<36}{:>14}{:>14}{:>10}\n",
        "", "ns, median", "ns, least", "Gbit/s"
    );
    for timing in timings {
        let rate = timing
            .rate()
            .map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}"));
        let (median, least) = (timing.median(), timing.least());
        let _ = writeln!(
            text,
            "{:<36}{median:>14.1}{least:>14.1}{rate:>10}",
            timing.name
        );
    }
    text
}

/// All samples and what follows from them.
#[must_use]
pub fn json(timings: &[Timing]) -> Value {
    timings.iter().map(Timing::json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(samples: &[f64], bytes: Option<u64>) -> Timing {
        Timing {
            name: "work".to_owned(),
            bytes,
            samples: samples.to_vec(),
        }
    }

    #[test]
    fn the_median_and_the_rate_follow_from_the_samples() {
        let timing = timing(&[1.0, 2.0, 40.0], Some(1000));
        assert_eq!(timing.median(), 2.0);
        assert_eq!(timing.least(), 1.0);
        assert_eq!(timing.rate(), Some(4000.0));
    }

    #[test]
    fn the_table_has_a_dash_where_there_is_no_rate() {
        let text = table(&[timing(&[12.5], None)]);
        let line = text.lines().nth(1).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["work", "12.5", "12.5", "-"]);
    }

    #[test]
    fn enough_turns_are_found_for_the_shortest_work() {
        let mut calls = 0;
        let mut runner: Runner = Box::new(move |turns| {
            calls += 1;
            assert!(calls < 100, "it does not end");
            Duration::from_nanos(turns)
        });
        let turns = turns_for(&mut runner, Duration::from_micros(10));
        assert!((10_000..40_000).contains(&turns), "{turns}");
    }
}

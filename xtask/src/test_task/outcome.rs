//! What became of a test program, and of all.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};

/// What became of one test program.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) counts: Counts,
    /// All that it printed.
    pub(super) text: Vec<u8>,
    pub(super) took: Duration,
}

impl Outcome {
    pub(super) fn broken(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            passed: false,
            counts: Counts::default(),
            text: format!("{why}\n").into_bytes(),
            took: Duration::ZERO,
        }
    }

    pub(super) fn report(&self) {
        let word = if self.passed { "ok    " } else { "FAILED" };
        if !self.passed {
            eprintln!("{}", String::from_utf8_lossy(&self.text));
        }
        eprintln!(
            "{word} {:<36} {:>5} tests  {:>8}",
            self.name,
            self.counts.passed,
            seconds(self.took)
        );
    }
}

/// The figures of a test program's `test result:` lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl Counts {
    pub(super) fn read(stdout: &[u8]) -> Self {
        let text = String::from_utf8_lossy(stdout);
        let mut sums = BTreeMap::<&str, u64>::new();
        for line in text
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
        {
            let words: Vec<&str> = line
                .split([' ', ';', '.'])
                .filter(|word| !word.is_empty())
                .collect();
            for pair in words.windows(2) {
                if let [count, what] = pair
                    && let Ok(count) = count.parse::<u64>()
                {
                    *sums.entry(what).or_default() += count;
                }
            }
        }
        let of = |what| sums.get(what).copied().unwrap_or_default();
        Self {
            passed: of("passed"),
            failed: of("failed"),
            ignored: of("ignored"),
        }
    }
}

pub(super) fn summary(outcomes: &[Outcome], took: Duration) -> Result<()> {
    let sum = |count: fn(&Counts) -> u64| {
        outcomes
            .iter()
            .map(|outcome| count(&outcome.counts))
            .sum::<u64>()
    };
    eprintln!(
        "{} passed, {} failed, {} ignored in {} test programs; {} in all",
        sum(|counts| counts.passed),
        sum(|counts| counts.failed),
        sum(|counts| counts.ignored),
        outcomes.len(),
        seconds(took),
    );
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !outcome.passed)
        .map(|outcome| outcome.name.clone())
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::Tests { failed })
    }
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let text = b"running 3 tests\ntest result: ok. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; \
            finished in 1.24s\nnoise\ntest result: FAILED. 10 passed; 0 failed; 3 ignored; 0 measured\n";
        assert_eq!(
            Counts::read(text),
            Counts {
                passed: 12,
                failed: 1,
                ignored: 3
            }
        );
    }

    #[test]
    fn no_result_line_counts_nothing() {
        assert_eq!(Counts::read(b"Segmentation fault\n"), Counts::default());
    }
}

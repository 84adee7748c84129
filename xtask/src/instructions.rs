//! `cargo xtask instructions`: instructions that pieces of work take, counted under callgrind and compared with the
//! baseline in `crates/bench/instructions.json`.
//!
//! Unlike times, counts are the same on a busy machine. A case is run for N turns and for 2 N; the difference over N is
//! what a turn takes, whatever preparing it took. Valgrind shows every program the same processor, one without
//! AVX-512, so libraries that choose by processor choose the same everywhere; our own cipher is told what to take.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::packages;
use crate::paths::Paths;
use crate::process::{cargo, find_tool, output, run};

/// By how much a count may be off its baseline.
const TOLERANCE: f64 = 0.05;

/// Instructions a turn, by the name of the case.
type Counts = BTreeMap<String, f64>;

/// What the command line asks of the task.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    /// Make what is counted now the baseline.
    write: bool,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask instructions [--write]

Counts the instructions of the pure parts (handshake, routing, replay window,
checksum, splitting and joining of super-packets, parsing) under callgrind and
compares them with crates/bench/instructions.json: more than 5 % above it fails.

  --write   Make what is counted now the baseline
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        match arguments {
            [] => Ok(Self { write: false }),
            [word] if word == "--write" => Ok(Self { write: true }),
            [word, ..] => Err(Error::Usage(format!(
                "unknown argument `{word}` of instructions"
            ))),
        }
    }
}

/// Counts, then compares or writes.
pub(crate) fn instructions(paths: &Paths, options: Options) -> Result<()> {
    packages::install()?;
    let program = build(paths)?;
    let counts = count_all(&program)?;
    let baseline = Baseline::new(paths);
    if options.write {
        baseline.write(&counts)?;
        println!("{} written", baseline.file.display());
        return Ok(());
    }
    let comparison = Comparison::new(&counts, &baseline.read()?);
    print!("{}", comparison.table());
    comparison.verdict()
}

/// As part of the tests: the table, and whether all is well.
pub(crate) fn check(paths: &Paths) -> Result<String> {
    let counts = count_all(&build(paths)?)?;
    let comparison = Comparison::new(&counts, &Baseline::new(paths).read()?);
    match comparison.verdict() {
        Ok(()) => Ok(comparison.table()),
        Err(error) => Err(Error::Machine(format!("{}{error}", comparison.table()))),
    }
}

/// How many cases there are: one test each.
pub(crate) fn cases_in(table: &str) -> u64 {
    table.lines().count() as u64
}

/// Builds the program with the cases.
pub(crate) fn build(paths: &Paths) -> Result<PathBuf> {
    run(cargo().current_dir(paths.root()).args([
        "build",
        "--release",
        "--package",
        "hushwire-bench",
    ]))?;
    Ok(paths.release("hushwire-bench"))
}

/// Counts all cases that can be counted, as many at a time as there are processors.
fn count_all(program: &Path) -> Result<Counts> {
    let valgrind = find_tool("valgrind").ok_or_else(|| {
        Error::Machine("valgrind is missing: install the Debian package valgrind".to_owned())
    })?;
    let list = output(Command::new(program).arg("list"))?;
    let list = String::from_utf8_lossy(&list);
    let cases = list.lines().filter_map(|line| {
        let (name, turns) = line.split_once(' ')?;
        Some((name, turns.parse::<u64>().ok()?))
    });
    let queue = Mutex::new(cases);
    let next = || queue.lock().ok()?.next();
    let worker = || {
        let mut counts = Vec::new();
        while let Some((name, turns)) = next() {
            let [once, twice] = [turns, 2 * turns]
                .map(|turns| count(&valgrind, program, name, turns).map(|count| count as f64));
            counts.push((name.to_owned(), (twice? - once?) / turns as f64));
        }
        Ok(counts)
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let mut all = Counts::new();
        for thread in threads {
            let counts: Result<Vec<_>> = thread
                .join()
                .unwrap_or_else(|_| Err(Error::Machine("a counting thread panicked".to_owned())));
            all.extend(counts?);
        }
        Ok(all)
    })
}

/// The instructions of one run of the program.
fn count(valgrind: &Path, program: &Path, case: &str, turns: u64) -> Result<u64> {
    let mut command = Command::new(valgrind);
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["run", case, &turns.to_string()])
        .env("HUSHWIRE_AEAD", "aws-lc")
        .stdin(Stdio::null());
    let output = command.output().map_err(|source| Error::Start {
        program: "valgrind".to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stderr);
    match collected(&text) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(Error::Machine(format!(
            "{case} cannot be counted: {}",
            text.trim()
        ))),
    }
}

/// The figure of callgrind's line `==123== Collected : 456`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The counts that are committed, by architecture.
struct Baseline {
    file: PathBuf,
}

impl Baseline {
    fn new(paths: &Paths) -> Self {
        Self {
            file: paths.root().join("crates/bench/instructions.json"),
        }
    }

    fn all(&self) -> Result<Value> {
        let text = fs::read(&self.file).map_err(Error::file("read", &self.file))?;
        serde_json::from_slice(&text).map_err(|error| {
            Error::Machine(format!(
                "{}: {error}; write it anew with `cargo xtask instructions --write`",
                self.file.display()
            ))
        })
    }

    fn read(&self) -> Result<Counts> {
        let all = self.all()?;
        let counts = all.get(env::consts::ARCH).and_then(Value::as_object);
        let counts = counts.ok_or_else(|| {
            Error::Machine(format!(
                "{} has no counts for {}: add them with `cargo xtask instructions --write`",
                self.file.display(),
                env::consts::ARCH
            ))
        })?;
        Ok(counts
            .iter()
            .filter_map(|(name, count)| Some((name.clone(), count.as_f64()?)))
            .collect())
    }

    fn write(&self, counts: &Counts) -> Result<()> {
        let mut all = if self.file.exists() {
            self.all()?
        } else {
            json!({})
        };
        let counts: BTreeMap<&String, f64> = counts
            .iter()
            .map(|(name, count)| (name, (count * 10.0).round() / 10.0))
            .collect();
        all[env::consts::ARCH] = json!(counts);
        fs::write(&self.file, format!("{all:#}\n")).map_err(Error::file("write", &self.file))
    }
}

/// What was counted beside the baseline; `None` where one of them has no such case.
struct Comparison {
    cases: BTreeMap<String, (Option<f64>, Option<f64>)>,
}

impl Comparison {
    fn new(counts: &Counts, baseline: &Counts) -> Self {
        let names = counts.keys().chain(baseline.keys());
        let cases = names.map(|name| {
            let pair = (counts.get(name).copied(), baseline.get(name).copied());
            (name.clone(), pair)
        });
        Self {
            cases: cases.collect(),
        }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for (name, pair) in &self.cases {
            let _ = match pair {
                (Some(count), Some(baseline)) => writeln!(
                    text,
                    "{name:<32}{count:>14.1}{baseline:>14.1}{:>+8.1} %",
                    (count / baseline - 1.0) * 100.0
                ),
                (Some(count), None) => writeln!(text, "{name:<32}{count:>14.1}   no baseline"),
                (None, _) => writeln!(text, "{name:<32}   no such case any more"),
            };
        }
        text
    }

    /// Fails for a count that is too high, and for a case without a baseline or the reverse. A lower count passes: the
    /// one who earned it writes the new baseline.
    fn verdict(&self) -> Result<()> {
        let is_bad = |pair: &(Option<f64>, Option<f64>)| match pair {
            (Some(count), Some(baseline)) => *count > baseline * (1.0 + TOLERANCE),
            _ => true,
        };
        let bad: Vec<&str> = self
            .cases
            .iter()
            .filter(|(_, pair)| is_bad(pair))
            .map(|(name, _)| name.as_str())
            .collect();
        if bad.is_empty() {
            return Ok(());
        }
        Err(Error::Machine(format!(
            "more than 5 % above the baseline of instructions, or without one: {}; if that is meant, renew it with \
             `cargo xtask instructions --write`",
            bad.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        let pair = |(name, count): &(&str, f64)| ((*name).to_owned(), *count);
        pairs.iter().map(pair).collect()
    }

    fn verdict(count: &[(&str, f64)], baseline: &[(&str, f64)]) -> Result<()> {
        Comparison::new(&counts(count), &counts(baseline)).verdict()
    }

    #[test]
    fn five_percent_more_pass_and_six_do_not() {
        assert!(verdict(&[("a", 105.0)], &[("a", 100.0)]).is_ok());
        assert!(verdict(&[("a", 50.0)], &[("a", 100.0)]).is_ok());
        let error = verdict(&[("a", 100.0), ("b", 106.0)], &[("a", 100.0), ("b", 100.0)])
            .expect_err("too many");
        assert!(error.to_string().contains("without one: b;"));
    }

    #[test]
    fn a_case_without_a_baseline_fails_and_the_reverse() {
        assert!(verdict(&[("new", 1.0)], &[]).is_err());
        assert!(verdict(&[], &[("old", 1.0)]).is_err());
    }

    #[test]
    fn callgrinds_figure_is_read() {
        let text = "==7== Events    : Ir\n==7== Collected : 1947207\n==7== \n";
        assert_eq!(collected(text), Some(1_947_207));
        assert_eq!(collected("valgrind: no such program"), None);
    }

    #[test]
    fn the_command_line_is_read() {
        let parse = |words: &[&str]| {
            Options::parse(
                &words
                    .iter()
                    .map(|&word| word.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert!(!parse(&[]).expect("valid").write);
        assert!(parse(&["--write"]).expect("valid").write);
        assert!(parse(&["--write", "now"]).is_err());
    }
}

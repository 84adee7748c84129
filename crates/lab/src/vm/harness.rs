//! Outside of the machine: the test program as cargo knows it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::Check;
use super::image;
use super::machine::Machine;
use super::report::Line;
use crate::{Error, Result};

/// How long the machine may take in all. It takes three minutes when it has a core to itself; only one that hangs is
/// stopped.
pub(super) const LIMIT: Duration = Duration::from_secs(1200);

/// The checks that a command line asks for, in the words of Rust's own test programs.
#[derive(Debug, Default)]
pub(super) struct Selection {
    words: Vec<String>,
    filters: Vec<String>,
    skips: Vec<String>,
    exact: bool,
    list: bool,
}

impl Selection {
    pub(super) fn parse(words: &[String]) -> Result<Self> {
        let mut selection = Self {
            words: words.to_vec(),
            ..Self::default()
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--skip" => selection.skips.extend(words.next().cloned()),
                "--exact" => selection.exact = true,
                "--list" => selection.list = true,
                // The machine has one processor and its report is shown as it comes.
                "--nocapture" | "--no-capture" | "--show-output" | "-q" | "--quiet" => {}
                "--test-threads" | "--color" | "--format" => drop(words.next()),
                option if option.starts_with('-') => {
                    let reason = "this test program does not know that option";
                    return Err(Error::unexpected(option, reason));
                }
                filter => selection.filters.push(filter.to_owned()),
            }
        }
        Ok(selection)
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        let matches = |filter: &String| {
            if self.exact {
                name == filter
            } else {
                name.contains(filter)
            }
        };
        (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skips.iter().any(matches)
    }
}

pub(super) fn main(checks: &[Check]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Selection::parse(&words).and_then(|selection| run(checks, &selection)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("the virtual machine: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether all went well.
fn run(checks: &[Check], selection: &Selection) -> Result<bool> {
    let chosen: Vec<&str> = checks
        .iter()
        .map(|check| check.name)
        .filter(|name| selection.wants(name))
        .collect();
    if selection.list {
        chosen.iter().for_each(|name| println!("{name}: test"));
        return Ok(true);
    }
    println!("running {} tests", chosen.len());
    let mut tally = Tally::default();
    if !chosen.is_empty() {
        boot_and_listen(selection, &mut tally)?;
    }
    let lost = chosen.len() - tally.passed - tally.failed.len();
    let well = tally.failed.is_empty() && lost == 0;
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out",
        if well { "ok" } else { "FAILED" },
        tally.passed,
        tally.failed.len() + lost,
        checks.len() - chosen.len()
    );
    Ok(well)
}

#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

fn boot_and_listen(selection: &Selection, tally: &mut Tally) -> Result<()> {
    let start = Instant::now();
    let deadline = start + LIMIT;
    let image = image::build()?;
    let mut machine = Machine::boot(&image, &selection.words)?;
    loop {
        let Some(line) = machine.line(deadline)? else {
            println!("{}", machine.last_words());
            println!(
                "the virtual machine stopped before all tests were done; its console is above"
            );
            return Ok(());
        };
        match Line::decode(&line) {
            Some(Line::Begin(_)) => {
                println!("booted in {:.1} s", start.elapsed().as_secs_f32());
            }
            Some(Line::About(text)) => println!("    {text}"),
            Some(Line::Done { name, passed, took }) => {
                let word = if passed { "ok" } else { "FAILED" };
                println!("test {name} ... {word} ({:.1} s)", took.as_secs_f32());
                if passed {
                    tally.passed += 1;
                } else {
                    tally.failed.push(name);
                }
            }
            Some(Line::End) => return Ok(()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(line: &str) -> Result<Selection> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Selection::parse(&words)
    }

    #[test]
    fn filters_and_skips_choose_by_parts_of_names() {
        let all = selection("--nocapture --test-threads 4").unwrap();
        assert!(all.wants("show::one_peer"));
        let some = selection("show:: set:: --skip one").unwrap();
        assert!(some.wants("show::two_peers") && some.wants("set::port"));
        assert!(!some.wants("show::one_peer") && !some.wants("tunnel::v4"));
        let exact = selection("--exact show::two").unwrap();
        assert!(exact.wants("show::two") && !exact.wants("show::two_peers"));
    }

    #[test]
    fn an_unknown_option_is_an_error() {
        let error = selection("--shuffle").unwrap_err();
        assert!(error.to_string().starts_with("--shuffle: "));
    }
}

//! What cargo or other tools test, after the test programs.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::outcome::{Counts, Outcome};
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::cargo;
use crate::{instructions, models, supply_chain};

/// Runs all of it, and reports as it goes.
pub(super) fn all(paths: &Paths) -> Result<Vec<Outcome>> {
    Ok(vec![
        instruction_counts(paths),
        dependencies(paths),
        doc_tests(paths)?,
        by_cargo("models", &mut models::of_the_protocol(paths))?,
    ])
}

fn doc_tests(paths: &Paths) -> Result<Outcome> {
    let mut command = cargo();
    command
        .current_dir(paths.root())
        .args(["test", "--workspace", "--doc"]);
    by_cargo("documentation", &mut command)
}

/// Tests that cargo must build in its own way and so runs itself.
fn by_cargo(name: &str, command: &mut Command) -> Result<Outcome> {
    let start = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start {
            program: "cargo".to_owned(),
            source,
        })?;
    let outcome = Outcome {
        name: name.to_owned(),
        passed: output.status.success(),
        counts: Counts::read(&output.stdout),
        text: [output.stdout, output.stderr].concat(),
        took: start.elapsed(),
    };
    outcome.report();
    Ok(outcome)
}

/// The counts beside their baseline, each of them a test.
fn instruction_counts(paths: &Paths) -> Outcome {
    let start = Instant::now();
    let (passed, text) = match instructions::check(paths) {
        Ok(table) => (true, table),
        Err(error) => (false, error.to_string()),
    };
    let outcome = Outcome {
        name: "instructions".to_owned(),
        passed,
        counts: Counts {
            passed: if passed {
                instructions::cases_in(&text)
            } else {
                0
            },
            failed: u64::from(!passed),
            ignored: 0,
        },
        text: text.into_bytes(),
        took: start.elapsed(),
    };
    outcome.report();
    outcome
}

/// The checks of the dependencies that need no network, together one test.
fn dependencies(paths: &Paths) -> Outcome {
    let start = Instant::now();
    let checked = supply_chain::dependencies(paths);
    let outcome = Outcome {
        name: "dependencies".to_owned(),
        passed: checked.is_ok(),
        counts: Counts {
            passed: u64::from(checked.is_ok()),
            failed: u64::from(checked.is_err()),
            ignored: 0,
        },
        text: checked
            .err()
            .map_or_else(Vec::new, |error| format!("{error}\n").into_bytes()),
        took: start.elapsed(),
    };
    outcome.report();
    outcome
}

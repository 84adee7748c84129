//! Running the test programs.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use super::outcome::{Counts, Outcome};
use super::program::{Job, Program};
use crate::error::Result;
use crate::paths::Paths;
use crate::process::path_with_sbin;

/// Runs test programs.
pub(super) struct Runner<'a> {
    environment: Vec<(&'static str, OsString)>,
    root: bool,
    filters: &'a [String],
}

impl<'a> Runner<'a> {
    /// Without `root` the programs run through sudo. `filters` are passed on to them.
    pub(super) fn new(paths: &Paths, root: bool, filters: &'a [String]) -> Self {
        Self {
            environment: environment(paths),
            root,
            filters,
        }
    }

    /// The patient ones beside the others and `afterwards`, which run one after the other: on a small machine two floods
    /// at a time only disturb each other.
    pub(super) fn all(
        &self,
        programs: &[Program],
        afterwards: impl FnOnce() -> Result<Vec<Outcome>>,
    ) -> Result<Vec<Outcome>> {
        let jobs: Vec<Job<'_>> = programs
            .iter()
            .flat_map(|program| program.jobs(self.filters))
            .collect();
        let (patient, busy): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.patient);
        thread::scope(|scope| {
            let waiting: Vec<_> = patient
                .iter()
                .map(|&job| (job, scope.spawn(move || self.one(job))))
                .collect();
            let mut outcomes: Vec<Outcome> = busy
                .iter()
                .map(|&job| self.one(job))
                .inspect(Outcome::report)
                .collect();
            outcomes.extend(afterwards()?);
            for (job, handle) in waiting {
                let outcome = handle
                    .join()
                    .unwrap_or_else(|_| Outcome::broken(&job.name, "its runner panicked"));
                outcome.report();
                outcomes.push(outcome);
            }
            Ok(outcomes)
        })
    }

    fn one(&self, job: &Job<'_>) -> Outcome {
        let start = Instant::now();
        let mut command = self.command(job.program);
        match command.args(&job.arguments).stdin(Stdio::null()).output() {
            Ok(output) => Outcome {
                name: job.name.clone(),
                passed: output.status.success(),
                counts: Counts::read(&output.stdout),
                text: [output.stdout, output.stderr].concat(),
                took: start.elapsed(),
            },
            Err(error) => Outcome::broken(&job.name, &error.to_string()),
        }
    }

    fn command(&self, program: &Program) -> Command {
        let mut environment = self.environment.clone();
        environment.push((
            "CARGO_MANIFEST_DIR",
            program.folder.clone().into_os_string(),
        ));
        let mut command = if self.root {
            let mut command = Command::new(&program.executable);
            command.envs(environment);
            command
        } else {
            // sudo may be set to clear the environment: `env` puts it back.
            let mut command = Command::new("sudo");
            command.args(["-n", "--", "env"]);
            command.args(environment.into_iter().map(|(name, value)| {
                let mut pair = OsString::from(name);
                pair.push("=");
                pair.push(value);
                pair
            }));
            command.arg(&program.executable);
            command
        };
        command.current_dir(&program.folder);
        command
    }
}

/// What the tests are told about the programs they drive.
fn environment(paths: &Paths) -> Vec<(&'static str, OsString)> {
    vec![
        ("PATH", path_with_sbin()),
        ("HUSHWIRED", paths.release("hushwired").into_os_string()),
        ("HUSHWIRE", paths.release("hushwire").into_os_string()),
        ("HUSHWIRE_PEERS_DIR", paths.peers_bin().into_os_string()),
    ]
}

//! `cargo xtask test`: every test of the workspace, with the programs and rights they need.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{as_root, cargo, is_root, output, path_with_sbin, run};
use crate::{fresh_root, instructions, kernel, models, packages, peers, supply_chain};

/// Tests that mostly wait, for protocol timers of minutes or as scanners do, by program and modules: they run beside all the others.
const PATIENT: &[(&str, &[&str])] = &[
    ("lab::scenarios", &["recovery::", "rekey::"]),
    ("lab::attack", &["silence::"]),
];

/// What the command line asks of the task.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Only test programs whose name contains one of these; empty means all.
    only: Vec<String>,
    /// Only tests whose name contains one of these, passed on to the programs.
    filters: Vec<String>,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask test [--only PROGRAM]... [FILTER]...

Installs what the tests need, builds hushwired and hushwire in release, then
runs every test of the workspace. Network namespaces and TUN devices need root:
an ordinary user builds as himself and runs the tests through sudo.

  --only PROGRAM   Only test programs whose name contains PROGRAM,
                   such as `netns` or `hushwire_proto`
  FILTER           Only tests whose name contains FILTER
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--only" => options.only.push(
                    words
                        .next()
                        .cloned()
                        .ok_or_else(|| Error::Usage("--only needs a program's name".to_owned()))?,
                ),
                flag if flag.starts_with('-') => {
                    return Err(Error::Usage(format!("unknown option `{flag}` of test")));
                }
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, program: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| program.contains(part.as_str()))
    }

    fn narrowed(&self) -> bool {
        !self.only.is_empty() || !self.filters.is_empty()
    }
}

/// Runs the tests and prints a summary.
pub(crate) fn test(paths: &Paths, options: &Options) -> Result<()> {
    let start = Instant::now();
    packages::install()?;
    peers::install(paths)?;
    kernel::install(paths)?;
    fresh_root::install(paths)?;
    run(cargo().current_dir(paths.root()).args([
        "build",
        "--release",
        "--package",
        "hushwire",
        "--bins",
    ]))?;
    let programs: Vec<Program> = build(paths)?
        .into_iter()
        .filter(|program| options.wants(&program.name))
        .collect();
    if programs.is_empty() {
        return Err(Error::Usage(format!(
            "no test program matches {}",
            options.only.join(", ")
        )));
    }
    eprintln!("built in {}", seconds(start.elapsed()));

    let root = is_root()?;
    let runner = Runner {
        environment: environment(paths),
        root,
        filters: &options.filters,
    };
    if !root {
        // Asks for the password once, before anything scrolls by.
        run(&mut as_root(
            "true",
            "run the tests: they make network namespaces and TUN devices",
        )?)?;
    }
    let mut outcomes = runner.all(&programs);
    if !options.narrowed() {
        outcomes.push(instruction_counts(paths));
        outcomes.push(dependencies(paths));
        outcomes.push(doc_tests(paths)?);
        outcomes.push(by_cargo("models", &mut models::of_the_protocol(paths))?);
    }
    summary(&outcomes, start.elapsed())
}

/// One test program that cargo built.
struct Program {
    /// Crate and target, such as `hushwire_lab::netns_basic`.
    name: String,
    executable: PathBuf,
    /// The package's folder, where cargo would run it.
    folder: PathBuf,
}

impl Program {
    /// How to run it: at once, or its patient tests apart. A caller's own filters leave it whole, because they and the
    /// name of a module would add up, not narrow each other down.
    fn jobs(&self, filters: &[String]) -> Vec<Job<'_>> {
        let whole = Job {
            program: self,
            name: self.name.clone(),
            arguments: filters.to_vec(),
            patient: false,
        };
        let Some((_, modules)) = PATIENT.iter().find(|(program, _)| *program == self.name) else {
            return vec![whole];
        };
        if !filters.is_empty() {
            return vec![whole];
        }
        let patient = Job {
            name: format!("{}, {}", self.name, modules.join(" ")),
            arguments: modules.iter().map(|&module| module.to_owned()).collect(),
            patient: true,
            ..whole.clone()
        };
        let skips = modules
            .iter()
            .flat_map(|&module| ["--skip".to_owned(), module.to_owned()]);
        let rest = Job {
            arguments: skips.collect(),
            ..whole
        };
        vec![patient, rest]
    }
}

/// One run of a test program.
#[derive(Clone)]
struct Job<'a> {
    program: &'a Program,
    name: String,
    arguments: Vec<String>,
    /// Whether it waits more than it works.
    patient: bool,
}

/// Builds the test programs as the calling user and finds out what they are.
fn build(paths: &Paths) -> Result<Vec<Program>> {
    eprintln!("+ cargo test --workspace --no-run");
    let messages = output(cargo().current_dir(paths.root()).args([
        "test",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]))?;
    let mut programs: Vec<Program> = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| program(&serde_json::from_slice(line).ok()?))
        .collect();
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

fn program(message: &Value) -> Option<Program> {
    if message.get("reason")? != "compiler-artifact" || message.pointer("/profile/test")? != true {
        return None;
    }
    let executable = PathBuf::from(message.get("executable")?.as_str()?);
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    let target = message.pointer("/target/name")?.as_str()?.replace('-', "_");
    let folder = manifest.parent()?.to_path_buf();
    let package = folder.file_name()?.to_string_lossy().into_owned();
    Some(Program {
        name: format!("{package}::{target}"),
        executable,
        folder,
    })
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

struct Runner<'a> {
    environment: Vec<(&'static str, OsString)>,
    root: bool,
    filters: &'a [String],
}

impl Runner<'_> {
    /// The patient ones beside the others, which run one after the other: on a small machine two floods at a time only
    /// disturb each other.
    fn all(&self, programs: &[Program]) -> Vec<Outcome> {
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
            for (job, handle) in waiting {
                let outcome = handle
                    .join()
                    .unwrap_or_else(|_| Outcome::broken(job, "its runner panicked"));
                outcome.report();
                outcomes.push(outcome);
            }
            outcomes
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
            Err(error) => Outcome::broken(job, &error.to_string()),
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

/// What became of one test program.
struct Outcome {
    name: String,
    passed: bool,
    counts: Counts,
    /// All that it printed.
    text: Vec<u8>,
    took: Duration,
}

impl Outcome {
    fn broken(job: &Job<'_>, why: &str) -> Self {
        Self {
            name: job.name.clone(),
            passed: false,
            counts: Counts::default(),
            text: format!("{why}\n").into_bytes(),
            took: Duration::ZERO,
        }
    }

    fn report(&self) {
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
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn read(stdout: &[u8]) -> Self {
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

fn summary(outcomes: &[Outcome], took: Duration) -> Result<()> {
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

fn seconds(time: Duration) -> String {
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

    #[test]
    fn patient_tests_run_apart_and_none_is_lost() {
        let program = |name: &str| Program {
            name: name.to_owned(),
            executable: PathBuf::new(),
            folder: PathBuf::new(),
        };
        let scenarios = program("lab::scenarios");
        let jobs = scenarios.jobs(&[]);
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[0].arguments, ["recovery::", "rekey::"]);
        assert_eq!(
            jobs[1].arguments,
            ["--skip", "recovery::", "--skip", "rekey::"]
        );
        assert!(jobs[0].patient && !jobs[1].patient);
        assert_eq!(scenarios.jobs(&["mtu".to_owned()]).len(), 1);
        assert_eq!(program("proto::hushwire_proto").jobs(&[]).len(), 1);
    }

    #[test]
    fn options_name_programs_and_tests() {
        let options =
            Options::parse(&["--only".into(), "netns".into(), "mtu".into()]).expect("valid");
        assert!(options.wants("lab::netns_basic") && !options.wants("proto::proto"));
        assert_eq!(options.filters, ["mtu"]);
        assert!(Options::parse(&["--only".into()]).is_err());
        assert!(Options::parse(&["--nonsense".into()]).is_err());
    }
}

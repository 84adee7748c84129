//! `cargo xtask fuzz`: the fuzz targets under libFuzzer.
//!
//! The programs are built as cargo-fuzz does it, but with whatever toolchain is there: what finds
//! out which code an input reaches is a pass of LLVM that stable rustc runs too.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::packages;
use crate::paths::Paths;
use crate::process::{cargo, output, run, shown};

/// What lets libFuzzer see which code runs and what is compared there.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing -Ccodegen-units=1";

/// The longest input that the fuzzer makes up, in bytes.
const INPUT_MAX: usize = 4096;

/// The longest input that is committed.
const COMMITTED_MAX: usize = 2048;

/// An input that takes longer than this, in seconds, is a finding. Inputs take milliseconds; a busy
/// machine may stop for a while.
const TIME_LIMIT: u32 = 300;

/// What the command line asks of the task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    effort: Effort,
    /// Whether accesses to memory are watched.
    address_sanitizer: bool,
    /// Empty means all.
    targets: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Effort {
    Minutes(u32),
    Runs(u64),
    /// No run, but a smaller corpus that reaches as much.
    Minimize,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask fuzz [OPTION]... [TARGET]...

Runs fuzz targets, one after the other, beginning with the committed corpus and
with what earlier runs have added to it in target/fuzz. Ends with failure when
something is found, and says where the input is that shows it. Any toolchain
will do; the fuzzer itself is C++, for which g++ is installed (root or sudo) if
there is none.

  --minutes N           For so many minutes each (default 1)
  --runs N              For so many runs each, the same in every run
  --sanitizer address   Watch accesses to memory, too (Linux on x86-64 or ARM64)
  --minimize            Run nothing, but write into fuzz/corpus the inputs that
                        reach all that is reached now
  TARGET                Only these; `ls fuzz/fuzz_targets` shows all
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            effort: Effort::Minutes(1),
            address_sanitizer: false,
            targets: Vec::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--minutes" => options.effort = Effort::Minutes(number(word, words.next())?),
                "--runs" => options.effort = Effort::Runs(number(word, words.next())?),
                "--minimize" => options.effort = Effort::Minimize,
                "--sanitizer" => match words.next().map(String::as_str) {
                    Some("address") => options.address_sanitizer = true,
                    _ => return Err(Error::Usage("--sanitizer knows only `address`".to_owned())),
                },
                flag if flag.starts_with('-') => {
                    return Err(Error::Usage(format!("unknown option `{flag}` of fuzz")));
                }
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(option: &str, word: Option<&String>) -> Result<N> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| Error::Usage(format!("{option} needs a number")))
}

/// Builds the targets and runs them.
pub(crate) fn fuzz(paths: &Paths, options: &Options) -> Result<()> {
    let names = chosen(paths, &options.targets)?;
    packages::install_one("c++")?;
    let programs = build(paths, options.address_sanitizer)?;
    let mut failed = Vec::new();
    for name in names {
        let target = Target {
            program: programs.join(&name),
            corpus: paths.fuzz().join("corpus").join(&name),
            work: paths.fuzz_target().join("corpus").join(&name),
            findings: paths.fuzz_target().join("findings"),
            name,
        };
        let clean = match options.effort {
            Effort::Minimize => target.minimize().map(|()| true)?,
            Effort::Minutes(minutes) => {
                let seconds = minutes.saturating_mul(60);
                target.run(&[format!("-max_total_time={seconds}")])?
            }
            Effort::Runs(runs) => {
                // What earlier runs have found would make this one another.
                let work = paths.fuzz_target().join("once").join(&target.name);
                remove(&work)?;
                let target = Target {
                    work,
                    ..target.clone()
                };
                target.run(&[format!("-runs={runs}"), "-seed=1".to_owned()])?
            }
        };
        if !clean {
            failed.push(target.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Tests { failed })
}

/// The names of the targets, all or those that are asked for.
fn chosen(paths: &Paths, asked: &[String]) -> Result<Vec<String>> {
    let folder = paths.fuzz().join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(Error::file("read the folder", &folder))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".rs")?.to_owned())
        })
        .collect();
    names.sort();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(name)) {
        let known = names.join(", ");
        return Err(Error::Usage(format!(
            "there is no fuzz target `{unknown}`; there are {known}"
        )));
    }
    names.retain(|name| asked.is_empty() || asked.contains(name));
    Ok(names)
}

/// Builds all programs and gives their folder.
fn build(paths: &Paths, address_sanitizer: bool) -> Result<PathBuf> {
    let host = host()?;
    // Other flags make other programs: a folder for each keeps both.
    let kind = if address_sanitizer {
        "address"
    } else {
        "plain"
    };
    let folder = paths.fuzz_target().join(kind);
    let mut command = cargo();
    command
        .current_dir(paths.fuzz())
        .env("CARGO_TARGET_DIR", &folder)
        // With a target the flags are not those of build scripts and macros.
        .args(["build", "--locked", "--release", "--target", &host]);
    if address_sanitizer {
        // Stable rustc has the sanitizer, and only hides it.
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", format!("{COVERAGE} -Zsanitizer=address"));
    } else {
        command.env("RUSTFLAGS", COVERAGE);
    }
    run(&mut command)?;
    Ok(folder.join(host).join("release"))
}

/// The triple of the machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let text = output(Command::new(rustc).arg("-vV"))?;
    let text = String::from_utf8_lossy(&text);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Error::Machine("rustc -vV does not name its host".to_owned()))
}

/// A target and its folders.
#[derive(Clone)]
struct Target {
    name: String,
    program: PathBuf,
    /// The committed inputs.
    corpus: PathBuf,
    /// What runs have added.
    work: PathBuf,
    /// Inputs that show something wrong.
    findings: PathBuf,
}

impl Target {
    /// Runs it and reports. False when it found something.
    fn run(&self, effort: &[String]) -> Result<bool> {
        make(&self.work)?;
        make(&self.findings)?;
        let mut findings = self.findings.join(&self.name).into_os_string();
        findings.push("-");
        let mut prefix = OsString::from("-artifact_prefix=");
        prefix.push(findings);
        let mut command = Command::new(&self.program);
        command
            .args(effort)
            .arg(format!("-max_len={INPUT_MAX}"))
            .arg(format!("-timeout={TIME_LIMIT}"))
            .arg(prefix)
            .args([&self.work, &self.corpus]);
        eprintln!("+ {}", shown(&command));
        let result = command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Start {
                program: self.name.clone(),
                source,
            })?;
        let log = String::from_utf8_lossy(&result.stderr);
        let summary = Summary::read(&log);
        if result.status.success() {
            eprintln!("ok     {:<16} {summary}", self.name);
            return Ok(true);
        }
        eprintln!("{}", tail(&log));
        eprintln!("FAILED {:<16} {summary}", self.name);
        eprintln!(
            "The input is in {}. When it is mended, put it into fuzz/corpus/{}.",
            self.findings.display(),
            self.name
        );
        Ok(false)
    }

    /// Replaces the committed corpus by inputs that reach as much as it and all that was found.
    fn minimize(&self) -> Result<()> {
        make(&self.work)?;
        make(&self.corpus)?;
        let smaller = self.corpus.with_extension("smaller");
        remove(&smaller)?;
        make(&smaller)?;
        // Edges only: inputs that do the same more often are for the fuzzer to find.
        run(Command::new(&self.program)
            .args(["-set_cover_merge=1", "-use_counters=0", "-use_cmp=0"])
            .arg(format!("-max_len={COMMITTED_MAX}"))
            .args([&smaller, &self.corpus, &self.work]))?;
        remove(&self.corpus)?;
        fs::rename(&smaller, &self.corpus).map_err(Error::file("rename", &smaller))
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file("make the folder", folder))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", folder)(error))
        }
        _ => Ok(()),
    }
}

/// What libFuzzer says of a run in its last line of figures.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    runs: Option<u64>,
    edges: Option<u64>,
}

impl Summary {
    /// Out of lines such as `#4096 pulse cov: 1520 ft: 4077 corp: 203/12Kb …`.
    fn read(log: &str) -> Self {
        let mut summary = Self::default();
        for line in log.lines().filter_map(|line| line.strip_prefix('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = words.iter().position(|word| *word == "cov:");
            let edges = after.and_then(|at| words.get(at + 1)?.parse().ok());
            if let (Some(runs), Some(edges)) = (words.first(), edges) {
                summary.runs = runs.parse().ok();
                summary.edges = Some(edges);
            }
        }
        summary
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.runs, self.edges) {
            (Some(runs), Some(edges)) => write!(f, "{runs:>10} runs {edges:>7} edges"),
            _ => f.write_str("no figures"),
        }
    }
}

/// The end of a log: what went wrong, without the many lines of progress.
fn tail(log: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('#')).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_say_how_long_and_what() {
        let all = options("").expect("valid");
        assert_eq!(all.effort, Effort::Minutes(1));
        let some = options("--minutes 10 --sanitizer address aead conf").expect("valid");
        assert_eq!(some.effort, Effort::Minutes(10));
        assert!(some.address_sanitizer);
        assert_eq!(some.targets, ["aead", "conf"]);
        assert_eq!(options("--runs 5").expect("valid").effort, Effort::Runs(5));
        for bad in ["--minutes", "--minutes x", "--sanitizer thread", "--nope"] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_figures_are_those_of_the_run() {
        let log = "INFO: seed\n#2\tINITED cov: 10 ft: 11 corp: 1/1b\n#4096\tpulse  cov: 15 ft: 40\nDone 1\n\
            #5000\tDONE   cov: 16 ft: 41 corp: 2/3b\n";
        let summary = Summary::read(log);
        assert_eq!(summary.runs, Some(5000));
        assert_eq!(summary.edges, Some(16));
        assert_eq!(Summary::read("nothing"), Summary::default());
    }

    #[test]
    fn every_asked_target_must_be_there() {
        let paths = Paths::new();
        assert!(chosen(&paths, &["no-such".to_owned()]).is_err());
        let all = chosen(&paths, &[]).expect("the folder");
        assert!(all.contains(&"aead".to_owned()), "{all:?}");
    }
}

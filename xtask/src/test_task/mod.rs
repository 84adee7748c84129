//! `cargo xtask test`: every test of the workspace, with the programs and rights they need.

mod by_cargo;
mod outcome;
mod program;
mod runner;

use std::thread;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{as_root, cargo, is_root, run};
use crate::{fresh_root, kernel, packages, peers};

use outcome::{seconds, summary};
use program::Program;
use runner::Runner;

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
    let programs: Vec<Program> = prepare(paths)?
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
    let runner = Runner::new(paths, root, &options.filters);
    if !root {
        // Asks for the password once, before anything scrolls by.
        run(&mut as_root(
            "true",
            "run the tests: they make network namespaces and TUN devices",
        )?)?;
    }
    let outcomes = runner.all(&programs, || {
        if options.narrowed() {
            Ok(Vec::new())
        } else {
            by_cargo::all(paths)
        }
    })?;
    summary(&outcomes, start.elapsed())
}

/// Builds what is tested, and side by side with it, because each of them alone leaves processors idle at times, what it
/// is tested with.
fn prepare(paths: &Paths) -> Result<Vec<Program>> {
    thread::scope(|scope| {
        let companions = scope.spawn(|| {
            peers::install(paths)?;
            kernel::install(paths)?;
            fresh_root::install(paths)
        });
        let programs = build(paths);
        companions
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        programs
    })
}

fn build(paths: &Paths) -> Result<Vec<Program>> {
    run(cargo().current_dir(paths.root()).args([
        "build",
        "--release",
        "--package",
        "hushwire",
        "--bins",
    ]))?;
    program::build(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! `cargo xtask supply-chain`: what comes in from others, and whether what goes out is what the
//! sources say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo_tool::CARGO_DENY;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{cargo, output, run};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Dependencies,
    Advisories,
    Reproducible,
}

/// What the command line asks of the task.
#[derive(Debug)]
pub(crate) struct Options {
    checks: Vec<Check>,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask supply-chain [CHECK]...

All three without a CHECK:

  dependencies   licences, duplicate versions, banned crates and sources of all
                 dependencies, by cargo-deny and deny.toml, and whether the
                 lock file of the fuzz programs is in step; needs no network
                 once cargo-deny and what they depend on is there
  advisories     known holes and yanked versions, by cargo-deny, which fetches
                 the RustSec database
  reproducible   builds the programs twice, from copies of the sources in two
                 places, and compares them byte for byte; minutes
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let check = |word: &String| match word.as_str() {
            "dependencies" => Ok(Check::Dependencies),
            "advisories" => Ok(Check::Advisories),
            "reproducible" => Ok(Check::Reproducible),
            other => Err(Error::Usage(format!("unknown check `{other}`"))),
        };
        let mut checks = arguments.iter().map(check).collect::<Result<Vec<_>>>()?;
        if checks.is_empty() {
            checks = vec![Check::Dependencies, Check::Advisories, Check::Reproducible];
        }
        Ok(Self { checks })
    }
}

pub(crate) fn supply_chain(paths: &Paths, options: &Options) -> Result<()> {
    for check in &options.checks {
        match check {
            Check::Dependencies => dependencies(paths)?,
            Check::Advisories => run(deny(paths)?.args(["check", "advisories"]))?,
            Check::Reproducible => reproducible(paths)?,
        }
    }
    Ok(())
}

/// The checks that need no network: licences, bans, sources, and the lock file that is not the workspace's.
pub(crate) fn dependencies(paths: &Paths) -> Result<()> {
    let checks = ["--offline", "check", "bans", "licenses", "sources"];
    run(deny(paths)?.args(checks))?;
    let mut fetch = cargo();
    fetch.current_dir(paths.fuzz()).args(["fetch", "--locked"]);
    run(&mut fetch).map_err(|_| {
        Error::Machine(
            "fuzz/Cargo.lock does not fit the workspace: commit what \
             `cargo update --workspace --manifest-path fuzz/Cargo.toml` makes of it"
                .to_owned(),
        )
    })
}

fn deny(paths: &Paths) -> Result<Command> {
    let mut command = Command::new(CARGO_DENY.install(paths)?);
    command.current_dir(paths.root());
    Ok(command)
}

/// Programs that are made of the same sources with the same compiler are the same, wherever they
/// are built.
fn reproducible(paths: &Paths) -> Result<()> {
    let places = ["one", "a/place/with/a/longer/name"].map(|name| paths.reproducible().join(name));
    let built: Vec<_> = places
        .iter()
        .map(|place| build_in(paths, place))
        .collect::<Result<_>>()?;
    let mut same = true;
    for program in PROGRAMS {
        let contents: Vec<_> = built
            .iter()
            .map(|folder| {
                let path = folder.join(program);
                fs::read(&path).map_err(Error::file("read the program", &path))
            })
            .collect::<Result<_>>()?;
        let equal = contents.windows(2).all(|pair| pair[0] == pair[1]);
        let word = if equal { "the same" } else { "NOT the same" };
        eprintln!("{program}: two builds, {word}, {} bytes", contents[0].len());
        same &= equal;
    }
    if !same {
        return Err(Error::Machine(format!(
            "two builds of the same sources differ: compare them in {}",
            paths.reproducible().display()
        )));
    }
    fs::remove_dir_all(paths.reproducible())
        .map_err(Error::file("remove the folder", paths.reproducible()))
}

const PROGRAMS: [&str; 2] = ["hushwire", "hushwired"];

/// Builds the programs from a fresh copy of the sources; gives the folder that they are in.
fn build_in(paths: &Paths, place: &Path) -> Result<PathBuf> {
    if place.exists() {
        fs::remove_dir_all(place).map_err(Error::file("remove the folder", place))?;
    }
    for file in sources(paths)? {
        let to = place.join(&file);
        let folder = to.parent().unwrap_or(place);
        fs::create_dir_all(folder).map_err(Error::file("make the folder", folder))?;
        let from = paths.root().join(&file);
        fs::copy(&from, &to).map_err(Error::file("copy", from))?;
    }
    let target = place.join("target");
    run(cargo()
        .current_dir(place)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", remaps(place).join("\u{1f}"))
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "hushwire",
            "--bins",
        ]))?;
    Ok(target.join("release"))
}

/// Tells the compiler names for the places that it would otherwise write into the programs.
fn remaps(place: &Path) -> Vec<String> {
    let mut remaps = vec![format!("--remap-path-prefix={}=/hushwire", place.display())];
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    remaps.extend(home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    remaps
}

/// The files of the working tree that git knows.
fn sources(paths: &Paths) -> Result<Vec<PathBuf>> {
    let listed = output(Command::new("git").current_dir(paths.root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let files = String::from_utf8_lossy(&listed)
        .split('\0')
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
        .filter(|file| paths.root().join(file).is_file())
        .collect();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Vec<Check>> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words).map(|options| options.checks)
    }

    #[test]
    fn checks_are_chosen_by_name() {
        assert_eq!(parse("").unwrap().len(), 3);
        assert_eq!(parse("advisories").unwrap(), [Check::Advisories]);
        assert!(parse("everything").is_err());
    }
}

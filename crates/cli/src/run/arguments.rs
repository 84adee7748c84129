//! The command line of `hushwire run`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::helpers::{self, Helpers};
use crate::memory::{self, MemoryLimit, NoAmount};
use crate::offloads::{self, Offloads, UnknownOffload};
use crate::queues::{self, NoNumber, Queues};
use crate::sandbox::{self, Choice, ChoiceError};

/// What the caller wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Help,
    Run(Arguments),
}

/// A file, and how to run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) file: PathBuf,
    /// None: as the file.
    pub(super) name: Option<String>,
    /// Whether the host's own settings are somebody else's business.
    pub(super) container: bool,
    pub(super) offloads: Offloads,
    pub(super) queues: Queues,
    pub(super) helpers: Helpers,
    pub(super) memory_limit: MemoryLimit,
    pub(super) sandbox: Choice,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    Helpers(helpers::NoNumber),
    MemoryLimit(NoAmount),
    MissingFile,
    MissingValue(&'static str),
    NotText(OsString),
    Queues(NoNumber),
    Sandbox(ChoiceError),
    SecondFile(OsString),
    UnknownOffload(UnknownOffload),
    UnknownOption(OsString),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helpers(error) => error.fmt(f)?,
            Self::MemoryLimit(error) => error.fmt(f)?,
            Self::MissingFile => f.write_str("the name of the configuration file is missing")?,
            Self::MissingValue(option) => write!(f, "{option} needs a value")?,
            Self::NotText(word) => write!(f, "`{}` is not UTF-8", word.to_string_lossy())?,
            Self::Queues(error) => error.fmt(f)?,
            Self::SecondFile(word) => write!(
                f,
                "`{}` is one argument too many: run one configuration at a time",
                word.to_string_lossy()
            )?,
            Self::Sandbox(error) => return error.fmt(f),
            Self::UnknownOffload(error) => return error.fmt(f),
            Self::UnknownOption(word) => {
                write!(f, "there is no option `{}`", word.to_string_lossy())?;
            }
        }
        f.write_str("; `hushwire run --help` shows the usage")
    }
}

impl Request {
    /// Reads the words after `run`, and the environment.
    pub(super) fn parse(words: &[OsString]) -> Result<Self, ArgumentError> {
        let mut file = None;
        let mut name = None;
        let mut container = is_container();
        let mut offloads = Offloads::ALL;
        let mut sandbox = Choice::default();
        let mut disable = |list: &str| {
            offloads
                .disable(list)
                .map_err(ArgumentError::UnknownOffload)
        };
        if let Some(list) = env::var_os(offloads::VARIABLE) {
            disable(&list.to_string_lossy())?;
        }
        let value = env::var_os(queues::VARIABLE);
        let value = value.as_deref().map(OsStr::to_string_lossy);
        let mut queues =
            Queues::from_environment(value.as_deref()).map_err(ArgumentError::Queues)?;
        let value = env::var_os(helpers::VARIABLE);
        let value = value.as_deref().map(OsStr::to_string_lossy);
        let mut helpers =
            Helpers::from_environment(value.as_deref()).map_err(ArgumentError::Helpers)?;
        let value = env::var_os(memory::VARIABLE);
        let value = value.as_deref().map(OsStr::to_string_lossy);
        let mut memory_limit =
            MemoryLimit::from_environment(value.as_deref()).map_err(ArgumentError::MemoryLimit)?;
        let mut options = true;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.to_str().unwrap_or_default();
            let (option, attached) = match text.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (text, None),
            };
            let mut value = |option| match attached {
                Some(value) => Ok(value),
                None => {
                    let next = words.next().ok_or(ArgumentError::MissingValue(option))?;
                    next.to_str()
                        .ok_or_else(|| ArgumentError::NotText(next.clone()))
                }
            };
            match option {
                "-h" | "--help" if options => return Ok(Self::Help),
                "--" if options && attached.is_none() => options = false,
                "--name" if options => name = Some(value("--name")?.to_owned()),
                "--container" if options && attached.is_none() => container = true,
                "--disable" if options => disable(value("--disable")?)?,
                helpers::OPTION if options => {
                    helpers =
                        Helpers::parse(value(helpers::OPTION)?).map_err(ArgumentError::Helpers)?;
                }
                memory::OPTION if options => {
                    memory_limit = MemoryLimit::parse(value(memory::OPTION)?)
                        .map_err(ArgumentError::MemoryLimit)?;
                }
                queues::OPTION if options => {
                    queues =
                        Queues::parse(value(queues::OPTION)?).map_err(ArgumentError::Queues)?;
                }
                "--sandbox" if options => {
                    let mode = sandbox::mode(value("--sandbox")?);
                    sandbox.mode = Some(mode.map_err(ArgumentError::Sandbox)?);
                }
                _ if options && text.starts_with('-') => {
                    return Err(ArgumentError::UnknownOption(word.clone()));
                }
                _ if file.is_some() => return Err(ArgumentError::SecondFile(word.clone())),
                _ => file = Some(PathBuf::from(word)),
            }
        }
        Ok(Self::Run(Arguments {
            file: file.ok_or(ArgumentError::MissingFile)?,
            name,
            container,
            offloads,
            queues,
            helpers,
            memory_limit,
            sandbox,
        }))
    }
}

/// Files that container engines leave for those who ask.
const CONTAINER_MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

fn is_container() -> bool {
    // systemd's convention, which podman and systemd-nspawn keep.
    env::var_os("container").is_some_and(|kind| !kind.is_empty())
        || CONTAINER_MARKS.iter().any(|mark| Path::new(mark).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Request::parse(&words).map_err(|error| error.to_string())
    }

    fn run(line: &str) -> Arguments {
        match parse(line) {
            Ok(Request::Run(arguments)) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_file_and_options_in_any_order() {
        let plain = run("wg0.conf");
        assert_eq!(plain.file, PathBuf::from("wg0.conf"));
        assert_eq!(plain.name, None);
        assert_eq!(run("x.conf --name wg7").name.as_deref(), Some("wg7"));
        assert_eq!(run("--name=wg7 x.conf").name.as_deref(), Some("wg7"));
        assert!(run("--container x.conf").container);
        assert!(!run("--disable udp-gso x.conf").offloads.udp().gso);
        assert_eq!(run("--queues 2 x.conf").queues.count(), 2);
        assert_eq!(run("--helpers 2 x.conf").helpers.count(), 2);
        let limited = run("--memory-limit=64M x.conf").memory_limit;
        assert_eq!(limited, MemoryLimit(Some(64 << 20)));
        assert_eq!(run("a=b.conf").file, PathBuf::from("a=b.conf"));
        assert_eq!(run("-- --name").file, PathBuf::from("--name"));
        assert_eq!(parse("--help"), Ok(Request::Help));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "configuration file"),
            ("a b", "`b`"),
            ("--name", "--name needs"),
            ("--nmae x a", "`--nmae`"),
            ("--disable=x a", "`x`"),
            ("--queues=x a", "`x`"),
            ("--helpers=x a", "`x`"),
        ];
        for (line, part) in cases {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}

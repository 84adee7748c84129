//! The command line of `hushwire run`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::device::{Flags, OptionError};

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
    pub(super) flags: Flags,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    MissingFile,
    MissingValue(&'static str),
    NotText(OsString),
    Option(OptionError),
    SecondFile(OsString),
    UnknownOption(OsString),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingFile => f.write_str("the name of the configuration file is missing")?,
            Self::MissingValue(option) => write!(f, "{option} needs a value")?,
            Self::NotText(word) => write!(f, "`{}` is not UTF-8", word.to_string_lossy())?,
            Self::Option(error) => return error.fmt(f),
            Self::SecondFile(word) => write!(
                f,
                "`{}` is one argument too many: run one configuration at a time",
                word.to_string_lossy()
            )?,
            Self::UnknownOption(word) => {
                write!(f, "there is no option `{}`", word.to_string_lossy())?;
            }
        }
        f.write_str("; `hushwire run --help` shows the usage")
    }
}

impl From<OptionError> for ArgumentError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

impl Request {
    /// Reads the words after `run`.
    pub(super) fn parse(words: &[OsString]) -> Result<Self, ArgumentError> {
        let mut file = None;
        let mut name = None;
        let mut container = is_container();
        let mut flags = Flags::default();
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
            if options && flags.take(option, &mut value)? {
                continue;
            }
            match option {
                "-h" | "--help" if options => return Ok(Self::Help),
                "--" if options && attached.is_none() => options = false,
                "--name" if options => name = Some(value("--name")?.to_owned()),
                "--container" if options && attached.is_none() => container = true,
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
            flags,
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
        assert!(!run("--disable udp-gso x.conf").flags.offloads.udp().gso);
        assert_eq!(run("--queues 2 x.conf").flags.queues, Some(2));
        assert_eq!(run("--helpers 2 x.conf").flags.helpers, Some(2));
        let limited = run("--memory-limit=64M x.conf").flags.memory_limit;
        assert_eq!(limited, Some(64 << 20));
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

//! The command line of the daemon.

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::device::{Flags, OptionError};

/// What the caller wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Help,
    Run(Arguments),
    Version,
}

/// A device, and how to run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) interface: String,
    pub(super) foreground: bool,
    pub(super) flags: Flags,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    MissingInterface,
    MissingValue(&'static str),
    NotText(OsString),
    Option(OptionError),
    SecondInterface(String),
    UnknownOption(String),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingInterface => f.write_str("the name of the interface is missing")?,
            Self::MissingValue(option) => write!(f, "{option} needs a value")?,
            Self::NotText(word) => write!(f, "`{}` is not UTF-8", word.to_string_lossy())?,
            Self::Option(error) => return error.fmt(f),
            Self::SecondInterface(word) => {
                write!(
                    f,
                    "`{word}` is one argument too many: a daemon has one interface"
                )?;
            }
            Self::UnknownOption(word) => write!(f, "there is no option `{word}`")?,
        }
        f.write_str("; --help shows the usage")
    }
}

impl From<OptionError> for ArgumentError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

impl Request {
    /// Reads the words after the program's name.
    pub(super) fn parse(words: &[OsString]) -> Result<Self, ArgumentError> {
        let mut interface = None;
        let mut foreground = false;
        let mut flags = Flags::default();
        let mut options = true;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let word = text(word)?;
            let (option, attached) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word, None),
            };
            let mut value = |option| match attached {
                Some(value) => Ok(value),
                None => text(words.next().ok_or(ArgumentError::MissingValue(option))?),
            };
            if options && flags.take(option, &mut value)? {
                continue;
            }
            match option {
                "--user" if options => flags.sandbox.user = Some(value("--user")?.to_owned()),
                _ if options && attached.is_some() && word.starts_with('-') => {
                    return Err(ArgumentError::UnknownOption(word.to_owned()));
                }
                "-h" | "--help" if options => return Ok(Self::Help),
                "--version" if options => return Ok(Self::Version),
                "-f" | "--foreground" if options => foreground = true,
                "--low-ports" if options => flags.sandbox.low_ports = true,
                "--" if options => options = false,
                _ if options && word.starts_with('-') => {
                    return Err(ArgumentError::UnknownOption(word.to_owned()));
                }
                _ if interface.is_some() => {
                    return Err(ArgumentError::SecondInterface(word.to_owned()));
                }
                _ => interface = Some(word.to_owned()),
            }
        }
        Ok(Self::Run(Arguments {
            interface: interface.ok_or(ArgumentError::MissingInterface)?,
            foreground,
            flags,
        }))
    }
}

fn text(word: &OsStr) -> Result<&str, ArgumentError> {
    word.to_str()
        .ok_or_else(|| ArgumentError::NotText(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::sandbox::Choice;

    fn parse(line: &str) -> Result<Request, String> {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Request::parse(&words).map_err(|error| error.to_string())
    }

    fn run(interface: &str, foreground: bool) -> Request {
        Request::Run(Arguments {
            interface: interface.to_owned(),
            foreground,
            flags: Flags::default(),
        })
    }

    #[test]
    fn the_forms_of_wireguard_go() {
        assert_eq!(parse("wg0"), Ok(run("wg0", false)));
        assert_eq!(parse("-f wg0"), Ok(run("wg0", true)));
        assert_eq!(parse("--foreground wg0"), Ok(run("wg0", true)));
        assert_eq!(parse("--version"), Ok(Request::Version));
        assert_eq!(parse("-h"), Ok(Request::Help));
        assert_eq!(parse("--help"), Ok(Request::Help));
    }

    #[test]
    fn options_stand_anywhere_and_end_at_two_dashes() {
        assert_eq!(parse("wg0 -f"), Ok(run("wg0", true)));
        assert_eq!(parse("-f -- -h"), Ok(run("-h", true)));
    }

    #[test]
    fn offloads_are_disabled_one_list_after_the_other() {
        let Ok(Request::Run(arguments)) = parse("--disable tun-uso --disable=udp-gso wg0") else {
            panic!("not understood");
        };
        assert!(!arguments.flags.offloads.tun.uso && !arguments.flags.offloads.udp().gso);
        assert!(arguments.flags.offloads.udp().gro);
    }

    #[test]
    fn queues_are_a_number() {
        for line in ["--queues 3 wg0", "wg0 --queues=3"] {
            let Ok(Request::Run(arguments)) = parse(line) else {
                panic!("not understood");
            };
            assert_eq!(arguments.flags.queues, Some(3));
        }
    }

    #[test]
    fn helpers_are_a_number() {
        for line in ["--helpers 0 wg0", "wg0 --helpers=0"] {
            let Ok(Request::Run(arguments)) = parse(line) else {
                panic!("not understood");
            };
            assert_eq!(arguments.flags.helpers, Some(0));
        }
    }

    #[test]
    fn what_is_given_up_can_be_chosen() {
        let line = "--sandbox=strict --user nobody --low-ports wg0";
        let Ok(Request::Run(arguments)) = parse(line) else {
            panic!("not understood");
        };
        let chosen = Choice {
            mode: Some(hushwire_engine::sandbox::Mode::Strict),
            low_ports: true,
            user: Some("nobody".to_owned()),
        };
        assert_eq!(arguments.flags.sandbox, chosen);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", "name of the interface"),
            ("-f", "name of the interface"),
            ("wg0 wg1", "`wg1`"),
            ("-x wg0", "`-x`"),
            ("wg0 --disable", "--disable"),
            ("wg0 --queues", "--queues needs"),
            ("wg0 --queues=none", "`none`"),
            ("wg0 --helpers=-1", "`-1`"),
            ("wg0 --memory-limit=much", "`much`"),
            ("--foreground=1 wg0", "`--foreground=1`"),
            ("--disable=gso wg0", "`gso`"),
            ("--sandbox maybe wg0", "`maybe`"),
            ("wg0 --user", "--user"),
            ("--low-ports=1 wg0", "`--low-ports=1`"),
        ];
        for (line, part) in cases {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}

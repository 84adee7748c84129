//! The command lines of `wg-quick` and of `hushwire up` and its like.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;

use hushwire_quick::Backend;

use crate::help;
use crate::manual::{self, WG_QUICK};

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// wg-quick(8)'s: a verb and a word, nothing else.
    DropIn,
    /// Ours: options too.
    Own,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Up,
    Down,
    Save,
    Strip,
    Reload,
}

impl Verb {
    pub(super) fn parse(word: &OsStr) -> Option<Self> {
        Some(match word.to_str()? {
            "up" => Self::Up,
            "down" => Self::Down,
            "save" => Self::Save,
            "strip" => Self::Strip,
            "reload" => Self::Reload,
            _ => return None,
        })
    }
}

/// What the caller wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Help,
    Run(Arguments),
}

/// A verb and a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) verb: Verb,
    /// The file, or the name of the interface.
    pub(super) word: OsString,
    /// Whether to show only what would be done.
    pub(super) dry_run: bool,
    pub(super) backend: Backend,
}

/// Says who runs devices where no option does.
const BACKEND: &str = "HUSHWIRE_BACKEND";

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    MissingValue(&'static str),
    UnknownBackend(String),
    UnknownOption(OsString),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingValue(option) => write!(f, "{option} needs a value")?,
            Self::UnknownBackend(word) => write!(
                f,
                "there is no backend `{word}`: it is auto, kernel or userspace"
            )?,
            Self::UnknownOption(word) => {
                write!(f, "there is no option `{}`", word.to_string_lossy())?;
            }
        }
        f.write_str("; --help shows the usage")
    }
}

impl Request {
    /// Reads the words of a command line, the verb first. An error of `None` asks for the usage.
    pub(super) fn parse(manner: Manner, words: &[OsString]) -> Result<Self, Option<ArgumentError>> {
        match manner {
            Manner::DropIn => Self::drop_in(words).ok_or(None),
            Manner::Own => Self::own(words),
        }
    }

    fn drop_in(words: &[OsString]) -> Option<Self> {
        match words {
            [word] if is_help(word) => Some(Self::Help),
            [verb, word] => Some(Self::Run(Arguments {
                verb: Verb::parse(verb).filter(|verb| *verb != Verb::Reload)?,
                word: word.clone(),
                dry_run: false,
                backend: Backend::Auto,
            })),
            _ => None,
        }
    }

    fn own(words: &[OsString]) -> Result<Self, Option<ArgumentError>> {
        let (verb, rest) = words.split_first().ok_or(None)?;
        let command = verb.to_str().and_then(manual::command);
        let takes = |name| {
            command.is_some_and(|command| command.options.iter().any(|one| one.name == name))
        };
        let verb = Verb::parse(verb).ok_or(None)?;
        let mut file = None;
        let mut dry_run = false;
        let mut backend = match env::var(BACKEND) {
            Ok(name) => parse_backend(&name)?,
            Err(_) => Backend::Auto,
        };
        let mut options = true;
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            let text = word.to_str().unwrap_or_default();
            match text {
                "-h" | "--help" if options => return Ok(Self::Help),
                "--" if options => options = false,
                "-n" | "--dry-run" if options && takes("--dry-run") => dry_run = true,
                "--backend" if options && takes("--backend") => {
                    let name = rest.next().and_then(|next| next.to_str());
                    let name = name.ok_or(Some(ArgumentError::MissingValue("--backend")))?;
                    backend = parse_backend(name)?;
                }
                _ if options && takes("--backend") && text.starts_with("--backend=") => {
                    backend = parse_backend(text.trim_start_matches("--backend="))?;
                }
                _ if options && text.starts_with('-') => {
                    return Err(Some(ArgumentError::UnknownOption(word.clone())));
                }
                _ if file.is_some() => return Err(None),
                _ => file = Some(word.clone()),
            }
        }
        let word = file.ok_or(None)?;
        Ok(Self::Run(Arguments {
            verb,
            word,
            dry_run,
            backend,
        }))
    }
}

fn parse_backend(name: &str) -> Result<Backend, Option<ArgumentError>> {
    Ok(match name {
        "auto" => Backend::Auto,
        "kernel" => Backend::Kernel,
        "userspace" => Backend::Userspace,
        _ => return Err(Some(ArgumentError::UnknownBackend(name.to_owned()))),
    })
}

fn is_help(word: &OsStr) -> bool {
    ["-h", "--help", "help"].iter().any(|help| word == *help)
}

/// How the program is used, or its command that `words` begin with.
pub(super) fn usage(manner: Manner, name: &OsStr, words: &[OsString]) -> String {
    match (manner, words.first().and_then(|verb| verb.to_str())) {
        (Manner::Own, Some(verb)) => help::command(verb),
        _ => help::of(&WG_QUICK, &name.to_string_lossy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn up(word: &str) -> Request {
        Request::Run(Arguments {
            verb: Verb::Up,
            word: word.into(),
            dry_run: false,
            backend: Backend::Auto,
        })
    }

    #[test]
    fn the_drop_in_takes_a_verb_and_a_word_only() {
        let parse = |line: &str| Request::parse(Manner::DropIn, &words(line));
        assert_eq!(parse("up wg0"), Ok(up("wg0")));
        assert_eq!(parse("up --help"), Ok(up("--help")));
        for help in ["help", "-h", "--help"] {
            assert_eq!(parse(help), Ok(Request::Help));
        }
        for bad in [
            "",
            "up",
            "up a b",
            "UP wg0",
            "foo bar",
            "help up",
            "reload wg0",
        ] {
            assert_eq!(parse(bad), Err(None), "{bad}");
        }
    }

    #[test]
    fn our_own_takes_options() {
        let parse = |line: &str| Request::parse(Manner::Own, &words(line));
        assert_eq!(parse("up wg0"), Ok(up("wg0")));
        assert_eq!(parse("up -- -x"), Ok(up("-x")));
        assert_eq!(parse("up --help"), Ok(Request::Help));
        assert_eq!(parse("up"), Err(None));
        assert_eq!(parse("up a b"), Err(None));
        let error = parse("up --nope wg0").unwrap_err().unwrap().to_string();
        assert!(error.contains("`--nope`"), "{error}");
        for line in [
            "save -n wg0",
            "strip --dry-run wg0",
            "down --backend=auto wg0",
        ] {
            let error = parse(line).unwrap_err().unwrap().to_string();
            assert!(error.contains("there is no option"), "{line}: {error}");
        }
    }
}

//! What can go wrong in a development task.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// A task that could not be done: what, why, and the way out.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line makes no sense.
    Usage(String),
    /// A file or folder could not be read, written or made.
    File {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A program could not be started at all.
    Start { program: String, source: io::Error },
    /// A program ended with a failure.
    Failed { command: String, status: ExitStatus },
    /// The machine lacks something; the text says what and how to get it.
    Machine(String),
    /// The laboratory could not do something.
    Lab(hushwire_lab::Error),
    /// Tests ran and some failed.
    Tests { failed: Vec<String> },
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text}\nTry `cargo xtask --help`."),
            Self::File {
                doing,
                path,
                source,
            } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::Start { program, source } => {
                write!(
                    f,
                    "cannot start `{program}`: {source}. Is it installed and in PATH?"
                )
            }
            Self::Failed { command, status } => write!(f, "`{command}` failed ({status})"),
            Self::Machine(text) => f.write_str(text),
            Self::Lab(error) => error.fmt(f),
            Self::Tests { failed } => write!(f, "failed: {}", failed.join(", ")),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } | Self::Start { source, .. } => Some(source),
            Self::Lab(error) => Some(error),
            _ => None,
        }
    }
}

impl From<hushwire_lab::Error> for Error {
    fn from(error: hushwire_lab::Error) -> Self {
        Self::Lab(error)
    }
}

use std::time::Duration;
use std::{fmt, io};

use crate::Output;

/// The outcome of an operation of the laboratory.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the laboratory could not do something. `Debug` prints the same sentence as `Display`, so that `unwrap` in a test
/// reads well.
pub enum Error {
    /// The kernel refused to build a part of the world.
    Netlink(hushwire_netlink::Error),
    /// The kernel refused a change of a host's network.
    OnHost {
        /// The host's name.
        host: String,
        /// What was refused and why.
        source: hushwire_netlink::Error,
    },
    /// A system call or a file failed.
    System {
        /// What was tried, with the object's name.
        operation: String,
        /// The error of the system.
        source: io::Error,
    },
    /// We have not the rights to make namespaces.
    NotRoot,
    /// Programs are not installed.
    MissingTools {
        /// Their names.
        tools: Vec<String>,
        /// The Debian packages that have them.
        packages: Vec<String>,
    },
    /// A WireGuard daemon is not where it should be.
    MissingImplementation {
        /// The daemon's name.
        name: &'static str,
        /// Where it was looked for, and what to do.
        advice: String,
    },
    /// A program ended with a failure.
    Failed {
        /// The command line.
        command: String,
        /// What it returned; none when a signal ended it.
        code: Option<i32>,
        /// What it printed.
        output: Output,
    },
    /// A program did not end in time, and was killed; or something did not come about in time.
    TimedOut {
        /// The command line, or what was waited for.
        what: String,
        /// How long was waited.
        limit: Duration,
        /// What was printed by then.
        output: Output,
    },
    /// Something printed what makes no sense to us.
    Unexpected {
        /// What printed it.
        source: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The exit code of the program that failed, when that is what this error is about.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Failed { code, .. } => *code,
            _ => None,
        }
    }

    /// What the program printed that failed or ran out of time.
    #[must_use]
    pub fn output(&self) -> Option<&Output> {
        match self {
            Self::Failed { output, .. } | Self::TimedOut { output, .. } => Some(output),
            _ => None,
        }
    }

    pub(crate) fn system(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System {
            operation: operation.into(),
            source: source.into(),
        }
    }

    pub(crate) fn unexpected(source: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Unexpected {
            source: source.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netlink(error) => error.fmt(f),
            Self::OnHost { host, source } => write!(f, "{host}: {source}"),
            Self::System { operation, source } => write!(f, "{operation}: {source}"),
            Self::NotRoot => f.write_str("the laboratory makes network namespaces: run as root"),
            Self::MissingTools { tools, packages } => write!(
                f,
                "not installed: {}; as root: apt-get install {}",
                tools.join(", "),
                packages.join(" ")
            ),
            Self::MissingImplementation { name, advice } => {
                write!(f, "{name} is not installed: {advice}")
            }
            Self::Failed {
                command,
                code,
                output,
            } => {
                match code {
                    Some(code) => write!(f, "`{command}` failed with exit code {code}")?,
                    None => write!(f, "`{command}` was ended by a signal")?,
                }
                output.describe(f)
            }
            Self::TimedOut {
                what,
                limit,
                output,
            } => {
                write!(f, "{what}: not done after {} s", limit.as_secs_f32())?;
                output.describe(f)
            }
            Self::Unexpected { source, reason } => write!(f, "{source}: {reason}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Netlink(source) | Self::OnHost { source, .. } => Some(source),
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<hushwire_netlink::Error> for Error {
    fn from(error: hushwire_netlink::Error) -> Self {
        Self::Netlink(error)
    }
}

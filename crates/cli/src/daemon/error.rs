//! Why the daemon does not run.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;

use hushwire_engine::uapi::SocketError;
use hushwire_engine::{Failed, StartError};
use hushwire_io::tun::TunError;

use crate::device::OptionError;

#[derive(Debug)]
pub(super) enum Error {
    /// The process in the background gave this reason.
    Background(String),
    /// The process in the background ended without a reason.
    BackgroundEnded,
    Descriptors(io::Error),
    /// After it had run.
    Ended(Failed),
    NameFile(PathBuf, io::Error),
    NotADescriptor {
        variable: &'static str,
        value: String,
    },
    NotInherited {
        variable: &'static str,
        number: RawFd,
    },
    NotListening {
        number: RawFd,
    },
    Option(OptionError),
    Signals(io::Error),
    Socket(SocketError),
    Spawn(io::Error),
    Start(StartError),
    Tun(TunError),
    TunName(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Background(reason) => f.write_str(reason),
            Self::BackgroundEnded => f.write_str(
                "the process in the background ended before it was ready; `-f` shows what it says",
            ),
            Self::Descriptors(error) => write!(
                f,
                "cannot list the open descriptors: {error}; /proc must be mounted"
            ),
            Self::Ended(failed) => failed.fmt(f),
            Self::NameFile(path, error) => write!(
                f,
                "cannot write the name of the interface to {}: {error}; WG_TUN_NAME_FILE names \
                 the file",
                path.display()
            ),
            Self::NotADescriptor { variable, value } => write!(
                f,
                "{variable}={value} is no file descriptor: it must be a number above 2, or not set"
            ),
            Self::NotInherited { variable, number } => write!(
                f,
                "{variable}={number}: no descriptor {number} was handed over; open it for the \
                 daemon, or unset the variable"
            ),
            Self::NotListening { number } => write!(
                f,
                "WG_UAPI_FD={number}: descriptor {number} is not a unix socket that listens; \
                 unset the variable to have one made"
            ),
            Self::Option(error) => error.fmt(f),
            Self::Signals(error) => write!(f, "cannot catch signals: {error}"),
            Self::Socket(error) => error.fmt(f),
            Self::Spawn(error) => write!(
                f,
                "cannot start a process in the background: {error}; `-f` does without"
            ),
            Self::Start(error) => error.fmt(f),
            Self::Tun(error) => error.fmt(f),
            Self::TunName(error) => write!(f, "cannot tell the interface's name: {error}"),
        }
    }
}

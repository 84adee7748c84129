//! Why a configuration cannot be brought up, or down.

use std::fmt;
use std::io;
use std::path::PathBuf;

use hushwire_engine::StartError;
use hushwire_engine::uapi::SocketError;
use hushwire_io::tun::TunError;
use hushwire_quick::Failure;

use crate::device::OptionError;

#[derive(Debug)]
pub(super) enum Error {
    /// The device ended, by itself.
    Ended(hushwire_engine::Failed),
    /// Lines that begin with the file's name.
    Configuration(String),
    /// There is an interface of this name.
    Exists(String),
    /// Has been told.
    Failed(Failure),
    /// IPv6 is off here, and yet in use.
    Ipv6,
    Option(OptionError),
    Read(PathBuf, io::Error),
    Retries(String),
    Signals(io::Error),
    Socket(SocketError),
    Start(StartError),
    Tun(TunError),
    /// No interface can have the file's name.
    Unnamed(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(lines) => f.write_str(lines),
            Self::Ended(failed) => failed.fmt(f),
            Self::Exists(interface) => write!(
                f,
                "an interface `{interface}` exists already; take it down, or choose another \
                 name with --name"
            ),
            Self::Failed(failure) => failure.fmt(f),
            Self::Ipv6 => f.write_str(
                "IPv6 is off for new interfaces but in use on others, so that what should go \
                 through the tunnel would not; `sysctl net.ipv6.conf.default.disable_ipv6=0`, or \
                 take the IPv6 prefixes out of the file",
            ),
            Self::Option(error) => error.fmt(f),
            Self::Read(path, error) => write!(
                f,
                "cannot read {}: {error}; {}",
                path.display(),
                way_to_read(error)
            ),
            Self::Retries(error) => f.write_str(error),
            Self::Signals(error) => write!(f, "cannot catch signals: {error}"),
            Self::Socket(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Tun(error) => error.fmt(f),
            Self::Unnamed(path) => write!(
                f,
                "no interface can be named after {}; rename it to INTERFACE.conf, with 1 to 15 \
                 letters, digits and _=+.-, or use --name",
                path.display()
            ),
        }
    }
}

fn way_to_read(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only its owner may read it: try again with sudo",
        _ => "name a configuration file, or an interface that has one in /etc/wireguard",
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

use std::{fmt, io};

use hushwire_config::uapi::reply::ReplyError;
use rustix::io::Errno;

use crate::strerror;

/// Why a device could not be reached, read or changed.
///
/// Shown as wg(8) shows it: the words of the error number and nothing else. [`Error::explanation`] says more.
#[derive(Debug)]
pub enum Error {
    /// The kernel refused, or could not be asked.
    Kernel(hushwire_netlink::Error),
    /// The daemon's socket could not be used.
    Socket(io::Error),
    /// The daemon refused. The number is what wg(8) makes of it: negative if the daemon has its signs wrong.
    Refused(i32),
    /// The daemon's answer makes no sense, or broke off.
    Nonsense,
    /// The time limit was over before there was an answer.
    TimedOut,
    /// No interface can have this name, and so none was touched.
    NameTooLong,
}

impl Error {
    /// The error number; negative if a daemon has its signs wrong.
    #[must_use]
    pub fn code(&self) -> i32 {
        let protocol = Errno::PROTO.raw_os_error();
        match self {
            Self::Kernel(error) => error.raw_os_error().unwrap_or(protocol),
            Self::Socket(error) => error.raw_os_error().unwrap_or(protocol),
            Self::Refused(code) => *code,
            Self::Nonsense => protocol,
            Self::TimedOut => Errno::TIMEDOUT.raw_os_error(),
            Self::NameTooLong => Errno::NAMETOOLONG.raw_os_error(),
        }
    }

    /// What it means and what to do, where the words of the number leave that open.
    #[must_use]
    pub fn explanation(&self) -> Option<&'static str> {
        Some(match self {
            Self::Nonsense => {
                "the daemon's answer makes no sense or broke off; look at its log, or restart it"
            }
            Self::TimedOut => "the device gave no answer; look at its daemon's log, or restart it",
            Self::NameTooLong => "a name of an interface has at most 15 bytes",
            _ => {
                let code = self.code();
                EXPLANATIONS
                    .iter()
                    .find(|(errno, _)| errno.raw_os_error() == code)?
                    .1
            }
        })
    }
}

/// What error numbers of devices mean.
const EXPLANATIONS: [(Errno, &str); 6] = [
    (
        Errno::NODEV,
        "there is no interface of this name, nor a daemon's socket for it",
    ),
    (
        Errno::PROTONOSUPPORT,
        "this kernel has no WireGuard, and no daemon has a socket for this name; \
         `hushwired NAME` starts one",
    ),
    (
        Errno::OPNOTSUPP,
        "the interface of this name is no WireGuard interface",
    ),
    (Errno::PERM, ONLY_ROOT),
    (Errno::ACCESS, ONLY_ROOT),
    (
        Errno::ADDRINUSE,
        "another socket has the UDP port; choose another `listen-port`",
    ),
];

const ONLY_ROOT: &str = "only root may do this: try again with sudo";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&strerror(self.code()))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel(error) => Some(error),
            Self::Socket(error) => Some(error),
            Self::Refused(_) | Self::Nonsense | Self::TimedOut | Self::NameTooLong => None,
        }
    }
}

impl From<hushwire_netlink::Error> for Error {
    fn from(error: hushwire_netlink::Error) -> Self {
        match &error {
            hushwire_netlink::Error::System { source, .. }
                if source.kind() == io::ErrorKind::TimedOut =>
            {
                Self::TimedOut
            }
            _ => Self::Kernel(error),
        }
    }
}

impl From<ReplyError> for Error {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Device(code) => Self::Refused(code),
            ReplyError::Protocol => Self::Nonsense,
            ReplyError::Io(error) => Self::from_io(error),
        }
    }
}

impl Error {
    /// An error of a socket. What a time limit on a socket causes is told as `WouldBlock`.
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Socket(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_in_the_words_of_their_number() {
        for (error, words) in [
            (Error::Nonsense, "Protocol error"),
            (Error::TimedOut, "Connection timed out"),
            (Error::NameTooLong, "File name too long"),
            (Error::Refused(22), "Invalid argument"),
            (Error::Refused(-22), "Unknown error -22"),
            (
                Error::from_io(io::ErrorKind::WouldBlock.into()),
                "Connection timed out",
            ),
            (
                Error::from_io(io::Error::from_raw_os_error(13)),
                "Permission denied",
            ),
        ] {
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn a_number_with_the_wrong_sign_explains_nothing() {
        for code in [-98, 0, i32::MIN, i32::MAX] {
            assert_eq!(Error::Refused(code).explanation(), None);
        }
        assert!(Error::Refused(98).explanation().is_some());
    }
}

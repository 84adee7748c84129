use std::{fmt, io};

/// The outcome of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and with what.
#[derive(Debug)]
pub enum Error {
    /// The kernel refused a netlink request.
    Refused {
        /// What was asked, with the object's name: `add route 10.0.0.0/24 dev wg0`.
        operation: String,
        /// The kernel's error number.
        source: io::Error,
        /// The kernel's own sentence (extended acknowledgement), when it gave one.
        detail: Option<String>,
    },
    /// A system call failed.
    System {
        /// What was tried, with the object's name.
        operation: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// The kernel's reply could not be understood.
    Reply {
        /// What was asked.
        operation: String,
        /// What is wrong with the reply.
        reason: String,
    },
    /// The system's settings forbid it; the message says which setting and the way out.
    Forbidden {
        /// What was tried.
        operation: String,
        /// What forbids it and what to do.
        advice: String,
    },
}

impl Error {
    /// The error number behind this error, such as `EEXIST`, when there is one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } | Self::System { source, .. } => source.raw_os_error(),
            Self::Reply { .. } | Self::Forbidden { .. } => None,
        }
    }

    /// Whether the object to be created exists already (`EEXIST`).
    #[must_use]
    pub fn is_already_there(&self) -> bool {
        self.raw_os_error() == Some(libc::EEXIST)
    }

    /// Whether the object is not there: no such link, address or route (`ENODEV`, `EADDRNOTAVAIL`, `ESRCH`, `ENOENT`).
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(
            self.raw_os_error(),
            Some(libc::ENODEV | libc::EADDRNOTAVAIL | libc::ESRCH | libc::ENOENT)
        )
    }

    pub(crate) fn system(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System {
            operation: operation.into(),
            source: source.into(),
        }
    }

    pub(crate) fn reply(operation: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Reply {
            operation: operation.into(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn forbidden(operation: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Forbidden {
            operation: operation.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                operation,
                source,
                detail: Some(detail),
            } => write!(f, "{operation}: {source}: {detail}"),
            Self::Refused {
                operation, source, ..
            }
            | Self::System { operation, source } => {
                write!(f, "{operation}: {source}")
            }
            Self::Reply { operation, reason } => {
                write!(
                    f,
                    "{operation}: the kernel's reply makes no sense: {reason}"
                )
            }
            Self::Forbidden { operation, advice } => write!(f, "{operation}: {advice}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { source, .. } | Self::System { source, .. } => Some(source),
            Self::Reply { .. } | Self::Forbidden { .. } => None,
        }
    }
}

impl From<Error> for io::Error {
    /// Keeps the kind of the error and the whole sentence.
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Refused { source, .. } | Error::System { source, .. } => source.kind(),
            Error::Reply { .. } => io::ErrorKind::InvalidData,
            Error::Forbidden { .. } => io::ErrorKind::PermissionDenied,
        };
        Self::new(kind, error)
    }
}

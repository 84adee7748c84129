//! Why an operation did not work: in the words, and with the exit status, of the program that
//! wg-quick(8) would have called for it.

use std::fmt;

use hushwire_config::raw;
use hushwire_control::strerror;
use hushwire_netlink::Error;

/// The exit status of ip(8) when the kernel refuses.
const REFUSED: u8 = 2;
/// The exit status of ip(8) when a word makes no sense.
const BAD_WORD: u8 = 255;

/// An operation that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status for the whole.
    pub status: u8,
    /// What is to be said, if the child process has not said it itself. In the form of
    /// [`raw::decode`].
    pub said: Option<String>,
    /// What to do about it; not for a drop-in, which says what the standard tools say.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// Something went wrong and has been told already.
    #[must_use]
    pub const fn silent(status: u8) -> Self {
        Self {
            status,
            said: None,
            hint: None,
        }
    }

    /// An ordinary failure.
    #[must_use]
    pub fn new(said: impl Into<String>) -> Self {
        Self::with_status(1, said)
    }

    /// A failure with a status of its own.
    #[must_use]
    pub fn with_status(status: u8, said: impl Into<String>) -> Self {
        Self {
            status,
            said: Some(said.into()),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub const fn with_hint(mut self, hint: Option<&'static str>) -> Self {
        self.hint = hint;
        self
    }

    /// A signal that asks the program to end.
    #[must_use]
    pub fn signal(number: i32) -> Self {
        const BASE: u8 = 128;
        Self::silent(BASE.wrapping_add(u8::try_from(number).unwrap_or_default()))
    }

    /// What ip(8) says when the kernel refuses a request.
    pub(crate) fn refused(error: &Error) -> Self {
        let said = match error {
            Error::Refused {
                detail: Some(detail),
                ..
            } => format!("Error: {detail}."),
            error => match error.raw_os_error() {
                Some(code) => format!("RTNETLINK answers: {}", strerror(code)),
                None => error.to_string(),
            },
        };
        Self::with_status(REFUSED, said)
    }

    /// What ip(8) says of an argument that it cannot read. An empty line follows, as there.
    pub(crate) fn bad_word(word: &str, why: &str) -> Self {
        Self::with_status(
            BAD_WORD,
            format!("Error: argument \"{word}\" is wrong: {why}\n"),
        )
    }

    /// What ip(8) says when there is no such interface.
    pub(crate) fn no_device(interface: &str) -> Self {
        Self::new(format!("Cannot find device \"{interface}\""))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said {
            Some(said) => f.write_str(&String::from_utf8_lossy(&raw::encode(said))),
            None => write!(f, "exit status {}", self.status),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    /// Not in ip(8)'s words: of a look at the system that wg-quick(8) would not have taken.
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refusal(code: i32, detail: Option<&str>) -> Failure {
        Failure::refused(&Error::Refused {
            operation: "x".to_owned(),
            source: io::Error::from_raw_os_error(code),
            detail: detail.map(str::to_owned),
        })
    }

    #[test]
    fn refusals_in_the_words_of_ip() {
        let with = refusal(17, Some("ipv4: Address already assigned"));
        assert_eq!(with.to_string(), "Error: ipv4: Address already assigned.");
        let without = refusal(17, None);
        assert_eq!(without.to_string(), "RTNETLINK answers: File exists");
        assert_eq!((with.status, without.status), (2, 2));
    }

    #[test]
    fn signals_are_statuses() {
        assert_eq!(Failure::signal(15).status, 143);
        assert_eq!(Failure::signal(2).status, 130);
    }
}

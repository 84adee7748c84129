//! Whether an offload is in use, and if not, why.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;

/// The state of one offload of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffloadState {
    /// In use.
    On,
    /// Not in use.
    Off(OffReason),
}

/// Why an offload is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffReason {
    /// The options said so.
    SwitchedOff,
    /// The kernel does not know it.
    Unsupported,
    /// The kernel knows it but refused to do it, with this error: a device without checksum
    /// offload, or a transform in the way.
    Refused(Errno),
}

impl OffloadState {
    /// Whether the offload is in use.
    pub fn is_on(self) -> bool {
        self == Self::On
    }

    /// A word for it, `on`, `off`, `unsupported` or `refused`, and the reason, if there is one.
    pub fn words(self) -> (&'static str, String) {
        match self {
            Self::On => ("on", String::new()),
            Self::Off(OffReason::SwitchedOff) => ("off", "switched off".to_owned()),
            Self::Off(OffReason::Unsupported) => {
                ("unsupported", "not supported by the kernel".to_owned())
            }
            Self::Off(OffReason::Refused(errno)) => {
                ("refused", format!("refused by the kernel: {errno}"))
            }
        }
    }
}

/// `on`, or `off` and the reason.
impl fmt::Display for OffloadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            ("on", _) => f.write_str("on"),
            (_, reason) => write!(f, "off ({reason})"),
        }
    }
}

/// An [`OffloadState`] that sending threads share. It is advice, and carries no other data with it,
/// so relaxed accesses do.
#[derive(Debug)]
pub(super) struct OffloadCell(AtomicU32);

const ON: u32 = 0;
const SWITCHED_OFF: u32 = 1;
const UNSUPPORTED: u32 = 2;
/// Added to the error number of a refusal.
const REFUSED: u32 = 0x1_0000;

impl OffloadCell {
    pub(super) fn new(state: OffloadState) -> Self {
        Self(AtomicU32::new(match state {
            OffloadState::On => ON,
            OffloadState::Off(OffReason::SwitchedOff) => SWITCHED_OFF,
            OffloadState::Off(OffReason::Unsupported) => UNSUPPORTED,
            OffloadState::Off(OffReason::Refused(errno)) => refused(errno),
        }))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ON
    }

    /// Records a refusal; an earlier reason stands.
    pub(super) fn refuse(&self, errno: Errno) {
        let _ = self
            .0
            .compare_exchange(ON, refused(errno), Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> OffloadState {
        match self.0.load(Ordering::Relaxed) {
            ON => OffloadState::On,
            SWITCHED_OFF => OffloadState::Off(OffReason::SwitchedOff),
            UNSUPPORTED => OffloadState::Off(OffReason::Unsupported),
            refused => OffloadState::Off(OffReason::Refused(Errno::from_raw_os_error(
                (refused - REFUSED) as i32,
            ))),
        }
    }
}

fn refused(errno: Errno) -> u32 {
    REFUSED + errno.raw_os_error().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        for state in [
            OffloadState::On,
            OffloadState::Off(OffReason::SwitchedOff),
            OffloadState::Off(OffReason::Unsupported),
            OffloadState::Off(OffReason::Refused(Errno::IO)),
        ] {
            let cell = OffloadCell::new(state);
            assert_eq!(cell.state(), state);
            assert_eq!(cell.is_on(), state.is_on());
        }
    }

    #[test]
    fn the_first_refusal_is_the_one_remembered() {
        let cell = OffloadCell::new(OffloadState::On);
        cell.refuse(Errno::INVAL);
        cell.refuse(Errno::IO);
        assert_eq!(
            cell.state(),
            OffloadState::Off(OffReason::Refused(Errno::INVAL))
        );
        assert!(cell.state().to_string().contains("Invalid argument"));
    }

    #[test]
    fn a_refusal_does_not_hide_that_the_user_switched_it_off() {
        let cell = OffloadCell::new(OffloadState::Off(OffReason::SwitchedOff));
        cell.refuse(Errno::IO);
        assert_eq!(cell.state(), OffloadState::Off(OffReason::SwitchedOff));
    }
}

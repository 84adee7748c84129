//! The error numbers of the UAPI: those of Linux, on every system.

use std::fmt;

/// Why an operation failed. The number is positive; the reply to a set carries it negative, the
/// reply to a get as it is, since wg(8) understands nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// EIO: reading failed, or a line was too long.
    pub const IO: Self = Self(5);
    /// ENOMEM: the device holds no more.
    pub const NO_MEMORY: Self = Self(12);
    /// EINVAL: an unknown key, a key out of place, a value out of range.
    pub const INVALID: Self = Self(22);
    /// ENOANO on Linux, which the protocol's servers use for "something else".
    pub const OTHER: Self = Self(55);
    /// EPROTO: a line that is no `key=value`.
    pub const PROTOCOL: Self = Self(71);
    /// EOPNOTSUPP: the device has no such operation.
    pub const NOT_SUPPORTED: Self = Self(95);
    /// EADDRINUSE: the UDP port cannot be bound.
    pub const ADDRESS_IN_USE: Self = Self(98);

    /// An error of the operating system. What is no positive number becomes
    /// [`OTHER`](Self::OTHER).
    #[must_use]
    pub const fn from_os(code: i32) -> Self {
        if code > 0 { Self(code) } else { Self::OTHER }
    }

    /// The positive number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errno({})", self.0)
    }
}

impl std::error::Error for Errno {}

//! Time, always an argument.
//!
//! The protocol needs two clocks: a monotonic one for its timers and the wall clock for the TAI64N
//! timestamp of an initiation and for the time of the last handshake that is shown to people.

use core::ops::Add;
use core::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// A point on the caller's monotonic clock, in nanoseconds since an epoch of the caller's choice.
///
/// The clock should go on while the system sleeps (`CLOCK_BOOTTIME` on Linux), so that keys age
/// during a suspension. The epoch must lie in the past: zero means "never" in [`AtomicInstant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of the clock, 584 years after its epoch.
    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// A point on the wall clock: time since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    /// Whole seconds.
    pub secs: u64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanos: u32,
}

/// Both clocks, read at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub monotonic: Instant,
    /// The wall clock.
    pub unix: UnixTime,
}

/// An optional [`Instant`] that threads share. Zero is "never".
#[derive(Debug, Default)]
pub struct AtomicInstant(AtomicU64);

impl AtomicInstant {
    /// The stored instant, if any.
    pub fn load(&self) -> Option<Instant> {
        Self::decode(self.0.load(Ordering::Relaxed))
    }

    /// Stores `instant`.
    pub fn store(&self, instant: Instant) {
        self.0.store(instant.0, Ordering::Relaxed);
    }

    /// Stores `instant` if there is none, and says whether it did.
    ///
    /// Sequentially consistent, as the reader on the other side is: see [`crate::peer`].
    pub(crate) fn store_if_unset(&self, instant: Instant) -> bool {
        if self.0.load(Ordering::Relaxed) != 0 {
            return false;
        }
        self.0.store(instant.0, Ordering::SeqCst);
        true
    }

    /// Forgets the instant; writes only when there is one, to keep the cache line shared.
    pub(crate) fn clear(&self) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn load_ordered(&self) -> Option<Instant> {
        Self::decode(self.0.load(Ordering::SeqCst))
    }

    const fn decode(nanos: u64) -> Option<Instant> {
        match nanos {
            0 => None,
            nanos => Some(Instant(nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let early = Instant::from_nanos(5);
        let late = Instant::from_nanos(9);
        assert_eq!(late.saturating_since(early), Duration::from_nanos(4));
        assert_eq!(early.saturating_since(late), Duration::ZERO);
        assert_eq!(late + Duration::MAX, Instant::from_nanos(u64::MAX));
    }

    #[test]
    fn an_unset_instant_is_set_once() {
        let cell = AtomicInstant::default();
        assert_eq!(cell.load(), None);
        assert!(cell.store_if_unset(Instant::from_nanos(3)));
        assert!(!cell.store_if_unset(Instant::from_nanos(4)));
        assert_eq!(cell.load(), Some(Instant::from_nanos(3)));
        cell.clear();
        assert_eq!(cell.load(), None);
    }
}

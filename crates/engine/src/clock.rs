//! The clocks of the running device.

use hushwire_proto::time::{Instant, Now, UnixTime};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Both clocks, now. The monotonic one counts the time that the system sleeps, so that keys age
/// while a laptop is closed.
pub(crate) fn now() -> Now {
    let unix = clock_gettime(ClockId::Realtime);
    Now {
        monotonic: monotonic(),
        unix: UnixTime {
            secs: u64::try_from(unix.tv_sec).unwrap_or(0),
            nanos: u32::try_from(unix.tv_nsec).unwrap_or(0),
        },
    }
}

/// The monotonic clock, now.
pub(crate) fn monotonic() -> Instant {
    Instant::from_nanos(nanos(&clock_gettime(ClockId::Boottime)))
}

/// One more than the clock shows: zero means "never" to the protocol.
fn nanos(time: &Timespec) -> u64 {
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    secs * 1_000_000_000 + nanos + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_run_backwards_and_is_never_zero() {
        let first = monotonic();
        assert!(first.as_nanos() > 0);
        assert!(monotonic() >= first);
    }
}

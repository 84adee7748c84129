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

    /// Tells the copy of this program that the test below starts what it is.
    const SLEPT: &str = "HUSHWIRE_TEST_SLEPT";

    /// In a namespace of time whose boot lies further back than its monotonic clock began, as after
    /// a sleep.
    #[test]
    fn time_that_the_system_sleeps_counts() {
        const SECONDS: u64 = 1_000_000;
        if std::env::var_os(SLEPT).is_some() {
            let awake = nanos(&clock_gettime(ClockId::Monotonic)) / 1_000_000_000;
            return assert!(monotonic().as_nanos() / 1_000_000_000 >= awake + SECONDS);
        }
        let asleep = std::process::Command::new("unshare")
            .args(["--time", "--boottime", &SECONDS.to_string(), "--fork"])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "clock::tests::time_that_the_system_sleeps_counts",
            ])
            .env(SLEPT, "")
            .output()
            .expect("unshare(1) of util-linux 2.36 or later");
        let said = String::from_utf8_lossy(&asleep.stdout);
        assert!(
            asleep.status.success() && said.contains("1 passed"),
            "{said}{}(needs root, and a kernel with CONFIG_TIME_NS)",
            String::from_utf8_lossy(&asleep.stderr)
        );
    }

    #[test]
    fn the_monotonic_clock_does_not_run_backwards_and_is_never_zero() {
        let first = monotonic();
        assert!(first.as_nanos() > 0);
        assert!(monotonic() >= first);
    }
}

//! TAI64N timestamps: what keeps an old initiation from being played again (the paper, section
//! 5.1).

use crate::time::UnixTime;

/// Length of a timestamp in bytes.
pub const TAI64N_LEN: usize = 12;

/// The label of 1970-01-01 00:00:00 UTC: 2^62, plus the ten seconds between TAI and UTC that
/// everybody adds. Leap seconds are left alone, as by every other implementation; all that is
/// asked of a timestamp is that it rises.
const UNIX_EPOCH: u64 = (1 << 62) + 10;

/// Nanoseconds are rounded down to a multiple of this, 2^24 (16.8 ms), so that an initiation does
/// not tell how fast its sender works. Less than the time between two initiations that a responder
/// accepts, so that they still rise.
const GRANULARITY: u32 = 1 << 24;

const NANOS_PER_SEC: u32 = 1_000_000_000;

/// A timestamp: eight bytes of seconds and four of nanoseconds, both big-endian, so that the order
/// of the bytes is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tai64n([u8; TAI64N_LEN]);

impl Tai64n {
    /// The timestamp of a time on the wall clock, rounded down to 2^24 ns within its second.
    #[must_use]
    pub fn from_unix(time: UnixTime) -> Self {
        let secs = UNIX_EPOCH.saturating_add(time.secs);
        let nanos = time.nanos & !(GRANULARITY - 1);
        let mut bytes = [0; TAI64N_LEN];
        bytes[..8].copy_from_slice(&secs.to_be_bytes());
        bytes[8..].copy_from_slice(&nanos.to_be_bytes());
        Self(bytes)
    }

    /// The earliest timestamp after this one that a clock can give.
    #[must_use]
    pub fn successor(self) -> Self {
        let [secs @ .., n0, n1, n2, n3] = self.0;
        let nanos = u32::from_be_bytes([n0, n1, n2, n3]) & !(GRANULARITY - 1);
        let (secs, nanos) = match nanos.checked_add(GRANULARITY) {
            Some(nanos) if nanos < NANOS_PER_SEC => (u64::from_be_bytes(secs), nanos),
            _ => (u64::from_be_bytes(secs).saturating_add(1), 0),
        };
        let mut bytes = [0; TAI64N_LEN];
        bytes[..8].copy_from_slice(&secs.to_be_bytes());
        bytes[8..].copy_from_slice(&nanos.to_be_bytes());
        Self(bytes)
    }

    /// A timestamp as it stands in a message. Every value is taken: only the order matters.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; TAI64N_LEN]) -> Self {
        Self(bytes)
    }

    /// The form that goes into a message.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; TAI64N_LEN] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(secs: u64, nanos: u32) -> Tai64n {
        Tai64n::from_unix(UnixTime { secs, nanos })
    }

    #[test]
    fn the_epoch_and_the_byte_order() {
        assert_eq!(
            at(0, 0).to_bytes(),
            [0x40, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0]
        );
        assert_eq!(
            at(0x0102_0304, 0x0500_0000).to_bytes(),
            [0x40, 0, 0, 0, 1, 2, 3, 14, 5, 0, 0, 0]
        );
        assert_eq!(Tai64n::from_bytes(at(7, 0).to_bytes()), at(7, 0));
    }

    #[test]
    fn nanoseconds_are_whitened() {
        assert_eq!(at(1, 0xff_ffff), at(1, 0));
        assert!(at(1, 0x100_0000) > at(1, 0xff_ffff));
        assert_eq!(at(1, 999_999_999), at(1, 0x3b00_0000));
    }

    #[test]
    fn a_clock_at_its_end_saturates() {
        assert_eq!(at(u64::MAX, 0).to_bytes()[..8], [0xff; 8]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bytes_have_the_order_of_time(
            a in (0..1_u64 << 40, 0..1_000_000_000_u32),
            b in (0..1_u64 << 40, 0..1_000_000_000_u32),
        ) {
            if a <= b {
                prop_assert!(at(a.0, a.1) <= at(b.0, b.1));
            }
        }

        #[test]
        fn a_successor_is_the_next_that_differs(
            secs in 0..1_u64 << 40,
            nanos in 0..1_000_000_000_u32,
        ) {
            let (time, next) = (at(secs, nanos), at(secs, nanos).successor());
            prop_assert!(time < next);
            let later = u64::from(nanos & !0xff_ffff) + (1 << 24);
            let expected = match u32::try_from(later) {
                Ok(nanos) if nanos < 1_000_000_000 => at(secs, nanos),
                _ => at(secs + 1, 0),
            };
            prop_assert_eq!(next, expected);
        }

        /// A responder takes 50 initiations a second; two sent that far apart differ.
        #[test]
        fn initiations_20_ms_apart_rise(secs in 0..1_u64 << 40, nanos in 0..1_000_000_000_u32) {
            let later = u64::from(nanos) + 20_000_000;
            let (carry, rest) = (later / 1_000_000_000, later % 1_000_000_000);
            prop_assert!(at(secs, nanos) < at(secs + carry, rest as u32));
        }
    }
}

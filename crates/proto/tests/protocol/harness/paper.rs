//! The constants of the paper (section 6.1) and of the kernel driver, declared anew: a wrong
//! constant in the crate must not agree with itself.

use std::time::Duration;

pub(crate) const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
pub(crate) const REJECT_AFTER_MESSAGES: u64 = 0xffff_ffff_ffff_dfff;
pub(crate) const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);
pub(crate) const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);
pub(crate) const REKEY_ATTEMPT_TIME: Duration = Duration::from_secs(90);
pub(crate) const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const JITTER_MAX: Duration = Duration::from_millis(333);
pub(crate) const COOKIE_LIFETIME: Duration = Duration::from_secs(120);
pub(crate) const INITIATION_INTERVAL_MIN: Duration = Duration::from_millis(20);
pub(crate) const STAGED_MAX: usize = 128;
/// Counters that may arrive late: the bitmap of 8192 without the word that is being filled.
pub(crate) const WINDOW: u64 = 8192 - 64;

pub(crate) const INITIATION_SIZE: usize = 148;
pub(crate) const RESPONSE_SIZE: usize = 92;
pub(crate) const COOKIE_SIZE: usize = 64;
pub(crate) const KEEPALIVE_SIZE: usize = 32;
/// What sealing adds to a padded packet: type and reserved bytes, index, counter, authenticator.
pub(crate) const OVERHEAD: usize = 4 + 4 + 8 + 16;
/// DSCP AF41 with no congestion bits.
pub(crate) const HANDSHAKE_TOS: u8 = 0x88;

/// Where the age of a keypair makes its initiator act on received data: 165 s.
pub(crate) const REKEY_ON_RECEIVE: Duration = Duration::from_secs(180 - 10 - 5);
/// Where silence after sent data starts a handshake: 15 s, before jitter.
pub(crate) const NO_ANSWER: Duration = Duration::from_secs(10 + 5);

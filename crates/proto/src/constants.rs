//! The timers and limits of the protocol (the paper, section 6.1) and of the kernel driver.

use core::time::Duration;

/// Messages after which a new handshake is made.
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
/// Messages after which a keypair is refused in both directions.
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
/// Age of a keypair at which its initiator makes a new handshake when it sends.
pub const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);
/// Age at which a keypair is refused in both directions.
pub const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);
/// For how long initiations are sent again before the peer counts as gone.
pub const REKEY_ATTEMPT_TIME: Duration = Duration::from_secs(90);
/// Time between two initiations to one peer, before jitter.
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most random time that is added to [`REKEY_TIMEOUT`] and to the no-answer timer.
pub const REKEY_TIMEOUT_JITTER_MAX: Duration = Duration::from_millis(333);
/// Silence after received data, or sent data without an answer, that makes us act.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Initiations of one peer closer together than this are dropped (50 a second).
pub const INITIATION_INTERVAL_MIN: Duration = Duration::from_millis(20);
/// How long a cookie, and the secret it is made from, is good.
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(120);
/// Age of a keypair at which its initiator makes a new handshake when it *receives*.
pub const REKEY_ON_RECEIVE_AFTER: Duration = Duration::from_secs(
    REJECT_AFTER_TIME.as_secs() - KEEPALIVE_TIMEOUT.as_secs() - REKEY_TIMEOUT.as_secs(),
);
/// Idle time after which all key material of a peer is zeroed.
pub const ZERO_KEYS_AFTER: Duration = Duration::from_secs(3 * REJECT_AFTER_TIME.as_secs());
/// Packets that wait for a handshake, per peer; the oldest is dropped for a new one.
pub const STAGED_PACKETS_MAX: usize = 128;
/// Bytes of packets that wait for handshakes, over all peers of a device. Not of the paper: 128
/// packets for each of 20,000 peers would be gigabytes.
pub const STAGED_BYTES_MAX: usize = 32 << 20;
/// How long a device stays under load after its handshake queue was last an eighth full.
pub const UNDER_LOAD_FOR: Duration = Duration::from_secs(1);
/// Sealed packets are padded to a multiple of this many bytes, but never past the MTU.
pub const PADDING_MULTIPLE: usize = 16;
/// Type-of-service byte of handshake messages: DSCP AF41, as the kernel driver sends them.
pub const HANDSHAKE_TOS: u8 = 0x88;

//! A keypair: the two transport keys that a handshake yields, with their counters.
//!
//! Keypairs are shared with the threads that move data, so everything here works through `&self`:
//! counters are reserved with one atomic operation for a whole run of packets, and the replay
//! window is locked once for a run.

use core::fmt;
use core::time::Duration;

use crate::constants::{
    REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME, REKEY_AFTER_MESSAGES, REKEY_AFTER_TIME,
    REKEY_ON_RECEIVE_AFTER,
};
use crate::crypto::{Crypto, LayoutError, Packet, TransportKey};
use crate::handshake::SessionKeys;
use crate::replay::ReplayWindow;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::time::{AtomicInstant, Instant};

/// Which side of the handshake made a keypair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We sent the initiation; only this side makes a new handshake because of age.
    Initiator,
    /// We answered; we may not send before the initiator's first data confirms the keypair.
    Responder,
}

/// Two transport keys, one for each direction.
pub struct Keypair<C: Crypto> {
    role: Role,
    created: Instant,
    local_index: u32,
    remote_index: u32,
    sending: C::Key,
    receiving: C::Key,
    /// The counter of the next packet to seal.
    counter: AtomicU64,
    replay: Mutex<ReplayWindow>,
    confirmed: AtomicBool,
    /// Set when the local private key changed: still good for receiving, no more for sending.
    retired: AtomicBool,
    rekey_asked: AtomicInstant,
}

impl<C: Crypto> Keypair<C> {
    pub(crate) fn new(role: Role, created: Instant, local_index: u32, keys: &SessionKeys) -> Self {
        Self {
            role,
            created,
            local_index,
            remote_index: keys.remote_index,
            sending: C::Key::new(&keys.send),
            receiving: C::Key::new(&keys.recv),
            counter: AtomicU64::new(0),
            replay: Mutex::new(ReplayWindow::new()),
            confirmed: AtomicBool::new(role == Role::Initiator),
            retired: AtomicBool::new(false),
            rekey_asked: AtomicInstant::default(),
        }
    }

    /// The index that the peer puts into packets for us.
    #[must_use]
    pub const fn local_index(&self) -> u32 {
        self.local_index
    }

    /// The index that we put into packets for the peer.
    #[must_use]
    pub const fn remote_index(&self) -> u32 {
        self.remote_index
    }

    /// Which side of the handshake we were.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// When the handshake was completed on our side.
    #[must_use]
    pub const fn created(&self) -> Instant {
        self.created
    }

    /// Reserves `count` consecutive counters and returns the first.
    ///
    /// `None` when the keypair may not send any more: it is older than REJECT_AFTER_TIME, its
    /// counters are used up to REJECT_AFTER_MESSAGES, or the private key changed.
    #[must_use]
    pub fn reserve(&self, now: Instant, count: u64) -> Option<u64> {
        if self.retired.load(Ordering::Relaxed) || self.is_expired(now) {
            return None;
        }
        // A compare-and-swap, not an add: an add that is refused afterwards would still have
        // moved the counter, and enough of them would wrap it and reuse nonces.
        self.counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| {
                let next = first.checked_add(count)?;
                (next <= REJECT_AFTER_MESSAGES).then_some(next)
            })
            .ok()
    }

    /// Whether the keypair is too old for both directions.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.age(now) >= REJECT_AFTER_TIME
    }

    /// Seals packets in place; their counters must come from [`Self::reserve`].
    ///
    /// # Errors
    ///
    /// As [`TransportKey::seal_batch`]: nothing is sealed then, and the buffer must not be sent.
    pub fn seal_batch(&self, buffer: &mut [u8], packets: &[Packet]) -> Result<(), LayoutError> {
        self.sending.seal_batch(buffer, packets)
    }

    /// Opens packets in place. `verdicts` says which are authentic *and* new: the replay window
    /// has then taken note of them. Nothing passes on an expired keypair.
    pub fn open_batch(
        &self,
        now: Instant,
        buffer: &mut [u8],
        packets: &[Packet],
        verdicts: &mut [bool],
    ) {
        verdicts.fill(false);
        if self.is_expired(now) {
            return;
        }
        if self
            .receiving
            .open_batch(buffer, packets, verdicts)
            .is_err()
        {
            verdicts.fill(false);
            return;
        }
        let mut replay = self.replay.lock();
        for (packet, verdict) in packets.iter().zip(verdicts) {
            *verdict = *verdict && replay.check_and_update(packet.counter);
        }
    }

    /// Whether traffic has proved that the other side has this keypair too.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Relaxed)
    }

    pub(crate) fn confirm(&self) {
        self.confirmed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn can_send(&self, now: Instant) -> bool {
        !self.retired.load(Ordering::Relaxed)
            && !self.is_expired(now)
            && self.counter.load(Ordering::Relaxed) < REJECT_AFTER_MESSAGES
    }

    /// Whether who sends with this keypair wants a new one (the paper, section 6.2). Only the
    /// initiator goes by age, so that the two sides do not initiate at the same moment.
    pub(crate) fn wants_rekey(&self, now: Instant) -> bool {
        self.counter.load(Ordering::Relaxed) > REKEY_AFTER_MESSAGES
            || self.role == Role::Initiator && self.age(now) >= REKEY_AFTER_TIME
    }

    /// Whether who only receives with this keypair wants a new one: it will expire before the
    /// silence of its sender would be noticed.
    pub(crate) fn wants_rekey_on_receive(&self, now: Instant) -> bool {
        self.role == Role::Initiator && self.age(now) >= REKEY_ON_RECEIVE_AFTER
    }

    /// Lets one request a second through, so that a busy data path does not flood the control
    /// thread while the handshake is on its way.
    pub(crate) fn ask_for_rekey(&self, now: Instant) -> bool {
        let recently = self
            .rekey_asked
            .load()
            .is_some_and(|asked| now.saturating_since(asked) < Duration::from_secs(1));
        if !recently {
            self.rekey_asked.store(now);
        }
        !recently
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_since(self.created)
    }

    #[cfg(all(test, any(feature = "provider", loom)))]
    pub(crate) fn set_counter(&self, counter: u64) {
        self.counter.store(counter, Ordering::Relaxed);
    }
}

impl<C: Crypto> fmt::Debug for Keypair<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair")
            .field("role", &self.role)
            .field("local_index", &self.local_index)
            .field("remote_index", &self.remote_index)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "provider"))]
mod tests;

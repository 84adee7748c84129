//! What the device alone knows of a peer: handshake, timers, configuration.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;

use crate::allowed_ips::Prefix;
use crate::constants::ZERO_KEYS_AFTER;
use crate::cookie::CookieGenerator;
use crate::crypto::Crypto;
use crate::handshake::{InitiatorState, RemoteStatic};
use crate::key::{PresharedKey, PublicKey};
use crate::peer::Peer;
use crate::tai64n::Tai64n;
use crate::time::{Instant, Now, UnixTime};

use super::own_prefixes::OwnPrefixes;
use super::timers::Timers;

pub(super) struct PeerState<C: Crypto> {
    pub(super) shared: Arc<Peer<C>>,
    pub(super) remote: RemoteStatic,
    pub(super) cookies: CookieGenerator,
    /// Our initiation that waits for its response.
    pub(super) pending: Option<Box<Pending<C>>>,
    /// When an initiation or a response left.
    pub(super) last_handshake_sent: Option<Instant>,
    /// The timestamp in our last initiation.
    pub(super) last_timestamp_sent: Option<Tai64n>,
    /// Since when a handshake is wanted that has not come about.
    pub(super) wanted_since: Option<Instant>,
    /// The greatest timestamp in an initiation of this peer.
    pub(super) latest_timestamp: Option<Tai64n>,
    pub(super) last_initiation_received: Option<Instant>,
    pub(super) last_handshake: Option<UnixTime>,
    pub(super) keepalive: Option<Duration>,
    pub(super) timers: Timers,
    /// This peer's entry in the schedule.
    pub(super) scheduled: Option<Instant>,
    pub(super) allowed_ips: OwnPrefixes,
    pub(super) next_sequence: u64,
}

/// An initiation in flight. Kept apart from what we answer as a responder, so that two peers that
/// initiate at the same moment both get through.
pub(super) struct Pending<C: Crypto> {
    pub(super) index: u32,
    pub(super) state: InitiatorState<C>,
}

impl<C: Crypto> PeerState<C> {
    pub(super) fn new(shared: Arc<Peer<C>>, remote: RemoteStatic, timers: Timers) -> Self {
        Self {
            cookies: CookieGenerator::new::<C>(shared.public_key()),
            shared,
            remote,
            pending: None,
            last_handshake_sent: None,
            last_timestamp_sent: None,
            wanted_since: None,
            latest_timestamp: None,
            last_initiation_received: None,
            last_handshake: None,
            keepalive: None,
            timers,
            scheduled: None,
            allowed_ips: OwnPrefixes::default(),
            next_sequence: 0,
        }
    }

    /// Both sides are known to have the new keypair.
    pub(super) fn handshake_completed(&mut self, now: Now) {
        self.timers.retransmit = None;
        self.wanted_since = None;
        self.last_handshake = Some(now.unix);
    }

    /// The time in our next initiation: later than in the one before, even if somebody has set the
    /// clock back, or the responder would take it for a replay.
    pub(super) fn next_timestamp(&mut self, now: UnixTime) -> Tai64n {
        let clock = Tai64n::from_unix(now);
        let least = self.last_timestamp_sent.map(Tai64n::successor);
        let timestamp = least.map_or(clock, |least| clock.max(least));
        self.last_timestamp_sent = Some(timestamp);
        timestamp
    }

    /// Our side has derived a new keypair.
    pub(super) fn session_derived(&mut self, now: Instant) {
        self.timers.zero_keys = Some(now + ZERO_KEYS_AFTER);
    }
}

/// A peer as its owner sees it: configuration and statistics.
pub struct PeerView<'a, C: Crypto>(pub(super) &'a PeerState<C>);

impl<'a, C: Crypto> PeerView<'a, C> {
    /// The static public key.
    #[must_use]
    pub fn public_key(&self) -> &'a PublicKey {
        self.0.shared.public_key()
    }

    /// The pre-shared key, all zero when there is none.
    #[must_use]
    pub fn preshared_key(&self) -> &'a PresharedKey {
        self.0.remote.preshared_key()
    }

    /// The address that messages to this peer go to.
    #[must_use]
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.0.shared.path().map(|path| path.remote)
    }

    /// When the last handshake was completed.
    #[must_use]
    pub const fn last_handshake(&self) -> Option<UnixTime> {
        self.0.last_handshake
    }

    /// The persistent keepalive interval.
    #[must_use]
    pub const fn persistent_keepalive(&self) -> Option<Duration> {
        self.0.keepalive
    }

    /// The allowed IPs in the order in which they were added.
    pub fn allowed_ips(&self) -> impl Iterator<Item = Prefix> + 'a {
        self.0.allowed_ips.iter()
    }

    /// The part of the peer that is shared with the data path; it has the byte counters.
    #[must_use]
    pub const fn shared(&self) -> &'a Arc<Peer<C>> {
        &self.0.shared
    }
}

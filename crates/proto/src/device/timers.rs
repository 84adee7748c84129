//! The timers of the paper's section 6, evaluated when a deadline of a peer has come.
//!
//! A peer has at most one entry in the schedule: the earliest of its deadlines. When it is reached,
//! or the data path asks for it, every timer of that peer is looked at and the next deadline
//! computed from the timestamps that traffic left behind. Nothing is re-armed per packet.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::constants::{
    KEEPALIVE_TIMEOUT, REKEY_ATTEMPT_TIME, REKEY_TIMEOUT_JITTER_MAX, ZERO_KEYS_AFTER,
};
use crate::crypto::{Crypto, Random};
use crate::peer::{NO_ANSWER_AFTER, PeerId};
use crate::time::{Instant, Now};

use super::Device;
use super::peer_state::PeerState;

/// Peers that one call serves for each of its two reasons. A device may have a hundred thousand that
/// do not answer, and each may cost an initiation, which takes two Diffie-Hellman functions: an
/// owner who serves them all in one go is deaf to their answers in the meantime.
const SERVED_AT_ONCE: usize = 32;

/// The deadlines of a peer that traffic does not derive.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// When an unanswered initiation is sent again.
    pub(super) retransmit: Option<Instant>,
    /// When all key material is zeroed.
    pub(super) zero_keys: Option<Instant>,
    /// Added to the no-answer timer; drawn anew each time that it fires.
    pub(super) no_answer_jitter: Duration,
    /// When a persistent keepalive was last due, or the interval was set.
    pub(super) persistent_base: Option<Instant>,
}

/// Why a deadline is there, in the order in which those that are due together are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// No new session for 3 × REJECT_AFTER_TIME. First, because after a long sleep everything is
    /// due, and the keys are not to be zeroed that the others ask for.
    ZeroKeys,
    /// An initiation had no answer.
    Retransmit,
    /// Received data went unanswered for KEEPALIVE_TIMEOUT.
    PassiveKeepalive,
    /// Sent data went unanswered for KEEPALIVE_TIMEOUT + REKEY_TIMEOUT.
    NoAnswer,
    /// Nothing went either way for the persistent keepalive interval.
    PersistentKeepalive,
}

/// Peers by the time at which they want to be looked at.
#[derive(Debug, Default)]
pub(super) struct Schedule(BTreeSet<(Instant, PeerId)>);

impl Schedule {
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.0.first().map(|entry| entry.0)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn next_due(&self, now: Instant) -> Option<PeerId> {
        let (at, peer) = *self.0.first()?;
        (at <= now).then_some(peer)
    }

    pub(super) fn replace(&mut self, peer: PeerId, old: Option<Instant>, new: Option<Instant>) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.0.remove(&(old, peer));
        }
        if let Some(new) = new {
            self.0.insert((new, peer));
        }
    }
}

impl<C: Crypto> PeerState<C> {
    fn deadlines(&self) -> [(Reason, Option<Instant>); 5] {
        let activity = self.shared.activity();
        let no_answer_after = NO_ANSWER_AFTER + self.timers.no_answer_jitter;
        let persistent = self.keepalive.and_then(|interval| {
            let base = self.timers.persistent_base.max(activity.last_traversal())?;
            Some(base + interval)
        });
        [
            (Reason::Retransmit, self.timers.retransmit),
            (
                Reason::PassiveKeepalive,
                activity
                    .unanswered_received()
                    .map(|at| at + KEEPALIVE_TIMEOUT),
            ),
            (
                Reason::NoAnswer,
                activity.unanswered_sent().map(|at| at + no_answer_after),
            ),
            (Reason::PersistentKeepalive, persistent),
            (Reason::ZeroKeys, self.timers.zero_keys),
        ]
    }

    fn earliest_due(&self, now: Instant) -> Option<Reason> {
        self.deadlines()
            .into_iter()
            .filter(|(_, at)| at.is_some_and(|at| at <= now))
            .map(|(reason, _)| reason)
            .min()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines().into_iter().filter_map(|(_, at)| at).min()
    }
}

impl<C: Crypto> Device<C> {
    /// Does what is due: what the data path asked for and what the clock says. When that is much,
    /// it does a part of it, and [`Self::poll_timeout`] goes on saying "now".
    ///
    /// To be called when [`Self::poll_timeout`] is reached and when
    /// [`crate::Tables::request_service`] says so; datagrams may then wait in
    /// [`Self::poll_transmit`], and others may be handled before the next call.
    pub fn handle_timeout(&mut self, now: Now) {
        self.publish();
        for _ in 0..SERVED_AT_ONCE {
            let Some(peer) = self.tables.next_to_service() else {
                break;
            };
            self.service(now, peer.id());
        }
        // Counted, so that a clock at its very end, which no deadline lies behind, ends this too.
        for _ in 0..self.schedule.len().min(SERVED_AT_ONCE) {
            let Some(peer) = self.schedule.next_due(now.monotonic) else {
                break;
            };
            self.service(now, peer);
        }
    }

    /// When [`Self::handle_timeout`] is next to be called, if ever. A time in the past means now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.tables.wants_service() {
            return Some(Instant::default());
        }
        self.schedule.earliest()
    }

    /// Looks after one peer: what it waits for, its timers, its next deadline.
    pub(super) fn service(&mut self, now: Now, id: PeerId) {
        if !self.up {
            return self.unschedule(id);
        }
        // Each timer that fires moves its own deadline into the future, so this ends; the bound is
        // for a clock at its end.
        for _ in 0..8 {
            self.advance(now, id);
            let due = self
                .peers
                .get(&id)
                .and_then(|peer| peer.earliest_due(now.monotonic));
            match due {
                Some(reason) => self.fire(now, id, reason),
                None => break,
            }
        }
        self.note_source(id);
        self.reschedule(id);
    }

    /// What is not a matter of time: completed handshakes, packets that wait, ageing keypairs.
    fn advance(&mut self, now: Now, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.shared.take_completed() {
            peer.handshake_completed(now);
            // A late answer to an initiation of our own would replace the session that both sides
            // now have by one that the other side may have forgotten.
            self.forget_pending(id);
        }
        self.flush_staged(now, id);
        let Some(peer) = self.peers.get(&id).map(|peer| &peer.shared) else {
            return;
        };
        let rekey = peer.take_rekey_wanted(now.monotonic);
        // Once for each packet, not as long as packets wait: attempts come to an end.
        let waits = peer.take_send_wanted() && peer.has_staged() && !peer.can_send(now.monotonic);
        if rekey || waits {
            self.start_handshake(now, id);
        }
    }

    fn fire(&mut self, now: Now, id: PeerId, reason: Reason) {
        let jitter = self.jitter();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match reason {
            Reason::ZeroKeys => {
                peer.timers.zero_keys = None;
                if peer.timers.retransmit.is_some() {
                    // The handshake on its way has an ephemeral key that is seconds old.
                    peer.shared.drop_keypairs(&self.tables);
                } else {
                    self.forget_keys(id);
                }
            }
            Reason::Retransmit => self.retransmit(now, id),
            Reason::PassiveKeepalive => {
                peer.shared.activity().forget_unanswered_received();
                self.send_keepalive(now, id);
            }
            Reason::NoAnswer => {
                peer.timers.no_answer_jitter = jitter;
                peer.shared.activity().forget_unanswered_sent();
                peer.shared.clear_source();
                self.start_handshake(now, id);
            }
            Reason::PersistentKeepalive => {
                peer.timers.persistent_base = Some(now.monotonic);
                self.send_keepalive(now, id);
            }
        }
    }

    fn retransmit(&mut self, now: Now, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.timers.retransmit = None;
        let since = *peer.wanted_since.get_or_insert(now.monotonic);
        if now.monotonic.saturating_since(since) >= REKEY_ATTEMPT_TIME {
            peer.give_up(now.monotonic);
        } else {
            peer.shared.clear_source();
            self.send_initiation(now, id);
        }
    }

    /// Computes the peer's next deadline and takes note of it.
    pub(super) fn reschedule(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.shared.activity().disarm();
        let next = peer.next_deadline();
        if let Some(next) = next {
            peer.shared.activity().arm(next);
        }
        self.schedule.replace(id, peer.scheduled, next);
        peer.scheduled = next;
    }

    pub(super) fn unschedule(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            // Disarmed, so that data of a peer that comes back asks for service again.
            peer.shared.activity().disarm();
            self.schedule.replace(id, peer.scheduled.take(), None);
        }
    }

    /// Timers of which none is set.
    pub(super) fn new_timers(&mut self) -> Timers {
        Timers {
            no_answer_jitter: self.jitter(),
            ..Timers::default()
        }
    }

    /// A random time up to [`REKEY_TIMEOUT_JITTER_MAX`].
    pub(super) fn jitter(&mut self) -> Duration {
        let bound = REKEY_TIMEOUT_JITTER_MAX.as_nanos() as u64 + 1;
        // The bias of the modulo is below 2⁻³⁵ and the value no secret.
        Duration::from_nanos(random_u64(&mut *self.random) % bound)
    }
}

impl<C: Crypto> PeerState<C> {
    /// The peer counts as gone: what waits for it is dropped, and its keys go in a while.
    fn give_up(&mut self, now: Instant) {
        self.wanted_since = None;
        self.shared.drop_staged();
        self.shared.activity().forget_unanswered_received();
        if self.timers.zero_keys.is_none() {
            self.timers.zero_keys = Some(now + ZERO_KEYS_AFTER);
        }
    }
}

fn random_u64(random: &mut dyn Random) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

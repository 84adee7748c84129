//! What is known about a peer and shared with the threads that move its data.
//!
//! # How the timers see traffic
//!
//! No timer is re-armed per packet. The data path leaves relaxed timestamps in `Activity`; the
//! owner of the [`crate::Device`] reads them when a deadline of the peer has come. Two of them
//! start a deadline: the first data sent, and the first data received, that nothing has answered.
//! Whoever sets one of these looks at the deadline the peer is armed for, and asks for service
//! only if it is later than the new one. The owner in turn first disarms the peer and then reads
//! the timestamps. Both sides use sequentially consistent accesses, so at least one of them sees
//! the other and no deadline is lost.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::constants::{KEEPALIVE_TIMEOUT, REKEY_TIMEOUT};
use crate::crypto::Crypto;
use crate::key::PublicKey;
use crate::keypair::{Keypair, Role};
use crate::path::Path;
use crate::staging::{Staging, StagingBudget};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, Snapshot, between_ordered_accesses};
use crate::tables::Tables;
use crate::time::{AtomicInstant, Instant};

/// Names a peer for as long as its device lives. Numbers rise and are never used again, so their
/// order is the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) u64);

/// A peer, as the data path sees it.
pub struct Peer<C: Crypto> {
    id: PeerId,
    public_key: PublicKey,
    keypairs: Mutex<Keypairs<C>>,
    /// The keypair to send with: `keypairs.current`, published.
    current: Snapshot<Keypair<C>>,
    path: Mutex<Option<Path>>,
    staged: Staging,
    activity: Activity,
    tx_bytes: AtomicU64,
    rx_bytes: AtomicU64,
    marked: AtomicBool,
    completed: AtomicBool,
    rekey_wanted: AtomicBool,
    send_wanted: AtomicBool,
    source_moved: AtomicBool,
}

/// A run of counters to seal with.
pub struct Reservation<C: Crypto> {
    /// The keypair to seal with.
    pub keypair: Arc<Keypair<C>>,
    /// The first of the reserved counters.
    pub first: u64,
}

impl<C: Crypto> Peer<C> {
    pub(crate) fn new(id: PeerId, public_key: PublicKey, budget: Arc<StagingBudget>) -> Self {
        Self {
            id,
            public_key,
            keypairs: Mutex::new(Keypairs::default()),
            current: Snapshot::default(),
            path: Mutex::new(None),
            staged: Staging::new(budget),
            activity: Activity::default(),
            tx_bytes: AtomicU64::new(0),
            rx_bytes: AtomicU64::new(0),
            marked: AtomicBool::new(false),
            completed: AtomicBool::new(false),
            rekey_wanted: AtomicBool::new(false),
            send_wanted: AtomicBool::new(false),
            source_moved: AtomicBool::new(false),
        }
    }

    /// The name of this peer within its device.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// The static public key of this peer.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Where the peer is, if that is known.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        *self.path.lock()
    }

    /// Bytes of UDP payload sent to this peer in authenticated messages.
    #[must_use]
    pub fn tx_bytes(&self) -> u64 {
        self.tx_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of UDP payload received from this peer in authenticated messages.
    #[must_use]
    pub fn rx_bytes(&self) -> u64 {
        self.rx_bytes.load(Ordering::Relaxed)
    }

    /// Reserves `count` counters of the current keypair; `None` when a handshake is needed first.
    #[must_use]
    pub fn reserve(&self, now: Instant, count: u64) -> Option<Reservation<C>> {
        let keypair = self.current.load()?;
        let first = keypair.reserve(now, count)?;
        Some(Reservation { keypair, first })
    }

    /// Notes that a run of data packets was sent, `bytes` of UDP payload in all. Returns whether
    /// the peer now needs [`Tables::request_service`].
    #[must_use]
    pub fn sent_data(&self, now: Instant, keypair: &Keypair<C>, bytes: u64) -> bool {
        self.sent(now, bytes);
        let deadline = self.activity.data_sent(now);
        let rekey = keypair.wants_rekey(now) && self.ask_for_rekey(now, keypair);
        self.activity.is_before_armed(deadline) || rekey
    }

    /// Notes that a keepalive was sent. Returns whether the peer now needs service.
    pub(crate) fn sent_keepalive(&self, now: Instant, keypair: &Keypair<C>, bytes: u64) -> bool {
        self.sent(now, bytes);
        keypair.wants_rekey(now) && self.ask_for_rekey(now, keypair)
    }

    /// Notes that a run of packets of `keypair` arrived over `path` and was authentic, `bytes` of
    /// UDP payload in all, with `data` if any was more than a keepalive. The peer's endpoint
    /// follows. Returns whether the peer now needs [`Tables::request_service`].
    #[must_use]
    pub fn received_data(
        &self,
        now: Instant,
        tables: &Tables<C>,
        keypair: &Arc<Keypair<C>>,
        path: Path,
        bytes: u64,
        data: bool,
    ) -> bool {
        let mut service = self.received(now, path, bytes);
        service |= !keypair.is_confirmed() && self.confirm(tables, keypair);
        if data {
            let deadline = self.activity.data_received(now);
            service |= self.activity.is_before_armed(deadline);
        }
        let rekey = keypair.wants_rekey_on_receive(now) && self.ask_for_rekey(now, keypair);
        service || rekey
    }

    /// Asks for a new keypair because of this one, if it is the one to send with: packets still
    /// come and go with the previous one for a while.
    fn ask_for_rekey(&self, now: Instant, keypair: &Keypair<C>) -> bool {
        let is_current = self
            .current
            .read(|current| current.is_some_and(|current| core::ptr::eq(&**current, keypair)));
        let asks = is_current && keypair.ask_for_rekey(now);
        if asks {
            self.rekey_wanted.store(true, Ordering::Release);
        }
        asks
    }

    /// Keeps a packet until there is a keypair; the peer then needs [`Tables::request_service`].
    /// The oldest goes when there are too many.
    pub fn stage(&self, packet: Vec<u8>) {
        self.staged.push(packet);
        self.send_wanted.store(true, Ordering::Release);
    }

    /// Lets the routing table choose the source address again, if `path` is still the path: the
    /// address that it named is gone.
    pub fn forget_source(&self, path: Path) {
        let mut current = self.path.lock();
        if *current == Some(path) {
            *current = Some(Path::to(path.remote));
        }
    }

    /// As [`Self::forget_source`], whatever the path.
    pub fn clear_source(&self) {
        if let Some(path) = &mut *self.path.lock() {
            path.local = None;
        }
    }

    pub(crate) fn set_path(&self, path: Option<Path>) {
        *self.path.lock() = path;
    }

    /// Notes an authenticated message of any kind that was sent.
    pub(crate) fn sent(&self, now: Instant, bytes: u64) {
        self.tx_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.activity.sent(now);
    }

    /// Notes an authenticated message of any kind that was received: the endpoint roams. Returns
    /// whether our own address did, so that the peer needs service.
    pub(crate) fn received(&self, now: Instant, path: Path, bytes: u64) -> bool {
        self.rx_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.activity.received(now);
        let mut current = self.path.lock();
        if *current == Some(path) {
            return false;
        }
        let moved = path.local.is_some() && current.and_then(|old| old.local) != path.local;
        *current = Some(path);
        moved && !self.source_moved.swap(true, Ordering::AcqRel)
    }

    /// Whether the source address changed and nobody has looked at it since.
    pub(crate) fn source_moved(&self) -> bool {
        self.source_moved.load(Ordering::Acquire)
    }

    pub(crate) fn source_seen(&self) {
        self.source_moved.store(false, Ordering::Release);
    }

    pub(crate) const fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(crate) fn take_staged(&self) -> VecDeque<Vec<u8>> {
        self.staged.take()
    }

    /// Drops what waits: the peer does not answer.
    pub(crate) fn drop_staged(&self) {
        self.staged.give_up();
    }

    /// Has what waits, if anything does, count as staged anew.
    pub(crate) fn send_staged(&self) {
        if self.has_staged() {
            self.send_wanted.store(true, Ordering::Release);
        }
    }

    /// Whether anything was staged since the last call.
    pub(crate) fn take_send_wanted(&self) -> bool {
        self.send_wanted.swap(false, Ordering::Acquire)
    }

    pub(crate) fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// The keypair to send with, if it may still send.
    pub(crate) fn can_send(&self, now: Instant) -> bool {
        self.current
            .read(|current| current.is_some_and(|keypair| keypair.can_send(now)))
    }

    /// The current keypair, whatever its state.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Keypair<C>>> {
        self.current.load()
    }

    /// Slides in the keypair of a handshake that has just ended on our side.
    pub(crate) fn install(&self, tables: &Tables<C>, keypair: Arc<Keypair<C>>) {
        let mut keypairs = self.keypairs.lock();
        let dropped = keypairs.install(keypair);
        self.current.store(keypairs.current.clone());
        drop(keypairs);
        forget(tables, dropped);
    }

    /// The first data on the responder's keypair: the initiator has it, so we may send with it.
    fn confirm(&self, tables: &Tables<C>, keypair: &Arc<Keypair<C>>) -> bool {
        let mut keypairs = self.keypairs.lock();
        keypair.confirm();
        if !keypairs.is_next(keypair) {
            return false;
        }
        let dropped = keypairs.promote_next();
        self.current.store(keypairs.current.clone());
        drop(keypairs);
        forget(tables, [dropped, None]);
        self.completed.store(true, Ordering::Release);
        true
    }

    /// Whether a handshake that we answered was confirmed since the last call.
    pub(crate) fn take_completed(&self) -> bool {
        self.completed.swap(false, Ordering::Acquire)
    }

    /// Whether a new keypair was asked for since the last call and has not come in the meantime.
    pub(crate) fn take_rekey_wanted(&self, now: Instant) -> bool {
        self.rekey_wanted.swap(false, Ordering::Acquire)
            && self
                .current
                .read(|current| current.is_some_and(|current| current.wants_rekey(now)))
    }

    /// Zeroes all keypairs of this peer (as far as no thread is in the middle of using one).
    pub(crate) fn drop_keypairs(&self, tables: &Tables<C>) {
        let mut keypairs = self.keypairs.lock();
        let dropped = core::mem::take(&mut *keypairs);
        self.current.store(None);
        drop(keypairs);
        forget(tables, [dropped.previous, dropped.current]);
        forget(tables, [dropped.next, None]);
        self.completed.store(false, Ordering::Relaxed);
        self.rekey_wanted.store(false, Ordering::Relaxed);
    }

    /// Stops sending with what there is; packets in flight may still arrive.
    pub(crate) fn retire_keypairs(&self) {
        let keypairs = self.keypairs.lock();
        for keypair in [&keypairs.current, &keypairs.next].into_iter().flatten() {
            keypair.retire();
        }
    }

    /// Returns whether the peer was not marked before.
    pub(crate) fn mark_for_service(&self) -> bool {
        !self.marked.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn unmark_for_service(&self) {
        // A swap, so that it sees everything before the marking that it takes back, also of a
        // thread whose own marking came to nothing because the peer was marked already.
        self.marked.swap(false, Ordering::AcqRel);
    }
}

fn forget<C: Crypto, const N: usize>(tables: &Tables<C>, dropped: [Option<Arc<Keypair<C>>>; N]) {
    for keypair in dropped.into_iter().flatten() {
        tables.indices().remove(keypair.local_index());
    }
}

impl<C: Crypto> fmt::Debug for Peer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("public_key", &self.public_key)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// The three keypairs that a peer may have at a time (the paper, section 6.3).
struct Keypairs<C: Crypto> {
    previous: Option<Arc<Keypair<C>>>,
    current: Option<Arc<Keypair<C>>>,
    /// Made as the responder, not yet confirmed by the initiator's first data.
    next: Option<Arc<Keypair<C>>>,
}

impl<C: Crypto> Default for Keypairs<C> {
    fn default() -> Self {
        Self {
            previous: None,
            current: None,
            next: None,
        }
    }
}

impl<C: Crypto> Keypairs<C> {
    fn install(&mut self, keypair: Arc<Keypair<C>>) -> [Option<Arc<Keypair<C>>>; 2] {
        match keypair.role() {
            Role::Initiator => {
                let current = self.current.replace(keypair);
                // A keypair that waited for confirmation is newer than the current one.
                match self.next.take() {
                    Some(next) => [self.previous.replace(next), current],
                    None => [core::mem::replace(&mut self.previous, current), None],
                }
            }
            Role::Responder => [self.next.replace(keypair), self.previous.take()],
        }
    }

    fn is_next(&self, keypair: &Arc<Keypair<C>>) -> bool {
        self.next
            .as_ref()
            .is_some_and(|next| Arc::ptr_eq(next, keypair))
    }

    fn promote_next(&mut self) -> Option<Arc<Keypair<C>>> {
        let current = core::mem::replace(&mut self.current, self.next.take());
        core::mem::replace(&mut self.previous, current)
    }
}

/// Timestamps that the data path leaves for the timers.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Any authenticated message sent, handshakes and keepalives included.
    last_sent: AtomicInstant,
    /// Any authenticated message received.
    last_received: AtomicInstant,
    /// First data sent since anything was received.
    unanswered_sent: AtomicInstant,
    /// First data received since anything was sent.
    unanswered_received: AtomicInstant,
    /// The deadline that the device's owner will look at this peer.
    armed: AtomicU64,
}

const DISARMED: u64 = u64::MAX;

impl Default for Activity {
    fn default() -> Self {
        Self {
            last_sent: AtomicInstant::default(),
            last_received: AtomicInstant::default(),
            unanswered_sent: AtomicInstant::default(),
            unanswered_received: AtomicInstant::default(),
            armed: AtomicU64::new(DISARMED),
        }
    }
}

impl Activity {
    fn sent(&self, now: Instant) {
        self.last_sent.store(now);
        self.unanswered_received.clear();
    }

    fn received(&self, now: Instant) {
        self.last_received.store(now);
        self.unanswered_sent.clear();
    }

    /// Returns the deadline that this data starts, if it does.
    fn data_sent(&self, now: Instant) -> Option<Instant> {
        let started = self.unanswered_sent.store_if_unset(now);
        started.then(|| now + NO_ANSWER_AFTER)
    }

    fn data_received(&self, now: Instant) -> Option<Instant> {
        let started = self.unanswered_received.store_if_unset(now);
        started.then(|| now + KEEPALIVE_TIMEOUT)
    }

    fn is_before_armed(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|deadline| {
            between_ordered_accesses();
            deadline.as_nanos() < self.armed.load(Ordering::SeqCst)
        })
    }

    /// When anything authenticated last went either way.
    pub(crate) fn last_traversal(&self) -> Option<Instant> {
        self.last_sent.load().max(self.last_received.load())
    }

    pub(crate) fn unanswered_sent(&self) -> Option<Instant> {
        self.unanswered_sent.load_ordered()
    }

    pub(crate) fn unanswered_received(&self) -> Option<Instant> {
        self.unanswered_received.load_ordered()
    }

    pub(crate) fn forget_unanswered_sent(&self) {
        self.unanswered_sent.clear();
    }

    pub(crate) fn forget_unanswered_received(&self) {
        self.unanswered_received.clear();
    }

    /// Must come before reading the timestamps for the next deadline.
    pub(crate) fn disarm(&self) {
        self.armed.store(DISARMED, Ordering::SeqCst);
        between_ordered_accesses();
    }

    #[cfg(all(test, loom))]
    pub(crate) fn armed(&self) -> u64 {
        self.armed.load(Ordering::SeqCst)
    }

    pub(crate) fn arm(&self, deadline: Instant) {
        self.armed.store(deadline.as_nanos(), Ordering::SeqCst);
    }
}

/// Silence after sent data that makes us start a handshake, before jitter.
pub(crate) const NO_ANSWER_AFTER: Duration =
    Duration::from_secs(KEEPALIVE_TIMEOUT.as_secs() + REKEY_TIMEOUT.as_secs());

#[cfg(all(test, feature = "provider"))]
mod tests;

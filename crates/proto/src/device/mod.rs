//! A whole WireGuard device as a state machine.

mod configuration;
mod data;
mod handshakes;
mod load;
mod own_prefixes;
mod peer_state;
mod timers;
mod transmit;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::allowed_ips::AllowedIps;
use crate::cookie::CookieChecker;
use crate::crypto::{Crypto, Random};
use crate::handshake::LocalIdentity;
use crate::key::PublicKey;
use crate::peer::PeerId;
use crate::ratelimiter::RateLimiter;
use crate::tables::{Routes, Tables};

pub use configuration::{AddPeerError, PEERS_MAX};
pub use data::{PlaintextError, Received};
pub use handshakes::Dropped;
pub use peer_state::PeerView;
pub use transmit::Transmit;

use load::Load;
use peer_state::PeerState;
use timers::Schedule;

/// The MTU of a device that nobody told otherwise, in bytes.
pub const DEFAULT_MTU: usize = 1420;

/// A WireGuard device: one private key, its peers, their sessions and timers.
///
/// Time and datagrams are arguments; see the crate's documentation for the verbs.
pub struct Device<C: Crypto> {
    tables: Arc<Tables<C>>,
    random: Box<dyn Random>,
    identity: Option<LocalIdentity<C>>,
    cookies: CookieChecker,
    ratelimiter: RateLimiter,
    load: Load,
    /// Boxed: a map leaves almost half of its room empty when keys come in ascending order.
    peers: BTreeMap<PeerId, Box<PeerState<C>>>,
    by_key: BTreeMap<PublicKey, PeerId>,
    next_peer: u64,
    /// The owners of initiations in flight, by our index.
    pending: BTreeMap<u32, PeerId>,
    /// The allowed-IPs table as it will be published.
    routes: Routes<C>,
    routes_changed: bool,
    schedule: Schedule,
    transmits: VecDeque<transmit::Queued<C>>,
    /// Peers whose source address changed, for the owner to look at.
    new_sources: BTreeSet<PeerId>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    mtu: usize,
    up: bool,
}

impl<C: Crypto> Device<C> {
    /// A device without key and peers. It is down: it keeps what it is told and sends nothing
    /// before [`Self::set_up`].
    #[must_use]
    pub fn new(mut random: Box<dyn Random>) -> Self {
        Self {
            tables: Arc::new(Tables::new()),
            identity: None,
            cookies: CookieChecker::new(),
            ratelimiter: RateLimiter::new(&mut *random),
            random,
            load: Load::default(),
            peers: BTreeMap::new(),
            by_key: BTreeMap::new(),
            next_peer: 0,
            pending: BTreeMap::new(),
            routes: AllowedIps::default(),
            routes_changed: false,
            schedule: Schedule::default(),
            transmits: VecDeque::new(),
            new_sources: BTreeSet::new(),
            spare: Vec::new(),
            mtu: DEFAULT_MTU,
            up: false,
        }
    }

    /// The tables that the threads of a data path read.
    #[must_use]
    pub const fn tables(&self) -> &Arc<Tables<C>> {
        &self.tables
    }

    /// Makes changes of the allowed IPs take effect, all at once.
    ///
    /// Every `handle_` method does so too; only a caller whose data path reads [`Tables`] on its
    /// own needs this.
    pub fn publish(&mut self) {
        if self.routes_changed {
            self.routes_changed = false;
            self.tables.publish_routes(self.routes.clone());
        }
    }
}

#[cfg(all(test, feature = "provider"))]
mod tests;

//! What the threads that move data read: who an address and a receiver index belong to.
//!
//! Both tables are published as immutable snapshots; a reader never waits for a writer. The same
//! place holds the queue through which those threads ask for a peer to be looked after.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::allowed_ips::AllowedIps;
use crate::crypto::Crypto;
use crate::keypair::Keypair;
use crate::peer::Peer;
use crate::staging::StagingBudget;
use crate::sync::{Mutex, Snapshot};

/// The allowed-IPs table of a device.
pub type Routes<C> = AllowedIps<Route<C>>;

/// The peer that a prefix belongs to.
pub struct Route<C: Crypto> {
    /// The peer.
    pub peer: Arc<Peer<C>>,
    /// When the prefix was added, in the order of the peer's own list.
    pub(crate) sequence: u64,
}

impl<C: Crypto> Clone for Route<C> {
    fn clone(&self) -> Self {
        Self {
            peer: Arc::clone(&self.peer),
            sequence: self.sequence,
        }
    }
}

/// A live keypair and the peer that it belongs to.
pub struct Session<C: Crypto> {
    /// The keypair whose local index was asked for.
    pub keypair: Arc<Keypair<C>>,
    /// Its peer.
    pub peer: Arc<Peer<C>>,
}

impl<C: Crypto> Clone for Session<C> {
    fn clone(&self) -> Self {
        Self {
            keypair: Arc::clone(&self.keypair),
            peer: Arc::clone(&self.peer),
        }
    }
}

/// The shared tables of one device.
pub struct Tables<C: Crypto> {
    routes: Snapshot<Routes<C>>,
    indices: Indices<C>,
    service: Mutex<VecDeque<Arc<Peer<C>>>>,
    staging: Arc<StagingBudget>,
}

impl<C: Crypto> Tables<C> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Snapshot::new(Some(Arc::new(AllowedIps::default()))),
            indices: Indices::new(),
            service: Mutex::new(VecDeque::new()),
            staging: Arc::default(),
        }
    }

    /// The allowed-IPs table as last published.
    #[must_use]
    pub fn routes(&self) -> Arc<Routes<C>> {
        self.routes.load().unwrap_or_default()
    }

    /// The peer that packets for `address` go to.
    #[must_use]
    pub fn route(&self, address: IpAddr) -> Option<Arc<Peer<C>>> {
        self.routes.read(|routes| {
            let route = routes?.lookup(address)?;
            Some(Arc::clone(&route.peer))
        })
    }

    /// What packets that wait for sessions may take, over all peers.
    #[must_use]
    pub const fn staging(&self) -> &Arc<StagingBudget> {
        &self.staging
    }

    /// The session whose packets carry this receiver index.
    #[must_use]
    pub fn session(&self, index: u32) -> Option<Session<C>> {
        self.indices.find(index)
    }

    /// Asks the owner of the [`crate::Device`] to call [`crate::Device::handle_timeout`] for this
    /// peer. Returns whether the owner must be woken: nobody had asked for anything before.
    pub fn request_service(&self, peer: &Arc<Peer<C>>) -> bool {
        if !peer.mark_for_service() {
            return false;
        }
        let mut queue = self.service.lock();
        queue.push_back(Arc::clone(peer));
        queue.len() == 1
    }

    pub(crate) fn next_to_service(&self) -> Option<Arc<Peer<C>>> {
        let peer = self.service.lock().pop_front()?;
        peer.unmark_for_service();
        Some(peer)
    }

    pub(crate) fn wants_service(&self) -> bool {
        !self.service.lock().is_empty()
    }

    pub(crate) fn publish_routes(&self, routes: Routes<C>) {
        self.routes.store(Some(Arc::new(routes)));
    }

    pub(crate) const fn indices(&self) -> &Indices<C> {
        &self.indices
    }
}

/// Two are enough for what two threads do to them.
const SHARDS: usize = if cfg!(loom) { 2 } else { 256 };

/// Sessions with their local index, in its order.
type Shard<C> = Vec<(u32, Session<C>)>;

/// Sessions by local index, in shards that are replaced as a whole: a handshake copies the few
/// entries of one shard, not the table. Indices are random, so the shards fill evenly.
pub(crate) struct Indices<C: Crypto> {
    shards: Vec<Snapshot<Shard<C>>>,
    writer: Mutex<()>,
}

impl<C: Crypto> Indices<C> {
    fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Snapshot::default()).collect(),
            writer: Mutex::new(()),
        }
    }

    pub(crate) fn find(&self, index: u32) -> Option<Session<C>> {
        self.shard(index)?.read(|entries| {
            let entries = entries?;
            let at = entries.binary_search_by_key(&index, |entry| entry.0).ok()?;
            entries.get(at).map(|entry| entry.1.clone())
        })
    }

    pub(crate) fn insert(&self, session: Session<C>) {
        let index = session.keypair.local_index();
        self.change(index, |entries| {
            match entries.binary_search_by_key(&index, |entry| entry.0) {
                Ok(at) => entries[at].1 = session,
                Err(at) => entries.insert(at, (index, session)),
            }
        });
    }

    pub(crate) fn remove(&self, index: u32) {
        self.change(index, |entries| {
            if let Ok(at) = entries.binary_search_by_key(&index, |entry| entry.0) {
                entries.remove(at);
            }
        });
    }

    fn change(&self, index: u32, change: impl FnOnce(&mut Shard<C>)) {
        let Some(shard) = self.shard(index) else {
            return;
        };
        let _writer = self.writer.lock();
        let mut entries = shard.read(|entries| entries.map_or_else(Vec::new, |e| e.to_vec()));
        change(&mut entries);
        shard.store((!entries.is_empty()).then(|| Arc::new(entries)));
    }

    #[cfg(all(test, feature = "provider"))]
    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Snapshot<Vec<_>>| shard.read(|entries| entries.map_or(0, |e| e.len()));
        self.shards.iter().map(count).sum()
    }

    fn shard(&self, index: u32) -> Option<&Snapshot<Shard<C>>> {
        self.shards.get(index as usize % SHARDS)
    }
}

#[cfg(all(test, feature = "provider"))]
mod tests;

//! What the owner of a device may change at any time, with sessions alive.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::allowed_ips::Prefix;
use crate::crypto::Crypto;
use crate::handshake::{LocalIdentity, RemoteStatic};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::path::Path;
use crate::peer::{Peer, PeerId};
use crate::tables::Route;
use crate::time::Now;

use super::peer_state::{PeerState, PeerView};
use super::{DEFAULT_MTU, Device};

/// The most peers that a device takes: 2²⁰, as the kernel driver.
pub const PEERS_MAX: usize = 1 << 20;

/// Why a peer was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddPeerError {
    /// The key is the device's own.
    OwnKey,
    /// There are [`PEERS_MAX`] peers.
    TooMany,
}

impl fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnKey => f.write_str("the public key of the peer is that of the device itself"),
            Self::TooMany => write!(
                f,
                "a device has {PEERS_MAX} peers at most; remove some first"
            ),
        }
    }
}

impl core::error::Error for AddPeerError {}

impl<C: Crypto> Device<C> {
    /// Sets or removes the private key.
    ///
    /// A peer with the new public key is removed: a device is no peer of itself. The others keep
    /// receiving on their sessions, but a new handshake comes before the next packet to them. The
    /// key that is set already changes nothing.
    pub fn set_private_key(&mut self, now: Now, key: Option<PrivateKey>) {
        if self.private_key() == key.as_ref() {
            return;
        }
        self.identity = key.map(LocalIdentity::new);
        if let Some(own) = self
            .identity
            .as_ref()
            .map(|identity| *identity.public_key())
            && let Some(id) = self.peer(&own)
        {
            self.remove_peer(id);
        }
        self.cookies.set_identity(self.identity.as_ref());
        let ids = self.peer_ids();
        for id in ids {
            self.forget_pending(id);
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.remote.forget_local();
                peer.shared.retire_keypairs();
                // The next handshake need not wait for the one that was made with the old key.
                peer.last_handshake_sent = None;
                peer.shared.send_staged();
            }
            self.service(now, id);
        }
    }

    /// The private key, if one is set.
    #[must_use]
    pub fn private_key(&self) -> Option<&PrivateKey> {
        self.identity.as_ref().map(LocalIdentity::private_key)
    }

    /// The public key, if a private key is set.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.identity.as_ref().map(LocalIdentity::public_key)
    }

    /// The largest packet of the interface, in bytes: padding stays below it.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.mtu = if mtu == 0 { DEFAULT_MTU } else { mtu };
    }

    /// Brings the device up or down. Down, it forgets all sessions and sends nothing; up, it sends
    /// a keepalive to every peer that has a persistent keepalive interval.
    pub fn set_up(&mut self, now: Now, up: bool) {
        if self.up == up {
            return;
        }
        self.up = up;
        for id in self.peer_ids() {
            if up {
                self.start_peer(now, id);
            } else {
                self.stop_peer(id);
            }
        }
        if !up {
            self.transmits.clear();
        }
    }

    /// Whether the device is up.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Adds a peer, or finds the one with this key.
    pub fn add_peer(&mut self, now: Now, key: PublicKey) -> Result<PeerId, AddPeerError> {
        if self.public_key() == Some(&key) {
            return Err(AddPeerError::OwnKey);
        }
        if let Some(id) = self.by_key.get(&key) {
            return Ok(*id);
        }
        if self.peers.len() >= PEERS_MAX {
            return Err(AddPeerError::TooMany);
        }
        let id = PeerId(self.next_peer);
        self.next_peer += 1;
        let remote = RemoteStatic::new(key);
        let timers = self.new_timers();
        let peer = PeerState::new(
            Arc::new(Peer::new(id, key, Arc::clone(self.tables.staging()))),
            remote,
            timers,
        );
        self.by_key.insert(key, id);
        self.peers.insert(id, Box::new(peer));
        self.service(now, id);
        Ok(id)
    }

    /// The peer with this key.
    #[must_use]
    pub fn peer(&self, key: &PublicKey) -> Option<PeerId> {
        self.by_key.get(key).copied()
    }

    /// Configuration and statistics of a peer.
    #[must_use]
    pub fn view(&self, id: PeerId) -> Option<PeerView<'_, C>> {
        self.peers.get(&id).map(|peer| PeerView(peer))
    }

    /// How many peers there are.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// How many allowed IPs all peers have together.
    #[must_use]
    pub const fn allowed_ip_count(&self) -> usize {
        self.routes.len()
    }

    /// All peers in the order of their creation.
    pub fn peers(&self) -> impl Iterator<Item = PeerView<'_, C>> {
        self.peers.values().map(|peer| PeerView(peer))
    }

    /// Removes a peer with its sessions and allowed IPs.
    pub fn remove_peer(&mut self, id: PeerId) {
        self.clear_allowed_ips(id);
        self.stop_peer(id);
        self.new_sources.remove(&id);
        if let Some(peer) = self.peers.remove(&id) {
            self.by_key.remove(peer.shared.public_key());
        }
    }

    /// Removes every peer.
    pub fn remove_all_peers(&mut self) {
        for id in self.peer_ids() {
            self.remove_peer(id);
        }
    }

    /// Sets the pre-shared key (all zero for none). It counts from the next handshake on; live
    /// sessions go on, and a response that is on its way is opened with the new key.
    pub fn set_preshared_key(&mut self, id: PeerId, key: PresharedKey) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.remote.set_preshared_key(key);
        }
    }

    /// Sets the peer's endpoint, to be reached from whatever address the routes choose. It moves on
    /// when the peer does. The first endpoint of a peer that has a persistent keepalive interval is
    /// sent the keepalive that had nowhere to go when the interval was set.
    pub fn set_endpoint(&mut self, now: Now, id: PeerId, endpoint: SocketAddr) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let is_first = peer.shared.path().is_none();
        peer.shared.set_path(Some(Path::to(endpoint)));
        peer.shared.send_staged();
        if is_first && peer.keepalive.is_some() && self.up {
            peer.timers.persistent_base = Some(now.monotonic);
            self.send_keepalive(now, id);
        }
        self.service(now, id);
    }

    /// Sets the persistent keepalive interval; zero switches it off. Switching it on sends a
    /// keepalive at once if the device is up.
    pub fn set_persistent_keepalive(&mut self, now: Now, id: PeerId, seconds: u16) {
        let interval = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let switched_on = peer.keepalive.is_none() && interval.is_some();
        peer.keepalive = interval;
        if switched_on {
            peer.timers.persistent_base = Some(now.monotonic);
            if self.up {
                self.send_keepalive(now, id);
            }
        }
        self.service(now, id);
    }

    /// Gives the prefix to this peer, wherever it was before.
    pub fn add_allowed_ip(&mut self, id: PeerId, prefix: Prefix) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let sequence = peer.next_sequence;
        peer.next_sequence += 1;
        peer.allowed_ips.push(sequence, prefix);
        let route = Route {
            peer: Arc::clone(&peer.shared),
            sequence,
        };
        self.routes_changed = true;
        if let Some(old) = self.routes.insert(prefix, route)
            && let Some(owner) = self.peers.get_mut(&old.peer.id())
        {
            owner.allowed_ips.remove(old.sequence);
        }
    }

    /// Takes exactly this prefix from this peer; nothing happens if it belongs to another.
    pub fn remove_allowed_ip(&mut self, id: PeerId, prefix: Prefix) {
        let owned = self
            .routes
            .exact(prefix)
            .filter(|route| route.peer.id() == id)
            .map(|route| route.sequence);
        let (Some(sequence), Some(peer)) = (owned, self.peers.get_mut(&id)) else {
            return;
        };
        peer.allowed_ips.remove(sequence);
        self.routes.remove(prefix);
        self.routes_changed = true;
    }

    /// Takes all prefixes from this peer.
    pub fn clear_allowed_ips(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        for prefix in core::mem::take(&mut peer.allowed_ips).iter() {
            self.routes.remove(prefix);
            self.routes_changed = true;
        }
    }

    fn peer_ids(&self) -> alloc::vec::Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    fn start_peer(&mut self, now: Now, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.shared.send_staged();
        if peer.keepalive.is_some() {
            peer.timers.persistent_base = Some(now.monotonic);
            self.send_keepalive(now, id);
        }
        self.service(now, id);
    }

    fn stop_peer(&mut self, id: PeerId) {
        self.forget_keys(id);
        self.unschedule(id);
        let timers = self.new_timers();
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.shared.take_staged();
            peer.timers = timers;
            peer.shared.activity().forget_unanswered_received();
            peer.shared.activity().forget_unanswered_sent();
            peer.last_handshake_sent = None;
            peer.wanted_since = None;
        }
    }

    /// Zeroes everything that a peer's sessions and handshakes left behind.
    pub(super) fn forget_keys(&mut self, id: PeerId) {
        self.forget_pending(id);
        if let Some(peer) = self.peers.get(&id) {
            peer.shared.drop_keypairs(&self.tables);
        }
    }

    pub(super) fn forget_pending(&mut self, id: PeerId) {
        if let Some(pending) = self.peers.get_mut(&id).and_then(|peer| peer.pending.take()) {
            self.pending.remove(&pending.index);
        }
    }
}

//! The queue of datagrams that wait to be sent.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::crypto::Crypto;
use crate::path::Path;
use crate::peer::{Peer, PeerId};

use super::Device;

/// How many buffers are kept for the next datagrams.
const SPARE_MAX: usize = 64;

/// A datagram to send; its bytes are in the buffer given to [`Device::poll_transmit`].
pub struct Transmit<C: Crypto> {
    /// Where to, and from which address.
    pub path: Path,
    /// The type-of-service byte (IPv4) or traffic class (IPv6) of the outer header.
    pub tos: u8,
    /// The peer it is for; none for a cookie reply.
    pub peer: Option<Arc<Peer<C>>>,
}

pub(super) struct Queued<C: Crypto> {
    pub(super) transmit: Transmit<C>,
    pub(super) datagram: Vec<u8>,
}

impl<C: Crypto> Device<C> {
    /// The next datagram to send: it replaces the contents of `buffer`.
    pub fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Transmit<C>> {
        let mut queued = self.transmits.pop_front()?;
        core::mem::swap(buffer, &mut queued.datagram);
        if self.spare.len() < SPARE_MAX {
            self.spare.push(queued.datagram);
        }
        Some(queued.transmit)
    }

    pub(super) fn queue(&mut self, transmit: Transmit<C>, datagram: Vec<u8>) {
        self.transmits.push_back(Queued { transmit, datagram });
    }

    /// An empty buffer, used before if possible.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// The next peer that spoke to another of our addresses than before, so that we answer from
    /// another. An owner that knows the routes may find that they would not use that address, and
    /// tell the peer to [`Peer::forget_source`].
    pub fn poll_new_source(&mut self) -> Option<Arc<Peer<C>>> {
        let id = self.new_sources.pop_first()?;
        let peer = &self.peers.get(&id)?.shared;
        peer.source_seen();
        Some(Arc::clone(peer))
    }

    pub(super) fn note_source(&mut self, id: PeerId) {
        let peer = self.peers.get(&id);
        if peer.is_some_and(|peer| peer.shared.source_moved()) {
            self.new_sources.insert(id);
        }
    }
}

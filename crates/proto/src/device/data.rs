//! Transport data for owners without a data path of their own.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::crypto::{Crypto, Packet};
use crate::decapsulate::decapsulate;
use crate::ecn::Ecn;
use crate::messages::{DATA_HEADER_SIZE, TAG_SIZE, parse_data, write_data_header};
use crate::packet;
use crate::path::Path;
use crate::peer::{Peer, PeerId, Reservation};
use crate::time::Now;

use super::handshakes::Dropped;
use super::{Device, Transmit};

/// What came of a datagram.
pub enum Received<'a, C: Crypto> {
    /// A message of the protocol itself; what is to be sent waits in [`Device::poll_transmit`].
    Control,
    /// An IP packet from a peer, for the owner to deliver.
    Packet {
        /// Who sent it.
        peer: Arc<Peer<C>>,
        /// The packet, without padding.
        packet: &'a mut [u8],
    },
}

/// Why a plaintext packet was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaintextError {
    /// The device is down.
    Down,
    /// The peer has no endpoint yet: it must be configured, or the peer must speak first.
    NoEndpoint,
    /// No peer has an allowed IP for the destination.
    NoPeer,
    /// It is no IPv4 or IPv6 packet.
    NotIp,
}

impl fmt::Display for PlaintextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "the device is down",
            Self::NoEndpoint => "the peer has no endpoint yet",
            Self::NoPeer => "no peer has an allowed IP for the destination",
            Self::NotIp => "this is no IPv4 or IPv6 packet",
        })
    }
}

impl core::error::Error for PlaintextError {}

impl<C: Crypto> Device<C> {
    /// Takes an IP packet that is to go through the tunnel. It is sealed at once, or kept until the
    /// handshake that it starts is done; the datagrams wait in [`Self::poll_transmit`].
    pub fn handle_plaintext(&mut self, now: Now, packet: &[u8]) -> Result<(), PlaintextError> {
        self.publish();
        if !self.up {
            return Err(PlaintextError::Down);
        }
        let destination = packet::destination(packet).ok_or(PlaintextError::NotIp)?;
        let peer = self
            .tables
            .route(destination)
            .ok_or(PlaintextError::NoPeer)?;
        let path = peer.path().ok_or(PlaintextError::NoEndpoint)?;
        let service = if let Some(reservation) = peer.reserve(now.monotonic, 1) {
            self.seal_data(now, &peer, path, &reservation, packet)
        } else {
            let mut staged = self.buffer();
            staged.extend_from_slice(packet);
            peer.stage(staged);
            true
        };
        if service {
            self.service(now, peer.id());
        }
        Ok(())
    }

    pub(super) fn receive_data<'a>(
        &mut self,
        now: Now,
        path: Path,
        outer: Ecn,
        datagram: &'a mut [u8],
    ) -> Result<Received<'a, C>, Dropped> {
        let (index, counter) = parse_data(datagram).ok_or(Dropped::Malformed)?;
        let session = self.tables.session(index).ok_or(Dropped::UnknownIndex)?;
        let sealed = Packet {
            start: DATA_HEADER_SIZE,
            len: datagram.len().saturating_sub(DATA_HEADER_SIZE),
            counter,
        };
        let mut verdict = [false];
        session
            .keypair
            .open_batch(now.monotonic, datagram, &[sealed], &mut verdict);
        if !verdict[0] {
            return Err(Dropped::Unauthentic);
        }
        let bytes = datagram.len() as u64;
        let end = datagram.len().saturating_sub(TAG_SIZE);
        let data = end > DATA_HEADER_SIZE;
        let (peer, keypair) = (session.peer, session.keypair);
        if peer.received_data(now.monotonic, &self.tables, &keypair, path, bytes, data) {
            self.service(now, peer.id());
        }
        if !data {
            return Ok(Received::Control);
        }
        let plaintext = datagram
            .get_mut(DATA_HEADER_SIZE..end)
            .ok_or(Dropped::Malformed)?;
        let length = decapsulate(&self.tables.routes(), &peer, outer, plaintext)?;
        let packet = plaintext.get_mut(..length).ok_or(Dropped::Malformed)?;
        Ok(Received::Packet { peer, packet })
    }

    /// Sends what waited for a handshake, if there is a keypair for it now.
    pub(super) fn flush_staged(&mut self, now: Now, id: PeerId) {
        let Some(peer) = self.peers.get(&id).map(|peer| Arc::clone(&peer.shared)) else {
            return;
        };
        let Some(path) = peer.path() else {
            return;
        };
        if !peer.has_staged() || !peer.can_send(now.monotonic) {
            return;
        }
        for packet in peer.take_staged() {
            match peer.reserve(now.monotonic, 1) {
                // Deadlines are computed anew at the end of the service that this is part of.
                Some(reservation) => {
                    self.seal_data(now, &peer, path, &reservation, &packet);
                }
                None => peer.stage(packet),
            }
        }
    }

    /// Sends an empty packet, or starts the handshake that it needs.
    pub(super) fn send_keepalive(&mut self, now: Now, id: PeerId) {
        let Some(peer) = self.peers.get(&id).map(|peer| Arc::clone(&peer.shared)) else {
            return;
        };
        let Some(path) = peer.path() else {
            return;
        };
        if peer.has_staged() && peer.can_send(now.monotonic) {
            return self.flush_staged(now, id);
        }
        match peer.reserve(now.monotonic, 1) {
            // A keypair that has aged is seen to at the end of the service that this is part of.
            Some(reservation) => {
                self.seal_data(now, &peer, path, &reservation, &[]);
            }
            None => self.start_handshake(now, id),
        }
    }

    fn seal_data(
        &mut self,
        now: Now,
        peer: &Arc<Peer<C>>,
        path: Path,
        reservation: &Reservation<C>,
        plaintext: &[u8],
    ) -> bool {
        let keypair = &reservation.keypair;
        let padded = packet::padded_length(plaintext.len(), self.mtu);
        let mut datagram = self.buffer();
        datagram.resize(DATA_HEADER_SIZE, 0);
        write_data_header(&mut datagram, keypair.remote_index(), reservation.first);
        datagram.extend_from_slice(plaintext);
        datagram.resize(DATA_HEADER_SIZE + padded + TAG_SIZE, 0);
        let sealed = Packet {
            start: DATA_HEADER_SIZE,
            len: padded,
            counter: reservation.first,
        };
        if keypair.seal_batch(&mut datagram, &[sealed]).is_err() {
            return false;
        }
        let bytes = datagram.len() as u64;
        self.queue_data(peer, path, plaintext, datagram);
        if plaintext.is_empty() {
            peer.sent_keepalive(now.monotonic, keypair, bytes)
        } else {
            peer.sent_data(now.monotonic, keypair, bytes)
        }
    }

    fn queue_data(&mut self, peer: &Arc<Peer<C>>, path: Path, plaintext: &[u8], datagram: Vec<u8>) {
        let transmit = Transmit {
            path,
            tos: packet::ecn(plaintext).bits(),
            peer: Some(Arc::clone(peer)),
        };
        self.queue(transmit, datagram);
    }
}

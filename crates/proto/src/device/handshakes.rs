//! Handshakes and cookies: everything on the wire but transport data.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use crate::constants::{HANDSHAKE_TOS, INITIATION_INTERVAL_MIN, REKEY_TIMEOUT};
use crate::crypto::Crypto;
use crate::decapsulate::Refused;
use crate::ecn::Ecn;
use crate::handshake::{self, ReceivedInitiation, SessionKeys};
use crate::key::PrivateKey;
use crate::keypair::{Keypair, Role};
use crate::messages::{CookieReply, Initiation, Macs, Malformed, Message, Response};
use crate::path::Path;
use crate::peer::PeerId;
use crate::tables::Session;
use crate::tai64n::Tai64n;
use crate::time::{Instant, Now};

use super::peer_state::Pending;
use super::{Device, Received, Transmit};

/// Why a datagram was dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The device is under load: a cookie was sent instead of an answer.
    CookieSent,
    /// The device is down, or has no private key.
    Down,
    /// Initiations of this peer come faster than one in 20 ms.
    Flood,
    /// It is none of the four messages.
    Malformed,
    /// An authentic packet that may not be delivered.
    Packet(Refused),
    /// Too many handshakes of this source while under load.
    RateLimited,
    /// The timestamp is not later than that of an earlier initiation.
    Replay,
    /// It does not authenticate.
    Unauthentic,
    /// No session and no handshake has this receiver index.
    UnknownIndex,
    /// The initiator is no peer of this device.
    UnknownPeer,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CookieSent => "under load: answered with a cookie",
            Self::Down => "the device is down or has no private key",
            Self::Flood => "initiations of this peer come too fast",
            Self::Malformed => "no message of the protocol",
            Self::Packet(Refused::Congestion) => {
                "congestion was marked on a packet that cannot carry the mark"
            }
            Self::Packet(Refused::NotIp) => "a peer sealed something that is no IP packet",
            Self::Packet(Refused::SourceNotAllowed) => {
                "the inner source address is no allowed IP of the peer"
            }
            Self::RateLimited => "too many handshakes from this source",
            Self::Replay => "the initiation was received before",
            Self::Unauthentic => "the message does not authenticate",
            Self::UnknownIndex => "no session has this receiver index",
            Self::UnknownPeer => "the initiator is no peer of this device",
        })
    }
}

impl core::error::Error for Dropped {}

impl From<Malformed> for Dropped {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Refused> for Dropped {
    fn from(refused: Refused) -> Self {
        Self::Packet(refused)
    }
}

impl<C: Crypto> Device<C> {
    /// Takes a datagram that arrived over `path` with this congestion mark in its outer header.
    /// Data is opened in place.
    ///
    /// # Errors
    ///
    /// Says why the datagram was dropped; it then changed nothing, and unless a cookie was sent,
    /// drew no answer.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Now,
        path: Path,
        ecn: Ecn,
        datagram: &'a mut [u8],
    ) -> Result<Received<'a, C>, Dropped> {
        self.publish();
        if !self.up {
            return Err(Dropped::Down);
        }
        match Message::parse(datagram)? {
            Message::Data(_) => return self.receive_data(now, path, ecn, datagram),
            Message::Initiation(message) => self.receive_initiation(now, path, &message)?,
            Message::Response(message) => self.receive_response(now, path, &message)?,
            Message::CookieReply(message) => self.receive_cookie(now, &message)?,
        }
        Ok(Received::Control)
    }

    /// Tells the device how many handshake messages wait in the owner's queue, the one about to
    /// be handled included. An eighth of `capacity` puts the device under load for a second: it
    /// then answers with cookies (the paper, section 5.3).
    pub fn report_load(&mut self, now: Now, queued: usize, capacity: usize) {
        self.load.report(now.monotonic, queued, capacity);
    }

    /// Whether the device is under load, and so answers with cookies.
    #[must_use]
    pub fn is_under_load(&self, now: Instant) -> bool {
        self.load.is_under_load(now)
    }

    /// Peers that have not answered an initiation, and with which there is no session either. Looks
    /// at each peer that a handshake is under way with.
    #[must_use]
    pub fn unanswered(&self, now: Instant) -> usize {
        let asked = self.pending.values().filter_map(|id| self.peers.get(id));
        asked.filter(|peer| !peer.shared.can_send(now)).count()
    }

    fn receive_initiation(
        &mut self,
        now: Now,
        path: Path,
        message: &Initiation<'_>,
    ) -> Result<(), Dropped> {
        self.admit(now.monotonic, path, message.sender, &message.macs)?;
        let local = self.identity.as_ref().ok_or(Dropped::Down)?;
        let received = ReceivedInitiation::open::<C>(local, message).ok_or(Dropped::Unauthentic)?;
        let id = self
            .peer(received.remote_public_key())
            .ok_or(Dropped::UnknownPeer)?;
        let peer = self.peers.get_mut(&id).ok_or(Dropped::UnknownPeer)?;
        let (timestamp, responder) = received
            .authenticate::<C>(local, &peer.remote)
            .ok_or(Dropped::Unauthentic)?;
        peer.check_fresh(now.monotonic, timestamp)?;
        peer.latest_timestamp = Some(timestamp);
        peer.last_initiation_received = Some(now.monotonic);
        let bytes = crate::messages::INITIATION_SIZE as u64;
        peer.shared.received(now.monotonic, path, bytes);

        let index = self.new_index();
        let ephemeral = PrivateKey::generate(&mut *self.random);
        let peer = self.peers.get_mut(&id).ok_or(Dropped::UnknownPeer)?;
        let (response, keys) = responder
            .respond::<C>(&peer.remote, index, &ephemeral)
            .ok_or(Dropped::Unauthentic)?;
        self.begin_session(now.monotonic, id, Role::Responder, index, &keys);
        self.send_handshake(now, id, response);
        self.service(now, id);
        Ok(())
    }

    fn receive_response(
        &mut self,
        now: Now,
        path: Path,
        message: &Response<'_>,
    ) -> Result<(), Dropped> {
        self.admit(now.monotonic, path, message.sender, &message.macs)?;
        let id = *self
            .pending
            .get(&message.receiver)
            .ok_or(Dropped::UnknownIndex)?;
        let local = self.identity.as_ref().ok_or(Dropped::Down)?;
        let peer = self.peers.get_mut(&id).ok_or(Dropped::UnknownPeer)?;
        let pending = peer.pending.as_ref().ok_or(Dropped::UnknownIndex)?;
        // A forged response must not end the handshake, so the state stays until one is authentic.
        let keys = pending
            .state
            .receive_response(local, &peer.remote, message)
            .ok_or(Dropped::Unauthentic)?;
        let bytes = crate::messages::RESPONSE_SIZE as u64;
        peer.shared.received(now.monotonic, path, bytes);
        peer.handshake_completed(now);
        self.forget_pending(id);
        self.begin_session(now.monotonic, id, Role::Initiator, message.receiver, &keys);
        // What waited, or else a keepalive, tells the responder that it may send.
        self.send_keepalive(now, id);
        self.service(now, id);
        Ok(())
    }

    fn receive_cookie(&mut self, now: Now, message: &CookieReply<'_>) -> Result<(), Dropped> {
        let id = match self.pending.get(&message.receiver) {
            Some(id) => *id,
            // The answer to a response of ours: the index is that of the keypair it made.
            None => self
                .tables
                .session(message.receiver)
                .map(|session| session.peer.id())
                .ok_or(Dropped::UnknownIndex)?,
        };
        let peer = self.peers.get_mut(&id).ok_or(Dropped::UnknownPeer)?;
        if peer.cookies.receive_reply::<C>(now.monotonic, message) {
            Ok(())
        } else {
            Err(Dropped::Unauthentic)
        }
    }

    /// The first gate for handshake messages: MAC1 always; under load a cookie and the limit of
    /// its source as well (the paper, section 5.3).
    fn admit(
        &mut self,
        now: Instant,
        path: Path,
        sender: u32,
        macs: &Macs<'_>,
    ) -> Result<(), Dropped> {
        if !self.cookies.verify_mac1::<C>(macs) {
            return Err(Dropped::Unauthentic);
        }
        if !self.load.is_under_load(now) {
            return Ok(());
        }
        if !self.cookies.verify_mac2::<C>(now, macs, path.remote) {
            let random = &mut *self.random;
            let reply = self
                .cookies
                .reply::<C>(now, random, sender, macs, path.remote)
                .ok_or(Dropped::Down)?;
            let mut datagram = self.buffer();
            datagram.extend_from_slice(&reply);
            let transmit = Transmit {
                path,
                tos: HANDSHAKE_TOS,
                peer: None,
            };
            self.queue(transmit, datagram);
            return Err(Dropped::CookieSent);
        }
        if !self.ratelimiter.allow::<C>(now, path.remote) {
            return Err(Dropped::RateLimited);
        }
        Ok(())
    }

    /// Starts a handshake because there is something to say to the peer, or it went silent.
    pub(super) fn start_handshake(&mut self, now: Now, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.wanted_since = Some(now.monotonic);
            self.send_initiation(now, id);
        }
    }

    /// Sends an initiation, but not within REKEY_TIMEOUT of another handshake message to the peer:
    /// that one is to be answered first. Later is then soon enough.
    pub(super) fn send_initiation(&mut self, now: Now, id: PeerId) {
        let jitter = self.jitter();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let usable = self
            .identity
            .as_ref()
            .is_some_and(|local| peer.remote.is_usable::<C>(local));
        if !usable || peer.shared.path().is_none() {
            return;
        }
        let earliest = peer.last_handshake_sent.map(|sent| sent + REKEY_TIMEOUT);
        if let Some(earliest) = earliest.filter(|earliest| now.monotonic < *earliest) {
            peer.timers.retransmit.get_or_insert(earliest + jitter);
            return;
        }
        self.initiate(now, id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.timers.retransmit = Some(now.monotonic + REKEY_TIMEOUT + jitter);
        }
    }

    fn initiate(&mut self, now: Now, id: PeerId) {
        let index = self.new_index();
        let (Some(local), Some(peer)) = (&self.identity, self.peers.get_mut(&id)) else {
            return;
        };
        let ephemeral = PrivateKey::generate(&mut *self.random);
        let timestamp = peer.next_timestamp(now.unix);
        let Some((message, state)) =
            handshake::initiate::<C>(local, &peer.remote, index, &ephemeral, timestamp)
        else {
            return;
        };
        let pending = Box::new(Pending { index, state });
        if let Some(old) = peer.pending.replace(pending) {
            self.pending.remove(&old.index);
        }
        self.pending.insert(index, id);
        self.send_handshake(now, id, message);
    }

    fn send_handshake<const N: usize>(&mut self, now: Now, id: PeerId, mut message: [u8; N]) {
        let mut datagram = self.buffer();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(path) = peer.shared.path() else {
            return;
        };
        peer.cookies.add_macs::<C>(now.monotonic, &mut message);
        peer.last_handshake_sent = Some(now.monotonic);
        peer.shared.sent(now.monotonic, N as u64);
        datagram.extend_from_slice(&message);
        let transmit = Transmit {
            path,
            tos: HANDSHAKE_TOS,
            peer: Some(Arc::clone(&peer.shared)),
        };
        self.queue(transmit, datagram);
    }

    fn begin_session(
        &mut self,
        now: Instant,
        id: PeerId,
        role: Role,
        index: u32,
        keys: &SessionKeys,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let keypair = Arc::new(Keypair::new(role, now, index, keys));
        self.tables.indices().insert(Session {
            keypair: Arc::clone(&keypair),
            peer: Arc::clone(&peer.shared),
        });
        peer.shared.install(&self.tables, keypair);
        peer.session_derived(now);
    }

    /// A random index that nothing of this device has.
    pub(super) fn new_index(&mut self) -> u32 {
        loop {
            let mut bytes = [0; 4];
            self.random.fill(&mut bytes);
            let index = u32::from_le_bytes(bytes);
            let taken =
                self.pending.contains_key(&index) || self.tables.indices().find(index).is_some();
            if !taken {
                return index;
            }
        }
    }
}

impl<C: Crypto> super::PeerState<C> {
    fn check_fresh(&self, now: Instant, timestamp: Tai64n) -> Result<(), Dropped> {
        if self
            .latest_timestamp
            .is_some_and(|latest| timestamp <= latest)
        {
            return Err(Dropped::Replay);
        }
        let flood = self
            .last_initiation_received
            .is_some_and(|last| now.saturating_since(last) < INITIATION_INTERVAL_MIN);
        if flood { Err(Dropped::Flood) } else { Ok(()) }
    }
}

//! What was dropped, and why.

use hushwire_proto::decapsulate::Refused;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Congestion was marked on the way of a packet that cannot carry the mark (RFC 6040).
    Congestion,
    /// The handshake queue was full.
    HandshakeQueueFull,
    /// It was no IP packet, or its offload metadata made no sense.
    Malformed,
    /// The peer has no endpoint yet.
    NoEndpoint,
    /// No peer has an allowed IP for the destination.
    NoPeer,
    /// The inner source address belongs to no peer, or to another one.
    SourceNotAllowed,
    /// The TUN device refused to hand out a packet.
    TunRead,
    /// The TUN device refused to take a packet.
    TunWrite,
    /// A socket refused to hand out what it had received. Counts refusals: how many datagrams were
    /// lost, if any, nobody knows.
    UdpReceive,
    /// It did not authenticate, had been received before, or its keypair has expired.
    Unauthentic,
    /// Its receiver index belongs to no session.
    UnknownIndex,
    /// It is no message of the protocol.
    UnknownMessage,
}

impl From<Refused> for DropReason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Congestion => Self::Congestion,
            Refused::NotIp => Self::Malformed,
            Refused::SourceNotAllowed => Self::SourceNotAllowed,
        }
    }
}

const REASONS: usize = DropReason::UnknownMessage as usize + 1;

/// Counters of dropped packets by reason.
#[derive(Debug, Default)]
pub struct Stats([AtomicU64; REASONS]);

impl Stats {
    pub(crate) fn count(&self, reason: DropReason) {
        self.add(reason, 1);
    }

    pub(crate) fn add(&self, reason: DropReason, packets: u64) {
        if packets > 0 {
            self.0[reason as usize].fetch_add(packets, Ordering::Relaxed);
        }
    }

    /// Packets dropped for this reason since the engine started.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}

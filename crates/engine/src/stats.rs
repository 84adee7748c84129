//! What was dropped, and why; and what became of handshakes.

use std::sync::atomic::{AtomicU64, Ordering};

use hushwire_proto::decapsulate::Refused;
use hushwire_proto::device::Dropped;

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Congestion was marked on the way of a packet that cannot carry the mark (RFC 6040).
    Congestion,
    /// The handshake queue was full.
    HandshakeQueueFull,
    /// No peer has an allowed IP for the group that it is for. The kernel itself sends some such on
    /// every interface.
    Multicast,
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

impl DropReason {
    /// All of them, in the order in which a status lists them.
    pub const ALL: [Self; 13] = [
        Self::NoPeer,
        Self::NoEndpoint,
        Self::SourceNotAllowed,
        Self::Unauthentic,
        Self::UnknownIndex,
        Self::UnknownMessage,
        Self::HandshakeQueueFull,
        Self::Malformed,
        Self::Multicast,
        Self::Congestion,
        Self::TunRead,
        Self::TunWrite,
        Self::UdpReceive,
    ];

    /// What it is called where counters are shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Congestion => "congestion",
            Self::HandshakeQueueFull => "handshake-queue-full",
            Self::Malformed => "malformed",
            Self::Multicast => "multicast",
            Self::NoEndpoint => "no-endpoint",
            Self::NoPeer => "no-peer",
            Self::SourceNotAllowed => "source-not-allowed",
            Self::TunRead => "tun-read",
            Self::TunWrite => "tun-write",
            Self::UdpReceive => "udp-receive",
            Self::Unauthentic => "unauthentic",
            Self::UnknownIndex => "unknown-index",
            Self::UnknownMessage => "unknown-message",
        }
    }
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

/// What became of a message that was handed to the control thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeEvent {
    /// It was done what it asks for.
    Accepted,
    /// Under load: it was answered with a cookie.
    CookieSent,
    /// The device was down, or had no private key.
    Down,
    /// Initiations of this peer came too fast.
    Flood,
    /// Under load, and too many came from its source.
    RateLimited,
    /// Its timestamp is not later than that of an earlier one.
    Replay,
    /// It does not authenticate.
    Unauthentic,
    /// It answers nothing that was asked.
    UnknownIndex,
    /// The initiator is no peer.
    UnknownPeer,
}

impl HandshakeEvent {
    /// All of them, in the order in which a status lists them.
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::CookieSent,
        Self::RateLimited,
        Self::UnknownPeer,
        Self::Unauthentic,
        Self::UnknownIndex,
        Self::Replay,
        Self::Flood,
        Self::Down,
    ];

    /// What it is called where counters are shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::CookieSent => "cookie-sent",
            Self::Down => "down",
            Self::Flood => "flood",
            Self::RateLimited => "rate-limited",
            Self::Replay => "replay",
            Self::Unauthentic => "unauthentic",
            Self::UnknownIndex => "unknown-index",
            Self::UnknownPeer => "unknown-peer",
        }
    }

    /// What the protocol's verdict counts as.
    pub(crate) const fn of<T>(verdict: &Result<T, Dropped>) -> Self {
        match verdict {
            Ok(_) => Self::Accepted,
            Err(Dropped::CookieSent) => Self::CookieSent,
            Err(Dropped::Down) => Self::Down,
            Err(Dropped::Flood) => Self::Flood,
            Err(Dropped::RateLimited) => Self::RateLimited,
            Err(Dropped::Replay) => Self::Replay,
            // Only handshake messages come this way: no packets, and nothing malformed.
            Err(Dropped::Unauthentic | Dropped::Malformed | Dropped::Packet(_)) => {
                Self::Unauthentic
            }
            Err(Dropped::UnknownIndex) => Self::UnknownIndex,
            Err(Dropped::UnknownPeer) => Self::UnknownPeer,
        }
    }
}

/// Counters of dropped packets by reason, and of handshake messages.
#[derive(Debug, Default)]
pub struct Stats {
    dropped: [AtomicU64; DropReason::ALL.len()],
    handshakes: [AtomicU64; HandshakeEvent::ALL.len()],
}

impl Stats {
    pub(crate) fn count(&self, reason: DropReason) {
        self.add(reason, 1);
    }

    pub(crate) fn add(&self, reason: DropReason, packets: u64) {
        if packets > 0 {
            self.dropped[reason as usize].fetch_add(packets, Ordering::Relaxed);
        }
    }

    pub(crate) fn handshake(&self, event: HandshakeEvent) {
        self.handshakes[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Packets dropped for this reason since the engine started.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize].load(Ordering::Relaxed)
    }

    /// Handshake messages of which this became, since the engine started.
    #[must_use]
    pub fn handshakes(&self, event: HandshakeEvent) -> u64 {
        self.handshakes[event as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_counter_and_a_name_of_its_own() {
        let stats = Stats::default();
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            stats.add(reason, index as u64 + 1);
        }
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(stats.dropped(reason), index as u64 + 1, "{reason:?}");
        }
        let names: BTreeSet<_> = DropReason::ALL.map(DropReason::name).into();
        assert_eq!(names.len(), DropReason::ALL.len());
    }

    #[test]
    fn every_event_has_a_counter_and_a_name_of_its_own() {
        let stats = Stats::default();
        for event in HandshakeEvent::ALL {
            stats.handshake(event);
        }
        for event in HandshakeEvent::ALL {
            assert_eq!(stats.handshakes(event), 1, "{event:?}");
        }
        let names: BTreeSet<_> = HandshakeEvent::ALL.map(HandshakeEvent::name).into();
        assert_eq!(names.len(), HandshakeEvent::ALL.len());
    }
}

//! What an eavesdropper sees, and what the network does to it.

use std::net::SocketAddr;
use std::time::Duration;

/// What a datagram claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Initiation,
    Response,
    Cookie,
    Keepalive,
    Data,
    Other,
}

/// A datagram on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    /// When it was sent, since the network came to be.
    pub(crate) at: Duration,
    /// The host that sent it.
    pub(crate) host: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// Type of service or traffic class of the outer header.
    pub(crate) tos: u8,
    pub(crate) bytes: Vec<u8>,
}

impl Datagram {
    pub(crate) fn kind(&self) -> Kind {
        match (self.bytes.first(), self.bytes.len()) {
            (Some(1), 148) => Kind::Initiation,
            (Some(2), 92) => Kind::Response,
            (Some(3), 64) => Kind::Cookie,
            (Some(4), 32) => Kind::Keepalive,
            (Some(4), _) => Kind::Data,
            _ => Kind::Other,
        }
    }

    pub(crate) fn is_transport(&self) -> bool {
        matches!(self.kind(), Kind::Data | Kind::Keepalive)
    }

    /// What the sender of a handshake message wants to be called.
    pub(crate) fn sender(&self) -> u32 {
        assert!(matches!(self.kind(), Kind::Initiation | Kind::Response));
        self.u32_at(4)
    }

    /// What the receiver is called.
    pub(crate) fn receiver(&self) -> u32 {
        match self.kind() {
            Kind::Response => self.u32_at(8),
            Kind::Cookie | Kind::Data | Kind::Keepalive => self.u32_at(4),
            Kind::Initiation | Kind::Other => panic!("no receiver index in {self:?}"),
        }
    }

    pub(crate) fn counter(&self) -> u64 {
        assert!(self.is_transport());
        u64::from_le_bytes(self.bytes[8..16].try_into().unwrap())
    }

    /// The ephemeral public value of a handshake message.
    pub(crate) fn ephemeral(&self) -> [u8; 32] {
        let at = match self.kind() {
            Kind::Initiation => 8,
            Kind::Response => 12,
            _ => panic!("no ephemeral in {self:?}"),
        };
        self.bytes[at..at + 32].try_into().unwrap()
    }

    /// Whether the second MAC of a handshake message is there.
    pub(crate) fn has_mac2(&self) -> bool {
        assert!(matches!(self.kind(), Kind::Initiation | Kind::Response));
        self.bytes[self.bytes.len() - 16..] != [0; 16]
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Deliver,
    /// Takes this much longer than the others, which overtake it.
    Delay(Duration),
    Drop,
    /// Arrives, and once more after this time.
    Twice(Duration),
    /// Arrives with these bits of one byte flipped; the place is taken modulo the length.
    Corrupt {
        at: usize,
        bits: u8,
    },
}

//! Where a peer is: its address and the local address it is reached from.

use core::net::{IpAddr, SocketAddr};

/// A peer's endpoint and, once a datagram came from it, the local address it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The peer's address and UDP port.
    pub remote: SocketAddr,
    /// The address to send from; `None` leaves the choice to the routing table.
    pub local: Option<Local>,
}

impl Path {
    /// A path whose source address the routing table chooses.
    #[must_use]
    pub const fn to(remote: SocketAddr) -> Self {
        Self {
            remote,
            local: None,
        }
    }
}

/// A local address and the interface on which it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The local address.
    pub ip: IpAddr,
    /// The index of the interface, zero when unknown.
    pub interface: u32,
}

//! What happens on a network, in order, for whoever wants to judge all of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::wire::Datagram;

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A datagram came to a host.
    Arrived {
        at: Duration,
        host: usize,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    /// The packet with this id came out of a host's tunnel.
    Delivered { host: usize, id: u64 },
    /// A host sent a datagram, whatever becomes of it.
    Sent(Datagram),
    /// Everything that was due at this instant was done.
    Settled { at: Duration },
}

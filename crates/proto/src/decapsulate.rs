//! What is left to check on a packet that a peer has sealed.

use crate::crypto::Crypto;
use crate::ecn::Ecn;
use crate::packet;
use crate::peer::Peer;
use crate::tables::Routes;

/// Why an authentic packet is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Congestion was marked on the way, and the packet cannot carry the mark (RFC 6040).
    Congestion,
    /// It is no IP packet, or it claims to be longer than it is.
    NotIp,
    /// Its source address is an allowed IP of another peer, or of none.
    SourceNotAllowed,
}

/// Checks that `plaintext` is an IP packet which `peer` may send, and carries over the congestion
/// mark of the outer header. Returns the length of the packet without its padding.
///
/// The source is looked up in the table of the whole device: a peer may not use an address of its
/// own wide prefix that belongs to another peer's narrower one.
///
/// # Errors
///
/// Says why the packet must be dropped.
pub fn decapsulate<C: Crypto>(
    routes: &Routes<C>,
    peer: &Peer<C>,
    outer: Ecn,
    plaintext: &mut [u8],
) -> Result<usize, Refused> {
    let length = packet::total_length(plaintext).ok_or(Refused::NotIp)?;
    let source = packet::source(plaintext).ok_or(Refused::NotIp)?;
    routes
        .lookup(source)
        .filter(|owner| owner.peer.id() == peer.id())
        .ok_or(Refused::SourceNotAllowed)?;
    let inner = packet::ecn(plaintext);
    let ecn = Ecn::decapsulate(inner, outer).ok_or(Refused::Congestion)?;
    if ecn != inner {
        packet::set_ecn(plaintext, ecn);
    }
    Ok(length)
}

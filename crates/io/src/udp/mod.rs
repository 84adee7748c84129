//! UDP sockets for a tunnel: segmentation offload in both directions, the address a datagram
//! was sent to, congestion marks, and no allocation once running.
//!
//! [`Sockets`] is a pair of an IPv4 and an IPv6 socket on one port. A [`Transmit`] is one
//! datagram, or a run of equal datagrams that the kernel cuts apart (`UDP_SEGMENT`); many of
//! them go out in one system call. A [`Receiver`] owns the buffers that whole runs arrive in
//! (`UDP_GRO`). Another system's sockets can stand behind [`DatagramSocket`].
//!
//! # Sticky sources
//!
//! A reply leaves from the address that the peer spoke to ([`Local`]), or a peer behind a
//! firewall, or one that dialled a second address, would not take it. The address is passed
//! to the kernel *without* the interface that it was learnt on (link-local addresses, which
//! mean nothing without one, excepted). With the interface, Linux would keep sending through
//! it however the routes change, even to the point of inventing an on-link route; without
//! it, every datagram follows the routes of the moment. Two things then end a source:
//!
//! - the address is gone: the kernel refuses the datagram, it is sent again without the
//!   source, and the caller reads [`Trouble::source_gone`];
//! - the route to the peer moves to another interface, where the old address would be an odd
//!   one to use: on a change seen by [`RouteMonitor`], and when a peer's [`Local`] changes,
//!   ask [`source_still_routes`] and forget a source that does not. This is the kernel
//!   driver's rule, which it applies to every packet since it has the route at hand.
//!
//! A new port, a new mark and an endpoint set by hand end all sources they concern, too; that
//! is the caller's part.

mod addr;
mod bind;
mod cmsg;
mod counters;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod netlink;
mod offload;
mod packet;
mod recv;
mod route;
mod segment;
mod send;
mod socket;
mod sockets;
mod sys;

pub use bind::{Action, UdpError, UdpOptions};
pub use counters::Counters;
pub use offload::{OffReason, OffloadState};
pub use packet::{
    DatagramReceiver, DatagramSocket, Ecn, Family, Local, Received, Transmit, is_final,
};
pub use recv::Receiver;
pub use route::{RouteMonitor, path_mtu, source_still_routes};
pub use rustix::io::Errno;
pub use segment::{MAX_SEGMENTS, max_segments};
pub use send::{SendReport, SendScratch, Trouble};
pub use sockets::{FamilyStatus, Sockets, Status};

//! What goes in and what comes out, and the traits that another system's sockets implement.

#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::BorrowedFd;

use super::{SendReport, UdpError};

/// The sockets of one tunnel: one port, up to two address families.
///
/// Sending and receiving take `&self`: one thread may send while others receive.
pub trait DatagramSocket: Send + Sync {
    /// Working memory of a sending thread, reused from call to call.
    type SendScratch: Default + Send;
    /// Buffers of a receiving thread, reused from call to call.
    type Receiver: DatagramReceiver;

    /// Sends a batch in order, never waiting longer than a few milliseconds in all.
    ///
    /// What could not be sent is dropped and reported: a tunnel is a lossy link.
    fn send<'s>(
        &self,
        batch: &[Transmit<'_>],
        scratch: &'s mut Self::SendScratch,
    ) -> SendReport<'s>;

    /// Receives what is there, up to the receiver's capacity, without waiting, replacing what
    /// the receiver held. Returns the number of messages, which may be 0.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when nothing is waiting. An error for which [`is_final`]
    /// holds says that the socket is of no more use; any other may pass, but not at once.
    fn receive(&self, family: Family, receiver: &mut Self::Receiver) -> io::Result<usize>;

    /// The descriptor of `family`'s socket, to be polled for reading; `None` on a host without
    /// that family.
    fn fd(&self, family: Family) -> Option<BorrowedFd<'_>>;

    /// The local port, the same in both families.
    fn port(&self) -> u16;

    /// Marks all traffic sent from now on for policy routing; 0 removes the mark.
    ///
    /// # Errors
    ///
    /// When the system does not let the caller set marks.
    fn set_fwmark(&self, mark: u32) -> Result<(), UdpError>;

    /// How many segments of `segment_size` bytes one [`Transmit`] to `family` may profitably
    /// hold: 1 when segmentation is off.
    fn max_segments(&self, family: Family, segment_size: NonZeroU16) -> usize;
}

/// Whether an error of [`DatagramSocket::receive`] says that there is no socket (any more).
#[must_use]
pub fn is_final(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EBADF | libc::ENOTSOCK | libc::EAFNOSUPPORT | libc::EFAULT)
    )
}

/// The receiving side's buffers after a [`DatagramSocket::receive`].
pub trait DatagramReceiver: Send {
    /// Number of messages held.
    fn len(&self) -> usize;

    /// Whether no message is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message at `index`, `None` from [`len`](Self::len) on.
    fn message(&mut self, index: usize) -> Option<Received<'_>>;
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// The local end of a flow: the address that a peer's datagram was sent to, and the interface
/// that it came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// A unicast address of this host.
    pub ip: IpAddr,
    /// The interface's index, 0 when unknown.
    pub ifindex: u32,
}

/// The two congestion bits of an IP header (RFC 3168, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct,
    /// ECN-capable, ECT(1).
    Ect1,
    /// ECN-capable, ECT(0).
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl Ecn {
    /// The bits of a whole TOS or traffic-class byte.
    pub fn from_tos(tos: u8) -> Self {
        match tos & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The bits as they stand in a TOS or traffic-class byte with no DSCP.
    pub fn to_tos(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

/// One datagram to send, or a run of datagrams to one address.
#[derive(Clone, Copy, Debug)]
pub struct Transmit<'a> {
    /// Where to. The scope id of a link-local address chooses the interface.
    pub to: SocketAddr,
    /// The address to send from; without one, or with one of the other family, the routes
    /// decide.
    pub from: Option<Local>,
    /// The whole TOS or traffic-class byte: DSCP and [`Ecn::to_tos`]. 0 is the default.
    pub tos: u8,
    /// The payload.
    pub contents: &'a [u8],
    /// With a size, `contents` is a run of datagrams of this many bytes, the last of which may
    /// be shorter. A run may be of any length: what one segmented send cannot take is sent in
    /// several ([`max_segments`](super::max_segments) keeps it to one).
    pub segment_size: Option<NonZeroU16>,
}

/// One received message: a datagram, or a run of datagrams of one flow.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The sender; with the scope id if it is link-local. The flow label is left out.
    pub from: SocketAddr,
    /// Where it was sent to, `None` when the kernel did not say or it was no unicast address.
    pub local: Option<Local>,
    /// The congestion bits, which all datagrams of a run share.
    pub ecn: Ecn,
    /// The size of every datagram in `contents` but the last, which may be shorter. For a
    /// single datagram its length, or 1 for an empty one: never 0, so that
    /// `contents.chunks_mut(stride)` is safe.
    pub stride: usize,
    /// The payload, in place in the receive buffer.
    pub contents: &'a mut [u8],
}

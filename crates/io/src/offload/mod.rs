//! Segmentation and checksum offload, without a system call.
//!
//! A TUN device with a virtio header exchanges *super-packets*: one IP packet of up to 64 KiB
//! that stands for many of equal size, and whose transport checksum is not filled in. Going
//! out, [`Splitter`] cuts one into the packets that it stands for. Coming in, [`Coalescer`]
//! joins the packets of a flow into one, so that the kernel's stack is walked once for all.
//!
//! Everything here is arithmetic on byte slices, never panics, and does not allocate once it
//! is warm. What the device can do, and why it cannot do the rest, is in [`Offloads`].

mod checksum;
mod flow;
mod headers;
mod merge;
mod split;
mod status;
#[cfg(test)]
mod testing;
mod virtio;

use core::ops::Range;

pub use checksum::{Sum, adjust};
pub use merge::{Coalescer, MAX_PARTS, WriteStats};
pub use split::{Malformed, Splitter};
pub use status::{Offload, OffloadSet, Offloads, State};
pub use virtio::{HeaderError, VirtioHeader};

/// The largest IP packet that a TUN device hands out, in bytes: an IPv6 header and as much
/// after it as its length field can count. A buffer handed to
/// [`crate::tun::TunQueue::read`] should be this long: the kernel cuts off silently what does
/// not fit.
pub const MAX_PACKET: usize = 40 + 65_535;

/// What a super-packet is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentationKind {
    /// TCP over IPv4 (`VIRTIO_NET_HDR_GSO_TCPV4`).
    Tcp4,
    /// TCP over IPv6 (`VIRTIO_NET_HDR_GSO_TCPV6`).
    Tcp6,
    /// UDP datagrams of equal size over IPv4 or IPv6, as the packet's own version field says
    /// (`VIRTIO_NET_HDR_GSO_UDP_L4`).
    Udp,
}

/// How a super-packet is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segmentation {
    /// The protocol whose headers each segment repeats.
    pub kind: SegmentationKind,
    /// Transport payload bytes in each segment; the last one may have fewer.
    pub size: u16,
}

/// A transport checksum that is not finished: its field holds the sum of the pseudo-header,
/// and the bytes from `start` on are yet to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialChecksum {
    /// Where summing starts, in bytes from the start of the IP packet: the transport header.
    pub start: u16,
    /// Where the checksum field is, in bytes from `start`.
    pub offset: u16,
}

/// What one read from a TUN device put into the caller's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where in the buffer the IP packet starts.
    pub start: usize,
    /// Bytes of the IP packet.
    pub len: usize,
    /// Present if this is a super-packet.
    pub segmentation: Option<Segmentation>,
    /// Present if the transport checksum is not finished.
    pub checksum: Option<PartialChecksum>,
}

impl Received {
    /// Where in the buffer the IP packet is.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.len)
    }
}

/// What the kernel is told about a packet written to a TUN device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Present if this is a super-packet. Then `checksum` must be, too.
    pub segmentation: Option<Segmentation>,
    /// Present if the kernel is to finish the transport checksum.
    pub checksum: Option<PartialChecksum>,
    /// Bytes of IP and transport header together; meaningful for a super-packet only.
    pub header_len: u16,
}

impl Outgoing {
    /// A packet that is complete as it is.
    pub const PLAIN: Self = Self {
        segmentation: None,
        checksum: None,
        header_len: 0,
    };
}

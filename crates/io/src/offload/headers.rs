//! Where the headers of an IP packet are, and small views on them.

use core::fmt;

use super::SegmentationKind;

/// Bytes of an IPv4 header without options (RFC 791).
pub(super) const IPV4_HEADER: usize = 20;
/// Bytes of an IPv6 header without extensions (RFC 8200).
pub(super) const IPV6_HEADER: usize = 40;
/// Bytes of a TCP header without options (RFC 9293).
pub(super) const TCP_HEADER: usize = 20;
/// Bytes of a UDP header (RFC 768).
pub(super) const UDP_HEADER: usize = 8;

/// IANA protocol numbers.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// TCP's flags (RFC 9293 section 3.1, RFC 3168).
pub(super) mod tcp_flag {
    pub(in crate::offload) const FIN: u8 = 0x01;
    pub(in crate::offload) const PSH: u8 = 0x08;
    pub(in crate::offload) const ACK: u8 = 0x10;
    pub(in crate::offload) const ECE: u8 = 0x40;
    pub(in crate::offload) const CWR: u8 = 0x80;
}

/// Where fields are, in bytes from the start of their header.
pub(super) mod at {
    pub(in crate::offload) const IPV4_TOTAL_LENGTH: usize = 2;
    pub(in crate::offload) const IPV4_ID: usize = 4;
    pub(in crate::offload) const IPV4_FRAGMENT: usize = 6;
    pub(in crate::offload) const IPV4_PROTOCOL: usize = 9;
    pub(in crate::offload) const IPV4_CHECKSUM: usize = 10;
    pub(in crate::offload) const IPV4_ADDRESSES: usize = 12;
    pub(in crate::offload) const IPV6_PAYLOAD_LENGTH: usize = 4;
    pub(in crate::offload) const IPV6_NEXT_HEADER: usize = 6;
    pub(in crate::offload) const IPV6_ADDRESSES: usize = 8;
    pub(in crate::offload) const TCP_SEQUENCE: usize = 4;
    pub(in crate::offload) const TCP_ACKNOWLEDGEMENT: usize = 8;
    pub(in crate::offload) const TCP_DATA_OFFSET: usize = 12;
    pub(in crate::offload) const TCP_FLAGS: usize = 13;
    pub(in crate::offload) const TCP_WINDOW: usize = 14;
    pub(in crate::offload) const TCP_CHECKSUM: usize = 16;
    pub(in crate::offload) const TCP_URGENT: usize = 18;
    pub(in crate::offload) const UDP_LENGTH: usize = 4;
    pub(in crate::offload) const UDP_CHECKSUM: usize = 6;
}

/// `N` bytes from `at`, if there are so many.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A 16-bit number in network order.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_be_bytes)
}

/// Overwrites a field. Writes nothing where the header ends before it, which cannot happen to
/// headers that were parsed.
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(slot) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *slot = value;
    }
}

/// The Internet protocol's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    /// What the first byte of a packet says.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Some(Self::V4),
            6 => Some(Self::V6),
            _ => None,
        }
    }

    /// Where source and destination address are, side by side.
    pub(super) fn addresses(self, packet: &[u8]) -> Option<&[u8]> {
        match self {
            Self::V4 => packet.get(at::IPV4_ADDRESSES..IPV4_HEADER),
            Self::V6 => packet.get(at::IPV6_ADDRESSES..IPV6_HEADER),
        }
    }
}

/// A transport that can be segmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    pub(super) const fn protocol(self) -> u8 {
        match self {
            Self::Tcp => TCP,
            Self::Udp => UDP,
        }
    }

    /// Where the checksum is, in bytes from the start of the transport header.
    pub(super) const fn checksum_at(self) -> usize {
        match self {
            Self::Tcp => at::TCP_CHECKSUM,
            Self::Udp => at::UDP_CHECKSUM,
        }
    }
}

/// Why a packet from the kernel cannot be what its virtio header says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The buffer ends before the packet's range does.
    OutsideBuffer,
    /// The first byte names neither IPv4 nor IPv6, or not the one of the virtio header.
    Version,
    /// The packet ends within its headers.
    Truncated,
    /// The IP header's length field disagrees with the number of bytes read.
    Length,
    /// A super-packet that is an IP fragment.
    Fragment,
    /// The transport is not the one of the virtio header.
    Transport,
    /// The checksum fields of the virtio header point outside the packet, or not at the
    /// transport header.
    Checksum,
    /// The segment size is zero.
    SegmentSize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideBuffer => "the packet does not lie within its buffer",
            Self::Version => "the IP version is neither 4 nor 6, or not the one announced",
            Self::Truncated => "the packet ends within its headers",
            Self::Length => "the IP length field disagrees with the size of the packet",
            Self::Fragment => "a packet to be segmented is an IP fragment",
            Self::Transport => "the transport protocol is not the one announced",
            Self::Checksum => "the checksum offsets point to no checksum",
            Self::SegmentSize => "the segment size is zero",
        })
    }
}

impl core::error::Error for Malformed {}

/// The layout of a super-packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) version: Version,
    pub(super) transport: Transport,
    /// Where the transport header starts.
    pub(super) transport_at: usize,
    /// Where the payload starts.
    pub(super) payload_at: usize,
}

impl Layout {
    /// Finds the headers of a super-packet.
    pub(super) fn parse(packet: &[u8], kind: SegmentationKind) -> Result<Self, Malformed> {
        let version = Version::of(packet).ok_or(Malformed::Version)?;
        let (protocol, transport_at) = match version {
            Version::V4 => ipv4_transport(packet)?,
            Version::V6 => ipv6_transport(packet)?,
        };
        let transport = match (kind, version, protocol) {
            (SegmentationKind::Tcp4, Version::V4, TCP)
            | (SegmentationKind::Tcp6, Version::V6, TCP) => Transport::Tcp,
            (SegmentationKind::Udp, _, UDP) => Transport::Udp,
            (SegmentationKind::Tcp4, Version::V6, _) | (SegmentationKind::Tcp6, Version::V4, _) => {
                return Err(Malformed::Version);
            }
            _ => return Err(Malformed::Transport),
        };
        let len = match transport {
            Transport::Tcp => tcp_header_len(packet.get(transport_at..).unwrap_or_default())
                .ok_or(Malformed::Truncated)?,
            Transport::Udp => UDP_HEADER,
        };
        let payload_at = transport_at + len;
        if payload_at > packet.len() {
            return Err(Malformed::Truncated);
        }
        Ok(Self {
            version,
            transport,
            transport_at,
            payload_at,
        })
    }
}

/// The length of a TCP header with its options.
pub(super) fn tcp_header_len(segment: &[u8]) -> Option<usize> {
    let len = usize::from(segment.get(at::TCP_DATA_OFFSET)? >> 4) * 4;
    (len >= TCP_HEADER).then_some(len)
}

/// Bits of the IPv4 fragment field: more fragments, and the offset.
const IPV4_IS_FRAGMENT: u16 = 0x3fff;

fn ipv4_transport(packet: &[u8]) -> Result<(u8, usize), Malformed> {
    let [first] = field(packet, 0).ok_or(Malformed::Truncated)?;
    let header = usize::from(first & 0x0f) * 4;
    if header < IPV4_HEADER || packet.len() < header {
        return Err(Malformed::Truncated);
    }
    let total = number(packet, at::IPV4_TOTAL_LENGTH).ok_or(Malformed::Truncated)?;
    if usize::from(total) != packet.len() {
        return Err(Malformed::Length);
    }
    let fragment = number(packet, at::IPV4_FRAGMENT).ok_or(Malformed::Truncated)?;
    if fragment & IPV4_IS_FRAGMENT != 0 {
        return Err(Malformed::Fragment);
    }
    let [protocol] = field(packet, at::IPV4_PROTOCOL).ok_or(Malformed::Truncated)?;
    Ok((protocol, header))
}

/// IPv6 extension headers that may stand before a transport header (RFC 8200 section 4).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

fn ipv6_transport(packet: &[u8]) -> Result<(u8, usize), Malformed> {
    let payload = number(packet, at::IPV6_PAYLOAD_LENGTH).ok_or(Malformed::Truncated)?;
    if usize::from(payload) + IPV6_HEADER != packet.len() {
        return Err(Malformed::Length);
    }
    let [mut next] = field(packet, at::IPV6_NEXT_HEADER).ok_or(Malformed::Truncated)?;
    let mut position = IPV6_HEADER;
    loop {
        match next {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let [following, units] = field(packet, position).ok_or(Malformed::Truncated)?;
                // At least eight bytes a turn, so a packet of 64 KiB bounds the loop.
                position += (usize::from(units) + 1) * 8;
                next = following;
            }
            FRAGMENT => return Err(Malformed::Fragment),
            protocol => return Ok((protocol, position)),
        }
    }
}

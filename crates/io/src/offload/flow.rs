//! Which packets of a flow may be joined into one.
//!
//! The rule is that joining loses nothing: a kernel that cuts the super-packet up again
//! ([`super::split`] does it the same way) produces the very packets that went in. So
//! everything that a super-packet holds only once must be equal in all of its packets. The one
//! liberty is the identification of IPv4 packets that may not be fragmented, which has no
//! meaning (RFC 6864 section 4.1).

use super::{
    SegmentationKind, Sum,
    headers::{
        IPV4_HEADER, IPV6_HEADER, TCP, TCP_HEADER, Transport, UDP, UDP_HEADER, Version, at, field,
        number, tcp_flag, tcp_header_len,
    },
};

/// A packet that could be part of a super-packet: complete, unfragmented, with payload, without
/// IP options, and with nothing in its TCP flags that concerns it alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    packet: &'a [u8],
    pub(super) kind: SegmentationKind,
    pub(super) version: Version,
    pub(super) transport: Transport,
    /// Where the transport header starts.
    pub(super) transport_at: usize,
    /// Where the payload starts.
    pub(super) payload_at: usize,
    sequence: u32,
    id: u16,
    /// The sender pushed after this packet, so it ends a super-packet.
    pushed: bool,
}

/// The flags that a mergeable segment may have. A push moves to the end of the super-packet;
/// the congestion echo must be equal in all.
const MERGEABLE_FLAGS: u8 = tcp_flag::ACK | tcp_flag::PSH | tcp_flag::ECE;

impl<'a> Member<'a> {
    pub(super) fn parse(packet: &'a [u8]) -> Option<Self> {
        let version = Version::of(packet)?;
        let (protocol, transport_at) = match version {
            Version::V4 => (ipv4_protocol(packet)?, IPV4_HEADER),
            Version::V6 => (ipv6_protocol(packet)?, IPV6_HEADER),
        };
        let segment = packet.get(transport_at..)?;
        let id = match version {
            Version::V4 => number(packet, at::IPV4_ID)?,
            Version::V6 => 0,
        };
        let (kind, transport, header_len, sequence, pushed) = match (protocol, version) {
            (TCP, _) => {
                let [flags] = field(segment, at::TCP_FLAGS)?;
                if flags & !MERGEABLE_FLAGS != 0 || flags & tcp_flag::ACK == 0 {
                    return None;
                }
                let kind = match version {
                    Version::V4 => SegmentationKind::Tcp4,
                    Version::V6 => SegmentationKind::Tcp6,
                };
                let sequence = u32::from_be_bytes(field(segment, at::TCP_SEQUENCE)?);
                let pushed = flags & tcp_flag::PSH != 0;
                let len = tcp_header_len(segment)?;
                (kind, Transport::Tcp, len, sequence, pushed)
            }
            (UDP, _) => {
                check_udp(segment)?;
                (SegmentationKind::Udp, Transport::Udp, UDP_HEADER, 0, false)
            }
            _ => return None,
        };
        let payload_at = transport_at + header_len;
        (payload_at < packet.len()).then_some(Self {
            packet,
            kind,
            version,
            transport,
            transport_at,
            payload_at,
            sequence,
            id,
            pushed,
        })
    }

    pub(super) fn packet(&self) -> &'a [u8] {
        self.packet
    }

    pub(super) fn header(&self) -> &'a [u8] {
        self.packet.get(..self.payload_at).unwrap_or_default()
    }

    pub(super) fn payload(&self) -> &'a [u8] {
        self.packet.get(self.payload_at..).unwrap_or_default()
    }

    /// Whether nothing may follow this packet in a super-packet whose first packet is `first`.
    pub(super) fn ends(&self, first: &Self) -> bool {
        self.pushed || self.payload().len() < first.payload().len()
    }

    /// Whether this packet, as number `count` (from zero), continues the super-packet that
    /// starts with `first`.
    pub(super) fn continues(&self, first: &Self, count: usize) -> bool {
        let size = first.payload().len();
        if self.kind != first.kind
            || self.version != first.version
            || self.payload_at != first.payload_at
            || self.payload().len() > size
        {
            return false;
        }
        let same_network = match self.version {
            Version::V4 => self.same_ipv4(first, count),
            Version::V6 => self.same_ipv6(first),
        };
        same_network
            && match self.transport {
                Transport::Tcp => self.same_tcp(first, count * size),
                Transport::Udp => self.same::<4>(first, self.transport_at),
            }
    }

    fn same_ipv4(&self, first: &Self, count: usize) -> bool {
        let [flags] = field(self.packet, at::IPV4_FRAGMENT).unwrap_or_default();
        let next_id = self.id == first.id.wrapping_add(count as u16);
        // Version, header length, traffic class; then flags, time to live, protocol; then the
        // addresses. In between are length, identification and checksum.
        self.same::<2>(first, 0)
            && self.same::<4>(first, at::IPV4_FRAGMENT)
            && self.same::<8>(first, at::IPV4_ADDRESSES)
            && (next_id || flags & IPV4_DONT_FRAGMENT != 0)
    }

    fn same_ipv6(&self, first: &Self) -> bool {
        // Version, traffic class, flow label; then, after the length, all the rest.
        self.same::<4>(first, 0)
            && self.same::<2>(first, at::IPV6_NEXT_HEADER)
            && self.same::<32>(first, at::IPV6_ADDRESSES)
    }

    fn same_tcp(&self, first: &Self, offset: usize) -> bool {
        let base = self.transport_at;
        let flags = |member: &Self| {
            let [flags] = field(member.packet, base + at::TCP_FLAGS).unwrap_or_default();
            flags & !tcp_flag::PSH
        };
        let options = base + TCP_HEADER..self.payload_at;
        // Ports; acknowledgement, then data offset and reserved bits; window; urgent pointer.
        self.sequence == first.sequence.wrapping_add(offset as u32)
            && self.same::<4>(first, base)
            && self.same::<5>(first, base + at::TCP_ACKNOWLEDGEMENT)
            && flags(self) == flags(first)
            && self.same::<2>(first, base + at::TCP_WINDOW)
            && self.same::<2>(first, base + at::TCP_URGENT)
            && self.packet.get(options.clone()) == first.packet.get(options)
    }

    /// Whether `N` bytes from `at` are the same in both. (In one load and comparison, where a
    /// slice would take a call.)
    fn same<const N: usize>(&self, first: &Self, at: usize) -> bool {
        field::<N>(self.packet, at) == field::<N>(first.packet, at)
    }
}

/// The don't-fragment bit in the upper byte of IPv4's fragment field.
const IPV4_DONT_FRAGMENT: u8 = 0x40;
/// All of the fragment field but the don't-fragment bit.
const IPV4_FRAGMENT_BITS: u16 = 0xbfff;

fn ipv4_protocol(packet: &[u8]) -> Option<u8> {
    let header = packet.get(..IPV4_HEADER)?;
    let plain = header.first() == Some(&0x45)
        && usize::from(number(header, at::IPV4_TOTAL_LENGTH)?) == packet.len()
        && number(header, at::IPV4_FRAGMENT)? & IPV4_FRAGMENT_BITS == 0
        // A super-packet gets a new header checksum, which must not make a broken header whole.
        && Sum::new().bytes(header).is_valid();
    let [protocol] = field(header, at::IPV4_PROTOCOL)?;
    plain.then_some(protocol)
}

fn ipv6_protocol(packet: &[u8]) -> Option<u8> {
    let payload = usize::from(number(packet, at::IPV6_PAYLOAD_LENGTH)?);
    let [next] = field(packet, at::IPV6_NEXT_HEADER)?;
    (payload + IPV6_HEADER == packet.len()).then_some(next)
}

/// A datagram that fills its packet and has a checksum: one without would be given one.
fn check_udp(datagram: &[u8]) -> Option<()> {
    let whole = usize::from(number(datagram, at::UDP_LENGTH)?) == datagram.len();
    let summed = number(datagram, at::UDP_CHECKSUM)? != 0;
    (whole && summed).then_some(())
}

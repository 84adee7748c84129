//! Packets for the tests of this module, and an independent idea of what makes one right.

use proptest::prelude::*;

use super::{
    PartialChecksum, Received, Segmentation, SegmentationKind, Sum,
    headers::{TCP, UDP, Version},
};

/// The makings of an IP packet with TCP or UDP.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) version: Version,
    pub(super) protocol: u8,
    /// Type of service or traffic class.
    pub(super) class: u8,
    pub(super) hops: u8,
    pub(super) id: u16,
    pub(super) dont_fragment: bool,
    /// IPv4 options, a multiple of four bytes; or IPv6 extension headers, of eight.
    pub(super) extra: Vec<u8>,
    /// The last byte of both addresses and both ports.
    pub(super) flow: u8,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    /// TCP options, a multiple of four bytes.
    pub(super) options: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Recipe {
    pub(super) fn new(version: Version, protocol: u8, payload: Vec<u8>) -> Self {
        Self {
            version,
            protocol,
            class: 0,
            hops: 64,
            id: 1000,
            dont_fragment: true,
            extra: Vec::new(),
            flow: 1,
            sequence: 0xffff_f000,
            acknowledgement: 77,
            flags: 0x10,
            window: 512,
            options: Vec::new(),
            payload,
        }
    }

    pub(super) fn tcp4(payload: usize) -> Self {
        Self::new(Version::V4, TCP, pattern(payload))
    }

    pub(super) fn tcp6(payload: usize) -> Self {
        Self::new(Version::V6, TCP, pattern(payload))
    }

    pub(super) fn udp4(payload: usize) -> Self {
        Self::new(Version::V4, UDP, pattern(payload))
    }

    pub(super) fn udp6(payload: usize) -> Self {
        Self::new(Version::V6, UDP, pattern(payload))
    }

    pub(super) fn kind(&self) -> SegmentationKind {
        match (self.protocol, self.version) {
            (TCP, Version::V4) => SegmentationKind::Tcp4,
            (TCP, Version::V6) => SegmentationKind::Tcp6,
            _ => SegmentationKind::Udp,
        }
    }

    pub(super) fn transport_at(&self) -> usize {
        self.extra.len()
            + match self.version {
                Version::V4 => 20,
                Version::V6 => 40,
            }
    }

    pub(super) fn payload_at(&self) -> usize {
        let transport = match self.protocol {
            TCP => 20 + self.options.len(),
            _ => 8,
        };
        self.transport_at() + transport
    }

    fn checksum_at(&self) -> usize {
        if self.protocol == TCP { 16 } else { 6 }
    }

    /// The packet, complete.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut packet = self.build_partial();
        let transport_at = self.transport_at();
        let at = transport_at + self.checksum_at();
        let sum = Sum::new().bytes(&packet[transport_at..]);
        let bytes = match self.protocol {
            TCP => sum.finish(),
            _ => sum.finish_nonzero(),
        };
        packet[at..at + 2].copy_from_slice(&bytes);
        packet
    }

    /// The packet with the transport checksum left to be finished.
    pub(super) fn build_partial(&self) -> Vec<u8> {
        let mut transport = self.transport();
        let len = transport.len();
        let addresses = self.addresses();
        let at = self.checksum_at();
        let sum = Sum::pseudo_header(&addresses, self.protocol, len).partial();
        transport[at..at + 2].copy_from_slice(&sum);
        let mut packet = self.network(len);
        packet.extend(transport);
        packet
    }

    /// What the kernel would say of [`build_partial`](Self::build_partial), put at `start` of
    /// a buffer.
    pub(super) fn received(&self, start: usize, size: Option<u16>) -> Received {
        Received {
            start,
            len: self.payload_at() + self.payload.len(),
            segmentation: size.map(|size| Segmentation {
                kind: self.kind(),
                size,
            }),
            checksum: Some(PartialChecksum {
                start: self.transport_at() as u16,
                offset: self.checksum_at() as u16,
            }),
        }
    }

    fn addresses(&self) -> Vec<u8> {
        match self.version {
            Version::V4 => vec![10, 0, 0, self.flow, 10, 9, 8, self.flow],
            Version::V6 => {
                let mut addresses = vec![0xfd; 32];
                addresses[15] = self.flow;
                addresses[31] = self.flow;
                addresses
            }
        }
    }

    fn network(&self, transport_len: usize) -> Vec<u8> {
        let len = (self.extra.len() + transport_len) as u16;
        let mut header = Vec::new();
        match self.version {
            Version::V4 => {
                header.push(0x45 + (self.extra.len() / 4) as u8);
                header.push(self.class);
                header.extend((20 + len).to_be_bytes());
                header.extend(self.id.to_be_bytes());
                header.extend([if self.dont_fragment { 0x40 } else { 0 }, 0]);
                header.extend([self.hops, self.protocol, 0, 0]);
                header.extend(self.addresses());
                header.extend(&self.extra);
                let sum = Sum::new().bytes(&header).finish();
                header[10..12].copy_from_slice(&sum);
            }
            Version::V6 => {
                header.extend([0x60 | self.class >> 4, self.class << 4, 0, 0]);
                header.extend(len.to_be_bytes());
                let destination_options = 60;
                let next = if self.extra.is_empty() {
                    self.protocol
                } else {
                    destination_options
                };
                header.extend([next, self.hops]);
                header.extend(self.addresses());
                let mut extra = self.extra.clone();
                if let Some([next, units]) = extra.first_chunk_mut() {
                    *next = self.protocol;
                    *units = (self.extra.len() / 8 - 1) as u8;
                }
                header.extend(extra);
            }
        }
        header
    }

    fn transport(&self) -> Vec<u8> {
        let port = 1000 + u16::from(self.flow);
        let mut bytes = Vec::new();
        bytes.extend(port.to_be_bytes());
        bytes.extend(443u16.to_be_bytes());
        if self.protocol == TCP {
            bytes.extend(self.sequence.to_be_bytes());
            bytes.extend(self.acknowledgement.to_be_bytes());
            bytes.extend([0x50 + (self.options.len() * 4) as u8, self.flags]);
            bytes.extend(self.window.to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(&self.options);
        } else {
            bytes.extend(((8 + self.payload.len()) as u16).to_be_bytes());
            bytes.extend([0; 2]);
        }
        bytes.extend(&self.payload);
        bytes
    }
}

/// Bytes of which no two neighbours of a power of two are equal.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 256) as u8).collect()
}

/// Whether lengths and checksums of a packet made from `recipe`, or of a segment of one, are
/// right.
pub(super) fn is_right(recipe: &Recipe, packet: &[u8]) -> bool {
    let transport_at = recipe.transport_at();
    let transport = &packet[transport_at..];
    let number = |at| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    let network = match recipe.version {
        Version::V4 => {
            number(2) == packet.len() && Sum::new().bytes(&packet[..transport_at]).is_valid()
        }
        Version::V6 => number(4) == packet.len() - 40,
    };
    let datagram = recipe.protocol == TCP || number(transport_at + 4) == transport.len();
    let sum = Sum::pseudo_header(&recipe.addresses(), recipe.protocol, transport.len());
    network && datagram && sum.bytes(transport).is_valid()
}

/// Any packet that fits 64 KiB.
pub(super) fn recipe() -> impl Strategy<Value = Recipe> {
    let version = prop_oneof![Just(Version::V4), Just(Version::V6)];
    let protocol = prop_oneof![Just(TCP), Just(UDP)];
    let payload = prop_oneof![0..200usize, 0..5000usize, 60_000..65_000usize];
    let header = (version, protocol, any::<[u8; 3]>(), any::<u16>(), 0..3usize);
    let transport = (
        any::<u32>(),
        any::<u32>(),
        any::<u8>(),
        any::<u16>(),
        0..=10usize,
    );
    (header, transport, payload, any::<bool>()).prop_map(
        |(
            (version, protocol, [class, hops, flow], id, extra),
            (sequence, acknowledgement, flags, window, options),
            payload,
            dont_fragment,
        )| Recipe {
            class,
            hops,
            id,
            dont_fragment,
            extra: vec![1; extra * 8],
            flow,
            sequence,
            acknowledgement,
            flags,
            window,
            options: vec![1; options * 4],
            ..Recipe::new(version, protocol, pattern(payload))
        },
    )
}

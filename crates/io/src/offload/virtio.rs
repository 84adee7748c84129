//! The header in front of each packet of a TUN device opened with `IFF_VNET_HDR`.
//!
//! Virtual I/O Device (VIRTIO) 1.2, section 5.1.6, in its ten-byte legacy form, all fields
//! little-endian: [`crate::tun`] asks for that order with `TUNSETVNETLE`.

use core::fmt;

use super::{Outgoing, PartialChecksum, Segmentation, SegmentationKind};

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum is partial.
const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// `VIRTIO_NET_HDR_GSO_ECN`: the first segment carries CWR. It changes nothing for a splitter
/// that never repeats CWR.
const GSO_ECN: u8 = 0x80;

/// `struct virtio_net_hdr` without its `hdr_len`, which the kernel gets wrong for forwarded
/// packets and nobody should read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioHeader {
    /// Present for a super-packet.
    pub segmentation: Option<Segmentation>,
    /// Present if the transport checksum is partial.
    pub checksum: Option<PartialChecksum>,
}

/// A virtio header that no offload we ask for can bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// `gso_type` is of a kind that was not asked for.
    UnknownSegmentation(u8),
    /// A super-packet with segments of no bytes.
    EmptySegments,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSegmentation(kind) => write!(
                f,
                "the virtio header has segmentation type {kind}, which was not asked for"
            ),
            Self::EmptySegments => f.write_str("the virtio header describes segments of no bytes"),
        }
    }
}

impl core::error::Error for HeaderError {}

impl VirtioHeader {
    /// Bytes of the header (`TUNSETVNETHDRSZ`).
    pub const LEN: usize = 10;

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for a kind of super-packet that hushwire never asks a device for.
    pub fn decode(bytes: [u8; Self::LEN]) -> Result<Self, HeaderError> {
        let [
            flags,
            gso_type,
            _,
            _,
            size0,
            size1,
            start0,
            start1,
            offset0,
            offset1,
        ] = bytes;
        let kind = match gso_type & !GSO_ECN {
            GSO_NONE => None,
            GSO_TCPV4 => Some(SegmentationKind::Tcp4),
            GSO_TCPV6 => Some(SegmentationKind::Tcp6),
            GSO_UDP_L4 => Some(SegmentationKind::Udp),
            _ => return Err(HeaderError::UnknownSegmentation(gso_type)),
        };
        let size = u16::from_le_bytes([size0, size1]);
        if kind.is_some() && size == 0 {
            return Err(HeaderError::EmptySegments);
        }
        let checksum = PartialChecksum {
            start: u16::from_le_bytes([start0, start1]),
            offset: u16::from_le_bytes([offset0, offset1]),
        };
        Ok(Self {
            segmentation: kind.map(|kind| Segmentation { kind, size }),
            checksum: (flags & NEEDS_CSUM != 0).then_some(checksum),
        })
    }

    /// The header for a packet about to be written.
    #[must_use]
    pub fn encode(packet: &Outgoing) -> [u8; Self::LEN] {
        let (flags, start, offset) = match packet.checksum {
            Some(PartialChecksum { start, offset }) => (NEEDS_CSUM, start, offset),
            None => (0, 0, 0),
        };
        let (gso_type, size, header_len) = match packet.segmentation {
            None => (GSO_NONE, 0, 0),
            Some(Segmentation { kind, size }) => {
                let gso_type = match kind {
                    SegmentationKind::Tcp4 => GSO_TCPV4,
                    SegmentationKind::Tcp6 => GSO_TCPV6,
                    SegmentationKind::Udp => GSO_UDP_L4,
                };
                (gso_type, size, packet.header_len)
            }
        };
        let [len0, len1] = header_len.to_le_bytes();
        let [size0, size1] = size.to_le_bytes();
        let [start0, start1] = start.to_le_bytes();
        let [offset0, offset1] = offset.to_le_bytes();
        [
            flags, gso_type, len0, len1, size0, size1, start0, start1, offset0, offset1,
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_packet_has_a_header_of_zeros() {
        assert_eq!(VirtioHeader::encode(&Outgoing::PLAIN), [0; 10]);
        assert_eq!(VirtioHeader::decode([0; 10]), Ok(VirtioHeader::default()));
    }

    #[test]
    fn fields_are_where_the_virtio_specification_puts_them() {
        let packet = Outgoing {
            segmentation: Some(Segmentation {
                kind: SegmentationKind::Tcp6,
                size: 0x1234,
            }),
            checksum: Some(PartialChecksum {
                start: 0x28,
                offset: 0x10,
            }),
            header_len: 0x3c,
        };
        assert_eq!(
            VirtioHeader::encode(&packet),
            [1, 4, 0x3c, 0, 0x34, 0x12, 0x28, 0, 0x10, 0]
        );
    }

    #[test]
    fn the_ecn_mark_does_not_change_the_kind() {
        let header = VirtioHeader::decode([1, 0x81, 0, 0, 1, 0, 20, 0, 16, 0]).unwrap();
        assert_eq!(
            header.segmentation,
            Some(Segmentation {
                kind: SegmentationKind::Tcp4,
                size: 1
            })
        );
    }

    #[test]
    fn kinds_nobody_asked_for_are_refused() {
        let ufo = [1, 3, 0, 0, 1, 0, 20, 0, 6, 0];
        assert_eq!(
            VirtioHeader::decode(ufo),
            Err(HeaderError::UnknownSegmentation(3))
        );
        let empty = [1, 1, 0, 0, 0, 0, 20, 0, 16, 0];
        assert_eq!(VirtioHeader::decode(empty), Err(HeaderError::EmptySegments));
    }

    fn outgoing() -> impl Strategy<Value = Outgoing> {
        let kind = prop_oneof![
            Just(SegmentationKind::Tcp4),
            Just(SegmentationKind::Tcp6),
            Just(SegmentationKind::Udp)
        ];
        let segmentation = (kind, 1u16..).prop_map(|(kind, size)| Segmentation { kind, size });
        let checksum = (any::<u16>(), any::<u16>())
            .prop_map(|(start, offset)| PartialChecksum { start, offset });
        (
            proptest::option::of(segmentation),
            proptest::option::of(checksum),
            any::<u16>(),
        )
            .prop_map(|(segmentation, checksum, header_len)| Outgoing {
                segmentation,
                checksum,
                header_len,
            })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(packet in outgoing()) {
            let header = VirtioHeader::decode(VirtioHeader::encode(&packet)).unwrap();
            prop_assert_eq!(header.segmentation, packet.segmentation);
            prop_assert_eq!(header.checksum, packet.checksum);
        }

        #[test]
        fn no_header_panics(bytes: [u8; 10]) {
            let _ = VirtioHeader::decode(bytes);
        }
    }
}

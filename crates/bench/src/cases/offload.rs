//! Cutting a super-packet into its segments, and joining segments into super-packets.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use hushwire_io::offload::{
    Coalescer, OffloadSet, Offloads, Outgoing, PartialChecksum, Received, Segmentation,
    SegmentationKind, Splitter, Sum,
};
use hushwire_io::tun::TunQueue;

use crate::case::Case;

/// What one TUN read gives of a busy TCP stream at an MTU of 1420.
const SEGMENTS: usize = 45;
const IP_HEADER: usize = 20;
const HEADERS: usize = IP_HEADER + 20;
const PAYLOAD: usize = 1420 - HEADERS;

pub(super) fn cases() -> Vec<Case> {
    let split = Case::new("offload/split", || {
        let (packet, received) = super_packet();
        let mut out = vec![0; HEADERS + PAYLOAD];
        move || {
            let splitter = Splitter::new(&packet, &received).expect("a good packet");
            assert_eq!(splitter.segments(), SEGMENTS);
            for index in 0..SEGMENTS {
                let len = splitter.write_segment(index, &mut out);
                assert_eq!(len, HEADERS + PAYLOAD);
                black_box(&out);
            }
        }
    });
    let merge = Case::new("offload/merge", || {
        let (buffer, ranges) = segments();
        let coalescer = Coalescer::new(Arc::new(Offloads::new(&OffloadSet::ALL)));
        let sink = Sink::new();
        move || {
            let stats = coalescer.write_all(&sink, &buffer, &ranges);
            assert_eq!((stats.packets, stats.writes), (SEGMENTS, 1));
        }
    });
    [split, merge]
        .map(|case| case.bytes(SEGMENTS * (HEADERS + PAYLOAD)).counted(16))
        .into()
}

/// A TCP super-packet as a TUN device hands it out.
fn super_packet() -> (Vec<u8>, Received) {
    let payload = SEGMENTS * PAYLOAD;
    let mut packet = vec![0; HEADERS + payload];
    let total = packet.len() as u16;
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[6] = 0x40;
    packet[8..10].copy_from_slice(&[64, 6]);
    packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    let header = Sum::new().bytes(&packet[..IP_HEADER]).finish();
    packet[10..12].copy_from_slice(&header);
    packet[20..24].copy_from_slice(&[0x04, 0xd2, 0x01, 0xbb]);
    packet[32..36].copy_from_slice(&[0x50, 0x10, 0x02, 0x00]);
    for (at, byte) in packet[HEADERS..].iter_mut().enumerate() {
        *byte = (at * 31 + at / 256) as u8;
    }
    let pseudo = Sum::pseudo_header(&packet[12..20], 6, 20 + payload).partial();
    packet[36..38].copy_from_slice(&pseudo);
    let received = Received {
        start: 0,
        len: packet.len(),
        segmentation: Some(Segmentation {
            kind: SegmentationKind::Tcp4,
            size: PAYLOAD as u16,
        }),
        checksum: Some(PartialChecksum {
            start: IP_HEADER as u16,
            offset: 16,
        }),
    };
    (packet, received)
}

/// The same super-packet as its segments, as they come out of a run of datagrams.
fn segments() -> (Vec<u8>, Vec<Range<usize>>) {
    let (packet, received) = super_packet();
    let splitter = Splitter::new(&packet, &received).expect("a good packet");
    let stride = 16 + HEADERS + PAYLOAD + 16;
    let mut buffer = vec![0; SEGMENTS * stride];
    let ranges = (0..SEGMENTS).map(|index| {
        let start = index * stride + 16;
        let len = splitter.write_segment(index, &mut buffer[start..]);
        start..start + len
    });
    let ranges = ranges.collect();
    (buffer, ranges)
}

/// A TUN device that takes everything and has nothing.
struct Sink(File);

impl Sink {
    fn new() -> Self {
        Self(File::open("/dev/null").expect("/dev/null"))
    }
}

impl TunQueue for Sink {
    fn read(&self, _buffer: &mut [u8]) -> io::Result<Option<Received>> {
        Ok(None)
    }

    fn write(&self, header: &Outgoing, parts: &[IoSlice<'_>]) -> io::Result<()> {
        black_box((header, parts));
        Ok(())
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

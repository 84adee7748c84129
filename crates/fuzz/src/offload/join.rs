//! What the coalescer joins, the splitter cuts into what it was made of; and whatever the device
//! refuses, every packet is written once and in order.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, OnceLock};

use hushwire_io::offload::{
    Coalescer, MAX_PARTS, OffloadSet, Offloads, Outgoing, Received, VirtioHeader,
};
use hushwire_io::tun::TunQueue;

use super::flow::Flow;
use super::model;
use super::split;
use crate::input::Input;

const PACKETS_MAX: usize = 150;

pub(super) fn run(input: &mut Input<'_>) {
    let device = Device::new(input);
    let offloads = Arc::new(Offloads::new(&offload_set(input.byte())));
    let packets = packets(input);
    let (buffer, ranges) = batch(&packets);
    let stats = Coalescer::new(offloads).write_all(&device, &buffer, &ranges);

    let written = device.written.into_inner().expect("nobody panicked");
    assert_eq!(stats.writes, written.len());
    assert_eq!(stats.packets + stats.dropped, packets.len());
    let mut rest = packets.iter();
    let mut arrived = 0;
    for (header, super_packet) in written {
        let joined = header.segmentation.is_some();
        for packet in cut(&header, &super_packet) {
            // What was dropped does not arrive; the others do, in order.
            let found = rest.any(|sent| same(sent, &packet, joined));
            assert!(found, "{packet:x?} was not sent, or came too late");
            arrived += 1;
        }
    }
    assert_eq!(arrived, stats.packets);
}

/// A device that keeps what is written to it, and refuses what the fuzzer says.
struct Device {
    written: Mutex<Vec<(Outgoing, Vec<u8>)>>,
    /// Errors that super-packets, and single packets, meet.
    refused: i32,
    refused_single: i32,
}

impl Device {
    fn new(input: &mut Input<'_>) -> Self {
        // EINVAL, EIO, EAGAIN, ENOBUFS, EBADFD: the last says that the device is gone.
        let errors = [0, 0, 0, 22, 5, 11, 105, 77];
        Self {
            written: Mutex::default(),
            refused: input.pick(&errors),
            refused_single: input.pick(&errors[..7]) * i32::from(input.byte() > 250),
        }
    }
}

impl TunQueue for Device {
    fn read(&self, _: &mut [u8]) -> io::Result<Option<Received>> {
        Ok(None)
    }

    fn write(&self, header: &Outgoing, parts: &[IoSlice<'_>]) -> io::Result<()> {
        assert!(parts.len() <= MAX_PARTS);
        let refused = match header.segmentation {
            Some(_) => self.refused,
            None => self.refused_single,
        };
        if refused != 0 {
            return Err(io::Error::from_raw_os_error(refused));
        }
        let packet = parts.iter().flat_map(|part| part.to_vec()).collect();
        let mut written = self.written.lock().expect("nobody panicked");
        written.push((*header, packet));
        Ok(())
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        static NULL: OnceLock<File> = OnceLock::new();
        let null = NULL.get_or_init(|| File::open("/dev/null").expect("/dev/null"));
        null.as_fd()
    }
}

const fn offload_set(bits: u8) -> OffloadSet {
    OffloadSet {
        tcp_merge4: bits & 1 == 0,
        tcp_merge6: bits & 2 == 0,
        udp_merge: bits & 4 == 0,
        ..OffloadSet::ALL
    }
}

fn packets(input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while !input.is_empty() && packets.len() < PACKETS_MAX {
        match input.below(5) {
            0 => packets.push(input.piece(200).to_vec()),
            _ => run_of_packets(input, &mut packets),
        }
    }
    packets
}

/// Packets that follow one another, perhaps with one that does not fit.
fn run_of_packets(input: &mut Input<'_>, packets: &mut Vec<Vec<u8>>) {
    let flow = Flow::new(input);
    let (count, size) = (input.below(80), input.below(1500));
    let last = if input.bool() {
        input.below(1500)
    } else {
        size
    };
    let mut offset = 0;
    for index in 0..count {
        let len = if index + 1 == count { last } else { size };
        let payload = vec![index as u8 ^ 0x33; len];
        let push = index % 16 == 7 && input.bool();
        let flags = flow.flags() | u8::from(push) << 3;
        packets.push(flow.packet(index as u16, offset, flags, &payload));
        offset = offset.wrapping_add(len as u32);
    }
    while input.bool() {
        let which = input.below(packets.len().max(1));
        let (at, value) = (usize::from(input.u16()), input.byte());
        let packet = packets.get_mut(which);
        if let Some(byte) = packet.and_then(|packet| packet.get_mut(at)) {
            *byte = value;
        }
    }
}

/// Packets in one buffer, with gaps between them.
fn batch(packets: &[Vec<u8>]) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut buffer = Vec::new();
    let mut ranges = Vec::new();
    for packet in packets {
        buffer.extend([0xee; 16]);
        ranges.push(buffer.len()..buffer.len() + packet.len());
        buffer.extend(packet);
    }
    (buffer, ranges)
}

/// What a kernel makes of a packet that it is given.
fn cut(header: &Outgoing, packet: &[u8]) -> Vec<Vec<u8>> {
    let bytes = VirtioHeader::encode(header);
    let decoded = VirtioHeader::decode(bytes).expect("a header of ours");
    let expected = model::split(bytes, packet).expect("a packet that the model takes");
    let found = split(&decoded, packet).expect("a packet that the splitter takes");
    assert_eq!(expected, found);
    found
}

/// Whether a packet is the one that was sent. One that was joined with others has a new transport
/// checksum, and, if it may not be fragmented, perhaps another identification, which then means
/// nothing (RFC 6864 section 4.1).
fn same(sent: &[u8], found: &[u8], joined: bool) -> bool {
    if !joined || sent.len() != found.len() {
        return sent == found;
    }
    without_sums(sent) == without_sums(found)
}

fn without_sums(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let is_v4 = packet[0] >> 4 == 4;
    let (transport, protocol) = if is_v4 {
        (20, packet[9])
    } else {
        (40, packet[6])
    };
    let field = transport + if protocol == 6 { 16 } else { 6 };
    put_zero(&mut packet, field);
    if is_v4 && packet[6] & 0x40 != 0 {
        put_zero(&mut packet, 4);
        put_zero(&mut packet, 10);
    }
    packet
}

/// Another packet of the same length may have no such field.
fn put_zero(packet: &mut [u8], at: usize) {
    if let Some(field) = packet.get_mut(at..at + 2) {
        field.fill(0);
    }
}

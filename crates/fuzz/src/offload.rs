//! Super-packets: cut as a naive model cuts them, whatever the header says; and what is joined is
//! cut again into what it was made of.

mod flow;
mod join;
pub(crate) mod model;

use hushwire_io::offload::{Received, Splitter, VirtioHeader};

use crate::input::Input;

/// The longest packet of a TUN device: the fuzzer need not find out.
const PACKET_MAX: usize = hushwire_io::offload::MAX_PACKET;

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    if input.bool() {
        return join::run(&mut input);
    }
    let (header, packet) = packet(&mut input);
    compare(header, &packet);
}

/// What comes from a TUN device: a header and a packet, of the fuzzer's bytes alone or nearly right.
pub(crate) fn packet(input: &mut Input<'_>) -> ([u8; VirtioHeader::LEN], Vec<u8>) {
    if input.bool() {
        let header = input.array();
        return (header, input.bytes(PACKET_MAX).to_vec());
    }
    let flow = flow::Flow::new(input);
    let payload = input.u16().min(64_000).into();
    let mut packet = flow.super_packet(payload);
    let mut header = flow.virtio_header(input.u16().max(1));
    let changes = input.below(4);
    for _ in 0..changes {
        let at = usize::from(input.u16());
        let value = input.byte();
        if let Some(byte) = header.get_mut(at % 256).or_else(|| packet.get_mut(at)) {
            *byte = value;
        }
    }
    if input.bool() {
        packet.truncate(input.u16().into());
    }
    (header, packet)
}

/// The splitter and the model say the same.
fn compare(header: [u8; VirtioHeader::LEN], packet: &[u8]) {
    let Ok(decoded) = VirtioHeader::decode(header) else {
        return assert!(!model::is_known(header), "{header:?} is refused");
    };
    assert!(model::is_known(header), "{header:?} is taken");
    let expected = model::split(header, packet);
    let found = split(&decoded, packet);
    match (&expected, &found) {
        (None, None) => {}
        (Some(expected), Some(found)) => {
            assert_eq!(expected.len(), found.len(), "segments of {header:?}");
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                assert!(
                    expected == found,
                    "segment {index} of {header:?}: {expected:x?} and not {found:x?}"
                );
            }
        }
        _ => panic!(
            "{header:?} {packet:x?}: the model {} it",
            if expected.is_some() {
                "takes"
            } else {
                "refuses"
            }
        ),
    }
}

/// All segments of a packet, behind a byte that is not its own; `None` if it is refused.
pub(crate) fn split(header: &VirtioHeader, packet: &[u8]) -> Option<Vec<Vec<u8>>> {
    let buffer = [&[0xa5], packet].concat();
    let received = Received {
        start: 1,
        len: packet.len(),
        segmentation: header.segmentation,
        checksum: header.checksum,
    };
    let splitter = Splitter::new(&buffer, &received).ok()?;
    let count = splitter.segments();
    assert!(count >= 1);
    assert_eq!(splitter.segment_len(count), 0);
    assert_eq!(splitter.write_segment(count, &mut [0; 64]), 0);
    Some((0..count).map(|index| segment(&splitter, index)).collect())
}

fn segment(splitter: &Splitter<'_>, index: usize) -> Vec<u8> {
    let len = splitter.segment_len(index);
    let mut out = vec![0x5a; len + 1];
    assert_eq!(splitter.write_segment(index, &mut out), len);
    assert_eq!(out.pop(), Some(0x5a), "written behind the end");
    if let Some(short) = len.checked_sub(1) {
        let mut out = vec![0; short];
        assert_eq!(splitter.write_segment(index, &mut out), 0, "no room");
    }
    out
}

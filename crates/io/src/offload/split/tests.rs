use proptest::prelude::*;

use super::{
    super::{
        SegmentationKind,
        testing::{Recipe, is_right, pattern, recipe},
    },
    *,
};

fn split(buffer: &[u8], received: &Received) -> Vec<Vec<u8>> {
    let splitter = Splitter::new(buffer, received).unwrap();
    (0..splitter.segments())
        .map(|index| {
            let mut out = vec![0xaa; splitter.segment_len(index)];
            assert_eq!(splitter.write_segment(index, &mut out), out.len());
            out
        })
        .collect()
}

fn number(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(field(packet, at).unwrap())
}

#[test]
fn tcp_is_cut_as_the_sender_would_have_cut_it() {
    let whole = Recipe {
        flags: 0x18,
        options: vec![1; 12],
        ..Recipe::tcp4(3000)
    };
    let segments = split(&whole.build_partial(), &whole.received(0, Some(1400)));
    let piece = |from: usize, to: usize, id, flags| Recipe {
        payload: whole.payload[from..to].to_vec(),
        sequence: whole.sequence.wrapping_add(from as u32),
        id,
        flags,
        ..whole.clone()
    };
    // Sequence numbers wrap on the way. Only the last segment is pushed.
    let expected = [
        piece(0, 1400, 1000, 0x10).build(),
        piece(1400, 2800, 1001, 0x10).build(),
        piece(2800, 3000, 1002, 0x18).build(),
    ];
    assert_eq!(segments, expected);
}

#[test]
fn udp_is_cut_into_datagrams() {
    for whole in [Recipe::udp4(2500), Recipe::udp6(2500)] {
        let segments = split(&whole.build_partial(), &whole.received(0, Some(1000)));
        let piece = |from: usize, to: usize, id| Recipe {
            payload: whole.payload[from..to].to_vec(),
            id,
            ..whole.clone()
        };
        let expected = [
            piece(0, 1000, 1000).build(),
            piece(1000, 2000, 1001).build(),
            piece(2000, 2500, 1002).build(),
        ];
        assert_eq!(segments, expected);
    }
}

#[test]
fn flags_that_mark_an_end_or_a_congestion_are_not_repeated() {
    let whole = Recipe {
        flags: tcp_flag::CWR | tcp_flag::ECE | tcp_flag::ACK | tcp_flag::PSH | tcp_flag::FIN,
        ..Recipe::tcp6(30)
    };
    let segments = split(&whole.build_partial(), &whole.received(0, Some(10)));
    let flags: Vec<u8> = segments.iter().map(|packet| packet[40 + 13]).collect();
    assert_eq!(flags, [0xd0, 0x50, 0x59]);
}

#[test]
fn the_identification_wraps() {
    let whole = Recipe {
        id: 0xffff,
        ..Recipe::tcp4(2)
    };
    let segments = split(&whole.build_partial(), &whole.received(0, Some(1)));
    assert_eq!(segments[1][4..6], [0, 0]);
    assert!(is_right(&whole, &segments[1]));
}

#[test]
fn the_longest_packet_of_all_is_cut_and_left_whole() {
    let whole = Recipe::udp6(65_527);
    let packet = whole.build_partial();
    assert_eq!(packet.len(), super::super::MAX_PACKET);
    for size in [None, Some(65_527)] {
        assert_eq!(split(&packet, &whole.received(0, size)), [whole.build()]);
    }
    let segments = split(&packet, &whole.received(0, Some(60_000)));
    assert_eq!(segments.len(), 2);
    assert!(segments.iter().all(|segment| is_right(&whole, segment)));
}

#[test]
fn a_single_packet_gets_its_checksum() {
    for recipe in [Recipe::tcp4(501), Recipe::udp6(501)] {
        let packet = recipe.build_partial();
        assert_eq!(split(&packet, &recipe.received(0, None)), [recipe.build()]);
    }
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_all_ones() {
    let find = |version: fn(usize) -> Recipe| {
        (0..=0xffff)
            .map(|word: u16| Recipe {
                payload: word.to_be_bytes().to_vec(),
                ..version(2)
            })
            .find(|recipe| recipe.build()[recipe.transport_at() + 6..][..2] == [0xff, 0xff])
            .expect("one of all words brings the sum to zero")
    };
    for recipe in [find(Recipe::udp4), find(Recipe::udp6)] {
        let packet = recipe.build_partial();
        for size in [None, Some(2)] {
            assert_eq!(split(&packet, &recipe.received(0, size)), [recipe.build()]);
        }
    }
}

#[test]
fn a_complete_packet_is_left_alone() {
    let packet = pattern(77);
    let received = Received {
        start: 0,
        len: 77,
        segmentation: None,
        checksum: None,
    };
    assert_eq!(split(&packet, &received), [packet]);
}

#[test]
fn a_super_packet_without_partial_checksum_is_summed_from_scratch() {
    let whole = Recipe::tcp6(3000);
    let mut packet = whole.build_partial();
    packet[40 + 16..40 + 18].copy_from_slice(&[0xde, 0xad]);
    let received = Received {
        checksum: None,
        ..whole.received(0, Some(999))
    };
    assert!(
        split(&packet, &received)
            .iter()
            .all(|it| is_right(&whole, it))
    );
}

#[test]
fn the_pseudo_header_of_a_source_route_is_believed() {
    // Its destination is the last one of the routing header, which only the sender's partial
    // sum knows; so whatever that is must come out again, with the length exchanged.
    let whole = Recipe {
        extra: vec![1; 24],
        ..Recipe::tcp6(2000)
    };
    let mut packet = whole.build_partial();
    let at = 40 + 24 + 16;
    let believed = adjust_word(&mut packet, at, 0x1234);
    let segments = split(&packet, &whole.received(0, Some(1000)));
    for (index, segment) in segments.iter().enumerate() {
        let transport = &segment[64..];
        let sum = Sum::new()
            .bytes(transport)
            .word(believed)
            .word(!(2020u16))
            .word(transport.len() as u16);
        assert!(sum.is_valid(), "segment {index}");
    }

    fn adjust_word(packet: &mut [u8], at: usize, word: u16) -> u16 {
        packet[at..at + 2].copy_from_slice(&word.to_be_bytes());
        word
    }
}

#[test]
fn the_packet_may_be_anywhere_in_the_buffer() {
    let whole = Recipe::udp4(100);
    let mut buffer = vec![0xff; 13];
    buffer.extend(whole.build_partial());
    buffer.extend([0xff; 9]);
    assert_eq!(split(&buffer, &whole.received(13, None)), [whole.build()]);
    let outside = whole.received(33, None);
    assert_eq!(
        Splitter::new(&buffer, &outside).unwrap_err(),
        Malformed::OutsideBuffer
    );
    let wrapping = whole.received(usize::MAX, None);
    assert_eq!(
        Splitter::new(&buffer, &wrapping).unwrap_err(),
        Malformed::OutsideBuffer
    );
}

#[test]
fn there_is_no_segment_past_the_last_and_none_without_room() {
    let whole = Recipe::tcp4(1500);
    let packet = whole.build_partial();
    for (size, segments) in [(None, 1), (Some(1000), 2)] {
        let splitter = Splitter::new(&packet, &whole.received(0, size)).unwrap();
        assert_eq!(splitter.segments(), segments);
        for index in [segments, usize::MAX] {
            assert_eq!(splitter.segment_len(index), 0);
            assert_eq!(splitter.write_segment(index, &mut [0; 2000]), 0);
        }
        let mut out = vec![0xaa; splitter.segment_len(0) - 1];
        assert_eq!(splitter.write_segment(0, &mut out), 0);
        assert!(out.iter().all(|byte| *byte == 0xaa));
    }
}

#[test]
fn a_super_packet_without_payload_is_one_segment() {
    let whole = Recipe::tcp4(0);
    let packet = whole.build_partial();
    assert_eq!(split(&packet, &whole.received(0, Some(9))), [whole.build()]);
}

#[test]
fn what_is_not_as_announced_is_refused() {
    let refuse = |packet: &[u8], received: &Received, reason| {
        assert_eq!(Splitter::new(packet, received).unwrap_err(), reason);
    };
    let whole = Recipe::tcp4(100);
    let packet = whole.build_partial();
    let received = whole.received(0, Some(10));
    let changed = |at: usize, byte| {
        let mut packet = packet.clone();
        packet[at] = byte;
        packet
    };
    refuse(&changed(0, 0x55), &received, Malformed::Version);
    refuse(&changed(0, 0x44), &received, Malformed::Truncated);
    refuse(&changed(3, 141), &received, Malformed::Length);
    refuse(&changed(6, 0x20), &received, Malformed::Fragment);
    refuse(&changed(7, 1), &received, Malformed::Fragment);
    refuse(&changed(9, 17), &received, Malformed::Transport);
    refuse(&changed(20 + 12, 0x40), &received, Malformed::Truncated);
    let retyped = |kind| Received {
        segmentation: Some(Segmentation { kind, size: 10 }),
        ..received.clone()
    };
    refuse(
        &packet,
        &retyped(SegmentationKind::Tcp6),
        Malformed::Version,
    );
    refuse(
        &packet,
        &retyped(SegmentationKind::Udp),
        Malformed::Transport,
    );
    let other = Recipe::tcp6(100);
    let mistaken = Received {
        segmentation: received.segmentation,
        ..other.received(0, None)
    };
    refuse(&other.build_partial(), &mistaken, Malformed::Version);
    let zero = whole.received(0, Some(0));
    refuse(&packet, &zero, Malformed::SegmentSize);
    for (start, offset) in [(21, 16), (20, 6), (0, 0)] {
        let misplaced = Received {
            checksum: Some(PartialChecksum { start, offset }),
            ..received.clone()
        };
        refuse(&packet, &misplaced, Malformed::Checksum);
    }
    let beyond = Received {
        checksum: Some(PartialChecksum {
            start: 120,
            offset: 19,
        }),
        segmentation: None,
        ..received
    };
    refuse(&packet, &beyond, Malformed::Checksum);
}

#[test]
fn an_ipv6_fragment_is_refused() {
    let whole = Recipe {
        extra: vec![0; 8],
        ..Recipe::udp6(100)
    };
    let mut packet = whole.build_partial();
    packet[6] = 44;
    let error = Splitter::new(&packet, &whole.received(0, Some(10))).unwrap_err();
    assert_eq!(error, Malformed::Fragment);
}

fn check_tcp(whole: &Recipe, index: usize, last: bool, size: u16, segment: &[u8]) {
    let transport_at = whole.transport_at();
    let sequence = whole.sequence.wrapping_add(index as u32 * u32::from(size));
    assert_eq!(number(segment, transport_at + 4), sequence);
    let mut flags = whole.flags;
    if index > 0 {
        flags &= !0x80;
    }
    if !last {
        flags &= !0x09;
    }
    assert_eq!(segment[transport_at + 13], flags);
}

proptest! {
    #[test]
    fn segments_are_right_and_add_up(whole in recipe(), size in 1u16..3000) {
        // 65,000 one-byte segments would be checked over and over.
        let size = size.max((whole.payload.len() / 200) as u16);
        let segments = split(&whole.build_partial(), &whole.received(0, Some(size)));
        let mut payload: Vec<u8> = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            prop_assert!(is_right(&whole, segment), "segment {}", index);
            let last = index + 1 == segments.len();
            if whole.protocol == 6 {
                check_tcp(&whole, index, last, size, segment);
            }
            let body = &segment[whole.payload_at()..];
            prop_assert!(last || body.len() == usize::from(size));
            payload.extend(body);
        }
        prop_assert_eq!(&payload, &whole.payload);
        prop_assert_eq!(segments.len(), whole.payload.len().div_ceil(usize::from(size)).max(1));
    }

    #[test]
    fn one_segment_is_the_complete_packet(whole in recipe()) {
        let packet = whole.build_partial();
        let complete = [whole.build()];
        prop_assert!(is_right(&whole, &complete[0]));
        prop_assert_eq!(&split(&packet, &whole.received(0, None)), &complete);
        prop_assert_eq!(&split(&packet, &whole.received(0, Some(u16::MAX))), &complete);
    }

    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        received in any_received(),
        out in 0usize..300,
    ) {
        exercise(&bytes, &received, out);
    }

    #[test]
    fn no_damage_panics(
        whole in recipe(),
        size: u16,
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        start in 0usize..50,
        offset in 0usize..50,
    ) {
        let mut packet = whole.build_partial();
        packet.truncate(300);
        // Mostly in the headers, where it hurts.
        for (at, byte) in damage {
            let at = at.index(packet.len().min(80));
            packet[at] = byte;
        }
        let mut received = whole.received(0, Some(size));
        received.len = packet.len();
        exercise(&packet, &received, 400);
        received.checksum = Some(PartialChecksum { start: start as u16, offset: offset as u16 });
        exercise(&packet, &received, 400);
        received.segmentation = None;
        exercise(&packet, &received, 400);
    }
}

fn any_received() -> impl Strategy<Value = Received> {
    let kind = prop_oneof![
        Just(SegmentationKind::Tcp4),
        Just(SegmentationKind::Tcp6),
        Just(SegmentationKind::Udp)
    ];
    let segmentation = (kind, any::<u16>()).prop_map(|(kind, size)| Segmentation { kind, size });
    let checksum =
        (0u16..100, 0u16..100).prop_map(|(start, offset)| PartialChecksum { start, offset });
    (
        0usize..20,
        0usize..200,
        proptest::option::of(segmentation),
        proptest::option::of(checksum),
    )
        .prop_map(|(start, len, segmentation, checksum)| Received {
            start,
            len,
            segmentation,
            checksum,
        })
}

fn exercise(buffer: &[u8], received: &Received, room: usize) {
    let Ok(splitter) = Splitter::new(buffer, received) else {
        return;
    };
    let mut out = vec![0; room];
    for index in 0..=splitter.segments() {
        let len = splitter.segment_len(index);
        let written = splitter.write_segment(index, &mut out);
        assert!(written == 0 || written == len);
    }
}

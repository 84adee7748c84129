use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    sync::Mutex,
};

use proptest::prelude::*;

use super::{
    super::{
        OffloadSet, Received, Splitter,
        testing::{Recipe, pattern},
    },
    *,
};

/// The error number for a write, if it is to be refused.
type Refusal = dyn Fn(&Outgoing) -> Option<i32> + Send + Sync;

/// A device that keeps what is written to it, and refuses what it is told to.
struct Recorder {
    written: Mutex<Vec<(Outgoing, Vec<u8>)>>,
    refuse: Box<Refusal>,
    null: File,
}

impl Recorder {
    fn new(refuse: impl Fn(&Outgoing) -> Option<i32> + Send + Sync + 'static) -> Self {
        Self {
            written: Mutex::default(),
            refuse: Box::new(refuse),
            null: File::open("/dev/null").unwrap(),
        }
    }

    fn writes(&self) -> Vec<(Outgoing, Vec<u8>)> {
        core::mem::take(&mut *self.written.lock().unwrap())
    }
}

impl TunQueue for Recorder {
    fn read(&self, _: &mut [u8]) -> io::Result<Option<Received>> {
        Ok(None)
    }

    fn write(&self, header: &Outgoing, parts: &[IoSlice<'_>]) -> io::Result<()> {
        assert!(parts.len() <= MAX_PARTS);
        if let Some(errno) = (self.refuse)(header) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let packet = parts.iter().flat_map(|part| part.to_vec()).collect();
        self.written.lock().unwrap().push((*header, packet));
        Ok(())
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }
}

/// Packets in one buffer with gaps between them, as decryption leaves them.
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

/// What the kernel makes of a write.
fn cut((header, packet): &(Outgoing, Vec<u8>)) -> Vec<Vec<u8>> {
    let received = Received {
        start: 0,
        len: packet.len(),
        segmentation: header.segmentation,
        checksum: header.checksum,
    };
    let splitter = Splitter::new(packet, &received).unwrap();
    let segment = |index| {
        let mut out = vec![0; splitter.segment_len(index)];
        splitter.write_segment(index, &mut out);
        out
    };
    (0..splitter.segments()).map(segment).collect()
}

fn merge(packets: &[Vec<u8>]) -> Vec<(Outgoing, Vec<u8>)> {
    merge_with(packets, &OffloadSet::ALL)
}

fn merge_with(packets: &[Vec<u8>], set: &OffloadSet) -> Vec<(Outgoing, Vec<u8>)> {
    let tun = Recorder::new(|_| None);
    let coalescer = Coalescer::new(Arc::new(Offloads::new(set)));
    let (buffer, ranges) = batch(packets);
    let stats = coalescer.write_all(&tun, &buffer, &ranges);
    let writes = tun.writes();
    assert_eq!(stats.packets, packets.len());
    assert_eq!(stats.writes, writes.len());
    assert_eq!(stats.dropped, 0);
    assert!(stats.error.is_none());
    writes
}

/// How many packets each write stands for.
fn shape(writes: &[(Outgoing, Vec<u8>)]) -> Vec<usize> {
    writes.iter().map(|write| cut(write).len()).collect()
}

/// A run of packets as a sender's segmentation makes them, the last with `tail` bytes.
fn train(recipe: &Recipe, count: usize, tail: usize) -> Vec<Recipe> {
    let size = recipe.payload.len();
    (0..count)
        .map(|index| Recipe {
            id: recipe.id.wrapping_add(index as u16),
            sequence: recipe.sequence.wrapping_add((index * size) as u32),
            payload: pattern(if index + 1 == count { tail } else { size }),
            ..recipe.clone()
        })
        .collect()
}

fn build(recipes: &[Recipe]) -> Vec<Vec<u8>> {
    recipes.iter().map(Recipe::build).collect()
}

fn all_kinds(size: usize) -> [Recipe; 4] {
    [
        Recipe::tcp4(size),
        Recipe::tcp6(size),
        Recipe::udp4(size),
        Recipe::udp6(size),
    ]
}

#[test]
fn a_train_becomes_one_write_and_the_same_packets_again() {
    for recipe in all_kinds(1000) {
        let packets = build(&train(&recipe, 5, 300));
        let writes = merge(&packets);
        assert_eq!(shape(&writes), [5], "{recipe:?}");
        assert_eq!(cut(&writes[0]), packets);
        let header = writes[0].0;
        assert_eq!(usize::from(header.header_len), recipe.payload_at());
        let segmentation = header.segmentation.unwrap();
        assert_eq!(
            (segmentation.kind, segmentation.size),
            (recipe.kind(), 1000)
        );
    }
}

#[test]
fn a_lone_packet_is_written_as_it_is() {
    for recipe in all_kinds(100) {
        let packet = recipe.build();
        let packets = [packet.clone()];
        assert_eq!(merge(&packets), [(Outgoing::PLAIN, packet)]);
    }
}

#[test]
fn a_push_ends_a_run_and_stays_with_its_packet() {
    let mut train = train(&Recipe::tcp4(500), 5, 500);
    train[2].flags |= tcp_flag::PSH;
    let packets = build(&train);
    let writes = merge(&packets);
    assert_eq!(shape(&writes), [3, 2]);
    assert_eq!(writes.iter().flat_map(cut).collect::<Vec<_>>(), packets);
}

#[test]
fn a_pushed_first_packet_stays_alone() {
    let mut train = train(&Recipe::tcp6(500), 3, 500);
    train[0].flags |= tcp_flag::PSH;
    assert_eq!(shape(&merge(&build(&train))), [1, 2]);
}

#[test]
fn a_shorter_packet_ends_a_run_and_a_longer_one_starts_another() {
    let sizes = [500, 500, 100, 500, 600, 600];
    let mut sequence = 0;
    let train: Vec<Recipe> = sizes
        .iter()
        .map(|size| {
            let recipe = Recipe {
                sequence,
                ..Recipe::tcp4(*size)
            };
            sequence += *size as u32;
            recipe
        })
        .collect();
    assert_eq!(shape(&merge(&build(&train))), [3, 1, 2]);
}

/// Changes to the second packet of two that keep it from following the first.
#[test]
fn whatever_differs_within_a_flow_keeps_packets_apart() {
    type Change = fn(&mut Recipe);
    let changes: [(&str, Change); 17] = [
        ("another flow", |it| it.flow += 1),
        ("a gap", |it| it.sequence += 1),
        ("a repetition", |it| it.sequence -= it.payload.len() as u32),
        ("a new acknowledgement", |it| it.acknowledgement += 1),
        ("a new window", |it| it.window += 1),
        ("another class", |it| it.class ^= 0x10),
        ("a congestion mark", |it| it.class ^= 0x03),
        ("another distance", |it| it.hops -= 1),
        ("a congestion echo", |it| it.flags |= tcp_flag::ECE),
        ("a congestion response", |it| it.flags |= tcp_flag::CWR),
        ("an end", |it| it.flags |= tcp_flag::FIN),
        ("a reset", |it| it.flags |= 0x04),
        ("a start", |it| it.flags |= 0x02),
        ("urgency", |it| it.flags |= 0x20),
        ("no acknowledgement", |it| it.flags = 0),
        ("a new timestamp", |it| it.options[9] += 1),
        ("other options", |it| it.options.truncate(8)),
    ];
    for recipe in [Recipe::tcp4(400), Recipe::tcp6(400)] {
        let base = Recipe {
            options: vec![1; 12],
            ..recipe
        };
        assert_eq!(shape(&merge(&build(&train(&base, 2, 400)))), [2]);
        for (what, change) in changes {
            let mut pair = train(&base, 2, 400);
            change(&mut pair[1]);
            let packets = build(&pair);
            let writes = merge(&packets);
            assert_eq!(shape(&writes), [1, 1], "{what}");
            assert_eq!(writes[1].1, packets[1], "{what}");
        }
    }
}

#[test]
fn what_cannot_be_merged_is_passed_through() {
    let base = train(&Recipe::tcp4(400), 2, 400);
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("a broken header checksum", |it| it[10] ^= 1),
        ("a fragment", |it| it[7] = 1),
        ("a wrong length", |it| it[3] ^= 1),
        ("a trailing byte", |it| it.push(0)),
        ("a cut-off header", |it| it.truncate(39)),
        ("no packet", Vec::clear),
    ];
    for (what, damage) in damages {
        let mut packets = build(&base);
        damage(&mut packets[1]);
        let writes = merge(&packets);
        let expected = packets.into_iter().map(|packet| (Outgoing::PLAIN, packet));
        assert_eq!(writes, expected.collect::<Vec<_>>(), "{what}");
    }
    let with_options = Recipe {
        extra: vec![1; 8],
        ..Recipe::udp6(100)
    };
    assert_eq!(shape(&merge(&build(&train(&with_options, 2, 100)))), [1, 1]);
    let without_payload = train(&Recipe::tcp4(0), 2, 0);
    assert_eq!(shape(&merge(&build(&without_payload))), [1, 1]);
}

#[test]
fn a_datagram_without_checksum_is_not_given_one() {
    let mut packets = build(&train(&Recipe::udp4(100), 2, 100));
    for packet in &mut packets {
        packet[26..28].fill(0);
    }
    let expected = packets
        .iter()
        .map(|packet| (Outgoing::PLAIN, packet.clone()));
    assert_eq!(merge(&packets), expected.collect::<Vec<_>>());
}

#[test]
fn identifications_must_be_consecutive_unless_they_mean_nothing() {
    for (dont_fragment, expected) in [(true, vec![2]), (false, vec![1, 1])] {
        let base = Recipe {
            dont_fragment,
            ..Recipe::udp4(100)
        };
        let mut pair = train(&base, 2, 100);
        assert_eq!(shape(&merge(&build(&pair))), [2]);
        pair[1].id = pair[0].id;
        assert_eq!(shape(&merge(&build(&pair))), expected);
    }
}

#[test]
fn a_super_packet_stays_within_its_limits() {
    // 65,535 bytes: 44 packets of 1460 with a header of 40 are 64,280; one more is too many.
    let packets = build(&train(&Recipe::tcp4(1460), 50, 1460));
    assert_eq!(shape(&merge(&packets)), [44, 6]);
    let packets = build(&train(&Recipe::udp6(10), 130, 10));
    assert_eq!(shape(&merge(&packets)), [64, 64, 2]);
    let packets = build(&train(&Recipe::tcp6(65_000), 2, 475));
    assert_eq!(shape(&merge(&packets)), [2]);
    let packets = build(&train(&Recipe::tcp6(65_000), 2, 476));
    assert_eq!(shape(&merge(&packets)), [1, 1]);
}

#[test]
fn each_kind_can_be_switched_off_alone() {
    let set = OffloadSet {
        tcp_merge4: false,
        udp_merge: false,
        ..OffloadSet::ALL
    };
    let shapes = all_kinds(100).map(|recipe| {
        let packets = build(&train(&recipe, 2, 100));
        shape(&merge_with(&packets, &set)).len()
    });
    assert_eq!(shapes, [2, 1, 2, 2]);
}

#[test]
fn a_range_outside_the_buffer_is_no_packet() {
    let tun = Recorder::new(|header| (header.segmentation.is_some()).then_some(libc::EFAULT));
    let coalescer = Coalescer::new(Arc::new(Offloads::new(&OffloadSet::ALL)));
    let ranges = [5..9, usize::MAX - 1..usize::MAX];
    let stats = coalescer.write_all(&tun, &[0; 4], &ranges);
    assert_eq!(stats.packets, 2);
    assert!(tun.writes().iter().all(|(_, packet)| packet.is_empty()));
}

#[test]
fn a_refused_super_packet_is_written_singly_and_its_kind_switched_off() {
    for errno in [libc::EINVAL, libc::EIO] {
        let tun = Recorder::new(move |header| {
            let segmentation = header.segmentation?;
            (segmentation.kind == SegmentationKind::Tcp6).then_some(errno)
        });
        let offloads = Arc::new(Offloads::new(&OffloadSet::ALL));
        let coalescer = Coalescer::new(offloads.clone());
        let tcp6 = build(&train(&Recipe::tcp6(100), 3, 50));
        let packets = [tcp6, build(&train(&Recipe::tcp4(100), 3, 50))].concat();
        let (buffer, ranges) = batch(&packets);
        for _ in 0..2 {
            let stats = coalescer.write_all(&tun, &buffer, &ranges);
            assert_eq!((stats.packets, stats.writes, stats.dropped), (6, 4, 0));
            let writes = tun.writes();
            assert_eq!(shape(&writes), [1, 1, 1, 3]);
            assert_eq!(writes.iter().flat_map(cut).collect::<Vec<_>>(), packets);
            assert_eq!(offloads.state(Offload::TcpMerge6), State::Refused(errno));
            assert_eq!(offloads.state(Offload::TcpMerge4), State::On);
        }
    }
}

#[test]
fn a_device_that_is_down_is_not_taken_for_one_without_offloads() {
    let tun = Recorder::new(|_| Some(libc::EIO));
    let offloads = Arc::new(Offloads::new(&OffloadSet::ALL));
    let (buffer, ranges) = batch(&build(&train(&Recipe::tcp4(100), 4, 50)));
    let stats = Coalescer::new(offloads.clone()).write_all(&tun, &buffer, &ranges);
    assert_eq!((stats.packets, stats.dropped), (0, 4));
    assert_eq!(stats.error.unwrap().raw_os_error(), Some(libc::EIO));
    assert_eq!(offloads.state(Offload::TcpMerge4), State::On);
}

#[test]
fn a_want_of_memory_does_not_switch_anything_off() {
    let tun = Recorder::new(|header| header.segmentation.map(|_| libc::ENOBUFS));
    let offloads = Arc::new(Offloads::new(&OffloadSet::ALL));
    let (buffer, ranges) = batch(&build(&train(&Recipe::tcp4(100), 4, 50)));
    let stats = Coalescer::new(offloads.clone()).write_all(&tun, &buffer, &ranges);
    assert_eq!((stats.packets, stats.dropped), (4, 0));
    assert_eq!(offloads.state(Offload::TcpMerge4), State::On);
}

#[test]
fn nothing_is_written_to_a_device_that_is_gone() {
    let tun = Recorder::new(|_| Some(libc::EBADFD));
    let coalescer = Coalescer::new(Arc::new(Offloads::new(&OffloadSet::ALL)));
    let mut packets = vec![Recipe::tcp6(100).build()];
    packets.extend(build(&train(&Recipe::tcp4(100), 4, 50)));
    for skip in [0, 1] {
        let (buffer, ranges) = batch(&packets[skip..]);
        let stats = coalescer.write_all(&tun, &buffer, &ranges);
        assert_eq!((stats.packets, stats.dropped), (0, 5 - skip));
        assert!(is_gone(&stats.error.unwrap()));
    }
}

/// Trains of several flows, cut into pieces and interleaved.
fn traffic() -> impl Strategy<Value = Vec<Recipe>> {
    let one = (
        0..4usize,
        1..1600usize,
        1..12usize,
        any::<u32>(),
        0..3u8,
        any::<u16>(),
    );
    let train = (one, any::<proptest::sample::Index>(), any::<bool>()).prop_map(
        |((kind, size, count, sequence, flow, id), tail, pushed)| {
            let base = Recipe {
                sequence,
                flow,
                id,
                dont_fragment: false,
                ..all_kinds(size)[kind].clone()
            };
            let mut train = train(&base, count, 1 + tail.index(size));
            if let Some(last) = train.last_mut().filter(|_| pushed) {
                last.flags |= tcp_flag::PSH;
            }
            train
        },
    );
    (
        proptest::collection::vec(train, 1..8),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(|(trains, shuffle, seed)| {
            let mut packets = trains.concat();
            if shuffle {
                // Neighbours change places here and there.
                for at in 1..packets.len() {
                    if seed.rotate_left(at as u32) & 3 == 0 {
                        packets.swap(at - 1, at);
                    }
                }
            }
            packets
        })
}

proptest! {
    #[test]
    fn cutting_undoes_merging_packet_by_packet(traffic in traffic()) {
        let packets = build(&traffic);
        let again: Vec<Vec<u8>> = merge(&packets).iter().flat_map(cut).collect();
        prop_assert_eq!(again, packets);
    }

    #[test]
    fn merging_undoes_cutting(
        kind in 0..4usize,
        payload in 2..60_000usize,
        size in 1100u16..3000,
        pushed: bool,
    ) {
        let mut whole = all_kinds(payload)[kind].clone();
        if pushed {
            whole.flags |= tcp_flag::PSH;
        }
        let partial = whole.build_partial();
        let received = whole.received(0, Some(size));
        let header = Outgoing {
            segmentation: received.segmentation,
            checksum: received.checksum,
            header_len: whole.payload_at() as u16,
        };
        let writes = merge(&cut(&(header, partial.clone())));
        if payload > usize::from(size) {
            prop_assert_eq!(writes, [(header, partial)]);
        } else {
            prop_assert_eq!(writes, [(Outgoing::PLAIN, whole.build())]);
        }
    }

    #[test]
    fn no_bytes_panic_or_vanish(
        traffic in traffic(),
        damage in proptest::collection::vec(
            (any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()),
            0..10,
        ),
    ) {
        let mut packets = build(&traffic);
        for (which, at, byte) in damage {
            let which = which.index(packets.len());
            let at = at.index(packets[which].len().min(64));
            packets[which][at] = byte;
        }
        let writes = merge(&packets);
        let written: usize = writes.iter().map(|write| cut(write).len()).sum();
        prop_assert_eq!(written, packets.len());
    }
}

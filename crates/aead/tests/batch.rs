//! A batch against the same packets one by one, and every way in which a batch can be wrong.

use std::ops::Range;

use hushwire_aead::{AsPacket, Key, LayoutError, Packet, TAG_LEN};
use proptest::collection::vec;
use proptest::prelude::*;

const KEY: [u8; 32] = [0x42; 32];

/// Plaintexts with gaps before them, laid out in one buffer with room for the authenticators.
#[derive(Clone, Debug)]
struct Batch {
    buffer: Vec<u8>,
    plain: Vec<Packet>,
}

impl Batch {
    fn lay_out(pieces: &[(usize, Vec<u8>, u64)]) -> Self {
        let mut buffer = Vec::new();
        let mut plain = Vec::new();
        for (gap, bytes, counter) in pieces {
            buffer.resize(buffer.len() + gap, 0xee);
            plain.push(Packet {
                start: buffer.len(),
                len: bytes.len(),
                counter: *counter,
            });
            buffer.extend_from_slice(bytes);
            buffer.resize(buffer.len() + TAG_LEN, 0);
        }
        Self { buffer, plain }
    }

    fn sealed(&self) -> Vec<Packet> {
        let sealed = |packet: &Packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        };
        self.plain.iter().map(sealed).collect()
    }
}

fn bytes_of(buffer: &[u8], packet: Packet) -> &[u8] {
    &buffer[packet.start..packet.start + packet.len]
}

fn pieces(count: Range<usize>) -> impl Strategy<Value = Vec<(usize, Vec<u8>, u64)>> {
    let piece = (0..40_usize, vec(any::<u8>(), 0..1500), any::<u64>());
    vec(piece, count)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_is_its_packets_one_by_one(pieces in pieces(0..12)) {
        let key = Key::new(&KEY);
        let mut batch = Batch::lay_out(&pieces);
        let clear = batch.buffer.clone();
        key.seal_batch(&mut batch.buffer, &batch.plain).unwrap();

        let mut expected = clear.clone();
        for packet in &batch.plain {
            let (plain, rest) = expected[packet.start..].split_at_mut(packet.len);
            let tag = key.seal_detached(packet.counter, &[], plain).unwrap();
            rest[..TAG_LEN].copy_from_slice(&tag);
        }
        prop_assert_eq!(&batch.buffer, &expected);

        let mut verdicts = vec![false; batch.plain.len()];
        let sealed = batch.sealed();
        key.open_batch(&mut batch.buffer, &sealed, &mut verdicts).unwrap();
        prop_assert!(verdicts.iter().all(|&good| good));
        for &packet in &batch.plain {
            prop_assert_eq!(bytes_of(&batch.buffer, packet), bytes_of(&clear, packet));
        }
    }

    #[test]
    fn damage_condemns_the_packet_it_hits_and_no_other(
        pieces in pieces(1..12),
        hit in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let key = Key::new(&KEY);
        let mut batch = Batch::lay_out(&pieces);
        let clear = batch.buffer.clone();
        key.seal_batch(&mut batch.buffer, &batch.plain).unwrap();

        let at = hit.index(batch.buffer.len());
        batch.buffer[at] ^= 1 << bit;
        let sealed = batch.sealed();
        let mut verdicts = vec![false; sealed.len()];
        key.open_batch(&mut batch.buffer, &sealed, &mut verdicts).unwrap();

        for (index, &packet) in sealed.iter().enumerate() {
            let hit = (packet.start..packet.start + packet.len).contains(&at);
            prop_assert_eq!(verdicts[index], !hit);
            if hit {
                prop_assert!(bytes_of(&batch.buffer, packet).iter().all(|&byte| byte == 0));
            } else {
                let plain = batch.plain[index];
                prop_assert_eq!(bytes_of(&batch.buffer, plain), bytes_of(&clear, plain));
            }
        }
    }

    #[test]
    fn no_layout_panics_and_a_refused_one_changes_nothing(
        len in 0..200_usize,
        packets in vec((any::<(u8, u8)>(), any::<bool>()), 0..6),
        verdict_count in 0..6_usize,
    ) {
        let key = Key::new(&KEY);
        let packets: Vec<_> = packets
            .into_iter()
            .map(|((start, len), huge)| Packet {
                start: usize::from(start),
                len: if huge { usize::MAX - usize::from(len) } else { usize::from(len) },
                counter: 9,
            })
            .collect();
        let clear = vec![0xa5; len];

        let mut buffer = clear.clone();
        if key.seal_batch(&mut buffer, &packets).is_err() {
            prop_assert_eq!(&buffer, &clear);
        }
        let mut buffer = clear.clone();
        let mut verdicts = vec![true; verdict_count];
        if key.open_batch(&mut buffer, &packets, &mut verdicts).is_err() {
            prop_assert_eq!(&buffer, &clear);
            prop_assert!(verdicts.iter().all(|&good| !good));
        }
    }
}

#[test]
fn every_flipped_bit_and_every_other_counter_is_refused() {
    let key = Key::new(&KEY);
    let mut sealed = *b"twenty-one bytes here----------------";
    let plain = Packet {
        start: 0,
        len: 21,
        counter: 7,
    };
    let packet = Packet { len: 37, ..plain };
    key.seal_batch(&mut sealed, &[plain]).unwrap();

    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed;
        damaged[bit / 8] ^= 1 << (bit % 8);
        let mut verdict = [true];
        key.open_batch(&mut damaged, &[packet], &mut verdict)
            .unwrap();
        assert_eq!((verdict, damaged), ([false], [0; 37]), "bit {bit}");
    }
    for counter in [0, 6, 8, 7 << 8, 7 << 32, u64::MAX] {
        let mut verdict = [true];
        let moved = Packet { counter, ..packet };
        key.open_batch(&mut sealed.clone(), &[moved], &mut verdict)
            .unwrap();
        assert_eq!(verdict, [false], "counter {counter}");
    }
}

#[test]
fn a_packet_shorter_than_an_authenticator_fails_alone() {
    let key = Key::new(&KEY);
    let mut buffer = [0xff; 64];
    let plain = Packet {
        start: 20,
        len: 4,
        counter: 1,
    };
    key.seal_batch(&mut buffer, &[plain]).unwrap();
    let short = Packet {
        start: 0,
        len: 15,
        counter: 0,
    };
    let mut verdicts = [true, false];
    let batch = [short, Packet { len: 20, ..plain }];
    key.open_batch(&mut buffer, &batch, &mut verdicts).unwrap();
    assert_eq!(verdicts, [false, true]);
    assert_eq!(buffer[..15], [0; 15]);
    assert_eq!(buffer[15..24], [0xff; 9]);
}

#[test]
fn an_empty_plaintext_is_a_bare_authenticator() {
    let key = Key::new(&KEY);
    let mut buffer = [0; TAG_LEN];
    let plain = Packet {
        start: 0,
        len: 0,
        counter: 0,
    };
    key.seal_batch(&mut buffer, &[plain]).unwrap();
    assert_ne!(buffer, [0; TAG_LEN]);
    let mut verdict = [false];
    let packet = Packet {
        len: TAG_LEN,
        ..plain
    };
    key.open_batch(&mut buffer, &[packet], &mut verdict)
        .unwrap();
    assert_eq!(verdict, [true]);
}

#[test]
fn a_missing_verdict_is_an_error() {
    let key = Key::new(&KEY);
    let packet = Packet {
        start: 0,
        len: 16,
        counter: 0,
    };
    assert_eq!(
        key.open_batch(&mut [0; 16], &[packet], &mut []),
        Err(LayoutError::Verdicts {
            packets: 1,
            verdicts: 0
        })
    );
}

#[test]
fn a_batch_may_be_of_the_callers_own_type() {
    struct Segment(u16);
    impl AsPacket for Segment {
        fn as_packet(&self) -> Packet {
            Packet {
                start: usize::from(self.0) * 32,
                len: 16,
                counter: u64::from(self.0),
            }
        }
    }
    let key = Key::new(&KEY);
    let (mut own, mut plain) = ([3; 96], [3; 96]);
    key.seal_batch(&mut own, &[Segment(0), Segment(2)]).unwrap();
    key.seal_batch(
        &mut plain,
        &[Segment(0).as_packet(), Segment(2).as_packet()],
    )
    .unwrap();
    assert_eq!(own, plain);
    assert_eq!(own[32..64], [3; 32]);
}

#[test]
fn a_failed_message_with_associated_data_is_zeroed() {
    let key = Key::new(&KEY);
    let mut message = *b"secret";
    let tag = key.seal_detached(0, b"bound", &mut message).unwrap();
    let mut other = message;
    assert!(key.open_detached(0, b"other", &mut other, &tag).is_err());
    assert_eq!(other, [0; 6]);
    key.open_detached(0, b"bound", &mut message, &tag).unwrap();
    assert_eq!(&message, b"secret");
}

//! From one buffer into another is the same as in place after a copy, on every path.

mod common;

use common::{backends, fill};
use hushwire_aead::{
    AsRelocated, Backend, Compose, Composed, Key, LayoutError, Packet, Relocated, Slots, TAG_LEN,
};
use proptest::collection::vec;
use proptest::prelude::*;

const KEY: [u8; 32] = [0x42; 32];

/// Lengths of the parts of a packet.
#[derive(Clone, Copy, Debug)]
struct Parts {
    gap: usize,
    head: usize,
    body: usize,
    padding: usize,
    counter: u64,
}

impl Parts {
    const fn text_len(self) -> usize {
        self.head + self.body + self.padding
    }
}

fn parts() -> impl Strategy<Value = Vec<Parts>> {
    let head = prop::sample::select(vec![0_usize, 1, 20, 40, 52, 63, 64, 65, 72, 130]);
    let longest = prop::sample::select(vec![0_usize, 20, 100, 1400, 9000]);
    longest.prop_flat_map(move |longest| {
        let one = (
            0..40_usize,
            head.clone(),
            0..=longest,
            0..80_usize,
            0..200_u64,
        );
        let one = one.prop_map(|(gap, head, body, padding, counter)| Parts {
            gap,
            head,
            body,
            padding,
            counter,
        });
        vec(one, 0..40)
    })
}

/// The places of the plaintexts, and the length of the buffer.
fn places(parts: &[Parts]) -> (Vec<Packet>, usize) {
    let mut at = 0;
    let place = |parts: &Parts| {
        let start = at + parts.gap;
        at = start + parts.text_len() + TAG_LEN;
        Packet {
            start,
            len: parts.text_len(),
            counter: parts.counter,
        }
    };
    let places = parts.iter().map(place).collect();
    (places, at + 5)
}

fn sealed(packet: &Packet) -> Packet {
    Packet {
        len: packet.len + TAG_LEN,
        ..*packet
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill(seed, &mut bytes);
    bytes
}

fn key(backend: Backend) -> Key {
    Key::with_backend(&KEY, backend).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn composed_is_copied_then_sealed(parts in parts(), seed in any::<u64>()) {
        let (places, len) = places(&parts);
        let source = noise(seed, parts.iter().map(|parts| parts.body + 3).sum());
        let mut rest = &source[..];
        let composed: Vec<_> = places
            .iter()
            .zip(&parts)
            .map(|(place, parts)| {
                let (body, later) = rest[3..].split_at(parts.body);
                rest = later;
                Composed {
                    start: place.start,
                    head: parts.head,
                    body,
                    padding: parts.padding,
                    counter: parts.counter,
                }
            })
            .collect();

        let before = noise(!seed, len);
        let mut expected = before.clone();
        for packet in &composed {
            let text = &mut expected[packet.start + packet.head..];
            text[..packet.body.len()].copy_from_slice(packet.body);
            text[packet.body.len()..][..packet.padding].fill(0);
        }
        key(Backend::AwsLc).seal_batch(&mut expected, &places).unwrap();
        for backend in backends() {
            let mut buffer = before.clone();
            key(backend).seal_composed(&mut buffer, &composed[..]).unwrap();
            prop_assert!(buffer == expected, "{}", backend);
        }
    }

    #[test]
    fn relocated_is_opened_then_copied(
        parts in parts(),
        seed in any::<u64>(),
        hits in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let (places, len) = places(&parts);
        let mut source = noise(seed, len);
        key(Backend::AwsLc).seal_batch(&mut source, &places).unwrap();
        for hit in &hits {
            source[hit.index(len)] ^= 1;
        }
        let mut packets: Vec<_> = places.iter().map(sealed).collect();
        // One that cannot even hold an authenticator.
        if let Some(short) = packets.get_mut(hits.len()) {
            short.len = short.len.min(TAG_LEN - 1);
        }
        let mut opened = source.clone();
        let mut expected_verdicts = vec![false; packets.len()];
        key(Backend::AwsLc)
            .open_batch(&mut opened, &packets, &mut expected_verdicts)
            .unwrap();

        let mut at = 1;
        let mut relocated = Vec::new();
        let before = noise(!seed, len + 2 * packets.len() + 1);
        let mut expected = before.clone();
        for packet in &packets {
            let text = packet.len.saturating_sub(TAG_LEN);
            expected[at..][..text].copy_from_slice(&opened[packet.start..][..text]);
            relocated.push(Relocated {
                from: packet.start,
                len: packet.len,
                to: at,
                counter: packet.counter,
            });
            at += text + 2;
        }
        for backend in backends() {
            let mut buffer = before.clone();
            let mut verdicts = vec![true; packets.len()];
            key(backend)
                .open_relocated(&source, &mut buffer, &relocated, &mut verdicts)
                .unwrap();
            prop_assert_eq!(&verdicts, &expected_verdicts, "{}", backend);
            prop_assert!(buffer == expected, "{}", backend);
        }
    }
}

/// Head, whole lines, tail and padding begin and end at every place within a line.
#[test]
fn every_border_within_a_line() {
    let source = noise(9, 256);
    let before = noise(8, 512);
    for head in 0..=66 {
        for body in (0..=140).step_by(if head % 8 == 0 { 1 } else { 7 }) {
            let padding = (head + body) % 17;
            let composed = Composed {
                start: 3,
                head,
                body: &source[1..][..body],
                padding,
                counter: 5,
            };
            let mut expected = before.clone();
            expected[3 + head..][..body].copy_from_slice(composed.body);
            expected[3 + head + body..][..padding].fill(0);
            let place = Packet {
                start: 3,
                len: head + body + padding,
                counter: 5,
            };
            key(Backend::AwsLc)
                .seal_batch(&mut expected, &[place])
                .unwrap();
            for backend in backends() {
                let mut buffer = before.clone();
                let packets = [composed];
                key(backend).seal_composed(&mut buffer, &packets).unwrap();
                assert!(buffer == expected, "{backend}: {head} and {body}");
            }
        }
    }
}

#[test]
fn slots_hold_padded_packets() {
    const MTU: usize = 1420;
    const STRIDE: usize = 16 + MTU + TAG_LEN;
    let source = noise(3, 3 * MTU);
    let bodies = [
        &source[..MTU],
        &source[MTU..2 * MTU],
        &source[2 * MTU..][..100],
    ];
    let slots = Slots {
        bodies: &bodies,
        start: 16,
        stride: STRIDE,
        mtu: MTU,
        counter: 70,
    };
    for backend in backends() {
        let key = key(backend);
        let mut buffer = vec![0xee; 3 * STRIDE];
        key.seal_composed(&mut buffer, &slots).unwrap();
        for (index, body) in bodies.iter().enumerate() {
            assert_eq!(buffer[index * STRIDE..][..16], [0xee; 16], "{backend}");
            let packet = Packet {
                start: index * STRIDE + 16,
                len: slots.text_len(index) + TAG_LEN,
                counter: 70 + index as u64,
            };
            let mut verdict = [false];
            key.open_batch(&mut buffer, &[packet], &mut verdict)
                .unwrap();
            assert_eq!(verdict, [true], "{backend}");
            let (text, padding) =
                buffer[packet.start..][..slots.text_len(index)].split_at(body.len());
            assert_eq!(text, *body, "{backend}");
            assert!(padding.iter().all(|&byte| byte == 0), "{backend}");
        }
        assert_eq!(slots.text_len(2), 112);
    }
}

#[test]
fn a_list_may_be_of_the_callers_own_type() {
    struct Train<'a>(&'a [u8]);
    impl Compose for Train<'_> {
        fn count(&self) -> usize {
            2
        }
        fn composed(&self, index: usize) -> Composed<'_> {
            Composed {
                start: index * 48,
                head: 2,
                body: &self.0[index * 20..][..20],
                padding: 10,
                counter: index as u64,
            }
        }
    }
    struct Arrival(usize);
    impl AsRelocated for Arrival {
        fn as_relocated(&self) -> Relocated {
            Relocated {
                from: self.0 * 48,
                len: 48,
                to: self.0 * 32,
                counter: self.0 as u64,
            }
        }
    }
    let source = noise(1, 40);
    let key = Key::new(&KEY);
    let mut buffer = [7; 96];
    key.seal_composed(&mut buffer, &Train(&source)).unwrap();
    let (mut opened, mut verdicts) = ([0; 64], [false; 2]);
    key.open_relocated(
        &buffer,
        &mut opened,
        &[Arrival(0), Arrival(1)],
        &mut verdicts,
    )
    .unwrap();
    assert_eq!(verdicts, [true; 2]);
    for (index, text) in opened.chunks(32).enumerate() {
        assert_eq!(text[..2], [7; 2]);
        assert_eq!(text[2..22], source[index * 20..][..20]);
        assert_eq!(text[22..], [0; 10]);
    }
}

#[test]
fn a_refused_layout_changes_nothing() {
    let key = Key::new(&KEY);
    let mut buffer = [5; 40];
    let packet = Composed {
        start: 0,
        head: 0,
        body: &[0; 25],
        padding: 0,
        counter: 0,
    };
    let out = Err(LayoutError::OutOfBounds { packet: 0 });
    assert_eq!(key.seal_composed(&mut buffer, &[packet]), out);
    assert_eq!(buffer, [5; 40]);

    let packet = Relocated {
        from: 0,
        len: 40,
        to: 20,
        counter: 0,
    };
    let mut verdicts = [true];
    let opened = key.open_relocated(&[1; 40], &mut buffer, &[packet], &mut verdicts);
    assert_eq!((opened, verdicts, buffer), (out, [false], [5; 40]));
    let opened = key.open_relocated(&[1; 40], &mut buffer, &[packet], &mut []);
    let wrong = LayoutError::Verdicts {
        packets: 1,
        verdicts: 0,
    };
    assert_eq!(opened, Err(wrong));
}

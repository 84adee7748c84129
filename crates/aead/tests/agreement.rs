//! Every implementation against aws-lc-rs: lengths from nothing to 65,535 bytes, equal and mixed,
//! batches of 1 to 128 packets, wherever they lie in the buffer, and with damage on the way.

mod common;

use common::fill;
use hushwire_aead::{Backend, Key, Packet, TAG_LEN};
use proptest::collection::vec;
use proptest::prelude::*;

/// Most bytes of plaintext in one batch, so that the tests stay quick.
const TOTAL_MAX: usize = 400_000;

/// The implementations to be compared.
fn others() -> impl Iterator<Item = Backend> {
    common::backends().filter(|&backend| backend != Backend::AwsLc)
}

#[derive(Clone, Debug)]
struct Batch {
    seed: u64,
    plain: Vec<Packet>,
    buffer_len: usize,
}

impl Batch {
    fn lay_out(seed: u64, pieces: &[(usize, usize, u64)]) -> Self {
        let mut plain = Vec::new();
        let (mut at, mut total) = (0, 0);
        for &(gap, len, counter) in pieces {
            if total + len > TOTAL_MAX {
                break;
            }
            let start = at + gap;
            plain.push(Packet {
                start,
                len,
                counter,
            });
            (at, total) = (start + len + TAG_LEN, total + len);
        }
        Self {
            seed,
            plain,
            buffer_len: at + 7,
        }
    }

    fn key_bytes(&self) -> [u8; 32] {
        let mut key = [0; 32];
        fill(self.seed ^ 0x5555, &mut key);
        key
    }

    fn clear(&self) -> Vec<u8> {
        let mut buffer = vec![0; self.buffer_len];
        fill(self.seed, &mut buffer);
        buffer
    }

    fn sealed(&self) -> Vec<Packet> {
        let sealed = |packet: &Packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        };
        self.plain.iter().map(sealed).collect()
    }
}

fn batches() -> impl Strategy<Value = Batch> {
    let longest = prop::sample::select(vec![0_usize, 17, 100, 300, 1500, 9000, 65_535]);
    let lengths =
        (longest, any::<bool>(), 1..=128_usize).prop_flat_map(|(longest, equal, count)| {
            let one = 0..=longest;
            if equal {
                one.prop_map(move |len| vec![len; count]).boxed()
            } else {
                vec(one, count).boxed()
            }
        });
    // Mostly counters with their upper half in common, as those of a session have.
    let counters = prop_oneof![
        8 => 0..1_u64 << 32,
        2 => (1_u64 << 32) - 3..(1_u64 << 32) + 3,
        1 => any::<u64>(),
    ];
    (any::<u64>(), lengths).prop_flat_map(move |(seed, lengths)| {
        let gaps = vec((0..70_usize, counters.clone()), lengths.len());
        gaps.prop_map(move |gaps| {
            let pieces: Vec<_> = lengths
                .iter()
                .zip(gaps)
                .map(|(&len, (gap, counter))| (gap, len, counter))
                .collect();
            Batch::lay_out(seed, &pieces)
        })
    })
}

fn key(batch: &Batch, backend: Backend) -> Key {
    Key::with_backend(&batch.key_bytes(), backend).unwrap()
}

/// More than usual, unless as many as are asked for.
fn cases() -> u32 {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 400,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: cases(),
        ..ProptestConfig::default()
    })]

    #[test]
    fn sealed_by_one_is_sealed_by_all_and_opens_with_all(batch in batches()) {
        let mut expected = batch.clear();
        key(&batch, Backend::AwsLc).seal_batch(&mut expected, &batch.plain).unwrap();
        let mut opened = expected.clone();
        let sealed = batch.sealed();
        let mut verdicts = vec![false; sealed.len()];
        key(&batch, Backend::AwsLc).open_batch(&mut opened, &sealed, &mut verdicts).unwrap();

        for backend in others() {
            let key = key(&batch, backend);
            prop_assert_eq!(key.backend(), backend);
            let mut buffer = batch.clear();
            key.seal_batch(&mut buffer, &batch.plain).unwrap();
            prop_assert!(buffer == expected, "{}: sealed otherwise", backend);
            let mut verdicts = vec![false; sealed.len()];
            key.open_batch(&mut buffer, &sealed, &mut verdicts).unwrap();
            prop_assert!(verdicts.iter().all(|&good| good), "{}: {:?}", backend, verdicts);
            prop_assert!(buffer == opened, "{}: opened otherwise", backend);
        }
    }

    #[test]
    fn damage_is_found_by_all_and_zeroed_by_all(
        batch in batches(),
        hits in vec((any::<prop::sample::Index>(), 0..8_u32), 0..9),
    ) {
        let mut damaged = batch.clear();
        key(&batch, Backend::AwsLc).seal_batch(&mut damaged, &batch.plain).unwrap();
        for (at, bit) in &hits {
            damaged[at.index(batch.buffer_len)] ^= 1 << bit;
        }
        let mut sealed = batch.sealed();
        // One that cannot even hold an authenticator.
        let short = hits.len() % sealed.len();
        sealed[short].len = sealed[short].len.min(9);

        let mut expected = damaged.clone();
        let mut expected_verdicts = vec![false; sealed.len()];
        key(&batch, Backend::AwsLc)
            .open_batch(&mut expected, &sealed, &mut expected_verdicts)
            .unwrap();
        for backend in others() {
            let mut buffer = damaged.clone();
            let mut verdicts = vec![true; sealed.len()];
            key(&batch, backend).open_batch(&mut buffer, &sealed, &mut verdicts).unwrap();
            prop_assert_eq!(&verdicts, &expected_verdicts, "{}", backend);
            prop_assert!(buffer == expected, "{}: other bytes", backend);
        }
    }
}

/// Every length around the borders of blocks, lines and lanes, alone and in company.
#[test]
fn every_short_length_in_batches_of_every_small_size() {
    for count in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33] {
        for len in (0..=1100).filter(|len| len % 64 < 3 || len % 16 < 2 || *len < 300) {
            let pieces = vec![(3, len, 77); count];
            let batch = Batch::lay_out(len as u64, &pieces);
            let mut expected = batch.clear();
            key(&batch, Backend::AwsLc)
                .seal_batch(&mut expected, &batch.plain)
                .unwrap();
            for backend in others() {
                let mut buffer = batch.clear();
                key(&batch, backend)
                    .seal_batch(&mut buffer, &batch.plain)
                    .unwrap();
                assert!(buffer == expected, "{backend}: {count} of {len} bytes");
            }
        }
    }
}

//! Sealing and opening batches of packets, by implementation, size and number.

use std::time::{Duration, Instant};

use hushwire_aead::{Backend, Key, Packet, TAG_LEN};

use crate::case::{Case, Runner};

const SIZES: [usize; 4] = [64, 256, 1420, 8192];
const BATCHES: [usize; 3] = [1, 8, 45];
const HEADER_LEN: usize = 16;

/// How much is opened between two restorations of the ciphertext, in bytes: little enough to stay
/// in the cache, much enough that asking for the time does not count.
const DECK: usize = 1 << 16;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for backend in Backend::ALL.into_iter().filter(|b| b.is_supported()) {
        for size in SIZES {
            for batch in BATCHES {
                let name = |verb| format!("aead/{verb}/{}/{size}x{batch}", backend.name());
                let seal = Case::new(name("seal"), move || {
                    let mut batch = Batch::new(backend, size, batch);
                    move || batch.seal()
                });
                let open = Case::with_runner(name("open"), move || {
                    opener(Batch::new(backend, size, batch))
                });
                cases.extend([seal, open].map(|case| case.bytes(size * batch)));
            }
        }
    }
    cases
}

struct Batch {
    key: Key,
    packets: Vec<Packet>,
    buffer: Vec<u8>,
}

impl Batch {
    fn new(backend: Backend, size: usize, count: usize) -> Self {
        let stride = HEADER_LEN + size + TAG_LEN;
        let packet = |index| Packet {
            start: index * stride + HEADER_LEN,
            len: size,
            counter: index as u64,
        };
        Self {
            key: Key::with_backend(&[7; 32], backend).expect("a supported implementation"),
            packets: (0..count).map(packet).collect(),
            buffer: vec![0x55; count * stride],
        }
    }

    fn seal(&mut self) {
        let sealed = self.key.seal_batch(&mut self.buffer, &self.packets);
        sealed.expect("a good layout");
    }
}

/// Opening destroys the ciphertext, so a deck of copies is opened and then, off the clock, put back.
fn opener(mut batch: Batch) -> Runner {
    batch.seal();
    let ciphertext = batch.buffer;
    let packets: Vec<Packet> = batch
        .packets
        .iter()
        .map(|packet| Packet {
            len: packet.len + TAG_LEN,
            ..*packet
        })
        .collect();
    let mut verdicts = vec![false; packets.len()];
    let mut deck = vec![ciphertext.clone(); (DECK / ciphertext.len()).max(1)];
    Box::new(move |turns| {
        let (mut left, mut spent) = (turns, Duration::ZERO);
        while left > 0 {
            let now = left.min(deck.len() as u64);
            let copies = &mut deck[..now as usize];
            copies
                .iter_mut()
                .for_each(|copy| copy.copy_from_slice(&ciphertext));
            let start = Instant::now();
            for copy in copies {
                let opened = batch.key.open_batch(copy, &packets, &mut verdicts);
                opened.expect("a good layout");
                assert!(verdicts.iter().all(|&good| good), "a packet does not open");
            }
            spent += start.elapsed();
            left -= now;
        }
        spent
    })
}

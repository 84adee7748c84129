//! No counter is sealed twice, and none is accepted twice.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::constants::REJECT_AFTER_MESSAGES;
use crate::crypto::Packet;
use crate::keypair::Role;

use super::{NOW, explore, keypair};

/// Three threads reserve runs where the counters end: all are distinct, none is behind the end, and
/// what is refused leaves room for who wants less.
#[test]
fn runs_are_apart_and_end_at_the_limit() {
    explore(3, || {
        let keypair = keypair(Role::Initiator, 1);
        keypair.set_counter(REJECT_AFTER_MESSAGES - 6);
        let reserve = |counts: &'static [u64]| {
            let keypair = Arc::clone(&keypair);
            loom::thread::spawn(move || -> Vec<(u64, u64)> {
                let run = |count: &u64| Some((keypair.reserve(NOW, *count)?, *count));
                counts.iter().filter_map(run).collect()
            })
        };
        let threads = [reserve(&[3, 1]), reserve(&[2, 4])];
        let mut runs: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        while let Some(first) = keypair.reserve(NOW, 1) {
            runs.push((first, 1));
        }
        runs.sort_unstable();
        let mut next = REJECT_AFTER_MESSAGES - 6;
        for (first, count) in runs {
            assert_eq!(first, next, "neither twice nor left out");
            next = first + count;
        }
        assert_eq!(next, REJECT_AFTER_MESSAGES);
    });
}

/// Two threads open the same packets, in different order: each is taken once.
#[test]
fn a_packet_that_two_threads_open_is_taken_once() {
    explore(3, || {
        let keypair = keypair(Role::Initiator, 1);
        let open = |counters: [u64; 2]| {
            let keypair = Arc::clone(&keypair);
            loom::thread::spawn(move || {
                counters.map(|counter| {
                    let packet = Packet {
                        counter,
                        ..Packet::default()
                    };
                    let mut verdict = [false];
                    keypair.open_batch(NOW, &mut vec![0; 32], &[packet], &mut verdict);
                    verdict[0]
                })
            })
        };
        let (one, other) = (open([7, 9]), open([9, 7]));
        let ([one7, one9], [other9, other7]) = (one.join().unwrap(), other.join().unwrap());
        assert!(one7 ^ other7 && one9 ^ other9);
    });
}

//! Small windows in every state that they can be in.
//!
//! A state is the window together with what a window *should* remember: the newest counter and
//! which of those within reach behind it were seen. From the empty window on, every counter is
//! offered in every state that was reached, until no new state turns up. What holds there holds for
//! sequences of counters of any length.

use alloc::collections::{BTreeSet, VecDeque};
use core::ops::RangeInclusive;

use super::{REJECT_AFTER_MESSAGES, Ring};

/// What the paper asks for, with a set in place of a bitmap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Memory {
    newest: Option<u64>,
    /// The seen counters that are not too old to be told from others.
    seen: BTreeSet<u64>,
}

impl Memory {
    fn check_and_update(&mut self, counter: u64, reach: u64) -> bool {
        let too_old = self
            .newest
            .is_some_and(|newest| counter < newest.saturating_sub(reach));
        if counter >= REJECT_AFTER_MESSAGES || too_old || !self.seen.insert(counter) {
            return false;
        }
        let newest = self.newest.max(Some(counter));
        self.newest = newest;
        self.seen
            .retain(|seen| *seen >= newest.unwrap_or(0).saturating_sub(reach));
        true
    }
}

/// Offers each of `counters` in every state; returns how many states there are.
fn explore<const WORDS: usize, const WORD_BITS: u64>(counters: RangeInclusive<u64>) -> usize {
    let start = (Ring::<WORDS, WORD_BITS>::new(), Memory::default());
    let mut known = BTreeSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    while let Some(state) = open.pop_front() {
        for counter in counters.clone() {
            let (mut ring, mut memory) = state.clone();
            let expected = memory.check_and_update(counter, (WORDS as u64 - 1) * WORD_BITS);
            let new = ring.check_and_update(counter);
            assert_eq!(new, expected, "{counter} in {state:?}");
            assert!(
                !ring.check_and_update(counter),
                "{counter} twice in {state:?}"
            );
            let next = (ring, memory);
            if !known.contains(&next) {
                known.insert(next.clone());
                open.push_back(next);
            }
        }
    }
    known.len()
}

#[test]
fn windows_of_every_small_shape_accept_what_is_new_and_nothing_twice() {
    // Four turns of the ring each.
    assert!(explore::<2, 1>(0..=8) > 16);
    assert!(explore::<2, 3>(0..=24) > 100);
    assert!(explore::<3, 1>(0..=12) > 40);
    assert!(explore::<3, 2>(0..=24) > 300);
    assert!(explore::<3, 3>(0..=36) > 1500);
    assert!(explore::<4, 1>(0..=16) > 100);
    assert!(explore::<4, 2>(0..=32) > 1500);
    assert!(explore::<5, 2>(0..=40) > 5000);
}

#[test]
fn the_same_at_the_end_of_a_session() {
    let end = REJECT_AFTER_MESSAGES;
    assert!(explore::<3, 2>(end - 10..=end + 2) > 50);
    assert!(explore::<4, 2>(end - 14..=end + 1) > 300);
    assert!(explore::<3, 2>(u64::MAX - 2..=u64::MAX) == 1);
}

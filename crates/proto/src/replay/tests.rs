//! Edges, and a naive model.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The paper: 2^64 - 2^13 - 1.
const REJECT_AFTER: u64 = u64::MAX - 8192;

/// The window that this replaces: 8192 bits, of which 64 are in flux.
const USABLE: u64 = 8192 - 64;

#[test]
fn constants_are_those_of_the_paper_and_of_the_kernel() {
    assert_eq!(WINDOW, USABLE);
    assert_eq!(REJECT_AFTER_MESSAGES, REJECT_AFTER);
}

#[test]
fn every_counter_is_new_once() {
    let mut window = ReplayWindow::new();
    for counter in [0, 1, 9, 8, 7, 7 + 64, 8192, 9000, 8999] {
        assert!(window.check_and_update(counter), "{counter}");
        assert!(!window.check_and_update(counter), "{counter} again");
    }
}

#[test]
fn zero_is_new_even_if_it_is_not_first() {
    let mut window = ReplayWindow::new();
    assert!(window.check_and_update(1));
    assert!(window.check_and_update(0));
    assert!(!window.check_and_update(0));
}

#[test]
fn the_edge_of_the_window() {
    for newest in [
        USABLE,
        USABLE + 1,
        10_000,
        8191,
        8192,
        1 << 40,
        REJECT_AFTER - 1,
    ] {
        let mut window = ReplayWindow::new();
        assert!(window.check_and_update(newest));
        let edge = newest.checked_sub(USABLE);
        if let Some(edge) = edge {
            assert!(window.check_and_update(edge), "{newest}");
            assert!(!window.check_and_update(edge), "{newest}");
        }
        if let Some(outside) = edge.and_then(|edge| edge.checked_sub(1)) {
            assert!(!window.check_and_update(outside), "{newest}");
        }
    }
}

#[test]
fn the_end_of_a_session() {
    let mut window = ReplayWindow::new();
    assert!(!window.check_and_update(u64::MAX));
    assert!(!window.check_and_update(REJECT_AFTER + 1));
    assert!(!window.check_and_update(REJECT_AFTER));
    assert!(window.check_and_update(REJECT_AFTER - 1));
    assert!(!window.check_and_update(REJECT_AFTER - 1));
    assert!(window.check_and_update(REJECT_AFTER - 1 - USABLE));
    assert!(!window.check_and_update(0));
}

#[test]
fn a_leap_forgets_nothing_that_matters() {
    for leap in [
        63,
        64,
        65,
        8127,
        8128,
        8129,
        8191,
        8192,
        8193,
        1 << 32,
        1 << 63,
    ] {
        let mut window = ReplayWindow::new();
        for counter in 0..64 {
            assert!(window.check_and_update(counter));
        }
        assert!(window.check_and_update(63 + leap));
        for counter in 0..64 {
            assert!(!window.check_and_update(counter), "{counter} after {leap}");
        }
        // All between is new.
        for counter in (64..63 + leap).rev().take(8000) {
            assert!(window.check_and_update(counter), "{counter} after {leap}");
        }
    }
}

#[test]
fn an_unused_window_takes_no_memory() {
    let mut window = ReplayWindow::new();
    assert!(!window.check_and_update(u64::MAX));
    assert!(window.0.words.is_none());
    assert!(size_of::<ReplayWindow>() <= 16);
}

#[test]
fn a_batch_leaves_what_did_not_authenticate_alone() {
    let mut window = ReplayWindow::new();
    let mut verdicts = [true, true, false, true, true];
    window.check_batch([5, 5, 100_000, 4, 6], &mut verdicts);
    assert_eq!(verdicts, [true, false, false, true, true]);
    assert!(window.check_and_update(7));
    assert!(window.check_and_update(100_000));
}

/// Remembers everything.
#[derive(Default)]
struct Naive {
    seen: BTreeSet<u64>,
}

impl Naive {
    fn check_and_update(&mut self, counter: u64) -> bool {
        let newest = self.seen.last().copied().unwrap_or(0);
        let old = counter.saturating_add(USABLE) < newest;
        counter < REJECT_AFTER && !old && self.seen.insert(counter)
    }
}

/// Counters near one another, around places that matter.
fn counters() -> impl Strategy<Value = Vec<u64>> {
    let base = prop_oneof![
        Just(0),
        Just(USABLE),
        Just(8192 * 3),
        Just(u64::from(u32::MAX)),
        Just(REJECT_AFTER - 8192),
        Just(u64::MAX - 20_000),
    ];
    let step = prop_oneof![
        8 => 0..130_u64,
        4 => 8000..8400_u64,
        2 => 0..20_000_u64,
        1 => any::<u64>(),
    ];
    (base, vec(step, 1..200)).prop_map(|(base, steps)| {
        let near = |step: u64| base.saturating_add(step);
        steps.into_iter().map(near).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_window_is_a_set_with_a_short_memory(counters in counters()) {
        let (mut window, mut naive) = (ReplayWindow::new(), Naive::default());
        for counter in counters {
            let expected = naive.check_and_update(counter);
            prop_assert_eq!(window.check_and_update(counter), expected, "{}", counter);
        }
    }

    /// Reordered within the window: everything arrives once.
    #[test]
    fn reordering_loses_nothing(shuffled in Just((0..4000_u64).collect::<Vec<_>>()).prop_shuffle()) {
        let mut window = ReplayWindow::new();
        for counter in &shuffled {
            prop_assert!(window.check_and_update(*counter));
        }
        for counter in &shuffled {
            prop_assert!(!window.check_and_update(*counter));
        }
    }
}

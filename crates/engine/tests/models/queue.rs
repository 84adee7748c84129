//! The queue of handshakes, and the turnstile of control clients.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};

use crate::bounded::Bounded;
use crate::explore;
use crate::turnstile::Turnstile;
use crate::wait::Wake;

/// Two receiving threads push while the control thread, woken as they say, pops: below the capacity
/// nothing is lost, nothing comes twice, each sender's messages come in order, and the control
/// thread does not sleep while something waits.
#[test]
fn nothing_is_lost_and_the_control_thread_wakes() {
    explore(3, || {
        let queue = Arc::new((Bounded::new(4), Wake::new().unwrap()));
        let push = |items: [u32; 2]| {
            let queue = Arc::clone(&queue);
            loom::thread::spawn(move || {
                for item in items {
                    if queue.0.push(item).expect("room for it") {
                        queue.1.wake();
                    }
                }
            })
        };
        let threads = [push([1, 2]), push([11, 12])];
        let mut taken = Vec::new();
        let turn = |taken: &mut Vec<u32>| {
            if queue.1.take() {
                while let Some((item, depth)) = queue.0.pop() {
                    assert!(depth > 0);
                    taken.push(item);
                }
            }
        };
        turn(&mut taken);
        for thread in threads {
            thread.join().unwrap();
        }
        turn(&mut taken);
        for (first, second) in [(1, 2), (11, 12)] {
            let at = |wanted| taken.iter().position(|item| *item == wanted);
            assert!(at(first) < at(second) && at(first).is_some(), "{taken:?}");
        }
        assert_eq!(taken.len(), 4);
    });
}

/// A full queue drops what comes, and only that.
#[test]
fn a_full_queue_drops_the_newest() {
    explore(3, || {
        let queue = Arc::new(Bounded::new(2));
        let push = |item: u32| {
            let queue = Arc::clone(&queue);
            loom::thread::spawn(move || queue.push(item).is_some())
        };
        let threads = [push(1), push(2)];
        let mut taken: Vec<u32> = queue.pop().map(|(item, _)| item).into_iter().collect();
        let third = queue.push(3).is_some();
        let pushed = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap().then_some(()))
            .count();
        taken.extend(std::iter::from_fn(|| queue.pop()).map(|(item, _)| item));
        assert_eq!(taken.len(), pushed + usize::from(third));
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), pushed + usize::from(third), "none twice");
        assert!(taken.len() >= 2);
    });
}

/// One client's set at a time.
#[test]
fn the_turnstile_lets_one_in_at_a_time() {
    explore(3, || {
        let shared = Arc::new((Turnstile::new(), AtomicUsize::new(0)));
        let go = || {
            let shared = Arc::clone(&shared);
            move || {
                shared.0.enter();
                assert_eq!(shared.1.fetch_add(1, Ordering::Relaxed), 0);
                shared.1.fetch_sub(1, Ordering::Relaxed);
                shared.0.leave();
            }
        };
        let threads = [loom::thread::spawn(go()), loom::thread::spawn(go())];
        go()();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

//! Work that is handed over: performed once, taken back in order, by an owner that never sleeps for
//! nothing.
//!
//! A helper that panics is not among the models, as loom's threads share one: what puts work back
//! then is what puts it back always (`Claim::drop`), and `src/handoff/tests.rs` has the panic.

use std::sync::Arc;

use crate::explore;
use crate::handoff::{Handoff, Helper, Pool, Source, Work};
use crate::wait::{Wake, wait};

/// A piece of work that knows its number and how often it was performed. To be performed may wake
/// somebody.
#[derive(Default)]
struct Piece {
    number: u32,
    performed: u32,
    wakes: Option<Arc<Wake>>,
}

impl Work for Piece {
    fn perform(&mut self) {
        self.performed += 1;
        if let Some(wake) = &self.wakes {
            wake.wake();
        }
    }
}

fn piece(number: u32) -> Box<Piece> {
    Box::new(Piece {
        number,
        ..Piece::default()
    })
}

/// Notes the number of a piece that was performed once.
fn note(delivered: &mut Vec<u32>) -> impl FnMut(&mut Piece) {
    |piece| {
        assert_eq!(piece.performed, 1, "of {}", piece.number);
        delivered.push(piece.number);
        *piece = Piece::default();
    }
}

/// The owner with so many slots, and as many helpers in the pool as asked for.
struct World {
    handoff: Handoff<Piece>,
    pool: Arc<Pool>,
    helpers: Vec<loom::thread::JoinHandle<()>>,
}

impl World {
    fn new(slots: usize, helpers: usize) -> Self {
        let pool = Arc::new(Pool::new(helpers));
        let spare = (0..slots).map(|_| Box::default()).collect();
        let handoff = Handoff::new(Arc::clone(&pool), spare);
        let helpers = (0..helpers).map(|_| {
            let sources = vec![Arc::clone(handoff.ring()) as Arc<dyn Source>];
            let helper = Helper::new(Arc::clone(&pool), sources);
            loom::thread::spawn(move || helper.run())
        });
        Self {
            helpers: helpers.collect(),
            handoff,
            pool,
        }
    }

    fn stop(self) {
        self.pool.stop();
        for helper in self.helpers {
            helper.join().unwrap();
        }
    }
}

#[test]
fn all_is_performed_once_and_delivered_in_order() {
    for (helpers, preemptions) in [(1, 3), (2, 2)] {
        explore(preemptions, move || {
            let mut world = World::new(2, helpers);
            let mut delivered = Vec::new();
            for number in 0..3 {
                let handoff = &mut world.handoff;
                handoff.pass_on(&mut piece(number), note(&mut delivered));
            }
            let handoff = &mut world.handoff;
            handoff.finish(Some(&mut piece(3)), note(&mut delivered));
            assert_eq!(delivered, [0, 1, 2, 3]);
            assert!(world.handoff.is_empty());
            world.stop();
        });
    }
}

/// The owner goes on with other things and leaves both to the helpers: whoever of them falls asleep
/// while something waits, loom finds a deadlock.
#[test]
fn nobody_who_was_called_sleeps_while_something_waits() {
    for (helpers, preemptions) in [(1, 3), (2, 2)] {
        explore(preemptions, move || {
            let mut world = World::new(2, helpers);
            let wakes: [Arc<Wake>; 2] = std::array::from_fn(|_| Arc::new(Wake::new().unwrap()));
            let mut delivered = Vec::new();
            for (number, wake) in (0..).zip(&wakes) {
                let mut work = piece(number);
                work.wakes = Some(Arc::clone(wake));
                world.handoff.pass_on(&mut work, note(&mut delivered));
            }
            wakes.iter().for_each(|wake| wait([&**wake]));
            world.handoff.finish(None, note(&mut delivered));
            assert_eq!(delivered, [0, 1]);
            world.stop();
        });
    }
}

/// Helpers that sleep, look around or work, and one that only comes: all end.
#[test]
fn a_stop_reaches_every_helper() {
    explore(2, || {
        let mut world = World::new(1, 2);
        let mut delivered = Vec::new();
        world.handoff.pass_on(&mut piece(0), note(&mut delivered));
        world.pool.stop();
        // The owner ends by itself and takes its time.
        world
            .handoff
            .finish(Some(&mut piece(1)), note(&mut delivered));
        assert_eq!(delivered, [0, 1]);
        world.stop();
    });
}

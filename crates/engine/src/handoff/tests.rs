//! What is handed over, with threads of the system and without.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;

use proptest::prelude::*;

use crate::handoff::{Handoff, Helper, Pool, Work};

/// A piece of work that knows its number and how often it was performed.
#[derive(Default)]
struct Piece {
    number: u32,
    performed: u32,
    /// Not by anybody else than the thread that made it.
    panics: bool,
}

impl Work for Piece {
    fn perform(&mut self) {
        self.performed += 1;
        assert!(!self.panics, "it was to panic");
    }
}

fn handoff(slots: usize) -> Handoff<Piece> {
    let spare = (0..slots).map(|_| Box::default()).collect();
    Handoff::new(Arc::new(Pool::new(1)), spare)
}

fn piece(number: u32) -> Box<Piece> {
    Box::new(Piece {
        number,
        ..Piece::default()
    })
}

/// Notes the number of a piece that was performed once, and empties it.
fn note(delivered: &mut Vec<u32>) -> impl FnMut(&mut Piece) {
    |piece| {
        assert_eq!(piece.performed, 1, "of {}", piece.number);
        delivered.push(piece.number);
        *piece = Piece::default();
    }
}

#[test]
fn without_a_helper_the_owner_performs_everything_in_order() {
    let mut handoff = handoff(2);
    let mut delivered = Vec::new();
    for number in 0..10 {
        handoff.pass_on(&mut piece(number), note(&mut delivered));
        let under_way = number as usize + 1 - delivered.len();
        assert!(under_way <= 2, "{under_way}");
    }
    handoff.finish(Some(&mut piece(10)), note(&mut delivered));
    assert!(handoff.is_empty());
    assert_eq!(delivered, (0..=10).collect::<Vec<_>>());
}

#[test]
fn what_a_helper_has_performed_is_delivered_at_the_next_opportunity() {
    let mut handoff = handoff(4);
    let mut delivered = Vec::new();
    handoff.pass_on(&mut piece(0), note(&mut delivered));
    handoff.deliver_performed(note(&mut delivered));
    assert!(delivered.is_empty() && !handoff.is_empty());
    assert!(handoff.ring().help());
    assert!(!handoff.ring().help());
    handoff.deliver_performed(note(&mut delivered));
    assert!(delivered == [0] && handoff.is_empty());
}

#[test]
fn the_owner_gets_empty_buffers_in_exchange_and_makes_no_new_ones() {
    let mut handoff = handoff(2);
    let mut work = piece(0);
    let mut places = BTreeSet::new();
    for number in 1..100 {
        handoff.pass_on(&mut work, |piece| *piece = Piece::default());
        assert_eq!((work.number, work.performed), (0, 0));
        work.number = number;
        places.insert(std::ptr::from_ref(&*work).addr());
    }
    assert_eq!(places.len(), 3);
}

#[test]
fn a_helper_that_panics_keeps_nobody_waiting() {
    let mut handoff = handoff(2);
    let mut delivered = Vec::new();
    let mut bad = piece(0);
    bad.panics = true;
    handoff.pass_on(&mut bad, note(&mut delivered));
    handoff.pass_on(&mut piece(1), note(&mut delivered));
    let ring = Arc::clone(handoff.ring());
    let ended = thread::spawn(move || ring.help()).join();
    assert!(ended.is_err());
    handoff.finish(None, note(&mut delivered));
    assert_eq!(delivered, [0, 1]);
    assert!(handoff.is_empty());
}

#[test]
fn a_panic_of_the_owner_leaves_the_ring_usable() {
    let mut handoff = handoff(2);
    let mut bad = piece(0);
    bad.panics = true;
    let mut delivered = Vec::new();
    handoff.pass_on(&mut bad, note(&mut delivered));
    let panicked = catch_unwind(AssertUnwindSafe(|| handoff.finish(None, |_| {})));
    assert!(panicked.is_err());
    handoff.pass_on(&mut piece(1), note(&mut delivered));
    handoff.finish(Some(&mut piece(2)), note(&mut delivered));
    assert_eq!(delivered, [1, 2]);
}

/// Work that takes until somebody says so.
struct Slow {
    begun: mpsc::Sender<()>,
    end: mpsc::Receiver<()>,
}

impl Work for Option<Slow> {
    fn perform(&mut self) {
        if let Some(slow) = self {
            slow.begun.send(()).unwrap();
            slow.end.recv().unwrap();
        }
    }
}

#[test]
fn a_helper_is_woken_and_the_owner_waits_while_it_performs() {
    let pool = Arc::new(Pool::new(1));
    let mut handoff = Handoff::new(Arc::clone(&pool), vec![Box::new(None)]);
    let helper = Helper::new(Arc::clone(&pool), vec![Arc::clone(handoff.ring()) as _]);
    let helper = thread::spawn(move || helper.run());
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let mut slow = Box::new(Some(Slow {
        begun: begin,
        end: ended,
    }));
    handoff.pass_on(&mut slow, |_| panic!("not performed yet"));
    begun.recv().unwrap();
    handoff.deliver_performed(|_| panic!("not performed yet"));
    let ender = thread::spawn(move || end.send(()).unwrap());
    let mut delivered = 0;
    handoff.finish(None, |slow| {
        assert!(slow.take().is_some());
        delivered += 1;
    });
    assert_eq!(delivered, 1);
    ender.join().unwrap();
    pool.stop();
    helper.join().unwrap();
    assert_eq!(pool.helped(), 1);
}

#[test]
fn what_nobody_comes_for_is_taken_back_and_then_kept_for_a_while() {
    let mut handoff = handoff(4);
    let mut delivered = Vec::new();
    handoff.pass_on(&mut piece(0), note(&mut delivered));
    for _ in 0..64 {
        assert!(delivered.is_empty());
        handoff.deliver_performed(note(&mut delivered));
    }
    handoff.deliver_performed(note(&mut delivered));
    assert_eq!(delivered, [0]);
    // Performed at once, by the owner.
    handoff.pass_on(&mut piece(1), note(&mut delivered));
    assert!(delivered == [0, 1] && handoff.is_empty());
    // The pause is over.
    handoff.pass_on(&mut piece(2), note(&mut delivered));
    assert!(!handoff.is_empty() && handoff.ring().help());
    handoff.finish(None, note(&mut delivered));
    assert_eq!(delivered, [0, 1, 2]);
}

/// What can happen, one at a time.
#[derive(Clone, Copy, Debug)]
enum Step {
    PassOn,
    DeliverPerformed,
    Finish { last: bool },
    Help,
    HelpWithAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::PassOn),
        2 => Just(Step::DeliverPerformed),
        1 => any::<bool>().prop_map(|last| Step::Finish { last }),
        4 => Just(Step::Help),
        1 => Just(Step::HelpWithAll),
    ]
}

proptest! {
    /// All comes once, in order, and no later than it may.
    #[test]
    fn everything_is_delivered_once_in_order(
        slots in 1..5_usize,
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let mut handoff = handoff(slots);
        let mut delivered = Vec::new();
        let mut passed = 0;
        for step in steps {
            match step {
                Step::PassOn => {
                    handoff.pass_on(&mut piece(passed), note(&mut delivered));
                    passed += 1;
                }
                Step::DeliverPerformed => handoff.deliver_performed(note(&mut delivered)),
                Step::Finish { last } => {
                    let mut work = last.then(|| piece(passed));
                    handoff.finish(work.as_mut(), note(&mut delivered));
                    passed += u32::from(last);
                    prop_assert!(handoff.is_empty());
                }
                Step::Help => {
                    handoff.ring().help();
                }
                Step::HelpWithAll => {
                    while handoff.ring().help() {}
                    handoff.deliver_performed(note(&mut delivered));
                    prop_assert!(handoff.is_empty());
                }
            }
            let under_way = passed as usize - delivered.len();
            prop_assert!(under_way <= slots);
            prop_assert_eq!(handoff.is_empty(), under_way == 0);
        }
        handoff.finish(None, note(&mut delivered));
        prop_assert_eq!(delivered, (0..passed).collect::<Vec<_>>());
    }
}

//! Ordered hand-off of work to idle cores.
//!
//! The thread that has a flow to itself, its *owner*, hands full buffers over and goes on filling
//! others. *Helpers*, threads of the device that sleep otherwise, perform the costly part of the
//! work in any order; the owner takes all of it back in the order in which it was handed over. What
//! no helper has claimed by then the owner performs itself, and a helper that ends costs nobody
//! anything. The owner waits for others only while one of them is in the middle of what it needs
//! next and nothing else waits. When nobody comes, as on a machine without an idle core, the owner
//! keeps its buffers and tries again after a while.
//!
//! Nothing is allocated after the start: buffers go round between owner and ring.

mod eagerness;
mod pool;
mod ring;

use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use pool::{Helper, Pool, Source};
pub(crate) use ring::{Oldest, Ring, Taken};

use eagerness::Eagerness;

/// What can be handed over.
pub(crate) trait Work: Send + 'static {
    /// Does the costly part, once. Work that a panic has cut short is taken back all the same.
    fn perform(&mut self);
}

/// The most helpers that a device gets by itself.
const HELPERS_MAX: usize = 4;

/// How many helpers a device on this machine gets by itself: none with fewer than four cores, where
/// the two threads of a flow and whoever uses it leave none idle; else one for each two cores, at
/// most four. The cipher is half of what the thread of a flow does or less, so one or two keep up
/// with it in each direction, and more would wait.
#[must_use]
pub fn default_helpers() -> usize {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        0..4 => 0,
        cores => (cores / 2).min(HELPERS_MAX),
    }
}

/// How many pieces of work can be under way. Enough for a helper to find the next one when it has
/// finished the last, few enough that no packet waits for long.
pub(crate) const SLOTS: usize = 4;

/// How often the owner looks for its oldest work before it takes it back: as long as it takes to
/// read that many small packets, some 0.1 ms, and longer than it takes to wake somebody.
const PATIENCE: usize = 64;

/// The owner's side: what it has handed over, and empty buffers in exchange.
pub(crate) struct Handoff<W> {
    ring: Arc<Ring<W>>,
    pool: Arc<Pool>,
    /// Empty ones, as many as there are free slots.
    spare: Vec<Box<W>>,
    slots: usize,
    /// Whether a helper was called for it, of all that is under way.
    called: VecDeque<bool>,
    /// How often the owner has looked for the oldest in vain.
    looks: usize,
    eagerness: Eagerness,
}

impl<W: Work> Handoff<W> {
    /// With room for as many pieces of work as there are `spare` ones, which are empty.
    pub(crate) fn new(pool: Arc<Pool>, spare: Vec<Box<W>>) -> Self {
        let slots = spare.len();
        Self {
            ring: Arc::new(Ring::new(slots)),
            pool,
            spare,
            slots,
            called: VecDeque::with_capacity(slots),
            looks: 0,
            eagerness: Eagerness::default(),
        }
    }

    /// Where helpers find the work.
    pub(crate) fn ring(&self) -> &Arc<Ring<W>> {
        &self.ring
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.spare.len() == self.slots
    }

    /// Hands `work` over, calls a helper for it, and leaves an empty one in its place; or performs
    /// and delivers it at once, while calls have been for nothing. What has been performed by now
    /// goes to `deliver` first to last, and is empty when that returns.
    pub(crate) fn pass_on(&mut self, work: &mut Box<W>, mut deliver: impl FnMut(&mut W)) {
        self.deliver_performed(&mut deliver);
        if self.spare.is_empty() {
            self.make_room(&mut deliver);
        }
        if self.eagerness.calls() {
            self.push(work, true);
            self.pool.call();
        } else {
            self.finish(None, &mut deliver);
            work.perform();
            deliver(work);
        }
    }

    /// Delivers what has been performed by now, and takes all back if nobody has come for it in a
    /// while.
    pub(crate) fn deliver_performed(&mut self, mut deliver: impl FnMut(&mut W)) {
        while !self.is_empty() {
            match self.ring.look() {
                Oldest::Performed(work) => {
                    self.eagerness.succeed();
                    self.put_back(work, &mut deliver);
                }
                Oldest::Waiting if self.looks >= PATIENCE => {
                    self.eagerness.fail();
                    return self.finish(None, deliver);
                }
                Oldest::Waiting => {
                    self.looks += 1;
                    return;
                }
                Oldest::Claimed | Oldest::Nothing => return,
            }
        }
    }

    /// Delivers all that is under way and `last`, if there is more.
    pub(crate) fn finish(&mut self, last: Option<&mut Box<W>>, mut deliver: impl FnMut(&mut W)) {
        if let Some(work) = last {
            if self.spare.is_empty() {
                self.deliver_oldest(&mut deliver);
            }
            // Nobody is called: there is nothing better to do now than to perform it.
            self.push(work, false);
        }
        while self.deliver_oldest(&mut deliver) {}
    }

    /// Delivers the oldest; all, if nobody has come even for that.
    fn make_room(&mut self, deliver: &mut impl FnMut(&mut W)) {
        match self.ring.look() {
            Oldest::Performed(work) => self.put_back(work, deliver),
            Oldest::Waiting => {
                self.eagerness.fail();
                self.finish(None, deliver);
            }
            Oldest::Claimed | Oldest::Nothing => {
                self.deliver_oldest(deliver);
            }
        }
    }

    fn push(&mut self, work: &mut Box<W>, called: bool) {
        if let Some(empty) = self.spare.pop() {
            self.called.push_back(called);
            self.ring.push(std::mem::replace(work, empty));
        }
    }

    /// Returns whether there was anything.
    fn deliver_oldest(&mut self, deliver: &mut impl FnMut(&mut W)) -> bool {
        if self.is_empty() {
            return false;
        }
        let work = match self.ring.take() {
            // Whether the owner would have been faster is hard to tell: no success, no failure.
            Some(Taken::Performed(work)) => work,
            Some(Taken::Back(work)) => {
                if self.called.front() == Some(&true) {
                    self.eagerness.fail();
                }
                work
            }
            None => return false,
        };
        self.put_back(work, deliver);
        true
    }

    fn put_back(&mut self, mut work: Box<W>, deliver: &mut impl FnMut(&mut W)) {
        deliver(&mut work);
        self.called.pop_front();
        self.looks = 0;
        self.spare.push(work);
    }
}

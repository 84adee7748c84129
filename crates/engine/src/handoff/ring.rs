//! What is handed over, in order.

use std::collections::VecDeque;
use std::sync::PoisonError;

use super::Work;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Work in the order in which its owner takes it back. Anybody may perform what waits.
pub(crate) struct Ring<W> {
    state: Mutex<State<W>>,
    performed: Condvar,
}

struct State<W> {
    /// The oldest first.
    slots: VecDeque<Slot<W>>,
    /// The number of the oldest: of all work since the start.
    first: u64,
    /// The owner sleeps until somebody has performed something.
    owner_waits: bool,
}

enum Slot<W> {
    Waiting(Box<W>),
    /// Somebody performs it.
    Claimed,
    Performed(Box<W>),
}

impl<W: Work> Ring<W> {
    /// With room for `capacity` before it allocates.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                slots: VecDeque::with_capacity(capacity),
                first: 0,
                owner_waits: false,
            }),
            performed: Condvar::new(),
        }
    }

    /// Puts work behind all that is there. For the owner.
    pub(crate) fn push(&self, work: Box<W>) {
        self.lock().slots.push_back(Slot::Waiting(work));
    }

    /// The oldest work if it has been performed, or what has become of it. For the owner.
    pub(crate) fn look(&self) -> Oldest<W> {
        let mut state = self.lock();
        match state.slots.front() {
            Some(Slot::Performed(_)) => state.pop().map_or(Oldest::Claimed, Oldest::Performed),
            Some(Slot::Waiting(_)) => Oldest::Waiting,
            Some(Slot::Claimed) => Oldest::Claimed,
            None => Oldest::Nothing,
        }
    }

    /// The oldest work, performed by whoever was first. While another performs it, the owner
    /// performs what waits behind it, and sleeps only if nothing does. For the owner.
    pub(crate) fn take(&self) -> Option<Taken<W>> {
        loop {
            let mut state = self.lock();
            match state.slots.front()? {
                Slot::Performed(_) => return state.pop().map(Taken::Performed),
                Slot::Waiting(_) => {
                    let mut work = state.pop()?;
                    drop(state);
                    work.perform();
                    return Some(Taken::Back(work));
                }
                Slot::Claimed => match self.claim(&mut state) {
                    Some(mut claim) => {
                        drop(state);
                        claim.perform();
                    }
                    None => self.sleep(state),
                },
            }
        }
    }

    /// Performs the oldest work that waits. Returns whether there was any. For anybody.
    pub(crate) fn help(&self) -> bool {
        let claim = self.claim(&mut self.lock());
        claim.is_some_and(|mut claim| {
            claim.perform();
            true
        })
    }

    /// Takes the oldest work that waits out of its slot.
    fn claim(&self, state: &mut State<W>) -> Option<Claim<'_, W>> {
        let first = state.first;
        let (slot, number) = state
            .slots
            .iter_mut()
            .zip(first..)
            .find(|(slot, _)| matches!(slot, Slot::Waiting(_)))?;
        match std::mem::replace(slot, Slot::Claimed) {
            Slot::Waiting(work) => Some(Claim {
                ring: self,
                number,
                work: Some(work),
            }),
            other => {
                *slot = other;
                None
            }
        }
    }

    fn sleep(&self, mut state: MutexGuard<'_, State<W>>) {
        state.owner_waits = true;
        // Whether what it waits for has come, the caller looks.
        drop(self.performed.wait(state));
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Nothing that is done under it can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> State<W> {
    /// The oldest work, unless it is claimed.
    fn pop(&mut self) -> Option<Box<W>> {
        match self.slots.pop_front()? {
            Slot::Waiting(work) | Slot::Performed(work) => {
                self.first += 1;
                Some(work)
            }
            Slot::Claimed => {
                self.slots.push_front(Slot::Claimed);
                None
            }
        }
    }
}

/// What has become of the oldest work.
pub(crate) enum Oldest<W> {
    /// There is none.
    Nothing,
    Waiting,
    Claimed,
    /// The owner has it again.
    Performed(Box<W>),
}

/// Work that the owner has again.
pub(crate) enum Taken<W> {
    /// It was performed in its slot, as a rule by a helper.
    Performed(Box<W>),
    /// Nobody had claimed it, so the owner performed it.
    Back(Box<W>),
}

/// Work that somebody performs. However that ends, by a panic too, the work goes back into its
/// slot: the owner waits for it. Work that a panic cut short must be fit to be taken.
struct Claim<'r, W: Work> {
    ring: &'r Ring<W>,
    number: u64,
    /// Until it goes back.
    work: Option<Box<W>>,
}

impl<W: Work> Claim<'_, W> {
    fn perform(&mut self) {
        if let Some(work) = &mut self.work {
            work.perform();
        }
    }
}

impl<W: Work> Drop for Claim<'_, W> {
    fn drop(&mut self) {
        let mut state = self.ring.lock();
        let index = usize::try_from(self.number - state.first).ok();
        let slot = index.and_then(|index| state.slots.get_mut(index));
        if let (Some(slot), Some(work)) = (slot, self.work.take()) {
            *slot = Slot::Performed(work);
        }
        // A call of the system, so only for somebody who is there.
        if std::mem::take(&mut state.owner_waits) {
            self.ring.performed.notify_one();
        }
    }
}

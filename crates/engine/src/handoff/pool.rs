//! The threads that help.

use std::sync::{Arc, PoisonError};

use super::{Ring, Work};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Where helpers sleep, and are called.
pub(crate) struct Pool {
    helpers: usize,
    state: Mutex<State>,
    called: Condvar,
}

struct State {
    /// How often somebody has called.
    calls: u64,
    sleeping: usize,
    /// How often helpers have performed something, as far as they have told.
    helped: u64,
    stopping: bool,
}

impl Pool {
    /// For so many helpers.
    pub(crate) fn new(helpers: usize) -> Self {
        Self {
            helpers,
            state: Mutex::new(State {
                calls: 0,
                sleeping: 0,
                helped: 0,
                stopping: false,
            }),
            called: Condvar::new(),
        }
    }

    pub(crate) const fn helpers(&self) -> usize {
        self.helpers
    }

    /// Has a helper look for work: one that sleeps, if there is one.
    pub(crate) fn call(&self) {
        let mut state = self.lock();
        state.calls += 1;
        let somebody_sleeps = state.sleeping > 0;
        drop(state);
        // A call of the system, so only for somebody who is there.
        if somebody_sleeps {
            self.called.notify_one();
        }
    }

    /// Ends all helpers.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.called.notify_all();
    }

    /// How often helpers have performed something.
    pub(crate) fn helped(&self) -> u64 {
        self.lock().helped
    }

    /// Sleeps unless somebody has called since there were so many `calls`, and returns how many
    /// there are then; `None` at the end. Tells how often the helper has helped since.
    fn sleep(&self, calls: u64, helped: u64) -> Option<u64> {
        let mut state = self.lock();
        state.helped += helped;
        while state.calls == calls && !state.stopping {
            state.sleeping += 1;
            state = self
                .called
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
        (!state.stopping).then_some(state.calls)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under it can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a helper finds work.
pub(crate) trait Source: Send + Sync {
    /// Performs something that waits. Returns whether there was anything.
    fn help(&self) -> bool;
}

impl<W: Work> Source for Ring<W> {
    fn help(&self) -> bool {
        Self::help(self)
    }
}

/// A thread that performs what waits in the rings of a device, and sleeps while nothing does.
pub(crate) struct Helper {
    pool: Arc<Pool>,
    sources: Vec<Arc<dyn Source>>,
}

impl Helper {
    pub(crate) fn new(pool: Arc<Pool>, sources: Vec<Arc<dyn Source>>) -> Self {
        Self { pool, sources }
    }

    /// Runs until the pool is stopped.
    pub(crate) fn run(&self) {
        let mut calls = 0;
        let mut helped = 0;
        // Whoever calls after the look at the count of calls is heard: work that is handed over
        // while the rings are looked at does not wait for the next call.
        while let Some(now) = self.pool.sleep(calls, helped) {
            calls = now;
            helped = 0;
            while let count @ 1.. = self.help_each() {
                helped += count;
            }
        }
    }

    /// Performs something of each ring in which something waits: the busiest does not keep the
    /// others from being helped. Returns how many that were.
    fn help_each(&self) -> u64 {
        self.sources.iter().map(|ring| u64::from(ring.help())).sum()
    }
}

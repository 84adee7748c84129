//! A lock that is held across several calls, by whoever entered.

use std::sync::PoisonError;

use crate::sync::{Condvar, Mutex, MutexGuard};

/// Lets one in at a time. Unlike with a mutex, entering and leaving need not share a scope.
#[derive(Debug)]
pub(crate) struct Turnstile {
    taken: Mutex<bool>,
    left: Condvar,
}

impl Turnstile {
    pub(crate) fn new() -> Self {
        Self {
            taken: Mutex::new(false),
            left: Condvar::new(),
        }
    }

    /// Waits until nobody is in, then enters.
    pub(crate) fn enter(&self) {
        let mut taken = self.lock();
        while *taken {
            taken = self
                .left
                .wait(taken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *taken = true;
    }

    pub(crate) fn leave(&self) {
        *self.lock() = false;
        self.left.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

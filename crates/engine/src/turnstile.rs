//! A lock that is held across several calls, by whoever entered.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets one in at a time. Unlike with a mutex, entering and leaving need not share a scope.
#[derive(Debug)]
pub(crate) struct Turnstile {
    taken: Mutex<bool>,
    left: Condvar,
}

impl Turnstile {
    pub(crate) const fn new() -> Self {
        Self {
            taken: Mutex::new(false),
            left: Condvar::new(),
        }
    }

    /// Waits until nobody is in, then enters.
    pub(crate) fn enter(&self) {
        let mut taken = self
            .left
            .wait_while(self.lock(), |taken| *taken)
            .unwrap_or_else(PoisonError::into_inner);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let turnstile = Turnstile::new();
        let left = AtomicBool::new(false);
        turnstile.enter();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                turnstile.enter();
                assert!(left.load(Ordering::SeqCst));
                turnstile.leave();
            });
            left.store(true, Ordering::SeqCst);
            turnstile.leave();
        });
    }
}

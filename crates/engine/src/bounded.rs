//! A bounded queue whose producers know when to wake the consumer.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard};

/// The slots are there from the start, so that nobody can make the queue allocate.
pub(crate) struct Bounded<T> {
    queue: Mutex<VecDeque<T>>,
    capacity: usize,
}

impl<T> Bounded<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::new(VecDeque::with_capacity(capacity)),
            capacity,
        }
    }

    /// Returns whether the consumer must be woken, because the queue was empty; `None` when the
    /// queue is full and the item dropped.
    pub(crate) fn push(&self, item: T) -> Option<bool> {
        let mut queue = self.lock();
        if queue.len() >= self.capacity {
            return None;
        }
        queue.push_back(item);
        Some(queue.len() == 1)
    }

    /// The oldest item and how many there were with it.
    pub(crate) fn pop(&self) -> Option<(T, usize)> {
        let mut queue = self.lock();
        let depth = queue.len();
        Some((queue.pop_front()?, depth))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

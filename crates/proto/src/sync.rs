//! The two things that threads share state through: a short lock and a published snapshot.
//!
//! With the `std` feature these are the standard mutex and `arc-swap`, whose readers never lock;
//! without it, spin locks.

use alloc::sync::Arc;

/// A lock held for a few dozen instructions, never across a call into foreign code.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(Inner<T>);

#[cfg(not(feature = "std"))]
type Inner<T> = spin::Mutex<T>;
#[cfg(feature = "std")]
type Inner<T> = std::sync::Mutex<T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[cfg(feature = "std")]
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
        // Nothing that runs under these locks can leave the value half-changed, so a panic in
        // another thread must not spread through the lock.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn lock(&self) -> spin::MutexGuard<'_, T> {
        self.0.lock()
    }
}

/// A shared value that is replaced as a whole.
pub(crate) struct Snapshot<T>(Cell<T>);

#[cfg(feature = "std")]
type Cell<T> = arc_swap::ArcSwapOption<T>;
#[cfg(not(feature = "std"))]
type Cell<T> = spin::Mutex<Option<Arc<T>>>;

impl<T> Snapshot<T> {
    pub(crate) fn new(value: Option<Arc<T>>) -> Self {
        Self(Cell::new(value))
    }

    /// Runs `read` on the value without touching its reference count.
    pub(crate) fn read<R>(&self, read: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        #[cfg(feature = "std")]
        let guard = self.0.load();
        #[cfg(not(feature = "std"))]
        let guard = self.0.lock();
        read(guard.as_ref())
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        #[cfg(feature = "std")]
        return self.0.load_full();
        #[cfg(not(feature = "std"))]
        self.read(|value| value.cloned())
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        #[cfg(feature = "std")]
        self.0.store(value);
        #[cfg(not(feature = "std"))]
        {
            *self.0.lock() = value;
        }
    }
}

impl<T> Default for Snapshot<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

//! The two things that threads share state through: a short lock and a published snapshot; and the
//! atomics of the platform.
//!
//! With the `std` feature these are the standard mutex and `arc-swap`, whose readers never lock;
//! without it, spin locks. With `--cfg loom` they are those of loom, for `crate::models`; a
//! snapshot is a lock then, so `arc-swap` itself is taken on trust.

use alloc::sync::Arc;

#[cfg(not(loom))]
pub(crate) use core::sync::atomic;
#[cfg(loom)]
pub(crate) use loom::sync::atomic;

/// A lock held for a few dozen instructions, never across a call into foreign code.
#[derive(Debug)]
pub(crate) struct Mutex<T>(Inner<T>);

#[cfg(loom)]
type Inner<T> = loom::sync::Mutex<T>;
#[cfg(all(feature = "std", not(loom)))]
type Inner<T> = std::sync::Mutex<T>;
#[cfg(not(any(feature = "std", loom)))]
type Inner<T> = spin::Mutex<T>;

#[cfg(loom)]
type Guard<'a, T> = loom::sync::MutexGuard<'a, T>;
#[cfg(all(feature = "std", not(loom)))]
type Guard<'a, T> = std::sync::MutexGuard<'a, T>;
#[cfg(not(any(feature = "std", loom)))]
type Guard<'a, T> = spin::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[cfg(any(feature = "std", loom))]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // Nothing that runs under these locks can leave the value half-changed, so a panic in
        // another thread must not spread through the lock.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(not(any(feature = "std", loom)))]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock()
    }
}

/// A shared value that is replaced as a whole.
pub(crate) struct Snapshot<T>(Cell<T>);

#[cfg(all(feature = "std", not(loom)))]
type Cell<T> = arc_swap::ArcSwapOption<T>;
#[cfg(any(not(feature = "std"), loom))]
type Cell<T> = Mutex<Option<Arc<T>>>;

impl<T> Snapshot<T> {
    pub(crate) fn new(value: Option<Arc<T>>) -> Self {
        Self(Cell::new(value))
    }

    /// Runs `read` on the value without touching its reference count.
    pub(crate) fn read<R>(&self, read: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        #[cfg(all(feature = "std", not(loom)))]
        let guard = self.0.load();
        #[cfg(any(not(feature = "std"), loom))]
        let guard = self.0.lock();
        read(guard.as_ref())
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        #[cfg(all(feature = "std", not(loom)))]
        return self.0.load_full();
        #[cfg(any(not(feature = "std"), loom))]
        self.read(|value| value.cloned())
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        #[cfg(all(feature = "std", not(loom)))]
        self.0.store(value);
        #[cfg(any(not(feature = "std"), loom))]
        {
            *self.0.lock() = value;
        }
    }
}

/// What sequentially consistent accesses on both sides of it are in the language. loom takes them
/// for acquire and release, and knows only fences of that strength.
pub(crate) fn between_ordered_accesses() {
    #[cfg(loom)]
    atomic::fence(atomic::Ordering::SeqCst);
}

impl<T> Default for Snapshot<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

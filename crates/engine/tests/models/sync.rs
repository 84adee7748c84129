//! loom's, for `crate::sync` of the engine.

use std::ops::Deref;
use std::sync::Arc;

pub(crate) use loom::sync::atomic;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

/// A shared value that is replaced as a whole.
pub(crate) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

/// What was loaded.
pub(crate) struct Loaded<T>(Option<Arc<T>>);

impl<T> Deref for Loaded<T> {
    type Target = Option<Arc<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn load(&self) -> Loaded<T> {
        Loaded(self.load_full())
    }

    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        *self.0.lock().unwrap() = value;
    }
}

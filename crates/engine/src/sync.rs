//! What threads share state through. The models in `tests/models` put loom's in their place.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

pub(crate) use arc_swap::ArcSwapOption;

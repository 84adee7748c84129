//! Wake-ups without descriptors, for `crate::wait` of the engine.

use std::io;

use loom::sync::{Condvar, Mutex};

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel::default();
}

/// What eventfd(2) and epoll(7) are: it knows all that can be waited for.
#[derive(Default)]
struct Kernel {
    set: Mutex<Vec<bool>>,
    changed: Condvar,
}

/// Stays until it is cleared.
pub(crate) struct Wake(usize);

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let mut set = KERNEL.set.lock().unwrap();
        set.push(false);
        Ok(Self(set.len() - 1))
    }

    pub(crate) fn wake(&self) {
        KERNEL.set.lock().unwrap()[self.0] = true;
        KERNEL.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        self.take();
    }

    /// Clears it, and says whether it was set.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut KERNEL.set.lock().unwrap()[self.0])
    }

    pub(crate) fn is_set(&self) -> bool {
        KERNEL.set.lock().unwrap()[self.0]
    }
}

/// Sleeps until one of these is set. If none ever is, loom finds a deadlock.
pub(crate) fn wait<const N: usize>(wakes: [&Wake; N]) {
    let mut set = KERNEL.set.lock().unwrap();
    while !wakes.iter().any(|wake| set[wake.0]) {
        set = KERNEL.changed.wait(set).unwrap();
    }
}

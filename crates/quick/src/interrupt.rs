//! Requests to end, caught so that nothing half done is left behind.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level};

use crate::Failure;

/// Catches SIGINT, SIGTERM and SIGHUP for as long as it lives.
#[derive(Debug)]
pub struct Interrupt {
    caught: Arc<AtomicUsize>,
    wake: UnixStream,
    /// Keeps the other end open.
    _waker: UnixStream,
    /// Who started us, if its end is ours.
    parent: Cell<Option<Pid>>,
    /// Whether requests wait.
    is_held: Cell<bool>,
    registered: Vec<SigId>,
}

impl Interrupt {
    /// Catches signals from now on.
    ///
    /// # Errors
    /// When the system refuses descriptors or handlers.
    pub fn catch() -> io::Result<Self> {
        let caught = Arc::new(AtomicUsize::new(0));
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut registered = Vec::new();
        let ignored = ignored();
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
            // Whoever started us wants it so: nohup(1), or a shell for its background.
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            let number = usize::try_from(signal).unwrap_or_default();
            if signal != SIGUSR1 {
                let set = flag::register_usize(signal, Arc::clone(&caught), number)?;
                registered.push(set);
            }
            registered.push(low_level::pipe::register(signal, waker.try_clone()?)?);
        }
        Ok(Self {
            caught,
            wake,
            _waker: waker,
            parent: Cell::new(None),
            is_held: Cell::new(false),
            registered,
        })
    }

    /// Never interrupts: for callers that handle signals themselves.
    ///
    /// # Errors
    /// When the system refuses descriptors.
    pub fn never() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        Ok(Self {
            caught: Arc::default(),
            wake,
            _waker: waker,
            parent: Cell::new(None),
            is_held: Cell::new(true),
            registered: Vec::new(),
        })
    }

    /// Takes the death of the process that started us for a request to end, too.
    #[must_use]
    pub fn with_parent(self) -> Self {
        let parent = rustix::process::getppid();
        // Comes also when a thread of the parent ends, so it only says to look.
        if rustix::process::set_parent_process_death_signal(Some(Signal::USR1)).is_ok() {
            self.parent.set(parent);
        }
        self
    }

    /// The signal that asked for the end, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        if self.is_held.get() {
            return None;
        }
        let parent = self.parent.get();
        let orphaned = parent.is_some() && rustix::process::getppid() != parent;
        match self.caught.load(Ordering::Relaxed) {
            0 if orphaned => Some(SIGHUP),
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }

    /// Does not hear of requests from now on: what is being undone has to be undone to its end.
    pub fn hold(&self) {
        self.is_held.set(true);
    }

    /// Forgets all requests so far, and hears of new ones.
    pub fn reset(&self) {
        if self.registered.is_empty() {
            return;
        }
        self.caught.store(0, Ordering::Relaxed);
        self.parent.set(None);
        self.is_held.set(false);
    }

    /// Forgets that there was something to look at.
    pub(crate) fn drain(&self) {
        let mut buffer = [0; 64];
        while matches!((&self.wake).read(&mut buffer), Ok(1..)) {}
    }

    /// Fails once the end was asked for.
    ///
    /// # Errors
    /// A [`Failure`] with the status of the signal.
    pub fn check(&self) -> Result<(), Failure> {
        match self.signal() {
            Some(signal) => Err(Failure::signal(signal)),
            None => Ok(()),
        }
    }
}

/// The signals that this process was started to ignore, a bit each.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Readable once there is something to look at.
impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if self.parent.get().is_some() {
            let _ = rustix::process::set_parent_process_death_signal(None);
        }
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}

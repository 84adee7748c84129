//! The memory of a whole process: what is kept out of swap, and what the C library keeps of what
//! was freed.
//!
//! By itself glibc has a heap for each few threads and gives back only what lies at the end of
//! one. musl has neither habit, and there [`keep_one_heap`] and [`release_freed`] do nothing.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Whether the memory of this process stays out of swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwapLock {
    /// All of it does, from its first use on.
    Locked,
    /// The system does not allow it, for this reason.
    Refused(String),
}

/// `on`, or `off` with the reason.
impl fmt::Display for SwapLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("on"),
            Self::Refused(why) => write!(f, "off ({why})"),
        }
    }
}

static SWAP_LOCK: OnceLock<SwapLock> = OnceLock::new();

/// All memory that there is, and that there will be, page by page when it is first used: nothing
/// is made resident for it (mlockall(2)).
fn all() -> MlockAllFlags {
    MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT
}

/// Keeps all memory of this process out of swap, once and for good, if the system allows it. It
/// raises the limit for that (`RLIMIT_MEMLOCK`), which programs that are started later inherit.
pub fn keep_out_of_swap() -> &'static SwapLock {
    SWAP_LOCK.get_or_init(|| {
        let locked = lift_limit().and_then(|()| mlockall(all()).map_err(io::Error::from));
        match locked {
            Ok(()) => SwapLock::Locked,
            Err(error) => SwapLock::Refused(error.to_string()),
        }
    })
}

/// What came of [`keep_out_of_swap`]. None if nobody has asked for it.
pub fn swap_lock() -> Option<&'static SwapLock> {
    SWAP_LOCK.get()
}

/// A limit would be one of everything that is mapped, used or not, and hold for each new mapping
/// once the right to exceed it has been given up. So there must be none.
fn lift_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_none() {
        return Ok(());
    }
    let none = Rlimit {
        current: None,
        maximum: None,
    };
    setrlimit(Resource::Memlock, none).map_err(|_| {
        let bytes = limit.maximum.or(limit.current).unwrap_or_default();
        io::Error::other(format!(
            "RLIMIT_MEMLOCK is {bytes} bytes; LimitMEMLOCK=infinity lifts it"
        ))
    })
}

/// Has all threads allocate from one heap, so that [`release_freed`] reaches what any of them has
/// freed (mallopt(3), `M_ARENA_MAX`). For programs whose threads hardly allocate; to be called
/// before there are any. Whether it was done.
pub fn keep_one_heap() -> bool {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes two numbers and sets a parameter of the allocator under its own lock.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) == 1 }
    }
    #[cfg(not(target_env = "gnu"))]
    {
        true
    }
}

/// Gives memory that was freed back to the system (malloc_trim(3)). It walks through the whole
/// heap: for when memory is short, not for every day.
pub fn release_freed() {
    #[cfg(target_env = "gnu")]
    unlocked(|| {
        // SAFETY: it takes no pointer, touches only what the allocator itself holds as free, and
        // may be called by any thread at any time.
        unsafe {
            libc::malloc_trim(0);
        }
    });
}

/// The kernel takes no memory back that is locked (madvise(2), EINVAL), so it is not for a moment.
/// What is in use is no candidate for swap after so short a time.
#[cfg(target_env = "gnu")]
fn unlocked(work: impl FnOnce()) {
    use std::sync::{Mutex, PoisonError};

    static TURN: Mutex<()> = Mutex::new(());
    if swap_lock() != Some(&SwapLock::Locked) {
        return work();
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Neither fails where locking has worked before.
    let _ = rustix::mm::munlockall();
    work();
    let _ = mlockall(all());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
        let pages = text.split(' ').nth(1).expect("a second field");
        pages.parse::<usize>().expect("a number") * rustix::param::page_size()
    }

    #[test]
    fn what_was_freed_in_any_thread_goes_back() {
        assert!(keep_one_heap());
        // Too small to be mapped one by one, and the last of them stays, so the end of the heap
        // does not move.
        let work = || (0..400).map(|_| vec![1_u8; 64 << 10]).collect::<Vec<_>>();
        let mut blocks = std::thread::spawn(work).join().expect("blocks");
        let full = resident();
        blocks.drain(..399);
        release_freed();
        let left = resident();
        assert!(left + (20 << 20) < full, "{left} of {full} bytes are left");
    }
}

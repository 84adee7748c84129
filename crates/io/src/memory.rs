//! What the C library keeps of the memory that was freed.
//!
//! By itself glibc has a heap for each few threads and gives back only what lies at the end of
//! one. musl has neither habit, and there both functions do nothing.

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
    // SAFETY: it takes no pointer, touches only what the allocator itself holds as free, and may
    // be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
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

//! File descriptors that pass from one process to the next.
//!
//! A daemon that puts itself into the background hands its TUN device and its control socket to
//! a fresh process by number, and must keep no other descriptor that its caller happened to have
//! open: the caller's pipes would never end.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Standard error, the last descriptor that every process is entitled to.
const LAST_STANDARD: RawFd = 2;

/// The descriptors above standard error that this process was started with. Those not taken out
/// are closed when this is dropped.
#[derive(Debug)]
pub struct Inherited(Vec<OwnedFd>);

static TAKEN: AtomicBool = AtomicBool::new(false);

impl Inherited {
    /// Takes all of them. They will be closed on exec from now on.
    ///
    /// Call it once, first thing in `main`: it tells inherited descriptors from the program's
    /// own by their being *not* closed on exec, so nothing of this process may have opened one
    /// of that kind yet. The standard library never does.
    ///
    /// # Errors
    ///
    /// When called before, or after [`let_inherit`], or when `/proc` is not mounted.
    pub fn take_all() -> io::Result<Self> {
        if TAKEN.swap(true, SeqCst) {
            return Err(io::Error::other("inherited descriptors were taken before"));
        }
        let mut inherited = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
            if let Some(number) = number.filter(|&number| number > LAST_STANDARD) {
                inherited.extend(adopt(number));
            }
        }
        Ok(Self(inherited))
    }

    /// The descriptor of this number, if it was inherited and not taken out yet.
    pub fn take(&mut self, number: RawFd) -> Option<OwnedFd> {
        let at = self.0.iter().position(|fd| fd.as_raw_fd() == number)?;
        Some(self.0.swap_remove(at))
    }
}

/// Makes a descriptor one that programs started from now on inherit, under the number returned.
///
/// Give it away only while no other thread starts programs, which would inherit it too, and keep
/// it until the program it is for has been started.
///
/// # Errors
///
/// None in practice: a descriptor that is owned is open.
pub fn let_inherit(fd: &OwnedFd) -> io::Result<RawFd> {
    // What this makes inheritable must not be taken for inherited.
    TAKEN.store(true, SeqCst);
    let flags = fcntl_getfd(fd)?;
    fcntl_setfd(fd, flags.difference(FdFlags::CLOEXEC))?;
    Ok(fd.as_raw_fd())
}

/// Owns the descriptor of this number if it came from the parent process.
fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the borrow ends before anything here could close the descriptor; if it is closed
    // already (the directory of /proc that we read it in is), the calls below say EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed.as_fd()).ok()?;
    if flags.contains(FdFlags::CLOEXEC) {
        return None;
    }
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC).ok()?;
    // SAFETY: a descriptor that is not closed on exec comes from the parent process, since this
    // process makes none of that kind before `take_all`; so no value of this process owns it.
    // None will be made twice, as it is closed on exec from here on.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_away_is_not_taken_for_inherited() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let fd = OwnedFd::from(reader);
        assert_eq!(let_inherit(&fd).unwrap(), fd.as_raw_fd());
        assert!(!fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        assert!(Inherited::take_all().is_err());
        fcntl_getfd(&fd).expect("still open, and ours");
    }
}

//! Waiting for file descriptors, and waking those who wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// Waits until one of `fds` is readable or broken, or the time is over. Says which are.
pub(crate) fn wait<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    match poll(&mut polled, timeout.map(timespec).as_ref()) {
        Ok(_) => Ok(polled.each_ref().map(|fd| !fd.revents().is_empty())),
        Err(Errno::INTR) => Ok([false; N]),
        Err(error) => Err(error.into()),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Up to 32 descriptors that one thread waits for again and again, known by small numbers
/// (epoll(7)). Waking up costs less than with [`wait`]: only the descriptors that are ready are
/// looked at.
#[derive(Debug)]
pub(crate) struct WaitSet(OwnedFd);

/// The numbers of the descriptors that are readable or broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u32);

impl WaitSet {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Adds a descriptor, which must stay open as long as it is in the set.
    pub(crate) fn add(&self, number: u8, fd: BorrowedFd<'_>) -> io::Result<()> {
        let data = EventData::new_u64(number.into());
        Ok(epoll::add(&self.0, fd, data, EventFlags::IN)?)
    }

    /// Takes a descriptor out.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Waits until one is ready, or the time is over.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<Ready> {
        const NONE: Event = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut events = [NONE; 4];
        let count = match epoll::wait(&self.0, &mut events, timeout.map(timespec).as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let numbers = events.iter().take(count).map(|event| event.data.u64());
        Ok(Ready(
            numbers.fold(0, |ready, number| ready | 1 << (number % 32)),
        ))
    }
}

impl Ready {
    pub(crate) const fn has(self, number: u8) -> bool {
        self.0 >> (number % 32) & 1 == 1
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Something another thread can be woken through (eventfd(2)).
#[derive(Debug)]
pub(crate) struct Wake(OwnedFd);

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(
            0,
            EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC,
        )?))
    }

    /// Makes the descriptor readable until [`Self::clear`].
    pub(crate) fn wake(&self) {
        // The only failure is a counter that is full, which wakes just as well.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_tells_which_of_its_descriptors_are_ready() {
        let (one, two) = (Wake::new().unwrap(), Wake::new().unwrap());
        let set = WaitSet::new().unwrap();
        set.add(3, one.as_fd()).unwrap();
        set.add(9, two.as_fd()).unwrap();
        let ready = || set.wait(Some(Duration::ZERO)).unwrap();
        assert!(ready().is_empty());
        one.wake();
        assert!(ready().has(3) && !ready().has(9));
        two.wake();
        assert!(ready().has(3) && ready().has(9));
        set.remove(one.as_fd()).unwrap();
        assert!(!ready().has(3) && ready().has(9));
        two.clear();
        assert!(ready().is_empty());
    }

    #[test]
    fn a_wake_lasts_until_it_is_cleared() {
        let (one, two) = (Wake::new().unwrap(), Wake::new().unwrap());
        let ready = || wait([one.as_fd(), two.as_fd()], Some(Duration::ZERO)).unwrap();
        assert_eq!(ready(), [false, false]);
        two.wake();
        two.wake();
        assert_eq!(ready(), [false, true]);
        two.clear();
        assert_eq!(ready(), [false, false]);
    }
}

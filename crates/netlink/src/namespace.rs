use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fmt, panic, thread};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::{Error, Result};

/// Where the kernel shows the calling thread's network namespace (the process's own link shows the main thread's).
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace, held by a file descriptor: it lives as long as this value, a thread or a process in it, or an
/// interface's user holds it, and then goes with all its interfaces.
pub struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// Makes a new network namespace without a name. It has a loopback interface, down, and nothing else.
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN`.
    pub fn new() -> Result<Self> {
        let operation = "create a network namespace";
        in_short_lived_thread(|| {
            unshare(UnshareFlags::NEWNET).map_err(|e| Error::system(operation, e))?;
            Self::current()
        })
    }

    /// The calling thread's network namespace.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn current() -> Result<Self> {
        Self::open(OWN)
    }

    /// Opens a namespace by a path such as `/run/netns/NAME` or `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// When there is no such file or it may not be opened. That it is no namespace shows only on [`Namespace::enter`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path)
            .map_err(|e| Error::system(format!("open namespace {}", path.display()), e))?;
        Ok(Self {
            descriptor: file.into(),
        })
    }

    /// Moves the calling thread into this namespace. Threads and processes that it starts from then on are in it too.
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN`, or when the file is no network namespace.
    pub fn enter(&self) -> Result<()> {
        rustix::thread::move_into_link_name_space(
            self.descriptor.as_fd(),
            Some(LinkNameSpaceType::Network),
        )
        .map_err(|e| Error::system("enter a network namespace", e))
    }

    /// Runs a closure in this namespace, on a thread of its own, and returns its result. A panic of the closure goes
    /// on in the caller.
    ///
    /// # Errors
    /// As for [`Namespace::enter`].
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        in_short_lived_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }

    /// What tells this namespace from every other: the inode number that `/proc/PID/ns/net` shows too.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn id(&self) -> Result<u64> {
        rustix::fs::fstat(&self.descriptor)
            .map(|status| status.st_ino)
            .map_err(|e| Error::system("look at a network namespace", e))
    }

    /// The namespace that a process is in, as [`Namespace::id`] tells it; none when the process is gone or hidden.
    #[must_use]
    pub fn id_of_process(pid: u32) -> Option<u64> {
        let path = format!("/proc/{pid}/ns/net");
        std::fs::metadata(path).ok().map(|metadata| metadata.ino())
    }
}

/// Runs a closure on a thread that ends with it, so that what it unshares or enters is undone with the thread.
pub(crate) fn in_short_lived_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(payload) => panic::resume_unwind(payload),
    })
}

/// unshare(2) for everything but file descriptors.
pub(crate) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    let flags = flags.difference(UnshareFlags::FILES);
    // SAFETY: the one unsound flag, CLONE_FILES, which would make descriptors differ between threads, is taken out.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace(net:[{}])", self.id().unwrap_or(0))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl From<OwnedFd> for Namespace {
    fn from(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> Self {
        namespace.descriptor
    }
}

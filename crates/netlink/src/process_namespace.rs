use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::namespace::{in_short_lived_thread, unshare};
use crate::{Error, Result};

/// A process (PID) namespace. When its first process ends, the kernel kills every other one in it.
#[derive(Debug)]
pub struct ProcessNamespace {
    descriptor: OwnedFd,
}

impl ProcessNamespace {
    /// Makes a process namespace and lets `start` start its first process, whose id (as the caller sees it) it returns
    /// along with anything the caller wants to keep. `start` must start exactly that one process.
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN`, or what `start` fails with.
    pub fn new<T: Send>(
        start: impl FnOnce() -> std::io::Result<(u32, T)> + Send,
    ) -> Result<(Self, T)> {
        let operation = "create a process namespace";
        in_short_lived_thread(|| {
            unshare(UnshareFlags::NEWPID).map_err(|e| Error::system(operation, e))?;
            let (pid, kept) =
                start().map_err(|e| Error::system("start the first process of a namespace", e))?;
            let file = File::open(format!("/proc/{pid}/ns/pid"))
                .map_err(|e| Error::system(operation, e))?;
            let namespace = Self {
                descriptor: file.into(),
            };
            Ok((namespace, kept))
        })
    }

    /// Makes the processes that the calling thread starts from now on be born in this namespace. The thread itself
    /// stays where it is, and can start no more *threads*: the kernel refuses it (`EINVAL`).
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN`.
    pub fn enter_for_children(&self) -> Result<()> {
        rustix::thread::move_into_link_name_space(
            self.descriptor.as_fd(),
            Some(LinkNameSpaceType::ProcessID),
        )
        .map_err(|e| Error::system("enter a process namespace", e))
    }
}

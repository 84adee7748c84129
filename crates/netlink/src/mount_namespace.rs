use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::namespace::{in_short_lived_thread, unshare};
use crate::{Error, Result, mount};

/// A mount namespace, held by a file descriptor: what is mounted in it is seen nowhere else, and goes with the last
/// descriptor, thread or process that holds it.
#[derive(Debug)]
pub struct MountNamespace {
    descriptor: OwnedFd,
}

impl MountNamespace {
    /// Makes a copy of the calling thread's mount namespace, cuts it off from the original in both directions, and lets
    /// `furnish` mount things in it.
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN`, or what `furnish` fails with.
    pub fn new(furnish: impl FnOnce() -> Result<()> + Send) -> Result<Self> {
        let operation = "create a mount namespace";
        in_short_lived_thread(|| {
            unshare(UnshareFlags::FS | UnshareFlags::NEWNS)
                .map_err(|e| Error::system(operation, e))?;
            mount::make_private()?;
            furnish()?;
            let file =
                File::open("/proc/thread-self/ns/mnt").map_err(|e| Error::system(operation, e))?;
            Ok(Self {
                descriptor: file.into(),
            })
        })
    }

    /// Moves the calling thread into this namespace; from then on the thread has a working directory of its own, the
    /// one it had if it exists there, else the root.
    ///
    /// # Errors
    /// For want of `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT`.
    pub fn enter(&self) -> Result<()> {
        let operation = "enter a mount namespace";
        let directory = std::env::current_dir();
        unshare(UnshareFlags::FS).map_err(|e| Error::system(operation, e))?;
        rustix::thread::move_into_link_name_space(
            self.descriptor.as_fd(),
            Some(LinkNameSpaceType::Mount),
        )
        .map_err(|e| Error::system(operation, e))?;
        if let Ok(directory) = directory {
            // The kernel has put the thread at the root, which is where it stays when the directory is hidden here.
            let _ = rustix::process::chdir(&directory);
        }
        Ok(())
    }
}

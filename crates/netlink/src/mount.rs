//! Mounting in a [`crate::MountNamespace`] of one's own.

use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags};

use crate::{Error, Result};

/// Cuts the calling thread's mount namespace off from its parent: no mount goes in or out any more.
///
/// # Errors
/// For want of `CAP_SYS_ADMIN`.
pub fn make_private() -> Result<()> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", flags).map_err(|e| Error::system("make all mounts private", e))
}

/// Mounts an empty file system in memory over a directory, with the given permissions (such as `0o755`).
///
/// # Errors
/// When the directory is not there, or for want of `CAP_SYS_ADMIN`.
pub fn mount_tmpfs(directory: impl AsRef<Path>, mode: u32) -> Result<()> {
    let directory = directory.as_ref();
    let operation = || format!("mount a tmpfs on {}", directory.display());
    let options = std::ffi::CString::new(format!("mode={mode:o}"))
        .map_err(|e| Error::system(operation(), std::io::Error::from(e)))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", directory, "tmpfs", flags, &*options)
        .map_err(|e| Error::system(operation(), e))
}

/// Shows a file or directory at a second place, over what is there.
///
/// # Errors
/// When either is not there, or for want of `CAP_SYS_ADMIN`.
pub fn bind(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    rustix::mount::mount_bind(from, to)
        .map_err(|e| Error::system(format!("mount {} on {}", from.display(), to.display()), e))
}

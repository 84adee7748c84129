//! Becoming root in a world of one's own, as an ordinary user (user_namespaces(7)).

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

use crate::namespace::unshare;
use crate::{Error, Result, mount};

const OPERATION: &str = "become root in a user namespace";

/// Moves the calling process into new user, network and mount namespaces, in which it is root: it may make interfaces,
/// namespaces and mounts there, and nothing of it is seen outside. Files it makes belong to the user who called.
///
/// The process must have one thread only: call it first thing in `main`.
///
/// # Errors
/// [`Error::Forbidden`] with the way out when the system's settings do not let an ordinary user do this;
/// [`Error::System`] when the process has more than one thread (`EINVAL`).
pub fn become_root_in_user_namespace() -> Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWNS)
        .map_err(why_not_unshared)?;
    // An ordinary user may map the own group only after giving up setgroups(2): user_namespaces(7).
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {user} 1"))?;
    write("/proc/self/gid_map", &format!("0 {group} 1"))?;
    mount::make_private()
}

fn write(path: &str, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| {
        let restricted = Path::new("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
        if error.raw_os_error() == Some(libc::EPERM) && read_number(restricted) == Some(1) {
            return Error::forbidden(
                OPERATION,
                "AppArmor takes the rights away: run as root, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
            );
        }
        Error::system(format!("{OPERATION}: write {path}"), error)
    })
}

fn why_not_unshared(error: Errno) -> Error {
    let closed = Path::new("/proc/sys/kernel/unprivileged_userns_clone");
    match error {
        Errno::PERM if read_number(closed) == Some(0) => Error::forbidden(
            OPERATION,
            "the system lets root only: run as root, or `sysctl kernel.unprivileged_userns_clone=1`",
        ),
        Errno::PERM => Error::forbidden(
            OPERATION,
            "the system forbids it (a container's seccomp filter, or a chroot): run as root, \
             in a container with CAP_SYS_ADMIN",
        ),
        Errno::NOSPC | Errno::USERS => Error::forbidden(
            OPERATION,
            "no more user namespaces are allowed: run as root, or raise `sysctl user.max_user_namespaces`",
        ),
        Errno::NOSYS => {
            Error::forbidden(OPERATION, "this kernel has no user namespaces: run as root")
        }
        other => Error::system(OPERATION, other),
    }
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_the_way_out() {
        for errno in [Errno::PERM, Errno::NOSPC, Errno::USERS, Errno::NOSYS] {
            let text = why_not_unshared(errno).to_string();
            assert!(
                text.starts_with(OPERATION) && text.contains("run as root"),
                "{text}"
            );
        }
    }

    #[test]
    fn more_than_one_thread_is_an_error_and_changes_nothing() {
        let before = geteuid();
        let error = std::thread::spawn(|| become_root_in_user_namespace().unwrap_err())
            .join()
            .unwrap();
        assert!(error.to_string().starts_with(OPERATION), "{error}");
        assert_eq!(geteuid(), before);
    }
}

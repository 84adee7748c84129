use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hushwire_netlink::{MountNamespace, ProcessNamespace, mount};

use crate::wait::wait_for_end;
use crate::{Error, Result};

/// How long the kernel may take to end all processes of a world.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What all hosts of a lab share: one view of the file system, and one fate of the processes.
#[derive(Debug)]
pub(crate) struct World {
    mounts: MountNamespace,
    processes: ProcessNamespace,
    /// The first process of the namespace. It reads a pipe that only we hold open; when it ends, by our dropping the
    /// pipe or by our death, the kernel kills every other process of the namespace.
    first: Mutex<Child>,
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(Error::NotRoot);
        }
        let (processes, first) =
            ProcessNamespace::new(|| start_first().map(|child| (child.id(), child)))?;
        let first = Mutex::new(first);
        let mounts = MountNamespace::new(furnish)?;
        Ok(Self {
            mounts,
            processes,
            first,
        })
    }

    /// Gives the calling thread the lab's view of the file system.
    pub(crate) fn enter(&self) -> Result<()> {
        Ok(self.mounts.enter()?)
    }

    /// Makes the processes that the calling thread starts share the lab's fate.
    pub(crate) fn enter_for_children(&self) -> Result<()> {
        Ok(self.processes.enter_for_children()?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let first = self.first.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(first.stdin.take());
        let _ = first.kill();
        // Its end comes after the end of all the others, so having waited for it, nothing of the lab runs any more.
        let _ = wait_for_end(first, END_LIMIT);
    }
}

/// The namespace's first process, which does nothing but to read its input. It inherits orphans; as it ignores SIGCHLD,
/// the kernel buries them when they die. (An env(1) without that option leaves them unburied, which does little harm.)
const FIRST: &str =
    "ignoring='env --ignore-signal=CHLD'; $ignoring true 2>&1 && exec $ignoring cat; exec cat";

/// Starts it and waits until it is what it is to be: an orphan that dies before would stay unburied.
fn start_first() -> std::io::Result<Child> {
    let mut first = Command::new("sh")
        .args(["-c", FIRST])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    if let (Some(input), Some(mut output)) = (&mut first.stdin, first.stdout.take()) {
        input.write_all(b"?")?;
        output.read_exact(&mut [0])?;
    }
    Ok(first)
}

/// Gives the lab directories of its own where WireGuard programs keep sockets and configurations.
fn furnish() -> hushwire_netlink::Result<()> {
    // All of /run, because an ordinary user in a user namespace could not make a directory in the real one, and root
    // should not leave one there.
    mount::mount_tmpfs("/run", 0o755)?;
    // A failure here shows when the first daemon makes its socket, and then names the directory.
    let _ = fs::DirBuilder::new().mode(0o700).create("/run/wireguard");
    if !fs::symlink_metadata("/var/run").is_ok_and(|metadata| metadata.is_symlink())
        && Path::new("/var/run").is_dir()
    {
        mount::bind("/run", "/var/run")?;
    }
    if Path::new("/etc/wireguard").is_dir() {
        mount::mount_tmpfs("/etc/wireguard", 0o700)?;
        let _ = fs::set_permissions("/etc/wireguard", fs::Permissions::from_mode(0o700));
    }
    Ok(())
}

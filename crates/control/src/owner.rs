//! Which program has a control socket.
//!
//! Who connects learns the process that listened first (`SO_PEERCRED`), which a daemon in the
//! background no longer is. So the socket is looked up in /proc/net/unix, and then the process
//! that has it open (proc(5)).

use std::fs;
use std::path::{Path, PathBuf};

/// The name of the program, as the kernel has it (`/proc/PID/comm`). `None` if no process that we
/// may look into has the socket open, or it is one of another network namespace.
pub(crate) fn program(socket: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/net/unix").ok()?;
    let inodes: Vec<&str> = table
        .lines()
        .filter_map(|line| listener(line, socket))
        .collect();
    let links: Vec<PathBuf> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]").into())
        .collect();
    if links.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?;
    processes.filter_map(Result::ok).find_map(|process| {
        let descriptors = fs::read_dir(process.path().join("fd")).ok()?;
        let has_it = descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok())
            .any(|link| links.contains(&link));
        let name = fs::read_to_string(process.path().join("comm"));
        let name = name.ok().filter(|_| has_it)?;
        let name = name.trim_end();
        (!name.contains(char::is_control)).then(|| name.to_owned())
    })
}

/// The inode of a line of /proc/net/unix, if it is of a socket that was bound to this path. The
/// fields are address, references, protocol, flags, type, state, inode, path.
fn listener<'a>(line: &'a str, path: &Path) -> Option<&'a str> {
    let mut fields = line.split_ascii_whitespace();
    let inode = fields.nth(6)?;
    let bound = Path::new(fields.next()?);
    let same = bound.file_name() == path.file_name()
        && bound.parent().and_then(|folder| folder.canonicalize().ok())
            == path.parent().and_then(|folder| folder.canonicalize().ok());
    same.then_some(inode)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn our_own_socket_is_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wg0.sock");
        assert_eq!(program(&path), None);
        let _listener = UnixListener::bind(&path).unwrap();
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(program(&path).as_deref(), Some(own.trim_end()));
        assert_eq!(program(&directory.path().join("wg1.sock")), None);
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let path = Path::new("/run/wireguard/wg0.sock");
        for line in [
            "",
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "0000000000000000: 00000002 00000000 00010000 0001 01 12345",
            "0000000000000000: 00000002 00000000 00010000 0001 01 12345 @abstract",
        ] {
            assert_eq!(listener(line, path), None, "{line:?}");
        }
    }
}

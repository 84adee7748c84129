//! Files that commands read.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

/// The names of standard input.
const STANDARD_INPUT: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// Opens a file to read it. Standard input that was closed is no file, as for wg(8).
///
/// # Errors
/// Those of `open`.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let named = STANDARD_INPUT.iter().any(|name| path == Path::new(name));
    if named && was_closed(io::stdin())? {
        return Err(Errno::NOENT.into());
    }
    File::open(path)
}

/// Rust's runtime opens `/dev/null` for reading and writing where a standard stream was closed. As an empty file that
/// would take keys and peers away, so it must not pass for one.
fn was_closed(input: impl AsFd) -> io::Result<bool> {
    let mode = fcntl_getfl(input.as_fd())? & OFlags::ACCMODE;
    let status = File::from(input.as_fd().try_clone_to_owned()?).metadata()?;
    let is_null = fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == status.rdev());
    Ok(is_null && mode == OFlags::RDWR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_that_may_be_written_is_what_the_runtime_leaves() {
        let null = |options: &mut fs::OpenOptions| options.open("/dev/null").unwrap();
        assert!(was_closed(null(File::options().read(true).write(true))).unwrap());
        assert!(!was_closed(null(File::options().read(true))).unwrap());
        let full = File::options().read(true).write(true).open("/dev/full");
        assert!(!was_closed(full.unwrap()).unwrap());
    }
}

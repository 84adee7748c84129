//! Becoming root, as wg-quick(8) does it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use super::Program;
use super::arguments::Manner;

/// The exit status of a shell that does not find a program.
const NOT_FOUND: u8 = 127;
/// The exit status of a shell that may not start a program.
const NOT_STARTED: u8 = 126;

/// Goes on only as root: for anybody else the program is started again by sudo(8).
///
/// # Errors
/// The exit status, if there is no sudo.
pub(super) fn become_root(program: &Program<'_>, words: &[OsString]) -> Result<(), u8> {
    if rustix::process::getuid().is_root() {
        return Ok(());
    }
    let started_as = program.started_as;
    let name = program.name().to_string_lossy();
    let prompt =
        format!("{name} must be run as root. Please enter the password for %u to continue: ");
    let error = Command::new("sudo")
        .arg("-p")
        .arg(prompt)
        .arg("--")
        .arg(path_of(started_as))
        .args(words)
        .exec();
    let (status, what) = match error.kind() {
        io::ErrorKind::NotFound => (NOT_FOUND, "not found".to_owned()),
        _ => (NOT_STARTED, error.to_string()),
    };
    let _ = writeln!(io::stderr(), "{}", refusal(program, &what));
    Err(status)
}

fn refusal(program: &Program<'_>, what: &str) -> String {
    match program.manner {
        // As bash says it of the script.
        Manner::DropIn => {
            let script = program.started_as.to_string_lossy();
            format!("{script}: line 85: exec: sudo: {what}")
        }
        Manner::Own => {
            let name = program.name().to_string_lossy();
            format!(
                "{name}: only root may do this, and sudo cannot be started ({what}); run it as root"
            )
        }
    }
}

/// Where this program is, under the name that it was started as: that name tells it what to be.
fn path_of(started_as: &OsStr) -> PathBuf {
    let given = Path::new(started_as);
    if given
        .parent()
        .is_some_and(|parent| !parent.as_os_str().is_empty())
    {
        return absolute(given).unwrap_or_else(|_| given.to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(given))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_sudo_each_name_says_so_in_its_own_way() {
        let said = |manner| {
            let program = Program::new(OsStr::new("/bin/x"), manner);
            refusal(&program, "not found")
        };
        let script = "/bin/x: line 85: exec: sudo: not found";
        assert_eq!(said(Manner::DropIn), script);
        let own = said(Manner::Own);
        assert!(own.starts_with("x: only root may do this"), "{own}");
    }

    #[test]
    fn a_name_is_looked_up_and_a_path_made_absolute() {
        let shell = path_of(OsStr::new("sh"));
        assert!(shell.is_absolute() && shell.ends_with("sh"), "{shell:?}");
        assert_eq!(path_of(OsStr::new("/a/b")), Path::new("/a/b"));
        assert!(path_of(OsStr::new("a/b")).is_absolute());
        let none = path_of(OsStr::new("no-such-program-anywhere"));
        assert_eq!(none, Path::new("no-such-program-anywhere"));
    }
}

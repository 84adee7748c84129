//! Running other programs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Runs a command, its output shown, and fails when it does. It has no input: sudo asks the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("+ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| start_error(command, source))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: shown(command),
        status,
    })
}

/// Runs a command and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| start_error(command, source))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Failed {
        command: shown(command),
        status: output.status,
    })
}

/// A command as the superuser: as it is for root, through sudo for anybody else.
///
/// `what_for` completes the sentence "root is needed to ...".
pub(crate) fn as_root(program: impl AsRef<OsStr>, what_for: &str) -> Result<Command> {
    if is_root()? {
        return Ok(Command::new(program));
    }
    if find_tool("sudo").is_none() {
        return Err(Error::Machine(format!(
            "root is needed to {what_for}: run this as root, or install sudo"
        )));
    }
    eprintln!("root is needed to {what_for}: using sudo");
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    Ok(command)
}

/// Has root run this program, with these arguments and what it needs of the environment.
///
/// `what_for` as for [`as_root`].
pub(crate) fn again_as_root(what_for: &str, subcommand: &str, arguments: &[String]) -> Result<()> {
    let own = env::current_exe().map_err(Error::file("find", "this program"))?;
    let mut command = as_root("env", what_for)?;
    for name in ["CARGO_MANIFEST_DIR", "CARGO_TARGET_DIR", "PATH"] {
        if let Some(value) = env::var_os(name) {
            let mut pair = OsString::from(format!("{name}="));
            pair.push(value);
            command.arg(pair);
        }
    }
    run(command.arg(own).arg(subcommand).args(arguments))
}

/// Whether this process is the superuser's.
pub(crate) fn is_root() -> Result<bool> {
    let out = output(Command::new("id").arg("-u"))?;
    Ok(out.trim_ascii() == b"0")
}

/// `PATH` with the administrator's folders, which Debian leaves out of an ordinary user's.
pub(crate) fn path_with_sbin() -> OsString {
    let mut dirs: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    for extra in ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
        if !dirs.iter().any(|dir| dir == Path::new(extra)) {
            dirs.push(PathBuf::from(extra));
        }
    }
    env::join_paths(dirs).unwrap_or_else(|_| OsString::from("/usr/sbin:/usr/bin:/sbin:/bin"))
}

/// The first program of that name in `PATH` and the administrator's folders.
pub(crate) fn find_tool(name: &str) -> Option<PathBuf> {
    env::split_paths(&path_with_sbin())
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// A command line as one would type it, without the environment.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn start_error(command: &Command, source: std::io::Error) -> Error {
    Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

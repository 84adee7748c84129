//! Starting the process in the background and waiting until it is ready.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use hushwire_engine::Level;
use hushwire_engine::uapi::ControlSocket;
use hushwire_io::process::let_inherit;
use hushwire_io::tun::Tun;
use rustix::pipe::{PipeFlags, pipe_with};

use super::environment::{FOREGROUND, MORE_QUEUES, NAME_FILE, REPORT_FD, TUN_FD, UAPI_FD};
use super::error::Error;
use super::setup::Settings;

/// What the process in the background reports when it is ready; anything else is a reason why it
/// is not. A reason is never empty, so an empty report is a process that died.
const READY: &str = "ready\n";
/// More than any reason is long.
const REPORT_LIMIT: u64 = 64 * 1024;

/// Hands device and control socket to this same program in the background, and returns once they
/// are usable.
pub(super) fn start(
    name: &OsStr,
    words: &[OsString],
    settings: &Settings,
    tun: &Tun,
    socket: ControlSocket,
) -> Result<(), Error> {
    let interface = tun.name().map_err(Error::TunName)?;
    let (report, reporter) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Error::Spawn(errno.into()))?;
    let socket = socket.into_fd().map_err(Error::Spawn)?;
    let spawned = spawn(name, words, settings, tun, &socket, &reporter);
    // Or the report would not end with the process in the background.
    drop(reporter);
    let result = spawned
        .map_err(Error::Spawn)
        .and_then(|()| await_report(report));
    if result.is_err() {
        // Removes the file, should the process in the background not have done so.
        drop(ControlSocket::from_fd(socket, &interface));
    }
    result
}

fn spawn(
    name: &OsStr,
    words: &[OsString],
    settings: &Settings,
    tun: &Tun,
    socket: &OwnedFd,
    reporter: &OwnedFd,
) -> io::Result<()> {
    let queues = tun.dup()?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(name)
        .args(words)
        .env(FOREGROUND, "1")
        .env(UAPI_FD, let_inherit(socket)?.to_string())
        .env(REPORT_FD, let_inherit(reporter)?.to_string())
        .env_remove(NAME_FILE)
        .stdin(Stdio::null());
    if let Some((first, more)) = queues.split_first() {
        command.env(TUN_FD, let_inherit(first)?.to_string());
        let numbers: io::Result<Vec<_>> = more
            .iter()
            .map(|queue| Ok(let_inherit(queue)?.to_string()))
            .collect();
        command.env(MORE_QUEUES, numbers?.join(","));
    }
    if matches!(settings.log_level, None | Some(Level::Silent)) {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command.spawn()?;
    Ok(())
}

fn await_report(report: OwnedFd) -> Result<(), Error> {
    let mut text = String::new();
    let read = File::from(report)
        .take(REPORT_LIMIT)
        .read_to_string(&mut text);
    match (read, text.as_str()) {
        (Ok(_), READY) => Ok(()),
        (Err(_), _) | (_, "") => Err(Error::BackgroundEnded),
        (Ok(_), reason) => Err(Error::Background(reason.to_owned())),
    }
}

/// The other end: reports how the start went to the process that was called.
pub(super) fn report(pipe: OwnedFd, outcome: Result<(), &Error>) {
    let text = match outcome {
        Ok(()) => READY.to_owned(),
        Err(reason) => reason.to_string(),
    };
    // A caller that was killed does not want to know.
    let _ = File::from(pipe).write_all(text.as_bytes());
}

//! Programs that are run: hooks, the daemon, nft(8), resolvconf(8).

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::{Failure, Interrupt};

/// The exit status of a shell that does not find a program.
const NOT_FOUND: u8 = 127;
/// The exit status of a shell that may not start a program.
const NOT_STARTED: u8 = 126;
/// How long a program may go on after it was asked to end.
const GRACE: Duration = Duration::from_secs(5);
/// The longest wait before a look at the child where the system has no better way to wait.
const LOOK: Duration = Duration::from_millis(50);

/// Runs programs, and ends them when the end is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runner<'a> {
    /// The name of this program in messages.
    pub(super) program: &'a str,
    pub(super) interrupt: &'a Interrupt,
}

impl Runner<'_> {
    /// Runs a program to its end, with a text on its standard input if one is given. It says
    /// itself what is wrong.
    pub(super) fn run(&self, command: &mut Command, input: Option<&[u8]>) -> Result<(), Failure> {
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .map_err(|error| self.not_started(command, &error))?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // Should it end before it has read all, it says why itself.
            let _ = pipe.write_all(input);
        }
        let status = self
            .wait(&mut child)
            .map_err(|error| Failure::new(error.to_string()))?;
        self.interrupt.check().or_else(|interrupted| {
            // What was done is done, and is undone like everything else.
            if status.success() {
                Ok(())
            } else {
                Err(interrupted)
            }
        })?;
        judge(status)
    }

    fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let exited = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let mut deadline: Option<Instant> = None;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            match (self.interrupt.signal(), deadline) {
                (Some(_), None) => {
                    deadline = Instant::now().checked_add(GRACE);
                    if let Some(pid) = pid {
                        let _ = kill_process(pid, Signal::TERM);
                    }
                }
                (Some(_), Some(deadline)) if Instant::now() >= deadline => {
                    let _ = child.kill();
                    return child.wait();
                }
                _ => {}
            }
            let mut watched = Vec::new();
            watched.extend(exited.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            // Once it was readable it stays so.
            if deadline.is_none() {
                watched.push(PollFd::new(self.interrupt, PollFlags::IN));
            }
            let is_blind = exited.is_none() || deadline.is_some();
            let limit = is_blind.then(|| Timespec::try_from(LOOK).ok()).flatten();
            let _ = poll(&mut watched, limit.as_ref());
            if watched
                .last()
                .is_some_and(|last| !last.revents().is_empty())
                && self.interrupt.signal().is_none()
            {
                self.interrupt.drain();
            }
        }
    }

    fn not_started(&self, command: &Command, error: &io::Error) -> Failure {
        let name = command.get_program().to_string_lossy();
        // Bash says so of the line of its script in which everything is run.
        let place = format!("{}: line 32: {name}", self.program);
        match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::with_status(NOT_FOUND, format!("{place}: command not found"))
                    .with_hint(way_out(&name))
            }
            io::ErrorKind::PermissionDenied => {
                Failure::with_status(NOT_STARTED, format!("{place}: Permission denied"))
            }
            _ => Failure::with_status(NOT_STARTED, format!("{place}: {error}")),
        }
    }
}

fn judge(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(match (status.code(), status.signal()) {
        (Some(code), _) => Failure::silent(u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => Failure::signal(signal),
        (None, None) => Failure::silent(1),
    })
}

/// What to do where a program is not there.
fn way_out(program: &str) -> Option<&'static str> {
    Some(match program {
        "resolvconf" | "resolvectl" => {
            "install resolvconf or systemd-resolved, or take `DNS` out of the file"
        }
        "bash" => "install bash, which runs the commands of the file",
        _ => return None,
    })
}

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal};

use crate::usage::Usage;
use crate::wait::wait_for_end;
use crate::world::World;
use crate::{Error, Result};

/// How long a killed process may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// What a program printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To standard output; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// To standard error, likewise.
    pub stderr: String,
}

impl Output {
    /// Adds what was printed to a sentence, standard error first, because that says what went wrong.
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in [("stderr", &self.stderr), ("stdout", &self.stdout)] {
            if !text.trim().is_empty() {
                write!(f, "; {name}: {}", text.trim())?;
            }
        }
        Ok(())
    }
}

/// A running program on a [`crate::Host`]. It is killed when this value is dropped.
///
/// What it prints is collected in memory and can be read at any time.
#[derive(Debug)]
pub struct Process {
    child: Child,
    command: String,
    stdout: File,
    stderr: File,
    /// Keeps the namespace of the process alive for as long as somebody may look at it.
    _world: Arc<World>,
}

impl Process {
    /// Starts a program from the calling thread, which must be in the host's namespaces. Standard input is empty
    /// unless the command says otherwise by `piped_input`.
    pub(crate) fn start(
        mut command: Command,
        piped_input: bool,
        world: Arc<World>,
    ) -> Result<Self> {
        let text = command_line(&command);
        let failed = |error: std::io::Error| Error::system(format!("start `{text}`"), error);
        let (stdout, stderr) = (collector().map_err(failed)?, collector().map_err(failed)?);
        command
            .stdin(if piped_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(stdout.try_clone().map_err(failed)?)
            .stderr(stderr.try_clone().map_err(failed)?)
            .process_group(0);
        let child = command.spawn().map_err(failed)?;
        Ok(Self {
            child,
            command: text,
            stdout,
            stderr,
            _world: world,
        })
    }

    /// The process id, as our own process (not the lab's other programs) sees it: good for /proc/PID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The command line, for messages.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The writing end of its standard input, once, when it was started with one.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> Output {
        Output {
            stdout: text_of(&self.stdout),
            stderr: text_of(&self.stderr),
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Processor time and memory it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let result = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| {
            rustix::process::kill_process(pid, signal)
        });
        result.map_err(|e| Error::system(format!("send a signal to `{}`", self.command), e))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after the limit (it then goes on running).
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = wait_for_end(&mut self.child, limit)
            .map_err(|e| Error::system(format!("wait for `{}`", self.command), e))?;
        status.ok_or_else(|| Error::TimedOut {
            what: format!("`{}`", self.command),
            limit,
            output: self.output(),
        })
    }

    /// Waits until it ends, and takes what it printed; kills it at the limit.
    ///
    /// # Errors
    /// When it ends with a failure, or not in time.
    pub fn finish(mut self, limit: Duration) -> Result<Output> {
        let status = self.wait(limit)?;
        let output = self.output();
        if status.success() {
            return Ok(output);
        }
        Err(Error::Failed {
            command: self.command.clone(),
            code: status.code(),
            output,
        })
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = wait_for_end(&mut self.child, KILL_LIMIT);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A file in memory without a name: unlike a pipe it never fills up, and nobody has to read it.
fn collector() -> std::io::Result<File> {
    Ok(rustix::fs::memfd_create("hushwire-lab-output", MemfdFlags::CLOEXEC)?.into())
}

/// All that is in a collector, without moving the place where the program writes next.
fn text_of(file: &File) -> String {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

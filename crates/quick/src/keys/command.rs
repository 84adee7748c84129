//! Commands that print a key.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hushwire_config::raw;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::{Content, LIMIT, Place, Why};

/// How long a command may take: enough to type a passphrase.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60);
/// The longest wait before the next look whether the end was asked for.
const LOOK: Duration = Duration::from_millis(50);
/// The same, for the end of a command that has closed its output.
const END_LOOK: Duration = Duration::from_millis(2);

/// What a command prints. It runs in the process group of its caller, so that it can ask
/// something at the terminal, and without standard input.
pub(super) fn output(command: &str, place: &Place<'_>) -> Result<Content, Why> {
    let command = command.replace("%i", place.interface);
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(OsStr::from_bytes(&raw::encode(&command)))
        .env("INTERFACE", place.interface)
        .env("CONFIG_FILE", place.path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Why::Start)?;
    let ended = Waiting {
        deadline: Instant::now().checked_add(TIME_LIMIT),
        place,
    }
    .output_of(&mut child);
    if ended.is_err() {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (content, status) = ended?;
    if status.success() {
        Ok(content)
    } else {
        Err(Why::Ended(status))
    }
}

struct Waiting<'a> {
    deadline: Option<Instant>,
    place: &'a Place<'a>,
}

impl Waiting<'_> {
    fn output_of(&self, child: &mut Child) -> Result<(Content, ExitStatus), Why> {
        let mut content = Zeroizing::new(vec![0; LIMIT]);
        let mut length = 0;
        if let Some(mut pipe) = child.stdout.take() {
            while let Some(room @ [_, ..]) = content.get_mut(length..) {
                match self.read(&mut pipe, room)? {
                    0 => break,
                    read => length += read,
                }
            }
        }
        if length == LIMIT {
            return Err(Why::TooLong);
        }
        content.truncate(length);
        loop {
            if let Some(status) = child.try_wait().map_err(Why::Wait)? {
                return Ok((content, status));
            }
            self.go_on()?;
            thread::sleep(END_LOOK);
        }
    }

    fn read(&self, pipe: &mut ChildStdout, room: &mut [u8]) -> Result<usize, Why> {
        let look = Timespec::try_from(LOOK).ok();
        loop {
            self.go_on()?;
            let mut watched = [PollFd::new(&*pipe, PollFlags::IN)];
            let _ = poll(&mut watched, look.as_ref());
            if watched.iter().all(|one| one.revents().is_empty()) {
                continue;
            }
            match pipe.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(Why::Wait),
            }
        }
    }

    fn go_on(&self) -> Result<(), Why> {
        if self.deadline.is_some_and(|end| Instant::now() >= end) {
            return Err(Why::TimeLimit);
        }
        let interrupt = self.place.interrupt;
        if interrupt.is_some_and(|interrupt| interrupt.signal().is_some()) {
            return Err(Why::Interrupted);
        }
        Ok(())
    }
}

use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{Error, Output, Result};

/// Time between two looks at a condition that cannot be waited for otherwise.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until a condition holds. `what` says in an error what was waited for.
///
/// # Errors
/// When it does not hold before the limit.
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= deadline {
            return Err(Error::TimedOut {
                what: what.to_owned(),
                limit,
                output: Output::default(),
            });
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

/// Waits for a child to end; none when it still runs at the limit.
pub(crate) fn wait_for_end(
    child: &mut Child,
    limit: Duration,
) -> std::io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("a process id of zero"))?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
        let outcome = poll(&mut ready, Some(&timespec(left)));
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        match outcome {
            Ok(_) | Err(rustix::io::Errno::INTR) if !left.is_zero() => {}
            Ok(_) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    })
}

use std::fs;
use std::time::Duration;

use crate::{Error, Result};

/// What a process has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads, those that have ended too, in user and system mode.
    pub processor: Duration,
    /// The memory that it has resident now, in bytes (`VmRSS`).
    pub memory: u64,
    /// The most memory it ever had resident, in bytes (`VmHWM`).
    pub peak_memory: u64,
}

impl Usage {
    /// Reads the figures of a process from /proc (proc_pid_stat(5), proc_pid_status(5)).
    ///
    /// # Errors
    /// When the process has ended.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).map_err(|e| Error::system(format!("read {path}"), e))
        };
        let nonsense = |name: &str| {
            Error::unexpected(format!("/proc/{pid}/{name}"), "not in the form we know")
        };
        let ticks = processor_ticks(&read("stat")?).ok_or_else(|| nonsense("stat"))?;
        let status = read("status")?;
        let memory = |name| memory(&status, name).ok_or_else(|| nonsense("status"));
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Self {
            processor: Duration::from_secs_f64(ticks as f64 / per_second as f64),
            memory: memory("VmRSS:")?,
            peak_memory: memory("VmHWM:")?,
        })
    }

    /// What was used since an earlier look; memory is as of now, and its peak that of the whole time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            ..*self
        }
    }
}

/// `utime` and `stime`, the 14th and 15th field. The name, the second, is in parentheses and may hold anything.
fn processor_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_full_of_traps() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 1 0 5 1 1";
        assert_eq!(processor_ticks(stat), Some(42));
        assert_eq!(processor_ticks("7 (x) S 1"), None);
        assert_eq!(processor_ticks(""), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(memory(status, "VmHWM:"), Some(2_097_152));
        assert_eq!(memory(status, "VmRSS:"), Some(1024));
        assert_eq!(memory("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn our_own_process_has_used_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.peak_memory > 100_000);
        assert!((100_000..=usage.peak_memory).contains(&usage.memory));
        assert!(Usage::of(u32::MAX).is_err());
    }
}

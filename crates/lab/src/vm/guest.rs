//! Inside of the machine: the first process, which furnishes it, runs the checks and switches it off.

use std::any::Any;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::mount::MountFlags;
use rustix::system::{RebootCommand, finit_module, reboot};

use super::Check;
use super::harness::Selection;
use super::report::Line;
use crate::{Error, Result};

/// Where the kernel looks for the first program.
pub(super) const INIT: &str = "/init";
/// Kernel modules, to be loaded in the order of their names.
pub(super) const MODULES: &str = "/modules";
/// The second serial line; the first one is the console.
const REPORT: &str = "/dev/ttyS1";
const FILE_SYSTEMS: [(&str, &str); 5] = [
    ("devtmpfs", "/dev"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
];

/// WireGuard has a kernel thread for each peer, and a small machine is allowed few threads.
const LIMITS: [(&str, &str); 2] = [
    ("/proc/sys/kernel/threads-max", "100000"),
    ("/proc/sys/kernel/pid_max", "200000"),
];

/// What panics have said since it was last asked for.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether this process is the first of the machine.
pub(super) fn is_here() -> bool {
    std::process::id() == 1 && std::env::args_os().next().as_deref() == Some(OsStr::new(INIT))
}

/// Runs the checks that the kernel's command line names. To return from here would end the first process, which the
/// kernel takes for a disaster: that is how the machine stops if it cannot even report.
pub(super) fn main(checks: &[Check]) -> ExitCode {
    let outcome = furnish().and_then(|()| run(checks));
    if let Err(error) = outcome {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    // QEMU is told to end where a machine would start again.
    match reboot(RebootCommand::Restart) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn furnish() -> Result<()> {
    for (kind, place) in FILE_SYSTEMS {
        rustix::mount::mount(kind, place, kind, MountFlags::empty(), None)
            .map_err(|e| Error::system(format!("mount {kind} on {place}"), e))?;
    }
    // Where bash has what it hands on to programs as files.
    symlink("/proc/self/fd", "/dev/fd").map_err(|e| Error::system("make /dev/fd", e))?;
    for (limit, value) in LIMITS {
        fs::write(limit, value).map_err(|e| Error::system(format!("set {limit}"), e))?;
    }
    let reading = |e| Error::system(format!("list {MODULES}"), e);
    let mut modules = Vec::new();
    for entry in fs::read_dir(MODULES).map_err(reading)? {
        modules.push(entry.map_err(reading)?.path());
    }
    modules.sort();
    for module in modules {
        let file = File::open(&module).map_err(|e| Error::system("open a module", e))?;
        finit_module(&file, c"", 0)
            .map_err(|e| Error::system(format!("load the module {}", module.display()), e))?;
    }
    Ok(())
}

fn run(checks: &[Check]) -> Result<()> {
    let report = OpenOptions::new().write(true).open(REPORT);
    let report = Mutex::new(report.map_err(|e| Error::system(format!("open {REPORT}"), e))?);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let selection = Selection::parse(&words)?;
    let chosen: Vec<&Check> = checks
        .iter()
        .filter(|check| selection.wants(check.name))
        .collect();
    panic::set_hook(Box::new(|info| {
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        panics.push(info.to_string());
    }));
    say(&report, &[Line::Begin(chosen.len())])?;
    thread::scope(|scope| {
        let patient = chosen.iter().filter(|check| check.patient);
        let waiting: Vec<_> = patient
            .map(|check| scope.spawn(|| say(&report, &outcome(check))))
            .collect();
        for check in chosen.iter().filter(|check| !check.patient) {
            say(&report, &outcome(check))?;
        }
        waiting
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    say(&report, &[Line::End])
}

/// Runs a check and tells how it went.
fn outcome(check: &Check) -> Vec<Line> {
    let start = Instant::now();
    let result = panic::catch_unwind(check.run);
    let mut lines = match &result {
        Ok(()) => Vec::new(),
        Err(payload) => explain(payload.as_ref()),
    };
    lines.push(Line::Done {
        name: check.name.to_owned(),
        passed: result.is_ok(),
        took: start.elapsed(),
    });
    lines
}

/// All that panics have said, which has the places in it; or else what this one carries with it.
fn explain(payload: &(dyn Any + Send)) -> Vec<Line> {
    let mut texts = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
    if texts.is_empty() {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        texts.push(text.unwrap_or("a panic without a message").to_owned());
    }
    texts
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| Line::About(line.to_owned()))
        .collect()
}

/// Writes lines that belong together, so that those of a check that runs beside this one do not come between them.
fn say(report: &Mutex<File>, lines: &[Line]) -> Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.encode());
        text.push('\n');
    }
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report
        .write_all(text.as_bytes())
        .map_err(|e| Error::system("report over the serial line", e))
}

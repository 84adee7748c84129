//! The daemon: one device, in the foreground or the background.
//!
//! Device and control socket are made by the process that was called, so that whoever called it
//! may use both as soon as it has ended. It hands them to a process in the background by their
//! descriptors, and ends when that process says that it is ready.

mod arguments;
mod background;
mod environment;
mod error;
mod serve;
mod setup;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use hushwire_io::process::Inherited;

use crate::hardening::keep_memory_private;
use crate::help;
use crate::manual::DAEMON;
use crate::program::fail;
use arguments::{Arguments, Request};
use environment::Environment;
use error::Error;

pub(crate) use serve::OFFLOADS;

/// Runs the daemon as the program `name` with these arguments.
pub(crate) fn main(name: &OsStr, words: &[OsString]) -> ExitCode {
    match Request::parse(words) {
        Ok(Request::Help) => {
            let _ = write!(
                std::io::stdout(),
                "{}",
                help::of(&DAEMON, &name.to_string_lossy())
            );
            ExitCode::SUCCESS
        }
        Ok(Request::Version) => {
            let _ = writeln!(
                std::io::stdout(),
                "hushwired {}: userspace WireGuard for Linux",
                env!("CARGO_PKG_VERSION")
            );
            ExitCode::SUCCESS
        }
        Ok(Request::Run(arguments)) => match run(name, words, arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(name, &error.to_string()),
        },
        Err(error) => fail(name, &error.to_string()),
    }
}

fn run(name: &OsStr, words: &[OsString], arguments: Arguments) -> Result<(), Error> {
    let mut inherited = Inherited::take_all().map_err(Error::Descriptors)?;
    keep_memory_private();
    let environment = Environment::read()?;
    let foreground = arguments.foreground || environment.foreground;
    let report = environment.take_report(&mut inherited)?;
    let settings = setup::Settings::new(arguments, environment)?;
    if foreground {
        return serve::serve(&settings, inherited, report);
    }
    let (tun, socket) = setup::create(&settings, &mut inherited)?;
    // What is left is the caller's, and none of a daemon's business.
    drop(inherited);
    background::start(name, words, &settings, &tun, socket)
}

/// Reads a command line, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(words: &[OsString]) -> Result<bool, String> {
    let request = Request::parse(words).map_err(|error| error.to_string())?;
    Ok(matches!(request, Request::Run(_)))
}

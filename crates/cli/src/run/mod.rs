//! `hushwire run`: a configuration up in the foreground, and down again at the end.
//!
//! The order is that of wg-quick(8). Everything made is owned by a value that undoes it when it
//! is dropped, so a failure on the way leaves nothing behind.

mod arguments;
mod configuration;
mod default_route;
mod engine;
mod error;
mod firewall;
mod hooks;
mod interface;
mod ipv6;
mod mtu;
mod routes;
mod tunnel;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;

use crate::hardening::keep_memory_private;
use crate::help;
use crate::program::fail;
use crate::signals::EndRequests;
use arguments::{Arguments, Request};
use configuration::Configuration;
use error::Error;
use tunnel::Tunnel;

/// Runs the command with the words after `run`.
pub(crate) fn main(name: &OsStr, words: &[OsString]) -> ExitCode {
    match Request::parse(words) {
        Ok(Request::Help) => {
            let _ = write!(std::io::stdout(), "{}", help::command("run"));
            ExitCode::SUCCESS
        }
        Ok(Request::Run(arguments)) => match run(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            // Lines that begin with a file's name are ready for an editor to jump to.
            Err(Error::Configuration(error)) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                ExitCode::FAILURE
            }
            Err(error) => fail(name, &error.to_string()),
        },
        Err(error) => fail(name, &error.to_string()),
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    keep_memory_private();
    let configuration = Configuration::load(arguments)?;
    // Before signals are caught: a name server that does not answer may take minutes.
    let update = configuration.resolve()?;
    let (end, ended) = mpsc::channel();
    let requests = EndRequests::catch().map_err(Error::Signals)?;
    let requested = end.clone();
    let _signals = requests
        .watch(move || {
            // Nobody listens any more when it is ending already.
            let _ = requested.send(());
        })
        .map_err(Error::Signals)?;
    let tunnel = Tunnel::up(&configuration, update, &arguments.offloads, end)?;
    // Whoever started us and does not read this has no use for it.
    let _ = writeln!(std::io::stdout(), "{}", tunnel.summary());
    // Until a signal comes, or the device is deleted or its control socket removed.
    let _ = ended.recv();
    tunnel.down()
}

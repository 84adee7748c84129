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
use crate::offloads;
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
            let _ = write!(std::io::stdout(), "{}", usage());
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

fn usage() -> String {
    let offloads = offloads::names().collect::<Vec<_>>().join(", ");
    format!(
        "\
Usage: hushwire run [--name INTERFACE] [--disable OFFLOAD[,OFFLOAD]...] CONF

Brings up the interface that the file CONF describes, in the form of wg-quick(8), with its
addresses and routes, and takes it all down again on SIGINT or SIGTERM. A CONF without a slash
that is no file stands for /etc/wireguard/CONF.conf.

      --name      the interface's name, if it is not that of the file
      --disable   do without these offloads: {offloads}
  -h, --help      this text

Environment:
  LOG_LEVEL                        verbose, error (the default) or silent
  HUSHWIRE_DISABLE                 as --disable
  WG_ENDPOINT_RESOLUTION_RETRIES   how often to ask again for the address of an endpoint: a
                                   number (15) or infinity
"
    )
}

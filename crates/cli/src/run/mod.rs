//! `hushwire run`: a configuration up in the foreground, and down again at the end.
//!
//! It is the plan of `hushwire up`, with a device of this process's own in the place of a daemon,
//! and undone at the end.

mod arguments;
mod configuration;
mod engine;
mod error;
mod in_process;
mod ipv6;
mod notify;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};

use hushwire_engine::Failed;
use hushwire_engine::sandbox::Reach;
use hushwire_quick::operation::Event;
use hushwire_quick::plan::hooks;
use hushwire_quick::{
    Backend, Daemon, Failure, Interrupt, Live, Options, QuickFile, System, Transaction,
    save_operation,
};

use crate::hardening::keep_device_private;
use crate::help;
use crate::program::fail;
use crate::quick::environment;
use crate::signals::EndRequests;
use arguments::{Arguments, Request};
use configuration::{Configuration, warn};
use error::Error;
use in_process::InProcess;

/// Runs the command with the words after `run`.
pub(crate) fn main(name: &OsStr, words: &[OsString]) -> ExitCode {
    match Request::parse(words) {
        Ok(Request::Help) => {
            let _ = write!(std::io::stdout(), "{}", help::command("run"));
            ExitCode::SUCCESS
        }
        Ok(Request::Run(arguments)) => match run(name, &arguments) {
            Ok(()) => ExitCode::SUCCESS,
            // Lines that begin with a file's name are ready for an editor to jump to.
            Err(Error::Configuration(error)) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                ExitCode::FAILURE
            }
            Err(Error::Failed(failure)) => ExitCode::from(failure.status),
            Err(error) => fail(name, &error.to_string()),
        },
        Err(error) => fail(name, &error.to_string()),
    }
}

fn run(name: &OsStr, arguments: &Arguments) -> Result<(), Error> {
    keep_device_private();
    let device = arguments.flags.over_environment().map_err(Error::Option)?;
    let sandbox = arguments
        .flags
        .sandbox(Reach::Threads)
        .map_err(Error::Option)?;
    let configuration = Configuration::load(arguments)?;
    // Before signals are caught: a name server that does not answer may take minutes.
    let update = configuration.resolve()?;
    let (end, ended) = mpsc::channel();
    let requests = EndRequests::catch().map_err(Error::Signals)?;
    let interrupt = Interrupt::catch().map_err(Error::Signals)?;
    let interface = &configuration.interface;
    let surroundings = environment(name, &configuration.path);
    let mut live = Live::new(interface, surroundings, &interrupt).map_err(explained)?;
    if live.link().map_err(explained)?.is_some() {
        return Err(Error::Exists(interface.clone()));
    }
    let options = options(&configuration.file, arguments, &mut live)?;
    let mut system = InProcess::new(live, interface, device, sandbox, end.clone(), update);
    let mut output = io::stderr();
    let mut transaction =
        Transaction::new(interface, &mut system, &mut output).with_interrupt(&interrupt);
    hushwire_quick::up(&configuration.file, &options, &mut transaction)?;
    let summary = summary(&configuration, &mut transaction);
    // Whoever started us and does not read this has no use for it.
    let _ = writeln!(io::stdout(), "{summary}");
    notify::tell(notify::READY, &summary);
    let result = wait(requests, end, &ended);
    notify::tell(notify::STOPPING, "going down");
    // Also what a device that has failed leaves behind.
    down(&configuration, &mut transaction)?;
    result
}

/// A failure that nobody has told yet.
fn explained(failure: Failure) -> Error {
    warn(&failure);
    Error::Failed(failure)
}

fn options(
    file: &QuickFile,
    arguments: &Arguments,
    system: &mut dyn System,
) -> Result<Options, Error> {
    let without_ipv6 = ipv6::is_left_out(file)?;
    if without_ipv6 {
        warn(&"IPv6 is off on this host: IPv6 addresses and routes are left out");
    }
    let without_dns = arguments.container || !system.has_resolver();
    if without_dns && !file.dns.is_empty() {
        let why = if arguments.container {
            "this is a container"
        } else {
            "neither resolvconf nor systemd-resolved is here"
        };
        warn(&format_args!(
            "DNS is not set up: {why}; name servers stay as they are"
        ));
    }
    let daemon = Daemon {
        shown: in_process::shown().to_owned(),
        program: "/proc/self/exe".into(),
        started_as: None,
        low_ports: false,
    };
    Ok(Options {
        without_ipv6,
        without_dns,
        ..Options::new(Backend::Userspace, Some(daemon))
    })
}

/// Until a signal comes, or the device is deleted or its control socket removed.
fn wait(
    requests: EndRequests,
    end: Sender<Result<(), Failed>>,
    ended: &Receiver<Result<(), Failed>>,
) -> Result<(), Error> {
    let _signals = requests
        .watch(move || {
            // Nobody listens any more when it is ending already.
            let _ = end.send(Ok(()));
        })
        .map_err(Error::Signals)?;
    let first = ended.recv().unwrap_or(Ok(()));
    first.map_err(Error::Ended)
}

/// Takes everything down, with the file's commands. All of it is done; the first failure is
/// returned.
fn down(configuration: &Configuration, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    let file = &configuration.file;
    let interface = transaction.interface();
    transaction.reset();
    let mut first = Ok(());
    let mut note = |result: Result<(), Failure>, transaction: &mut Transaction<'_>| {
        if let Err(failure) = result {
            transaction.explain(&failure);
            if first.is_ok() {
                first = Err(failure);
            }
        }
    };
    let before = transaction.run_all(hooks(Event::PreDown, file, interface));
    note(before, transaction);
    if file.save_config && matches!(transaction.system.link(), Ok(Some(_))) {
        let saved = save_operation(file, &configuration.path, transaction.system)
            .and_then(|operation| transaction.run(&operation));
        note(saved, transaction);
    }
    // A reload may have made rules that nobody here knows of.
    let mark = transaction
        .system
        .device()
        .map_or(0, |device| device.fwmark);
    transaction.roll_back_link();
    hushwire_quick::sweep(mark, transaction);
    transaction.reset();
    let after = transaction.run_all(hooks(Event::PostDown, file, interface));
    note(after, transaction);
    first
}

/// What is up, in one line.
fn summary(configuration: &Configuration, transaction: &mut Transaction<'_>) -> String {
    let addresses = &configuration.file.addresses;
    let addresses = match addresses.len() {
        0 => "no address".to_owned(),
        _ => addresses.join(", "),
    };
    let device = transaction.system.device().unwrap_or_default();
    let peers = match device.peers.len() {
        1 => "1 peer".to_owned(),
        many => format!("{many} peers"),
    };
    let (interface, port) = (&configuration.interface, device.listen_port);
    format!("{interface} is up: {addresses}, listening on {port}, {peers}")
}

/// Reads a command line, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(words: &[OsString]) -> Result<bool, String> {
    let request = Request::parse(words).map_err(|error| error.to_string())?;
    Ok(matches!(request, Request::Run(_)))
}

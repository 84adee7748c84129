//! Running a device until it ends.

use std::os::fd::OwnedFd;

use hushwire_engine::{Engine, Logger, OffloadReport, Options};
use hushwire_io::memory::swap_lock;
use hushwire_io::process::Inherited;
use hushwire_io::tun::Tun;

use super::background::report;
use super::error::Error;
use super::setup::{self, Settings};
use crate::hardening::keep_device_private;
use crate::signals::{EndRequests, Watch};

/// What the line of the log begins with that tells which offloads are in use.
pub(crate) const OFFLOADS: &str = "offloads: ";

/// Runs the device in this process until it is to end. With a pipe to report to, this is the
/// process in the background.
pub(super) fn serve(
    settings: &Settings,
    inherited: Inherited,
    caller: Option<OwnedFd>,
) -> Result<(), Error> {
    if caller.is_some() {
        detach();
    }
    // Starting by /proc/self/exe left another.
    let _ = rustix::thread::set_name(c"hushwired");
    keep_device_private();
    let started = start(settings, inherited);
    match (started, caller) {
        (Ok(running), Some(caller)) => {
            report(caller, Ok(()));
            running.wait()
        }
        (Ok(running), None) => running.wait(),
        (Err(error), Some(caller)) => {
            report(caller, Err(&error));
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

struct Running {
    engine: Engine,
    log: Logger,
    offloads: OffloadReport,
    // The interface goes with the last descriptor, after the engine's own.
    _tun: Tun,
    _signals: Watch,
}

impl Running {
    fn wait(self) -> Result<(), Error> {
        self.log.debug(format_args!("{OFFLOADS}{}", self.offloads));
        let sandbox = self.engine.sandbox_report();
        self.log.debug(format_args!("sandbox: {sandbox}"));
        if let Some(lock) = swap_lock() {
            self.log
                .debug(format_args!("memory kept out of swap: {lock}"));
        }
        let ended = self.engine.wait();
        // Some may have turned out not to work.
        self.log.debug(format_args!("{OFFLOADS}{}", self.offloads));
        ended.map_err(Error::Ended)
    }
}

fn start(settings: &Settings, mut inherited: Inherited) -> Result<Running, Error> {
    // Before the socket's file is there, so that nothing ends the process without removing it.
    let signals = EndRequests::catch().map_err(Error::Signals)?;
    let (tun, socket) = setup::create(settings, &mut inherited)?;
    drop(inherited);
    let name = tun.name().map_err(Error::TunName)?;
    let log = Logger::new(settings.log_level.unwrap_or_default(), &name);
    let options = Options {
        log: log.clone(),
        udp: settings.device.offloads.udp(),
        control_socket: Some(socket),
        memory_limit: settings.device.memory_limit,
        helpers: settings.device.helpers,
        sandbox: settings.sandbox.clone(),
    };
    let engine = Engine::start(&tun, options).map_err(Error::Start)?;
    let stopper = engine.stopper();
    let signals = match signals.watch(move || stopper.stop()) {
        Ok(signals) => signals,
        Err(error) => {
            engine.stop();
            let _ = engine.wait();
            return Err(Error::Signals(error));
        }
    };
    Ok(Running {
        offloads: engine.offload_report(&tun),
        engine,
        log,
        _tun: tun,
        _signals: signals,
    })
}

/// Lets go of the caller's terminal, whose signals are not for a daemon.
fn detach() {
    // It fails only for the leader of a process group, which a child is not.
    let _ = rustix::process::setsid();
}

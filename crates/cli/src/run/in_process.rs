//! A system in which the device is this process's own.

use std::ffi::OsStr;
use std::rc::Rc;
use std::sync::mpsc::Sender;

use hushwire_config::update::DeviceUpdate;
use hushwire_engine::sandbox::Sandbox;
use hushwire_engine::uapi::ControlSocket;
use hushwire_engine::{Engine, Failed, Level, Logger, Options};
use hushwire_io::tun::{Tun, TunOptions};
use hushwire_io::udp::UdpOptions;
use hushwire_quick::{Around, Failure, Live, Operation, System};

use super::configuration::warn;
use super::engine::RunningEngine;
use super::error::Error;
use crate::device::DeviceOptions;

/// The running system, with an engine of ours in the place of a daemon. What a container is
/// seldom allowed to do is tried, and its failure told.
pub(super) struct InProcess<'a> {
    live: Live<'a>,
    interface: String,
    options: DeviceOptions,
    sandbox: Sandbox,
    end: Sender<Result<(), Failed>>,
    /// The keys and peers, with the addresses of all endpoints.
    update: Rc<DeviceUpdate>,
    device: Option<OwnDevice>,
}

/// The fields go in their order.
struct OwnDevice {
    _engine: RunningEngine,
    // With it go the interface, its addresses and its routes.
    _tun: Tun,
}

impl<'a> InProcess<'a> {
    /// Sends a word on `end` when the device ends.
    pub(super) fn new(
        live: Live<'a>,
        interface: &str,
        options: DeviceOptions,
        sandbox: Sandbox,
        end: Sender<Result<(), Failed>>,
        update: DeviceUpdate,
    ) -> Self {
        // The engine's own threads drop their powers; a low port has to be among what they keep.
        let low_ports = sandbox.low_ports || matches!(update.listen_port, Some(1..1024));
        Self {
            live,
            interface: interface.to_owned(),
            options,
            sandbox: Sandbox {
                low_ports,
                ..sandbox
            },
            end,
            update: Rc::new(update),
            device: None,
        }
    }

    fn start(&mut self) -> Result<(), Error> {
        let options = TunOptions {
            queues: self.options.queues,
            offloads: self.options.offloads.tun,
            ..TunOptions::default()
        };
        let tun = Tun::create(&self.interface, &options).map_err(Error::Tun)?;
        let socket = ControlSocket::bind(&self.interface).map_err(Error::Socket)?;
        let level = std::env::var_os("LOG_LEVEL").unwrap_or_default();
        let options = Options {
            log: Logger::new(Level::from_env(&level.to_string_lossy()), &self.interface),
            udp: UdpOptions {
                port: self.update.listen_port.unwrap_or(0),
                fwmark: self.update.fwmark.unwrap_or(0),
                ..self.options.offloads.udp()
            },
            control_socket: Some(socket),
            memory_limit: self.options.memory_limit,
            helpers: self.options.helpers,
            sandbox: self.sandbox.clone(),
        };
        let engine = Engine::start(&tun, options).map_err(Error::Start)?;
        self.device = Some(OwnDevice {
            _engine: RunningEngine::new(engine, self.end.clone()),
            _tun: tun,
        });
        Ok(())
    }

    /// Does it if it may be done. The tunnel is of use without, on most hosts.
    fn attempt(
        &mut self,
        operation: &Operation,
        advice: &str,
    ) -> Result<Option<Operation>, Failure> {
        let done = self.live.perform(operation);
        if let Err(failure) = &done {
            let command = operation.command(&self.interface).unwrap_or_default();
            warn(&format_args!("{command}: {failure}; {advice}"));
            return Ok(None);
        }
        done
    }
}

impl Around for InProcess<'_> {
    fn inner(&mut self) -> &mut dyn System {
        &mut self.live
    }

    fn perform_around(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        match operation {
            Operation::StartDaemon(_) => {
                self.start()
                    .map_err(|error| Failure::new(error.to_string()))?;
                Ok(Some(Operation::DeleteLink))
            }
            Operation::Configure(_) => {
                // The engine has these from its start, which says in full what is wrong with them.
                let update = DeviceUpdate {
                    listen_port: None,
                    fwmark: None,
                    ..(*self.update).clone()
                };
                self.live
                    .perform(&Operation::Change(Rc::new(update.into())))
            }
            Operation::DeleteLink => {
                self.device = None;
                Ok(None)
            }
            Operation::HeedMarks => self.attempt(
                operation,
                "with net.ipv4.conf.*.rp_filter=1 nothing will come in; set it from outside \
                 (`docker run --sysctl`)",
            ),
            Operation::AddFirewall(_) => self.attempt(
                operation,
                "with net.ipv4.conf.*.rp_filter=1 nothing will come in (install nftables)",
            ),
            Operation::Hook(hook) => self.live.perform(operation).map_err(|failure| Failure {
                said: Some(format!(
                    "the {} command `{}` failed: {failure}",
                    hook.event, hook.command
                )),
                ..failure
            }),
            other => self.live.perform(other),
        }
    }
}

/// What the daemon is called in what is said: there is none, the device is ours.
pub(super) fn shown() -> &'static OsStr {
    OsStr::new("hushwired --foreground")
}

//! Starting and ending a device.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use hushwire_io::offload::Coalescer;
use hushwire_io::tun::{Monitor, Tun};
use hushwire_io::udp::{Receiver, RouteMonitor, Sockets, UdpError, UdpOptions};

use crate::binding::Binding;
use crate::control::{Control, State};
use crate::dataplane::{Dataplane, Device};
use crate::egress::Egress;
use crate::ingress::Ingress;
use crate::log::Logger;
use crate::memory::MemoryLimit;
use crate::random::SystemRandom;
use crate::report::OffloadReport;
use crate::stats::Stats;
use crate::uapi::{ControlSocket, Server, Target};

/// Messages that the ingress thread takes in one system call, each of up to 64 KiB.
const MESSAGES_AT_ONCE: usize = 8;

/// What an engine is started with besides its TUN device.
pub struct Options {
    /// Where it logs to.
    pub log: Logger,
    /// Port, mark and offloads of the UDP sockets.
    pub udp: UdpOptions,
    /// The control socket, if there is to be one.
    pub control_socket: Option<ControlSocket>,
    /// The most memory that the process may take, in bytes of its resident set. What would not
    /// fit is refused when it is configured; packets and handshakes always find memory.
    pub memory_limit: Option<u64>,
}

/// Why an engine did not start.
#[derive(Debug)]
pub enum StartError {
    /// The system refused something.
    Io(&'static str, io::Error),
    /// The UDP sockets could not be bound.
    Udp(UdpError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Udp(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// A running device.
pub struct Engine {
    target: Target,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads of a device: two for each queue of `tun`, and those of the control socket
    /// and the protocol. Its sockets are bound when this returns.
    pub fn start(tun: &Tun, options: Options) -> Result<Self, StartError> {
        let io = |what| move |error| StartError::Io(what, error);
        let monitor = Monitor::open(tun).map_err(io("watching the device"))?;
        let routes = RouteMonitor::open().map_err(io("watching the routes"))?;
        let mut device = Device::new(Box::new(SystemRandom));
        let tables = Arc::clone(device.tables());
        let mtu = tun.mtu() as usize;
        device.set_mtu(mtu);
        let lanes = tun.queues().count();
        let memory = options
            .memory_limit
            .map(|limit| MemoryLimit::new(limit, lanes))
            .transpose()
            .map_err(io("limiting memory"))?;
        if let Some(memory) = &memory {
            let bytes = usize::try_from(memory.staging()).unwrap_or(usize::MAX);
            tables.staging().set_max(bytes);
        }
        let dataplane = Dataplane::new(tables, lanes, mtu, memory, options.log)
            .map_err(io("wake-up descriptors"))?;
        let dataplane = Arc::new(dataplane);
        let mut binding = Binding::new(options.udp);
        binding.open(&dataplane).map_err(StartError::Udp)?;
        let state = Arc::new(State::new(device, binding));
        let target = Target::new(Arc::clone(&dataplane), Arc::clone(&state));
        let mut engine = Self {
            target: target.clone(),
            threads: Vec::new(),
        };
        let control = Control::new(dataplane, state, monitor, routes);
        let started = engine.spawn_all(tun, control, options.control_socket);
        if let Err(error) = started {
            engine.stop();
            engine.wait();
            return Err(StartError::Io("starting threads", error));
        }
        Ok(engine)
    }

    fn spawn_all(
        &mut self,
        tun: &Tun,
        control: Control,
        control_socket: Option<ControlSocket>,
    ) -> io::Result<()> {
        let dataplane = Arc::clone(self.target.dataplane());
        for (queue, lane) in tun.queues().zip(dataplane.lanes()) {
            let egress = Egress::new(Arc::clone(queue), Arc::clone(&dataplane), Arc::clone(lane))?;
            let egress = Arc::new(Mutex::new(egress));
            let ingress = Ingress::new(
                Arc::clone(queue),
                Coalescer::new(Arc::clone(tun.offloads())),
                Arc::clone(&dataplane),
                Arc::clone(lane),
                Arc::clone(&egress),
            )?;
            let receiver = Receiver::new(MESSAGES_AT_ONCE);
            self.spawn("ingress", move || ingress.run(receiver))?;
            self.spawn("egress", move || Egress::run(&egress))?;
        }
        self.spawn("control", move || control.run())?;
        if let Some(socket) = control_socket {
            let server = Server::new(socket, self.target.clone())?;
            self.spawn("uapi", move || server.run())?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.into()).spawn(run)?;
        self.threads.push(thread);
        Ok(())
    }

    /// The device as its configuration sees it, for use within this process.
    #[must_use]
    pub fn control(&self) -> Target {
        self.target.clone()
    }

    /// What was dropped since the start.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        self.target.dataplane().stats()
    }

    /// Which offloads the device uses. `tun` is the one that the engine was started with.
    #[must_use]
    pub fn offload_report(&self, tun: &Tun) -> OffloadReport {
        OffloadReport {
            tun: Arc::clone(tun.offloads()),
            dataplane: Arc::clone(self.target.dataplane()),
        }
    }

    /// Something to end the engine with from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(self.target.dataplane()))
    }

    /// Tells all threads to end.
    pub fn stop(&self) {
        self.target.dataplane().stop();
    }

    /// Waits until all threads have ended: after [`Self::stop`], or when the device is deleted or
    /// its control socket removed.
    pub fn wait(self) {
        for thread in self.threads {
            // A thread that panicked has ended too; its message is on stderr.
            let _ = thread.join();
        }
    }
}

/// Ends an engine.
#[derive(Clone)]
pub struct Stopper(Arc<Dataplane<Sockets>>);

impl Stopper {
    /// Tells all threads to end.
    pub fn stop(&self) {
        self.0.stop();
    }
}

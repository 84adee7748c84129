//! Starting and ending a device.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use hushwire_io::offload::Coalescer;
use hushwire_io::tun::{Monitor, Tun};
use hushwire_io::udp::{Receiver, RouteMonitor, Sockets, UdpError, UdpOptions};

use crate::binding::Binding;
use crate::control::{Control, State};
use crate::dataplane::{Dataplane, Device};
use crate::egress::Egress;
use crate::handoff::{Handoff, Helper, Pool, SLOTS, Source};
use crate::ingress::{Buffers, Ingress};
use crate::log::Logger;
use crate::memory::MemoryLimit;
use crate::random::SystemRandom;
use crate::receive_buffer::{MESSAGES_AT_ONCE, ReceiveBuffer};
use crate::report::OffloadReport;
use crate::sandbox::{self, Sandbox, SandboxError, ThreadClass, Warden};
use crate::stats::Stats;
use crate::status::Vitals;
use crate::uapi::{ControlSocket, Server, Target};

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
    /// How many threads seal and open for those that read and write, when these have more to do
    /// than they can; see [`default_helpers`](crate::default_helpers).
    pub helpers: usize,
    /// What its threads give up once everything is open.
    pub sandbox: Sandbox,
}

/// Why an engine did not start.
#[derive(Debug)]
pub enum StartError {
    /// The system refused something.
    Io(&'static str, io::Error),
    /// The UDP sockets could not be bound.
    Udp(UdpError),
    /// A layer of the sandbox that must be there is not.
    Sandbox(SandboxError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Udp(error) => error.fmt(f),
            Self::Sandbox(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<SandboxError> for StartError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

/// An engine ended that nobody had told to: the system, or a mistake of ours, took away what the
/// device cannot do without. The log says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the device has failed; its log says why")
    }
}

impl std::error::Error for Failed {}

/// A running device.
pub struct Engine {
    target: Target,
    threads: Vec<JoinHandle<()>>,
    warden: Warden,
}

/// What a thread will do.
struct Task {
    name: &'static str,
    class: ThreadClass,
    run: Box<dyn FnOnce() + Send>,
}

impl Task {
    fn new(name: &'static str, class: ThreadClass, run: impl FnOnce() + Send + 'static) -> Self {
        Self {
            name,
            class,
            run: Box::new(run),
        }
    }
}

impl Engine {
    /// Starts the threads of a device: two for each queue of `tun`, the helpers, and those of the
    /// control socket and the protocol. Its sockets are bound when this returns.
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
            .map(|limit| MemoryLimit::new(limit, lanes, options.helpers))
            .transpose()
            .map_err(io("limiting memory"))?;
        if let Some(memory) = &memory {
            let bytes = usize::try_from(memory.staging()).unwrap_or(usize::MAX);
            tables.staging().set_max(bytes);
        }
        let pool = (options.helpers > 0).then(|| Pool::new(options.helpers));
        let dataplane = Dataplane::new(tables, lanes, mtu, memory, pool, options.log)
            .map_err(io("wake-up descriptors"))?;
        let dataplane = Arc::new(dataplane);
        let mut binding = Binding::new(options.udp);
        binding.open(&dataplane).map_err(StartError::Udp)?;
        let state = Arc::new(State::new(device, binding));
        let warden = Warden::new(options.sandbox);
        let vitals = Arc::new(Vitals::new(Arc::clone(tun.offloads()), warden.clone()));
        let target = Target::new(Arc::clone(&dataplane), Arc::clone(&state), vitals);
        let control = Control::new(dataplane, state, monitor, routes);
        let mut engine = Self {
            target,
            threads: Vec::new(),
            warden,
        };
        let tasks = engine
            .tasks(tun, control, options.control_socket)
            .map_err(io("preparing threads"))?;
        engine.target.vitals().set_threads(tasks.len());
        // All is open now.
        engine.warden.enter_process()?;
        if let Err(error) = engine.spawn_all(tasks) {
            engine.stop();
            // Why it does not start says more.
            let _ = engine.wait();
            return Err(error);
        }
        Ok(engine)
    }

    fn tasks(
        &self,
        tun: &Tun,
        control: Control,
        control_socket: Option<ControlSocket>,
    ) -> io::Result<Vec<Task>> {
        let mut tasks = Vec::new();
        let mut rings: Vec<Arc<dyn Source>> = Vec::new();
        let dataplane = Arc::clone(self.target.dataplane());
        for (queue, lane) in tun.queues().zip(dataplane.lanes()) {
            let egress = Egress::new(Arc::clone(queue), Arc::clone(&dataplane), Arc::clone(lane))?;
            rings.extend(egress.ring().map(|ring| Arc::clone(ring) as _));
            let egress = Arc::new(Mutex::new(egress));
            let ingress = Ingress::new(
                Arc::clone(queue),
                Coalescer::new(Arc::clone(tun.offloads())),
                Arc::clone(&dataplane),
                Arc::clone(lane),
                Arc::clone(&egress),
                receive_buffers(&dataplane),
            )?;
            rings.extend(ingress.ring().map(|ring| Arc::clone(ring) as _));
            let run = move || ingress.run();
            tasks.push(Task::new("ingress", ThreadClass::Ingress, run));
            let run = move || Egress::run(&egress);
            tasks.push(Task::new("egress", ThreadClass::Egress, run));
        }
        if let Some(pool) = dataplane.helpers() {
            for _ in 0..pool.helpers() {
                let helper = Helper::new(Arc::clone(pool), rings.clone());
                let run = move || helper.run();
                tasks.push(Task::new("helper", ThreadClass::Helper, run));
            }
        }
        let run = move || control.run();
        tasks.push(Task::new("control", ThreadClass::Control, run));
        if let Some(socket) = control_socket {
            let server = Server::new(socket, self.target.clone(), self.warden.clone())?;
            let run = move || server.run();
            tasks.push(Task::new("uapi", ThreadClass::Uapi, run));
        }
        Ok(tasks)
    }

    fn spawn_all(&mut self, tasks: Vec<Task>) -> Result<(), StartError> {
        for task in tasks {
            let warden = self.warden.clone();
            let dataplane = Arc::clone(self.target.dataplane());
            let (tell, told) = mpsc::sync_channel(1);
            let thread = thread::Builder::new()
                .name(task.name.into())
                .spawn(move || {
                    let entered = warden.enter_thread(task.class);
                    let is_in = entered.is_ok();
                    // Whoever started us waits for it.
                    let _ = tell.send(entered);
                    if !is_in {
                        return;
                    }
                    if task.class == ThreadClass::Helper {
                        // Whom it helps goes on without it.
                        return (task.run)();
                    }
                    run_to_the_end(task.run, || {
                        dataplane.fail(format_args!("the {} thread has panicked", task.name));
                    });
                });
            self.threads
                .push(thread.map_err(|error| StartError::Io("starting threads", error))?);
            told.recv().map_err(|_| {
                let error = io::Error::other("a thread ended before its work began");
                StartError::Io("starting threads", error)
            })??;
        }
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

    /// How far the sandbox of its threads goes.
    #[must_use]
    pub fn sandbox_report(&self) -> sandbox::Report {
        self.warden.report()
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
    ///
    /// # Errors
    ///
    /// [`Failed`] when they ended for another reason.
    pub fn wait(self) -> Result<(), Failed> {
        for thread in self.threads {
            // A thread that panicked has ended too; its message is on stderr.
            let _ = thread.join();
        }
        match self.target.dataplane().has_failed() {
            true => Err(Failed),
            false => Ok(()),
        }
    }
}

/// Does a thread's work, and calls `give_up` if it panics. A device that goes on with one thread less
/// looks alive and moves nothing; one that ends is missed, and can be started anew.
fn run_to_the_end(run: impl FnOnce(), give_up: impl FnOnce()) {
    // Nothing of the thread's own is looked at afterwards; what it shares copes with a panic.
    if panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
        give_up();
    }
}

/// What an ingress thread receives into.
fn receive_buffers(dataplane: &Arc<Dataplane<Sockets>>) -> Buffers<Sockets> {
    let buffer = || {
        let receiver = Receiver::new(MESSAGES_AT_ONCE);
        Box::new(ReceiveBuffer::new(Arc::clone(dataplane), receiver))
    };
    let spare = || (0..SLOTS).map(|_| buffer()).collect();
    let pool = dataplane.helpers().cloned();
    Buffers {
        filling: buffer(),
        handoff: pool.map(|pool| Handoff::new(pool, spare())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_ends_the_device_and_one_that_ends_does_not() {
        let given_up = |run: fn()| {
            let (tell, told) = mpsc::sync_channel(1);
            let work = move || {
                run_to_the_end(run, || {
                    let _ = tell.send(());
                });
            };
            let _ = thread::spawn(work).join();
            told.try_recv().is_ok()
        };
        assert!(given_up(|| panic!("as a test wants it")));
        assert!(!given_up(|| ()));
    }
}

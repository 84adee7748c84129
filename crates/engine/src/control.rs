//! The control thread: handshakes, timers, and what happens to the device and the routes.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hushwire_config::stack::wipe_stack;
use hushwire_io::tun::{Event, Monitor};
use hushwire_io::udp::{
    DatagramSocket, RouteMonitor, SendScratch, Sockets, Transmit, source_still_routes,
};
use hushwire_proto::ecn::Ecn;
use hushwire_proto::time::Now;

use crate::binding::Binding;
use crate::clock;
use crate::convert;
use crate::dataplane::{Dataplane, Device, Peer};
use crate::handshake_queue::CAPACITY;
use crate::recheck::Recheck;
use crate::stats::HandshakeEvent;
use crate::turnstile::Turnstile;
use crate::wait;

/// Handshake messages handled before timers get their turn.
const MESSAGES_AT_ONCE: usize = 32;

/// The protocol's state and the sockets, changed by the control thread and by UAPI clients. The
/// data path takes neither of these locks.
pub(crate) struct State {
    device: Mutex<Device>,
    binding: Mutex<Binding>,
    sets: Turnstile,
}

impl State {
    pub(crate) fn new(device: Device, binding: Binding) -> Self {
        Self {
            device: Mutex::new(device),
            binding: Mutex::new(binding),
            sets: Turnstile::new(),
        }
    }

    /// Lets one set through at a time.
    pub(crate) const fn sets(&self) -> &Turnstile {
        &self.sets
    }

    pub(crate) fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before [`Self::device`] where both are needed.
    pub(crate) fn binding(&self) -> MutexGuard<'_, Binding> {
        self.binding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Control {
    dataplane: Arc<Dataplane<Sockets>>,
    state: Arc<State>,
    monitor: Monitor,
    routes: RouteMonitor,
    seen_up: bool,
    /// Whose sources are to be looked at.
    recheck: Recheck<Arc<Peer>>,
    buffer: Vec<u8>,
    scratch: SendScratch,
}

impl Control {
    pub(crate) fn new(
        dataplane: Arc<Dataplane<Sockets>>,
        state: Arc<State>,
        monitor: Monitor,
        routes: RouteMonitor,
    ) -> Self {
        Self {
            dataplane,
            state,
            monitor,
            routes,
            seen_up: false,
            recheck: Recheck::new(),
            buffer: Vec::with_capacity(2048),
            scratch: SendScratch::default(),
        }
    }

    /// Runs until the engine stops or the device is deleted.
    pub(crate) fn run(mut self) {
        let mut result = self.device_events();
        while result.is_ok() && !self.dataplane.is_stopping() {
            result = self.turn();
        }
        if let Err(error) = result {
            self.dataplane.fail(format_args!("control thread: {error}"));
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.serve();
        // Handshakes leave parts of keys.
        wipe_stack();
        self.check_new_sources();
        let dataplane = Arc::clone(&self.dataplane);
        let fds = [
            dataplane.control().as_fd(),
            self.monitor.as_fd(),
            self.routes.as_fd(),
        ];
        let [woken, device_changed, routes_changed] = wait::wait(fds, timeout)?;
        if woken {
            dataplane.control().clear();
        }
        if device_changed {
            self.device_events()?;
        }
        if routes_changed && self.routes.drain()? {
            self.recheck.routes_changed(Instant::now());
        }
        self.forget_stale_sources();
        Ok(())
    }

    /// Handles what waits, sends what came of it, and says how long there is nothing to do. A frame
    /// of its own, which can be overwritten afterwards.
    #[inline(never)]
    fn serve(&mut self) -> Option<Duration> {
        let state = Arc::clone(&self.state);
        let mut device = state.device();
        let mut handled = 0;
        while let Some((mut handshake, depth)) = self.dataplane.handshakes().pop() {
            let now = clock::now();
            device.report_load(now, depth, CAPACITY);
            let path = handshake.path;
            // Counted and not logged: a log line for each would let strangers fill the disk.
            let verdict = device.handle_datagram(now, path, Ecn::NotEct, handshake.datagram());
            let event = HandshakeEvent::of(&verdict);
            self.dataplane.stats().handshake(event);
            self.send(&mut device);
            handled += 1;
            if handled == MESSAGES_AT_ONCE {
                self.dataplane.wake_control();
                break;
            }
        }
        let now = clock::now();
        device.handle_timeout(now);
        self.send(&mut device);
        let protocol = device.poll_timeout().map(|at| until(now, at));
        drop(device);
        let sources = self.recheck.timeout(Instant::now());
        protocol.into_iter().chain(sources).min()
    }

    fn send(&mut self, device: &mut Device) {
        let Some(sockets) = self.dataplane.sockets() else {
            while device.poll_transmit(&mut self.buffer).is_some() {}
            return;
        };
        while let Some(transmit) = device.poll_transmit(&mut self.buffer) {
            let datagram = Transmit {
                to: transmit.path.remote,
                from: transmit.path.local.map(convert::local_to_io),
                tos: transmit.tos,
                contents: &self.buffer,
                segment_size: None,
            };
            let report = sockets.send(&[datagram], &mut self.scratch);
            if let (true, Some(peer)) = (
                report.troubles.iter().any(|trouble| trouble.source_gone),
                &transmit.peer,
            ) {
                peer.forget_source(transmit.path);
            }
        }
    }

    fn device_events(&mut self) -> io::Result<()> {
        while let Some(event) = self.monitor.next_event()? {
            self.dataplane
                .log()
                .debug(format_args!("device: {event:?}"));
            match event {
                Event::Deleted => {
                    self.dataplane.stop();
                    return Ok(());
                }
                Event::Down => self.link_down(),
                Event::Moved | Event::Renamed(_) => {}
                Event::Mtu(mtu) => self.set_mtu(mtu as usize),
                Event::Up => self.link_up(),
            }
        }
        Ok(())
    }

    fn link_up(&mut self) {
        self.seen_up = true;
        if let Err(error) = self.state.binding().open(&self.dataplane) {
            self.dataplane
                .log()
                .error(format_args!("the device has no sockets: {error}"));
        }
        self.state.device().set_up(clock::now(), true);
    }

    /// A device that has never been up keeps its sockets: its port is shown, and taken, from the
    /// start, as with wireguard-go.
    fn link_down(&mut self) {
        if !self.seen_up {
            return;
        }
        let mut binding = self.state.binding();
        self.state.device().set_up(clock::now(), false);
        binding.close(&self.dataplane);
    }

    fn set_mtu(&self, mtu: usize) {
        self.dataplane.set_mtu(mtu);
        self.state.device().set_mtu(mtu);
    }

    /// When the routes have changed every source address is in question.
    fn forget_stale_sources(&mut self) {
        let all = || {
            let device = self.state.device();
            device
                .peers()
                .map(|peer| Arc::clone(peer.shared()))
                .collect()
        };
        let peers = self.recheck.next(Instant::now(), all);
        if peers.is_empty() {
            return;
        }
        // Taken before: nobody waits for the sockets while routes are looked up.
        let mark = self.state.binding().fwmark();
        for peer in peers {
            check_source(&peer, mark);
        }
    }

    /// Peers that spoke to another of our addresses. It may be one that the routes have left.
    fn check_new_sources(&self) {
        loop {
            // Looked at without the lock: it takes system calls.
            let peer = self.state.device().poll_new_source();
            let Some(peer) = peer else { return };
            check_source(&peer, self.state.binding().fwmark());
        }
    }
}

/// A source address is kept only while the route to the peer would use it.
fn check_source(peer: &Peer, mark: u32) {
    let Some(path) = peer.path() else { return };
    let Some(local) = path.local else { return };
    let local = convert::local_to_io(local);
    if !source_still_routes(path.remote, &local, mark).unwrap_or(true) {
        peer.forget_source(path);
    }
}

fn until(now: Now, at: hushwire_proto::time::Instant) -> Duration {
    at.saturating_since(now.monotonic)
}

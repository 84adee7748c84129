//! What the threads of a device share.

use std::io;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use hushwire_io::udp::{DatagramSocket, Family};
use hushwire_proto::provider::DefaultCrypto;

use crate::handshake_queue::{Handshake, HandshakeQueue};
use crate::log::Logger;
use crate::stats::{DropReason, Stats};
use crate::wait::Wake;

pub(crate) type Device = hushwire_proto::Device<DefaultCrypto>;
pub(crate) type Keypair = hushwire_proto::Keypair<DefaultCrypto>;
pub(crate) type Peer = hushwire_proto::Peer<DefaultCrypto>;
pub(crate) type Routes = hushwire_proto::tables::Routes<DefaultCrypto>;
pub(crate) type Tables = hushwire_proto::Tables<DefaultCrypto>;

/// The sockets, the protocol's tables, and the ways to wake each other.
pub(crate) struct Dataplane<S> {
    sockets: ArcSwapOption<S>,
    tables: Arc<Tables>,
    handshakes: HandshakeQueue,
    mtu: AtomicUsize,
    stats: Stats,
    log: Logger,
    control: Wake,
    /// Wakes the receiving thread: the sockets are others now, or the engine stops.
    rebound: Wake,
    /// Wakes the sending thread for good.
    stop: Wake,
    stopping: AtomicBool,
    /// Whether the sending thread has the TUN queue to itself; else the receiving thread watches
    /// it too. See [`crate::egress`].
    busy: AtomicBool,
    /// Wakes the sending thread: the queue is its own again.
    hand_over: Wake,
}

impl<S: DatagramSocket> Dataplane<S> {
    pub(crate) fn new(tables: Arc<Tables>, mtu: usize, log: Logger) -> io::Result<Self> {
        Ok(Self {
            sockets: ArcSwapOption::empty(),
            tables,
            handshakes: HandshakeQueue::new(),
            mtu: AtomicUsize::new(mtu),
            stats: Stats::default(),
            log,
            control: Wake::new()?,
            rebound: Wake::new()?,
            stop: Wake::new()?,
            stopping: AtomicBool::new(false),
            busy: AtomicBool::new(true),
            hand_over: Wake::new()?,
        })
    }

    pub(crate) const fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    pub(crate) const fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) const fn log(&self) -> &Logger {
        &self.log
    }

    pub(crate) const fn handshakes(&self) -> &HandshakeQueue {
        &self.handshakes
    }

    /// The MTU of the device, in bytes.
    pub(crate) fn mtu(&self) -> usize {
        self.mtu.load(Ordering::Relaxed)
    }

    pub(crate) fn set_mtu(&self, mtu: usize) {
        self.mtu.store(mtu, Ordering::Relaxed);
    }

    /// The sockets, unless the device is down.
    pub(crate) fn sockets(&self) -> Option<Arc<S>> {
        self.sockets.load_full()
    }

    /// Puts others in the place of the sockets; the old ones close when nobody uses them any more.
    pub(crate) fn set_sockets(&self, sockets: Option<Arc<S>>) {
        self.sockets.store(sockets);
        self.rebound.wake();
    }

    /// How many sealed packets of `size` bytes one send to this family takes.
    pub(crate) fn max_segments(&self, family: Family, size: usize) -> usize {
        let size = u16::try_from(size).ok().and_then(NonZeroU16::new);
        match (size, &*self.sockets.load()) {
            (Some(size), Some(sockets)) => sockets.max_segments(family, size).max(1),
            _ => 1,
        }
    }

    /// Hands a message to the control thread.
    pub(crate) fn queue_handshake(&self, handshake: Handshake) {
        match self.handshakes.push(handshake) {
            Some(true) => self.wake_control(),
            Some(false) => {}
            None => self.stats.count(DropReason::HandshakeQueueFull),
        }
    }

    /// Asks the control thread to look after a peer.
    pub(crate) fn request_service(&self, peer: &Arc<Peer>) {
        if self.tables.request_service(peer) {
            self.wake_control();
        }
    }

    pub(crate) fn wake_control(&self) {
        self.control.wake();
    }

    pub(crate) const fn control(&self) -> &Wake {
        &self.control
    }

    pub(crate) const fn rebound(&self) -> &Wake {
        &self.rebound
    }

    /// Whether the sending thread has the TUN queue to itself.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Gives the TUN queue to the sending thread, if it does not have it.
    pub(crate) fn hand_over(&self) {
        if !self.busy.load(Ordering::Relaxed) && !self.busy.swap(true, Ordering::AcqRel) {
            self.hand_over.wake();
        }
    }

    /// Gives the TUN queue to the receiving thread, if that one is at its sockets.
    pub(crate) fn hand_back(&self) {
        if self.sockets.load().is_some() {
            self.busy.store(false, Ordering::Release);
            self.rebound.wake();
        }
    }

    pub(crate) const fn handed_over(&self) -> &Wake {
        &self.hand_over
    }

    pub(crate) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// Ends all threads of the device.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.wake();
        self.rebound.wake();
        self.control.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

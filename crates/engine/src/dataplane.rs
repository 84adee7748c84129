//! What the threads of a device share.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hushwire_io::udp::DatagramSocket;
use hushwire_proto::provider::DefaultCrypto;

use crate::handoff::Pool;
use crate::handshake_queue::{CAPACITY, Handshake, HandshakeQueue};
use crate::lane::Lane;
use crate::log::Logger;
use crate::memory::MemoryLimit;
use crate::stats::{DropReason, Stats};
use crate::wait::Wake;

pub(crate) type Device = hushwire_proto::Device<DefaultCrypto>;
pub(crate) type Peer = hushwire_proto::Peer<DefaultCrypto>;
pub(crate) type Reservation = hushwire_proto::peer::Reservation<DefaultCrypto>;
pub(crate) type Routes = hushwire_proto::tables::Routes<DefaultCrypto>;
pub(crate) type Session = hushwire_proto::tables::Session<DefaultCrypto>;
pub(crate) type Tables = hushwire_proto::Tables<DefaultCrypto>;

/// The lanes, the protocol's tables, and the ways to wake each other.
pub(crate) struct Dataplane<S> {
    lanes: Vec<Arc<Lane<S>>>,
    tables: Arc<Tables>,
    handshakes: HandshakeQueue,
    mtu: AtomicUsize,
    memory: Option<Arc<MemoryLimit>>,
    helpers: Option<Arc<Pool>>,
    stats: Stats,
    log: Logger,
    control: Wake,
    /// Wakes the sending threads for good.
    stop: Wake,
    stopping: AtomicBool,
    failed: AtomicBool,
}

impl<S: DatagramSocket> Dataplane<S> {
    /// With `lanes` of them, at least one; with the pool of the helpers, if there are any.
    pub(crate) fn new(
        tables: Arc<Tables>,
        lanes: usize,
        mtu: usize,
        memory: Option<MemoryLimit>,
        helpers: Option<Pool>,
        log: Logger,
    ) -> io::Result<Self> {
        let lanes = (0..lanes.max(1))
            .map(|_| Ok(Arc::new(Lane::new()?)))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            lanes,
            tables,
            handshakes: HandshakeQueue::new(CAPACITY),
            mtu: AtomicUsize::new(mtu),
            memory: memory.map(Arc::new),
            helpers: helpers.map(Arc::new),
            stats: Stats::default(),
            log,
            control: Wake::new()?,
            stop: Wake::new()?,
            stopping: AtomicBool::new(false),
            failed: AtomicBool::new(false),
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

    pub(crate) const fn memory(&self) -> Option<&Arc<MemoryLimit>> {
        self.memory.as_ref()
    }

    /// The pool of the helpers, if there are any.
    pub(crate) const fn helpers(&self) -> Option<&Arc<Pool>> {
        self.helpers.as_ref()
    }

    /// The MTU of the device, in bytes.
    pub(crate) fn mtu(&self) -> usize {
        self.mtu.load(Ordering::Relaxed)
    }

    pub(crate) fn set_mtu(&self, mtu: usize) {
        self.mtu.store(mtu, Ordering::Relaxed);
    }

    pub(crate) fn lanes(&self) -> &[Arc<Lane<S>>] {
        &self.lanes
    }

    /// The first lane, whose sockets send what is not data.
    pub(crate) fn first_lane(&self) -> Option<&Arc<Lane<S>>> {
        self.lanes.first()
    }

    /// The sockets of the first lane, unless the device is down.
    pub(crate) fn sockets(&self) -> Option<Arc<S>> {
        self.first_lane()?.sockets()
    }

    /// Gives each lane its sockets; with fewer than lanes, the rest have none.
    pub(crate) fn set_sockets(&self, sockets: Vec<S>) {
        let mut sockets = sockets.into_iter();
        for lane in &self.lanes {
            lane.set_sockets(sockets.next().map(Arc::new));
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

    pub(crate) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// Ends all threads of the device.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.wake();
        for lane in &self.lanes {
            lane.rebound().wake();
        }
        if let Some(helpers) = &self.helpers {
            helpers.stop();
        }
        self.control.wake();
    }

    /// Ends all threads because of something that the device cannot do without, and says what.
    pub(crate) fn fail(&self, what: impl fmt::Display) {
        self.log.error(what);
        self.failed.store(true, Ordering::Release);
        self.stop();
    }

    /// Whether it ends, or has ended, because of [`Self::fail`].
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

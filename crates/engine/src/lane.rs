//! A lane of the data path: one TUN queue, its sockets, and the two threads that move packets
//! between them, one each way.
//!
//! The kernel keeps a flow on one TUN queue and a sender on one of the sockets that share the
//! port, so lanes need not know of each other.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;

use hushwire_io::udp::{DatagramSocket, Family};

use crate::sync::ArcSwapOption;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::wait::Wake;

/// The most queues that a device gets by itself.
const QUEUES_MAX: usize = 8;

/// How many queues a device on this machine gets by itself: one for each two cores, as each has
/// two threads, and at most eight. With fewer than four cores more than one only costs.
#[must_use]
pub fn default_queues() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, QUEUES_MAX)
}

/// What the two threads of a lane share.
pub(crate) struct Lane<S> {
    sockets: ArcSwapOption<S>,
    /// Wakes the receiving thread: the sockets are others now, or the engine stops.
    rebound: Wake,
    /// Whether the sending thread has the TUN queue to itself; else the receiving thread watches
    /// it too. See [`crate::egress`].
    busy: AtomicBool,
    /// Wakes the sending thread: the queue is its own again.
    hand_over: Wake,
}

/// What the receiving thread is to do next.
pub(crate) enum Next<S> {
    /// The engine stops.
    Stop,
    /// There are sockets, until [`Lane::rebound`] says otherwise.
    Receive(Arc<S>),
    /// There are none, until [`Lane::rebound`] says otherwise.
    Wait,
}

impl<S: DatagramSocket> Lane<S> {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            sockets: ArcSwapOption::empty(),
            rebound: Wake::new()?,
            busy: AtomicBool::new(true),
            hand_over: Wake::new()?,
        })
    }

    /// The sockets, unless the device is down.
    pub(crate) fn sockets(&self) -> Option<Arc<S>> {
        self.sockets.load_full()
    }

    /// Whether the device is up, so that there are sockets.
    pub(crate) fn has_sockets(&self) -> bool {
        self.sockets.load().is_some()
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

    /// What the receiving thread is to do, now that [`Self::rebound`] has called it.
    pub(crate) fn next(&self, is_stopping: impl FnOnce() -> bool) -> Next<S> {
        // Before the looks at what it says: the wake-up of a change that comes after one of them
        // must stay.
        self.rebound.clear();
        if is_stopping() {
            return Next::Stop;
        }
        self.sockets().map_or_else(
            || {
                // Somebody must notice when the device goes.
                self.hand_over();
                Next::Wait
            },
            Next::Receive,
        )
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

    /// Gives the TUN queue to the receiving thread. One that has lost its sockets in the meantime
    /// hands it over again.
    pub(crate) fn hand_back(&self) {
        self.busy.store(false, Ordering::Release);
        self.rebound.wake();
    }

    pub(crate) const fn handed_over(&self) -> &Wake {
        &self.hand_over
    }
}

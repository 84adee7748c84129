//! A packet out: from the TUN device to the UDP socket.
//!
//! One read is one super-packet. Its segments are written straight into the send buffer, with the
//! room for header and tag of each; packets of one peer and of one size line up there as a *run*.
//! When the device has nothing more, or the buffer is full enough, each run gets its counters in
//! one step, is sealed in place in one batch, and leaves as one segmented send. While the device
//! has more, helpers may seal what is full ([`crate::handoff`]).
//!
//! A tunnel in which nothing has come from the device for a while is *quiet*: then the receiving
//! thread watches the device too and moves the few packets that come ([`Egress::lend_a_hand`]),
//! so that a packet and its answer wake one thread and not two, and the sending thread sleeps
//! until load shows. Without sockets nobody receives, so the sending thread keeps the device.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hushwire_io::offload::{self, MAX_PACKET, Outgoing, Splitter};
use hushwire_io::tun::{TunQueue, is_gone};
use hushwire_io::udp::DatagramSocket;
use hushwire_proto::packet;
use hushwire_proto::path::Path;

use crate::clock;
use crate::dataplane::{Dataplane, Peer};
use crate::handoff::Ring;
use crate::lane::Lane;
use crate::outbox::Outbox;
use crate::send_buffer::SendBuffer;
use crate::stats::DropReason;
use crate::unreachable::Unreachable;
use crate::wait::WaitSet;

/// Bytes of one read: the virtio header and the largest packet.
const READ_BUFFER: usize = MAX_PACKET + 64;
/// The wait after an error that may go away by itself.
pub(crate) const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// A tunnel without packets for so long is quiet.
const QUIET_AFTER: Duration = Duration::from_millis(20);
/// The most packets at once in a quiet tunnel.
pub(crate) const QUIET_PACKETS: usize = 8;

/// So many reads without a pause are a flood of small packets.
const FLOOD: usize = 64;

/// What a look at the device found.
#[derive(PartialEq, Eq)]
enum Read {
    /// A packet, so perhaps another.
    Something,
    Nothing,
    /// An error that may go away by itself. Whatever it is, a loop around it must not burn a core.
    Trouble,
}

/// The thread that moves packets from one TUN queue to the sockets.
pub(crate) struct Egress<T: TunQueue, S: DatagramSocket> {
    queue: Arc<T>,
    dataplane: Arc<Dataplane<S>>,
    lane: Arc<Lane<S>>,
    read_buffer: Box<[u8]>,
    outbox: Outbox<S>,
    unreachable: Unreachable,
    waits: Arc<Waits>,
}

/// What the thread waits for. Made at the start, when a lack of descriptors can still be told.
struct Waits {
    busy: WaitSet,
    quiet: WaitSet,
}

impl Waits {
    fn new<T: TunQueue, S: DatagramSocket>(
        queue: &T,
        dataplane: &Dataplane<S>,
        lane: &Lane<S>,
    ) -> io::Result<Self> {
        let (busy, quiet) = (WaitSet::new()?, WaitSet::new()?);
        busy.add(0, queue.as_fd())?;
        busy.add(1, dataplane.stop_fd())?;
        quiet.add(0, lane.handed_over().as_fd())?;
        quiet.add(1, dataplane.stop_fd())?;
        Ok(Self { busy, quiet })
    }
}

impl<T: TunQueue, S: DatagramSocket> Egress<T, S> {
    pub(crate) fn new(
        queue: Arc<T>,
        dataplane: Arc<Dataplane<S>>,
        lane: Arc<Lane<S>>,
    ) -> io::Result<Self> {
        Ok(Self {
            waits: Arc::new(Waits::new(&*queue, &dataplane, &lane)?),
            queue,
            outbox: Outbox::new(Arc::clone(&dataplane), Arc::clone(&lane)),
            read_buffer: vec![0; READ_BUFFER].into(),
            dataplane,
            lane,
            unreachable: Unreachable::default(),
        })
    }

    /// Where helpers find what is to be sealed.
    pub(crate) fn ring(&self) -> Option<&Arc<Ring<SendBuffer>>> {
        self.outbox.ring()
    }

    /// Runs until the device is gone or the engine stops.
    pub(crate) fn run(shared: &Mutex<Self>) {
        let (waits, dataplane, lane) = {
            let egress = lock(shared);
            (
                Arc::clone(&egress.waits),
                Arc::clone(&egress.dataplane),
                Arc::clone(&egress.lane),
            )
        };
        if let Err(error) = Self::run_until_stopped(shared, &waits, &dataplane, &lane) {
            dataplane.fail(format_args!("waiting for the device: {error}"));
        }
    }

    fn run_until_stopped(
        shared: &Mutex<Self>,
        waits: &Waits,
        dataplane: &Dataplane<S>,
        lane: &Lane<S>,
    ) -> io::Result<()> {
        while !dataplane.is_stopping() {
            if lane.is_busy() {
                let (moved, last) = lock(shared).drain();
                if last == Read::Trouble {
                    std::thread::sleep(PAUSE_AFTER_ERROR);
                } else if moved >= FLOOD {
                    // More is on its way from whoever filled the queue: being away for a moment
                    // is cheaper for both than falling asleep and being woken for each packet.
                    std::thread::yield_now();
                } else {
                    let quiet_after = lane.has_sockets().then_some(QUIET_AFTER);
                    if waits.busy.wait(quiet_after)?.is_empty() {
                        lane.hand_back();
                    }
                }
            } else {
                waits.quiet.wait(None)?;
                lane.handed_over().clear();
            }
        }
        Ok(())
    }

    /// Moves what the device has, for the receiving thread of a quiet tunnel: a packet and its
    /// answer need wake no other thread. Each packet leaves before the next is looked for. More
    /// than a few, or trouble, and the sending thread takes over.
    pub(crate) fn lend_a_hand(shared: &Mutex<Self>) {
        let mut egress = lock(shared);
        for _ in 0..QUIET_PACKETS {
            match egress.read() {
                Read::Something => egress.outbox.flush(),
                Read::Nothing => return,
                Read::Trouble => break,
            }
        }
        egress.lane.hand_over();
    }

    /// Moves what the device has, and says how many packets or super-packets that were and why
    /// there are no more.
    fn drain(&mut self) -> (usize, Read) {
        let mut moved = 0;
        let last = loop {
            if self.dataplane.is_stopping() {
                break Read::Nothing;
            }
            match self.read() {
                Read::Something => moved += 1,
                last => break last,
            }
            self.outbox.move_on();
        };
        self.outbox.flush();
        (moved, last)
    }

    /// Reads a packet or super-packet, if there is one.
    fn read(&mut self) -> Read {
        match self.queue.read(&mut self.read_buffer) {
            Ok(Some(received)) => {
                self.take(&received);
                Read::Something
            }
            Ok(None) => Read::Nothing,
            Err(error) if is_gone(&error) => {
                self.dataplane.log().debug("the device is gone");
                self.dataplane.stop();
                Read::Nothing
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.dataplane.stats().count(DropReason::Malformed);
                Read::Something
            }
            Err(_) => {
                self.dataplane.stats().count(DropReason::TunRead);
                Read::Trouble
            }
        }
    }

    /// Sorts a packet or super-packet into the runs.
    fn take(&mut self, received: &offload::Received) {
        let dataplane = Arc::clone(&self.dataplane);
        // The read buffer is lent out so that the send buffer can be written from it.
        let buffer = std::mem::take(&mut self.read_buffer);
        if let Some(bytes) = buffer.get(received.range()) {
            match destination(&dataplane, bytes) {
                Ok((peer, path)) => self.split(&buffer, received, &peer, path),
                Err(reason) => self.refuse(bytes, reason),
            }
        }
        self.read_buffer = buffer;
    }

    /// Drops a packet and tells its sender, if that is somebody who can be told.
    fn refuse(&mut self, bytes: &[u8], reason: DropReason) {
        self.dataplane.stats().count(reason);
        if !matches!(reason, DropReason::NoPeer | DropReason::NoEndpoint) {
            return;
        }
        if let Some(answer) = self.unreachable.answer(clock::monotonic(), bytes) {
            // Whoever does not hear of it has lost the packet all the same.
            let _ = self.queue.write(&Outgoing::PLAIN, &[IoSlice::new(&answer)]);
        }
    }

    fn split(&mut self, buffer: &[u8], received: &offload::Received, peer: &Arc<Peer>, path: Path) {
        let Ok(splitter) = Splitter::new(buffer, received) else {
            return self.dataplane.stats().count(DropReason::Malformed);
        };
        let tos = packet::ecn(buffer.get(received.range()).unwrap_or_default()).bits();
        let mtu = self.dataplane.mtu();
        for segment in 0..splitter.segments() {
            let length = splitter.segment_len(segment);
            let padded = packet::padded_length(length, mtu);
            let Some(room) = self.outbox.room(peer, path, tos, padded) else {
                return self.dataplane.stats().count(DropReason::Malformed);
            };
            let written = splitter.write_segment(segment, room);
            if let Some(padding) = room.get_mut(written..) {
                padding.fill(0);
            }
        }
    }
}

fn lock<E>(shared: &Mutex<E>) -> MutexGuard<'_, E> {
    // Whatever a panicking thread left in the outbox is lost packets at worst.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The peer that a packet goes to and where that is.
fn destination<S: DatagramSocket>(
    dataplane: &Dataplane<S>,
    bytes: &[u8],
) -> Result<(Arc<Peer>, Path), DropReason> {
    let destination = packet::destination(bytes).ok_or(DropReason::Malformed)?;
    let peer =
        dataplane
            .tables()
            .route(destination)
            .ok_or_else(|| match destination.is_multicast() {
                true => DropReason::Multicast,
                false => DropReason::NoPeer,
            })?;
    let path = peer.path().ok_or(DropReason::NoEndpoint)?;
    Ok((peer, path))
}

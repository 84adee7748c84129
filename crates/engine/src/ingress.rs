//! A packet in: from the UDP sockets to the TUN device.
//!
//! What is received in one system call is opened ([`ReceiveBuffer`]); what is authentic, new and
//! allowed goes to the TUN device straight from the receive buffer, consecutive packets of a flow
//! as one super-packet. Anything but transport data goes to the control thread.
//!
//! With helpers, a buffer with so much in it that more is likely to wait is handed over to be
//! opened, and is delivered when its turn comes.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use hushwire_io::offload::Coalescer;
use hushwire_io::tun::TunQueue;
use hushwire_io::udp::{DatagramSocket, Family, is_final};
use hushwire_proto::path::Path;
use hushwire_proto::time::Instant;

use crate::dataplane::Dataplane;
use crate::egress::{Egress, PAUSE_AFTER_ERROR, QUIET_PACKETS};
use crate::handoff::{Handoff, Ring};
use crate::handshake_queue::Handshake;
use crate::lane::{Lane, Next};
use crate::receive_buffer::{Heard, Opened, ReceiveBuffer};
use crate::stats::DropReason;
use crate::wait::{self, WaitSet};

/// The thread that moves datagrams from the sockets to one TUN queue.
pub(crate) struct Ingress<T: TunQueue, S: DatagramSocket> {
    queue: Arc<T>,
    dataplane: Arc<Dataplane<S>>,
    lane: Arc<Lane<S>>,
    /// The other direction of the same queue.
    egress: Arc<Mutex<Egress<T, S>>>,
    filling: Box<ReceiveBuffer<S>>,
    /// Full ones on their way, if there are helpers.
    handoff: Option<Handoff<ReceiveBuffer<S>>>,
    coalescer: Coalescer,
    /// What it waits for. Made at the start, when a lack of descriptors can still be told.
    set: Arc<WaitSet>,
    watches_tun: bool,
}

/// What it receives into.
pub(crate) struct Buffers<S: DatagramSocket> {
    pub(crate) filling: Box<ReceiveBuffer<S>>,
    /// With helpers.
    pub(crate) handoff: Option<Handoff<ReceiveBuffer<S>>>,
}

/// So many times the thread receives without a look at what else it waits for.
const TURNS: usize = 16;

/// The numbers of the descriptors in its set.
const REBOUND: u8 = 0;
const TUN: u8 = 1;
const V4: u8 = 2;
const V6: u8 = 3;

impl<T: TunQueue, S: DatagramSocket + 'static> Ingress<T, S> {
    pub(crate) fn new(
        queue: Arc<T>,
        coalescer: Coalescer,
        dataplane: Arc<Dataplane<S>>,
        lane: Arc<Lane<S>>,
        egress: Arc<Mutex<Egress<T, S>>>,
        buffers: Buffers<S>,
    ) -> io::Result<Self> {
        let set = WaitSet::new()?;
        set.add(REBOUND, lane.rebound().as_fd())?;
        Ok(Self {
            queue,
            dataplane,
            lane,
            egress,
            filling: buffers.filling,
            handoff: buffers.handoff,
            coalescer,
            set: Arc::new(set),
            watches_tun: false,
        })
    }

    /// Where helpers find what is to be opened.
    pub(crate) fn ring(&self) -> Option<&Arc<Ring<ReceiveBuffer<S>>>> {
        self.handoff.as_ref().map(Handoff::ring)
    }

    /// Runs until the engine stops.
    pub(crate) fn run(mut self) {
        let dataplane = Arc::clone(&self.dataplane);
        let lane = Arc::clone(&self.lane);
        loop {
            // The sockets are taken anew each time: they change with the port.
            let result = match lane.next(|| dataplane.is_stopping()) {
                Next::Stop => return,
                Next::Receive(sockets) => self.receive_until_rebound(&sockets),
                Next::Wait => wait::wait([lane.rebound().as_fd()], None).map(|_| ()),
            };
            if let Err(error) = result {
                return dataplane.fail(format_args!("receiving: {error}"));
            }
        }
    }

    fn receive_until_rebound(&mut self, sockets: &S) -> io::Result<()> {
        let set = Arc::clone(&self.set);
        // The host may lack a family.
        let families = [(V4, Family::V4), (V6, Family::V6)];
        let bound = || {
            let fds = families.map(|(number, family)| Some((number, sockets.fd(family)?)));
            fds.into_iter().flatten()
        };
        for (number, fd) in bound() {
            set.add(number, fd)?;
        }
        let result = self.receive_while_bound(&set, sockets);
        for (_, fd) in bound() {
            set.remove(fd)?;
        }
        result
    }

    fn receive_while_bound(&mut self, set: &WaitSet, sockets: &S) -> io::Result<()> {
        loop {
            self.watch_tun(!self.lane.is_busy())?;
            let ready = set.wait(None)?;
            if ready.has(REBOUND) {
                return Ok(());
            }
            if self.watches_tun && ready.has(TUN) {
                Egress::lend_a_hand(&self.egress);
            }
            if ready.has(V4) {
                self.receive(sockets, Family::V4)?;
            }
            if ready.has(V6) {
                self.receive(sockets, Family::V6)?;
            }
        }
    }

    fn watch_tun(&mut self, wanted: bool) -> io::Result<()> {
        match (self.watches_tun, wanted) {
            (false, true) => self.set.add(TUN, self.queue.as_fd())?,
            (true, false) => self.set.remove(self.queue.as_fd())?,
            _ => {}
        }
        self.watches_tun = wanted;
        Ok(())
    }

    /// Receives what is there and delivers it; all of it, if it is handed over in between.
    fn receive(&mut self, sockets: &S, family: Family) -> io::Result<()> {
        for turn in 1.. {
            let Some(count) = self.fill(sockets, family)? else {
                self.deliver();
                break;
            };
            if turn < TURNS && self.pass_on() {
                continue;
            }
            let packets = self.deliver();
            self.settle_queue(count, packets);
            break;
        }
        Ok(())
    }

    /// Receives into the empty buffer and returns how many messages; `None` when there are none.
    fn fill(&mut self, sockets: &S, family: Family) -> io::Result<Option<usize>> {
        match self.filling.fill(sockets, family) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if is_final(&error) => Err(error),
            Err(_) => {
                // What waits at the socket goes on waking us: this must not burn a core.
                self.dataplane.stats().count(DropReason::UdpReceive);
                std::thread::sleep(PAUSE_AFTER_ERROR);
                Ok(None)
            }
        }
    }

    /// Hands over what was received, if there are helpers and it is much. Returns whether it did.
    fn pass_on(&mut self) -> bool {
        let Some(handoff) = &mut self.handoff else {
            return false;
        };
        if !self.filling.is_large() {
            return false;
        }
        self.lane.hand_over();
        let delivery = Delivery::new(&*self.queue, &self.coalescer, &self.dataplane);
        handoff.pass_on(&mut self.filling, |buffer| delivery.deliver(buffer));
        true
    }

    /// Opens and delivers all that was received, and returns how many packets were in the last
    /// message.
    fn deliver(&mut self) -> usize {
        let delivery = Delivery::new(&*self.queue, &self.coalescer, &self.dataplane);
        if let Some(handoff) = self.handoff.as_mut().filter(|handoff| !handoff.is_empty()) {
            let last = (!self.filling.is_empty()).then_some(&mut self.filling);
            handoff.finish(last, |buffer| delivery.deliver(buffer));
            return usize::MAX;
        }
        if self.filling.is_empty() {
            return 0;
        }
        let routes = self.dataplane.tables().routes();
        let mut packets = 0;
        for index in 0..self.filling.len() {
            self.filling.open(index, &routes);
            packets = delivery.deliver_message(&mut self.filling, index);
        }
        self.filling.clear();
        packets
    }

    /// In a quiet tunnel: a lone packet may have its answer waiting; more is the end of the quiet.
    fn settle_queue(&self, messages: usize, packets: usize) {
        if self.lane.is_busy() {
            return;
        }
        if messages == 1 && packets <= QUIET_PACKETS {
            Egress::lend_a_hand(&self.egress);
        } else {
            self.lane.hand_over();
        }
    }
}

/// Where opened messages go.
struct Delivery<'a, T, S> {
    queue: &'a T,
    coalescer: &'a Coalescer,
    dataplane: &'a Dataplane<S>,
}

impl<'a, T: TunQueue, S: DatagramSocket> Delivery<'a, T, S> {
    const fn new(queue: &'a T, coalescer: &'a Coalescer, dataplane: &'a Dataplane<S>) -> Self {
        Self {
            queue,
            coalescer,
            dataplane,
        }
    }

    /// Delivers all messages, and empties the buffer.
    fn deliver(&self, buffer: &mut ReceiveBuffer<S>) {
        for index in 0..buffer.len() {
            self.deliver_message(buffer, index);
        }
        buffer.clear();
    }

    /// Returns how many packets went to the TUN device.
    fn deliver_message(&self, buffer: &mut ReceiveBuffer<S>, index: usize) -> usize {
        let now = buffer.received_at();
        let Some((path, contents, opened)) = buffer.opened(index) else {
            return 0;
        };
        for datagram in &opened.others {
            self.pass_to_control(path, contents.get(datagram.clone()).unwrap_or_default());
        }
        for heard in &opened.heard {
            self.note(now, path, heard);
        }
        self.write(contents, opened);
        opened.accepted.len()
    }

    fn pass_to_control(&self, path: Path, datagram: &[u8]) {
        match Handshake::new(path, datagram) {
            Some(handshake) => self.dataplane.queue_handshake(handshake),
            None => self.dataplane.stats().count(DropReason::UnknownMessage),
        }
    }

    /// Tells the peer and its timers.
    fn note(&self, now: Instant, path: Path, heard: &Heard) {
        let session = &heard.session;
        let needs_service = session.peer.received_data(
            now,
            self.dataplane.tables(),
            &session.keypair,
            path,
            heard.bytes,
            heard.data,
        );
        if needs_service {
            self.dataplane.request_service(&session.peer);
        }
    }

    /// Writes what was accepted to the TUN device.
    fn write(&self, contents: &[u8], opened: &Opened) {
        if opened.accepted.is_empty() {
            return;
        }
        let written = self
            .coalescer
            .write_all(self.queue, contents, &opened.accepted);
        self.dataplane
            .stats()
            .add(DropReason::TunWrite, written.dropped as u64);
    }
}

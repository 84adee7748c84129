//! A packet in: from the UDP sockets to the TUN device.
//!
//! A received message is a run of datagrams of one sender. Neighbours with the same receiver index
//! are opened in place in one batch; what is authentic, new and allowed goes to the TUN device
//! straight from the receive buffer, consecutive packets of a flow as one super-packet. Anything
//! but transport data goes to the control thread.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use hushwire_io::offload::Coalescer;
use hushwire_io::tun::TunQueue;
use hushwire_io::udp::{DatagramReceiver, DatagramSocket, Family, Received, is_final};
use hushwire_proto::crypto::Packet;
use hushwire_proto::decapsulate::decapsulate;
use hushwire_proto::ecn::Ecn;
use hushwire_proto::messages::{DATA_HEADER_SIZE, TAG_SIZE, parse_data};
use hushwire_proto::path::Path;
use hushwire_proto::time::Instant;

use crate::clock;
use crate::convert;
use crate::dataplane::{Dataplane, Peer, Routes};
use crate::egress::{Egress, PAUSE_AFTER_ERROR, QUIET_PACKETS};
use crate::handshake_queue::Handshake;
use crate::lane::{Lane, Next};
use crate::stats::DropReason;
use crate::wait::{self, WaitSet};

/// The thread that moves datagrams from the sockets to one TUN queue.
pub(crate) struct Ingress<T: TunQueue, S: DatagramSocket> {
    queue: Arc<T>,
    dataplane: Arc<Dataplane<S>>,
    lane: Arc<Lane<S>>,
    /// The other direction of the same queue.
    egress: Arc<Mutex<Egress<T, S>>>,
    batch: Batch,
    coalescer: Coalescer,
    /// What it waits for. Made at the start, when a lack of descriptors can still be told.
    set: Arc<WaitSet>,
    watches_tun: bool,
}

/// The numbers of the descriptors in its set.
const REBOUND: u8 = 0;
const TUN: u8 = 1;
const V4: u8 = 2;
const V6: u8 = 3;

/// What one received message is turned into; kept for its allocations.
#[derive(Default)]
struct Batch {
    /// Neighbours with the same receiver index.
    sealed: Vec<Packet>,
    verdicts: Vec<bool>,
    /// Inner packets for the TUN device, as ranges of the message.
    accepted: Vec<Range<usize>>,
}

impl<T: TunQueue, S: DatagramSocket> Ingress<T, S> {
    pub(crate) fn new(
        queue: Arc<T>,
        coalescer: Coalescer,
        dataplane: Arc<Dataplane<S>>,
        lane: Arc<Lane<S>>,
        egress: Arc<Mutex<Egress<T, S>>>,
    ) -> io::Result<Self> {
        let set = WaitSet::new()?;
        set.add(REBOUND, lane.rebound().as_fd())?;
        Ok(Self {
            queue,
            dataplane,
            lane,
            egress,
            batch: Batch::default(),
            coalescer,
            set: Arc::new(set),
            watches_tun: false,
        })
    }

    /// Runs until the engine stops. `receiver` is the thread's own set of buffers.
    pub(crate) fn run(mut self, mut receiver: S::Receiver) {
        let dataplane = Arc::clone(&self.dataplane);
        let lane = Arc::clone(&self.lane);
        loop {
            // The sockets are taken anew each time: they change with the port.
            let result = match lane.next(|| dataplane.is_stopping()) {
                Next::Stop => return,
                Next::Receive(sockets) => self.receive_until_rebound(&sockets, &mut receiver),
                Next::Wait => wait::wait([lane.rebound().as_fd()], None).map(|_| ()),
            };
            if let Err(error) = result {
                dataplane.log().error(format_args!("receiving: {error}"));
                return dataplane.stop();
            }
        }
    }

    fn receive_until_rebound(&mut self, sockets: &S, receiver: &mut S::Receiver) -> io::Result<()> {
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
        let result = self.receive_while_bound(&set, sockets, receiver);
        for (_, fd) in bound() {
            set.remove(fd)?;
        }
        result
    }

    fn receive_while_bound(
        &mut self,
        set: &WaitSet,
        sockets: &S,
        receiver: &mut S::Receiver,
    ) -> io::Result<()> {
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
                self.receive(sockets, Family::V4, receiver)?;
            }
            if ready.has(V6) {
                self.receive(sockets, Family::V6, receiver)?;
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

    fn receive(
        &mut self,
        sockets: &S,
        family: Family,
        receiver: &mut S::Receiver,
    ) -> io::Result<()> {
        let count = match sockets.receive(family, receiver) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_final(&error) => return Err(error),
            Err(_) => {
                // What waits at the socket goes on waking us: this must not burn a core.
                self.dataplane.stats().count(DropReason::UdpReceive);
                std::thread::sleep(PAUSE_AFTER_ERROR);
                return Ok(());
            }
        };
        let now = clock::monotonic();
        let routes = self.dataplane.tables().routes();
        for index in 0..count {
            if let Some(message) = receiver.message(index) {
                self.take(now, &routes, message);
            }
        }
        if !self.lane.is_busy() {
            if count == 1 && self.batch.accepted.len() <= QUIET_PACKETS {
                Egress::lend_a_hand(&self.egress);
            } else {
                self.lane.hand_over();
            }
        }
        Ok(())
    }

    /// One message: a run of datagrams of one sender.
    fn take(&mut self, now: Instant, routes: &Routes, message: Received<'_>) {
        let arrival = Arrival {
            now,
            routes,
            path: convert::path_from_io(&message),
            ecn: convert::ecn_from_io(message.ecn),
        };
        let buffer = message.contents;
        self.batch.accepted.clear();
        let mut current = None;
        let mut start = 0;
        while start < buffer.len() {
            let end = buffer.len().min(start + message.stride.max(1));
            let datagram = &buffer[start..end];
            match parse_data(datagram) {
                Some((index, counter)) => {
                    if current.is_some_and(|current| current != index) {
                        self.open(&arrival, current, buffer);
                    }
                    current = Some(index);
                    self.batch.sealed.push(Packet {
                        start: start + DATA_HEADER_SIZE,
                        len: end - start - DATA_HEADER_SIZE,
                        counter,
                    });
                }
                None => self.control_message(arrival.path, datagram),
            }
            start = end;
        }
        self.open(&arrival, current, buffer);
        self.deliver(buffer);
    }

    fn control_message(&self, path: Path, datagram: &[u8]) {
        match Handshake::new(path, datagram) {
            Some(handshake) => self.dataplane.queue_handshake(handshake),
            None => self.dataplane.stats().count(DropReason::UnknownMessage),
        }
    }

    /// Opens the packets that wait, all for the session with this receiver index.
    fn open(&mut self, arrival: &Arrival<'_>, index: Option<u32>, buffer: &mut [u8]) {
        let stats = self.dataplane.stats();
        let Batch {
            sealed,
            verdicts,
            accepted,
        } = &mut self.batch;
        let Some(index) = index else { return };
        let Some(session) = self.dataplane.tables().session(index) else {
            stats.add(DropReason::UnknownIndex, sealed.len() as u64);
            return sealed.clear();
        };
        verdicts.clear();
        verdicts.resize(sealed.len(), false);
        session
            .keypair
            .open_batch(arrival.now, buffer, sealed, verdicts);
        let (mut bytes, mut data) = (0, false);
        for (packet, _) in sealed.iter().zip(&*verdicts).filter(|(_, ok)| **ok) {
            bytes += (DATA_HEADER_SIZE + packet.len) as u64;
            let inner = packet.start..packet.start + packet.len - TAG_SIZE;
            if inner.is_empty() {
                continue;
            }
            data = true;
            match arrival.accept(&session.peer, buffer, inner) {
                Ok(range) => accepted.push(range),
                Err(reason) => stats.count(reason),
            }
        }
        let refused = verdicts.iter().filter(|ok| !**ok).count();
        stats.add(DropReason::Unauthentic, refused as u64);
        sealed.clear();
        let peer = &session.peer;
        let authentic = bytes > 0;
        if authentic
            && peer.received_data(
                arrival.now,
                self.dataplane.tables(),
                &session.keypair,
                arrival.path,
                bytes,
                data,
            )
        {
            self.dataplane.request_service(peer);
        }
    }

    /// Writes what was accepted to the TUN device.
    fn deliver(&self, buffer: &[u8]) {
        if self.batch.accepted.is_empty() {
            return;
        }
        let written = self
            .coalescer
            .write_all(&*self.queue, buffer, &self.batch.accepted);
        self.dataplane
            .stats()
            .add(DropReason::TunWrite, written.dropped as u64);
    }
}

/// What the datagrams of one message have in common.
struct Arrival<'a> {
    now: Instant,
    routes: &'a Routes,
    path: Path,
    ecn: Ecn,
}

impl Arrival<'_> {
    /// The accepted packet without its padding.
    fn accept(
        &self,
        peer: &Peer,
        buffer: &mut [u8],
        inner: Range<usize>,
    ) -> Result<Range<usize>, DropReason> {
        let start = inner.start;
        let plaintext = buffer.get_mut(inner).ok_or(DropReason::Malformed)?;
        let length = decapsulate(self.routes, peer, self.ecn, plaintext)?;
        Ok(start..start + length)
    }
}

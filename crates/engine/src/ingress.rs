//! A packet in: from the UDP sockets to the TUN device.
//!
//! What is received in one system call is opened ([`ReceiveBuffer`]); what is authentic, new and
//! allowed goes to the TUN device straight from the receive buffer, consecutive packets of a flow
//! as one super-packet. Anything but transport data goes to the control thread.

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
    buffer: ReceiveBuffer<S>,
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

impl<T: TunQueue, S: DatagramSocket> Ingress<T, S> {
    pub(crate) fn new(
        queue: Arc<T>,
        coalescer: Coalescer,
        dataplane: Arc<Dataplane<S>>,
        lane: Arc<Lane<S>>,
        egress: Arc<Mutex<Egress<T, S>>>,
        buffer: ReceiveBuffer<S>,
    ) -> io::Result<Self> {
        let set = WaitSet::new()?;
        set.add(REBOUND, lane.rebound().as_fd())?;
        Ok(Self {
            queue,
            dataplane,
            lane,
            egress,
            buffer,
            coalescer,
            set: Arc::new(set),
            watches_tun: false,
        })
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
                dataplane.log().error(format_args!("receiving: {error}"));
                return dataplane.stop();
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

    fn receive(&mut self, sockets: &S, family: Family) -> io::Result<()> {
        let count = match self.buffer.fill(sockets, family) {
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
        let packets = self.take();
        if !self.lane.is_busy() {
            if count == 1 && packets <= QUIET_PACKETS {
                Egress::lend_a_hand(&self.egress);
            } else {
                self.lane.hand_over();
            }
        }
        Ok(())
    }

    /// Opens and delivers what was received, message by message, and returns how many packets
    /// that were.
    fn take(&mut self) -> usize {
        let routes = self.dataplane.tables().routes();
        let delivery = Delivery {
            queue: &*self.queue,
            coalescer: &self.coalescer,
            dataplane: &self.dataplane,
        };
        let mut packets = 0;
        for index in 0..self.buffer.len() {
            self.buffer.open(index, &routes);
            packets += delivery.deliver_message(&mut self.buffer, index);
        }
        self.buffer.clear();
        packets
    }
}

/// Where opened messages go.
struct Delivery<'a, T, S> {
    queue: &'a T,
    coalescer: &'a Coalescer,
    dataplane: &'a Dataplane<S>,
}

impl<T: TunQueue, S: DatagramSocket> Delivery<'_, T, S> {
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

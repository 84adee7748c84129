//! Packets on their way from the TUN device to the sockets: they are gathered in a
//! [`SendBuffer`], sealed, and sent.
//!
//! With helpers, a buffer that is full while there is more to read is handed over to be sealed, and
//! leaves when its turn comes. Its counters are taken before that, so they ascend on the wire.

use std::sync::Arc;

use hushwire_io::udp::{DatagramSocket, Family, Transmit};
use hushwire_proto::path::Path;

use crate::clock;
use crate::dataplane::{Dataplane, Peer};
use crate::handoff::{Handoff, Ring, SLOTS};
use crate::lane::Lane;
use crate::send_buffer::SendBuffer;

/// What one thread has to send.
pub(crate) struct Outbox<S: DatagramSocket> {
    filling: Box<SendBuffer>,
    /// Full ones on their way, if there are helpers.
    handoff: Option<Handoff<SendBuffer>>,
    sender: Sender<S>,
}

impl<S: DatagramSocket> Outbox<S> {
    pub(crate) fn new(dataplane: Arc<Dataplane<S>>, lane: Arc<Lane<S>>) -> Self {
        let spare = || (0..SLOTS).map(|_| Box::new(SendBuffer::new())).collect();
        let pool = dataplane.helpers().cloned();
        Self {
            filling: Box::new(SendBuffer::new()),
            handoff: pool.map(|pool| Handoff::new(pool, spare())),
            sender: Sender::new(dataplane, lane),
        }
    }

    /// Where helpers find what is to be sealed.
    pub(crate) fn ring(&self) -> Option<&Arc<Ring<SendBuffer>>> {
        self.handoff.as_ref().map(Handoff::ring)
    }

    /// Room for a plaintext of `padded` bytes at the end of the peer's run, or of a new one.
    pub(crate) fn room(
        &mut self,
        peer: &Arc<Peer>,
        path: Path,
        tos: u8,
        padded: usize,
    ) -> Option<&mut [u8]> {
        if !self.filling.fits(padded) {
            self.flush();
        }
        let lane = &self.sender.lane;
        let count_max = |size| lane.max_segments(Family::of(path.remote), size);
        self.filling.room(peer, path, tos, padded, count_max)
    }

    /// Seals and sends everything that waits.
    pub(crate) fn flush(&mut self) {
        let is_empty = self.filling.is_empty();
        if !is_empty {
            self.filling.reserve(clock::monotonic());
        }
        let sender = &mut self.sender;
        match self.handoff.as_mut().filter(|handoff| !handoff.is_empty()) {
            Some(handoff) => {
                let last = (!is_empty).then_some(&mut self.filling);
                handoff.finish(last, |buffer| sender.send(buffer));
            }
            None if is_empty => {}
            None => {
                self.filling.seal();
                sender.send(&mut self.filling);
            }
        }
    }

    /// Moves on, after each look at the device while it has more: sends what helpers have sealed,
    /// and gives them what waits if that is enough for a full send.
    pub(crate) fn move_on(&mut self) {
        let is_full_enough = self.filling.is_full_enough();
        let Some(handoff) = &mut self.handoff else {
            if is_full_enough {
                self.flush();
            }
            return;
        };
        let sender = &mut self.sender;
        if is_full_enough {
            self.filling.reserve(clock::monotonic());
            handoff.pass_on(&mut self.filling, |buffer| sender.send(buffer));
        } else {
            handoff.deliver_performed(|buffer| sender.send(buffer));
        }
    }
}

/// The way to the sockets.
struct Sender<S: DatagramSocket> {
    dataplane: Arc<Dataplane<S>>,
    lane: Arc<Lane<S>>,
    transmits: Vec<Transmit<'static>>,
    scratch: S::SendScratch,
}

impl<S: DatagramSocket> Sender<S> {
    fn new(dataplane: Arc<Dataplane<S>>, lane: Arc<Lane<S>>) -> Self {
        Self {
            dataplane,
            lane,
            transmits: Vec::with_capacity(128),
            scratch: S::SendScratch::default(),
        }
    }

    /// Sends what is sealed, tells the timers, and empties the buffer.
    fn send(&mut self, buffer: &mut SendBuffer) {
        self.transmit(buffer);
        for run in buffer.runs() {
            run.note(buffer.reserved_at(), &self.dataplane);
        }
        buffer.clear();
    }

    fn transmit(&mut self, buffer: &SendBuffer) {
        let Some(sockets) = self.lane.sockets() else {
            return;
        };
        let mut transmits = recycle(std::mem::take(&mut self.transmits));
        transmits.extend(buffer.transmits());
        let report = sockets.send(&transmits, &mut self.scratch);
        for trouble in report.troubles {
            let mut sealed = buffer.runs().iter().filter(|run| run.is_sealed());
            if let Some(run) = sealed.nth(trouble.index).filter(|_| trouble.source_gone) {
                run.forget_source();
            }
        }
        self.transmits = recycle(transmits);
    }
}

/// An empty vector with the allocation of the old one, whatever its elements borrowed.
fn recycle<'b>(mut transmits: Vec<Transmit<'_>>) -> Vec<Transmit<'b>> {
    transmits.clear();
    transmits.into_iter().map_while(|_| None).collect()
}

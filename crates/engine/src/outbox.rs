//! Packets on their way from the TUN device to the sockets: they are gathered in a
//! [`SendBuffer`], sealed, and sent.

use std::sync::Arc;

use hushwire_io::udp::{DatagramSocket, Family, Transmit};
use hushwire_proto::path::Path;

use crate::clock;
use crate::dataplane::{Dataplane, Peer};
use crate::lane::Lane;
use crate::send_buffer::SendBuffer;

/// What one thread has to send.
pub(crate) struct Outbox<S: DatagramSocket> {
    filling: Box<SendBuffer>,
    sender: Sender<S>,
}

impl<S: DatagramSocket> Outbox<S> {
    pub(crate) fn new(dataplane: Arc<Dataplane<S>>, lane: Arc<Lane<S>>) -> Self {
        Self {
            filling: Box::new(SendBuffer::new()),
            sender: Sender::new(dataplane, lane),
        }
    }

    /// Whether enough waits for a full send.
    pub(crate) const fn is_full_enough(&self) -> bool {
        self.filling.is_full_enough()
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
        if self.filling.is_empty() {
            return;
        }
        self.filling.reserve(clock::monotonic());
        self.filling.seal();
        self.sender.send(&mut self.filling);
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

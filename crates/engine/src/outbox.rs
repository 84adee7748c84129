//! Packets on their way from the TUN device to the sockets.
//!
//! Plaintext is written straight into the send buffer, each packet with the room for its header
//! and tag. Packets of one peer and of one size line up as a [`Run`]: it gets its counters in one
//! step, is sealed in place in one batch, and leaves as one segmented send.

use std::sync::Arc;

use hushwire_io::udp::{DatagramSocket, Family, Transmit};
use hushwire_proto::crypto::Packet;
use hushwire_proto::messages::DATA_HEADER_SIZE;
use hushwire_proto::path::Path;

use crate::clock;
use crate::dataplane::{Dataplane, Peer};
use crate::lane::Lane;
use crate::run::{OVERHEAD, Run};

/// Bytes that wait to be sent: three of the largest packets with what sealing adds.
const SEND_BUFFER: usize = 256 * 1024;
/// With this many bytes waiting, more reading would only delay them: one full send.
const FULL_ENOUGH: usize = 60 * 1024;

/// The send buffer of one thread.
pub(crate) struct Outbox<S: DatagramSocket> {
    dataplane: Arc<Dataplane<S>>,
    lane: Arc<Lane<S>>,
    buffer: Box<[u8]>,
    used: usize,
    runs: Vec<Run>,
    packets: Vec<Packet>,
    transmits: Vec<Transmit<'static>>,
    scratch: S::SendScratch,
}

impl<S: DatagramSocket> Outbox<S> {
    pub(crate) fn new(dataplane: Arc<Dataplane<S>>, lane: Arc<Lane<S>>) -> Self {
        Self {
            dataplane,
            lane,
            buffer: vec![0; SEND_BUFFER].into(),
            used: 0,
            runs: Vec::with_capacity(128),
            packets: Vec::with_capacity(128),
            transmits: Vec::with_capacity(128),
            scratch: S::SendScratch::default(),
        }
    }

    /// Whether enough waits for a full send.
    pub(crate) const fn is_full_enough(&self) -> bool {
        self.used >= FULL_ENOUGH
    }

    /// Room for a plaintext of `padded` bytes at the end of the peer's run, or of a new one.
    pub(crate) fn room(
        &mut self,
        peer: &Arc<Peer>,
        path: Path,
        tos: u8,
        padded: usize,
    ) -> Option<&mut [u8]> {
        let size = padded + OVERHEAD;
        if self.used + size > self.buffer.len() {
            self.flush();
        }
        let start = self.used;
        let fits = self
            .runs
            .last()
            .is_some_and(|run| run.takes(peer, path, tos, size));
        match self.runs.last_mut().filter(|_| fits) {
            Some(run) => run.push(size),
            None => {
                let count_max = self.lane.max_segments(Family::of(path.remote), size);
                self.runs
                    .push(Run::new(peer, path, tos, start, size, count_max));
            }
        }
        self.used += size;
        let plaintext = start + DATA_HEADER_SIZE;
        self.buffer.get_mut(plaintext..plaintext + padded)
    }

    /// Seals and sends everything that waits.
    pub(crate) fn flush(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let now = clock::monotonic();
        for run in &mut self.runs {
            run.seal(now, &mut self.buffer, &mut self.packets);
        }
        self.send();
        for run in &self.runs {
            run.note(now, &self.dataplane);
        }
        self.runs.clear();
        self.used = 0;
    }

    fn send(&mut self) {
        let Some(sockets) = self.lane.sockets() else {
            return;
        };
        let mut transmits = recycle(std::mem::take(&mut self.transmits));
        transmits.extend(
            self.runs
                .iter()
                .filter_map(|run| run.transmit(&self.buffer)),
        );
        let report = sockets.send(&transmits, &mut self.scratch);
        for trouble in report.troubles {
            let mut sealed = self.runs.iter().filter(|run| run.keypair.is_some());
            if let Some(run) = sealed.nth(trouble.index).filter(|_| trouble.source_gone) {
                run.peer.forget_source(run.path);
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

//! Packets that are sealed together.
//!
//! Plaintext is written straight into the buffer, each packet with the room for its header and
//! tag. Packets of one peer and of one size line up as a [`Run`]: it gets its counters in one step,
//! is sealed in place in one batch, and leaves as one segmented send.

use std::sync::Arc;

use hushwire_io::udp::Transmit;
use hushwire_proto::crypto::Packet;
use hushwire_proto::messages::DATA_HEADER_SIZE;
use hushwire_proto::path::Path;
use hushwire_proto::time::Instant;

use crate::dataplane::Peer;
use crate::handoff::Work;
use crate::run::{OVERHEAD, Run};

/// Bytes that wait to be sent: three of the largest packets with what sealing adds.
pub(crate) const SEND_BUFFER: usize = 256 * 1024;
/// With this many bytes waiting, more reading would only delay them: one full send.
const FULL_ENOUGH: usize = 60 * 1024;

/// Packets that wait to be sent, in this order.
pub(crate) struct SendBuffer {
    bytes: Box<[u8]>,
    used: usize,
    runs: Vec<Run>,
    packets: Vec<Packet>,
    /// When the counters were reserved.
    now: Instant,
}

impl SendBuffer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; SEND_BUFFER].into(),
            used: 0,
            runs: Vec::with_capacity(128),
            packets: Vec::with_capacity(128),
            now: Instant::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether enough waits for a full send.
    pub(crate) const fn is_full_enough(&self) -> bool {
        self.used >= FULL_ENOUGH
    }

    /// Whether there is room for a plaintext of `padded` bytes.
    pub(crate) const fn fits(&self, padded: usize) -> bool {
        self.used + padded + OVERHEAD <= self.bytes.len()
    }

    /// Room for a plaintext of `padded` bytes at the end of the peer's run, or of a new one, which
    /// may have as many packets as `count_max` says for its sealed size.
    pub(crate) fn room(
        &mut self,
        peer: &Arc<Peer>,
        path: Path,
        tos: u8,
        padded: usize,
        count_max: impl FnOnce(usize) -> usize,
    ) -> Option<&mut [u8]> {
        if !self.fits(padded) {
            return None;
        }
        let size = padded + OVERHEAD;
        let start = self.used;
        let fits = self
            .runs
            .last()
            .is_some_and(|run| run.takes(peer, path, tos, size));
        match self.runs.last_mut().filter(|_| fits) {
            Some(run) => run.push(size),
            None => {
                let run = Run::new(peer, path, tos, start, size, count_max(size));
                self.runs.push(run);
            }
        }
        self.used += size;
        let plaintext = start + DATA_HEADER_SIZE;
        self.bytes.get_mut(plaintext..plaintext + padded)
    }

    /// Takes the counters that the packets will be sealed with: the order of these calls is the
    /// order in which they arrive. What has no keypair yet waits for it elsewhere.
    pub(crate) fn reserve(&mut self, now: Instant) {
        self.now = now;
        for run in &mut self.runs {
            run.reserve(now, &self.bytes);
        }
    }

    /// Seals what has counters.
    pub(crate) fn seal(&mut self) {
        for run in &mut self.runs {
            run.seal(&mut self.bytes, &mut self.packets);
        }
    }

    /// When the counters were reserved.
    pub(crate) const fn reserved_at(&self) -> Instant {
        self.now
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// What is sealed, for the sockets.
    pub(crate) fn transmits(&self) -> impl Iterator<Item = Transmit<'_>> {
        self.runs.iter().filter_map(|run| run.transmit(&self.bytes))
    }

    /// Forgets the packets.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.used = 0;
    }
}

impl Work for SendBuffer {
    fn perform(&mut self) {
        self.seal();
    }
}

//! A run: packets of one peer and one size that are sealed and sent together.

use std::num::NonZeroU16;
use std::sync::Arc;

use hushwire_io::udp::{DatagramSocket, Transmit};
use hushwire_proto::crypto::Packet;
use hushwire_proto::messages::{DATA_HEADER_SIZE, TAG_SIZE, write_data_header};
use hushwire_proto::packet;
use hushwire_proto::path::Path;
use hushwire_proto::time::Instant;

use crate::convert;
use crate::dataplane::{Dataplane, Keypair, Peer};

/// What sealing adds to a packet, in bytes.
pub(crate) const OVERHEAD: usize = DATA_HEADER_SIZE + TAG_SIZE;

/// Packets of one peer, equally spaced in the send buffer; the last may be shorter.
pub(crate) struct Run {
    pub(crate) peer: Arc<Peer>,
    pub(crate) path: Path,
    tos: u8,
    start: usize,
    stride: usize,
    end: usize,
    count: usize,
    count_max: usize,
    /// The last packet was shorter, so none may follow.
    closed: bool,
    /// Set once the run is sealed.
    pub(crate) keypair: Option<Arc<Keypair>>,
}

impl Run {
    pub(crate) fn new(
        peer: &Arc<Peer>,
        path: Path,
        tos: u8,
        start: usize,
        stride: usize,
        count_max: usize,
    ) -> Self {
        Self {
            peer: Arc::clone(peer),
            path,
            tos,
            start,
            stride,
            end: start + stride,
            count: 1,
            count_max,
            closed: false,
            keypair: None,
        }
    }

    pub(crate) fn takes(&self, peer: &Arc<Peer>, path: Path, tos: u8, size: usize) -> bool {
        !self.closed
            && size <= self.stride
            && self.count < self.count_max
            && self.tos == tos
            && Arc::ptr_eq(&self.peer, peer)
            && self.path == path
    }

    pub(crate) const fn push(&mut self, size: usize) {
        self.count += 1;
        self.end += size;
        self.closed = size < self.stride;
    }

    /// The sealed size of the packet at `index`.
    const fn size(&self, index: usize) -> usize {
        if index + 1 < self.count {
            self.stride
        } else {
            self.end - self.start - self.stride * (self.count - 1)
        }
    }

    /// Gives the packets their headers and seals them; without a keypair they wait for one.
    pub(crate) fn seal(&mut self, now: Instant, buffer: &mut [u8], packets: &mut Vec<Packet>) {
        let Some(reservation) = self.peer.reserve(now, self.count as u64) else {
            return self.stage(buffer);
        };
        packets.clear();
        for index in 0..self.count {
            let start = self.start + self.stride * index;
            let counter = reservation.first + index as u64;
            if let Some(header) = buffer.get_mut(start..start + DATA_HEADER_SIZE) {
                write_data_header(header, reservation.keypair.remote_index(), counter);
            }
            packets.push(Packet {
                start: start + DATA_HEADER_SIZE,
                len: self.size(index) - OVERHEAD,
                counter,
            });
        }
        if reservation.keypair.seal_batch(buffer, packets).is_ok() {
            self.keypair = Some(reservation.keypair);
        }
    }

    fn stage(&self, buffer: &[u8]) {
        for index in 0..self.count {
            let start = self.start + self.stride * index + DATA_HEADER_SIZE;
            let Some(padded) = buffer.get(start..start + self.size(index) - OVERHEAD) else {
                continue;
            };
            // Padded anew when it is sent, for the MTU of that time.
            let length = packet::total_length(padded).unwrap_or(padded.len());
            self.peer.stage(padded[..length].to_vec());
        }
    }

    pub(crate) fn transmit<'a>(&self, buffer: &'a [u8]) -> Option<Transmit<'a>> {
        self.keypair.as_ref()?;
        let segment_size = (self.count > 1)
            .then(|| NonZeroU16::new(u16::try_from(self.stride).ok()?))
            .flatten();
        Some(Transmit {
            to: self.path.remote,
            from: self.path.local.map(convert::local_to_io),
            tos: self.tos,
            contents: buffer.get(self.start..self.end)?,
            segment_size,
        })
    }

    /// Tells the timers about the run.
    pub(crate) fn note<S: DatagramSocket>(&self, now: Instant, dataplane: &Dataplane<S>) {
        let bytes = (self.end - self.start) as u64;
        let needs_service = match &self.keypair {
            Some(keypair) => self.peer.sent_data(now, keypair, bytes),
            None => true,
        };
        if needs_service {
            dataplane.request_service(&self.peer);
        }
    }
}

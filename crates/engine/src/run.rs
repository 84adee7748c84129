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
use crate::dataplane::{Dataplane, Peer, Reservation};

/// What sealing adds to a packet, in bytes.
pub(crate) const OVERHEAD: usize = DATA_HEADER_SIZE + TAG_SIZE;

/// Packets of one peer, equally spaced in the send buffer; the last may be shorter.
pub(crate) struct Run {
    peer: Arc<Peer>,
    path: Path,
    tos: u8,
    start: usize,
    stride: usize,
    end: usize,
    count: usize,
    count_max: usize,
    /// The last packet was shorter, so none may follow.
    closed: bool,
    /// The counters to seal with.
    reservation: Option<Reservation>,
    /// Plaintext never leaves: only what is known to be sealed is sent.
    sealed: bool,
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
            reservation: None,
            sealed: false,
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

    /// Takes counters for the packets; without a keypair they wait for one.
    pub(crate) fn reserve(&mut self, now: Instant, buffer: &[u8]) {
        self.reservation = self.peer.reserve(now, self.count as u64);
        if self.reservation.is_none() {
            self.stage(buffer);
        }
    }

    /// Gives the packets that have counters their headers and seals them.
    pub(crate) fn seal(&mut self, buffer: &mut [u8], packets: &mut Vec<Packet>) {
        let Some(reservation) = &self.reservation else {
            return;
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
        self.sealed = reservation.keypair.seal_batch(buffer, packets).is_ok();
    }

    /// Whether it may be sent.
    pub(crate) const fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The address that it was to be sent from is gone.
    pub(crate) fn forget_source(&self) {
        self.peer.forget_source(self.path);
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
        if !self.sealed {
            return None;
        }
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
        let needs_service = match &self.reservation {
            Some(of) if self.sealed => self.peer.sent_data(now, &of.keypair, bytes),
            _ => true,
        };
        if needs_service {
            dataplane.request_service(&self.peer);
        }
    }
}

//! A packet out: from the TUN device to the UDP socket.
//!
//! One read is one super-packet. Its segments are written straight into the send buffer, with the
//! room for header and tag of each; packets of one peer and of one size line up there as a *run*.
//! When the device has nothing more, or the buffer is full enough, each run gets its counters in
//! one step, is sealed in place in one batch, and leaves as one segmented send.

use std::io::{self, IoSlice};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hushwire_io::offload::{self, MAX_PACKET, Outgoing, Splitter};
use hushwire_io::tun::{TunQueue, is_gone};
use hushwire_io::udp::{DatagramSocket, Family, Transmit};
use hushwire_proto::crypto::Packet;
use hushwire_proto::messages::{DATA_HEADER_SIZE, TAG_SIZE, write_data_header};
use hushwire_proto::packet;
use hushwire_proto::path::Path;
use hushwire_proto::time::Instant;

use crate::clock;
use crate::convert;
use crate::dataplane::{Dataplane, Keypair, Peer};
use crate::stats::Drop;
use crate::unreachable::Unreachable;
use crate::wait;

/// Bytes of one read: the virtio header and the largest packet.
const READ_BUFFER: usize = MAX_PACKET + 64;
/// Bytes that wait to be sent, two of the largest packets with what sealing adds.
const SEND_BUFFER: usize = 256 * 1024;
/// With this many bytes waiting, more reading would only delay them: one full send.
const FULL_ENOUGH: usize = 60 * 1024;
/// The wait after an error that may go away by itself.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// What sealing adds to a packet.
const OVERHEAD: usize = DATA_HEADER_SIZE + TAG_SIZE;

/// The thread that moves packets from one TUN queue to the sockets.
pub(crate) struct Egress<T: TunQueue, S: DatagramSocket> {
    queue: Arc<T>,
    dataplane: Arc<Dataplane<S>>,
    read_buffer: Box<[u8]>,
    send_buffer: Box<[u8]>,
    used: usize,
    runs: Vec<Run>,
    packets: Vec<Packet>,
    transmits: Vec<Transmit<'static>>,
    scratch: S::SendScratch,
    unreachable: Unreachable,
}

/// Packets of one peer, equally spaced in the send buffer; the last may be shorter.
struct Run {
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
    /// Set once the run is sealed.
    keypair: Option<Arc<Keypair>>,
}

impl<T: TunQueue, S: DatagramSocket> Egress<T, S> {
    pub(crate) fn new(queue: Arc<T>, dataplane: Arc<Dataplane<S>>) -> Self {
        Self {
            queue,
            dataplane,
            read_buffer: vec![0; READ_BUFFER].into(),
            send_buffer: vec![0; SEND_BUFFER].into(),
            used: 0,
            runs: Vec::with_capacity(128),
            packets: Vec::with_capacity(128),
            transmits: Vec::with_capacity(128),
            scratch: S::SendScratch::default(),
            unreachable: Unreachable::default(),
        }
    }

    /// Runs until the device is gone or the engine stops.
    pub(crate) fn run(mut self) {
        let dataplane = Arc::clone(&self.dataplane);
        while !dataplane.is_stopping() {
            match self.queue.read(&mut self.read_buffer) {
                Ok(Some(received)) => {
                    self.take(&received);
                    if self.used >= FULL_ENOUGH {
                        self.flush();
                    }
                }
                Ok(None) => {
                    self.flush();
                    let fds = [self.queue.as_fd(), dataplane.stop_fd()];
                    if let Err(error) = wait::wait(fds, None) {
                        dataplane
                            .log()
                            .error(format_args!("waiting for the device: {error}"));
                        return dataplane.stop();
                    }
                }
                Err(error) if is_gone(&error) => {
                    dataplane.log().debug("the device is gone");
                    return dataplane.stop();
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    dataplane.stats().count(Drop::Malformed);
                }
                Err(_) => {
                    // Whatever it is, a loop around it must not burn a core.
                    self.flush();
                    dataplane.stats().count(Drop::TunRead);
                    std::thread::sleep(PAUSE_AFTER_ERROR);
                }
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
    fn refuse(&mut self, bytes: &[u8], reason: Drop) {
        self.dataplane.stats().count(reason);
        if !matches!(reason, Drop::NoPeer | Drop::NoEndpoint) {
            return;
        }
        if let Some(answer) = self.unreachable.answer(clock::monotonic(), bytes) {
            // Whoever does not hear of it has lost the packet all the same.
            let _ = self.queue.write(&Outgoing::PLAIN, &[IoSlice::new(&answer)]);
        }
    }

    fn split(&mut self, buffer: &[u8], received: &offload::Received, peer: &Arc<Peer>, path: Path) {
        let Ok(splitter) = Splitter::new(buffer, received) else {
            return self.dataplane.stats().count(Drop::Malformed);
        };
        let tos = packet::ecn(buffer.get(received.range()).unwrap_or_default()).bits();
        let mtu = self.dataplane.mtu();
        for segment in 0..splitter.segments() {
            let length = splitter.segment_len(segment);
            let padded = packet::padded_length(length, mtu);
            let Some(room) = self.room(peer, path, tos, padded) else {
                return self.dataplane.stats().count(Drop::Malformed);
            };
            let written = splitter.write_segment(segment, room);
            if let Some(padding) = room.get_mut(written..) {
                padding.fill(0);
            }
        }
    }

    /// Room for a plaintext of `padded` bytes at the end of the peer's run, or of a new one.
    fn room(&mut self, peer: &Arc<Peer>, path: Path, tos: u8, padded: usize) -> Option<&mut [u8]> {
        let size = padded + OVERHEAD;
        if self.used + size > self.send_buffer.len() {
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
                let count_max = self.dataplane.max_segments(Family::of(path.remote), size);
                self.runs
                    .push(Run::new(peer, path, tos, start, size, count_max));
            }
        }
        self.used += size;
        let plaintext = start + DATA_HEADER_SIZE;
        self.send_buffer.get_mut(plaintext..plaintext + padded)
    }

    /// Seals and sends everything that waits.
    fn flush(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let now = clock::monotonic();
        for run in &mut self.runs {
            run.seal(now, &mut self.send_buffer, &mut self.packets);
        }
        self.send();
        for run in &self.runs {
            run.note(now, &self.dataplane);
        }
        self.runs.clear();
        self.used = 0;
    }

    fn send(&mut self) {
        let Some(sockets) = self.dataplane.sockets() else {
            return;
        };
        let mut transmits = recycle(std::mem::take(&mut self.transmits));
        transmits.extend(
            self.runs
                .iter()
                .filter_map(|run| run.transmit(&self.send_buffer)),
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

/// The peer that a packet goes to and where that is.
fn destination<S: DatagramSocket>(
    dataplane: &Dataplane<S>,
    bytes: &[u8],
) -> Result<(Arc<Peer>, Path), Drop> {
    let destination = packet::destination(bytes).ok_or(Drop::Malformed)?;
    let peer = dataplane.tables().route(destination).ok_or(Drop::NoPeer)?;
    let path = peer.path().ok_or(Drop::NoEndpoint)?;
    Ok((peer, path))
}

impl Run {
    fn new(
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

    fn takes(&self, peer: &Arc<Peer>, path: Path, tos: u8, size: usize) -> bool {
        !self.closed
            && size <= self.stride
            && self.count < self.count_max
            && self.tos == tos
            && Arc::ptr_eq(&self.peer, peer)
            && self.path == path
    }

    const fn push(&mut self, size: usize) {
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
    fn seal(&mut self, now: Instant, buffer: &mut [u8], packets: &mut Vec<Packet>) {
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

    fn transmit<'a>(&self, buffer: &'a [u8]) -> Option<Transmit<'a>> {
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
    fn note<S: DatagramSocket>(&self, now: Instant, dataplane: &Dataplane<S>) {
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

/// An empty vector with the allocation of the old one, whatever its elements borrowed.
fn recycle<'b>(mut transmits: Vec<Transmit<'_>>) -> Vec<Transmit<'b>> {
    transmits.clear();
    transmits.into_iter().map_while(|_| None).collect()
}

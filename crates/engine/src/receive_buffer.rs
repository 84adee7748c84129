//! Datagrams that were received together, and what comes of them.
//!
//! A received message is a run of datagrams of one sender. Neighbours with the same receiver index
//! are opened in place in one batch; which of them are authentic, new and allowed is noted, for
//! whoever delivers them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use hushwire_io::udp::{DatagramReceiver, DatagramSocket, Family, Received};
use hushwire_proto::crypto::Packet;
use hushwire_proto::decapsulate::decapsulate;
use hushwire_proto::ecn::Ecn;
use hushwire_proto::messages::{DATA_HEADER_SIZE, TAG_SIZE, parse_data};
use hushwire_proto::path::Path;
use hushwire_proto::replay::WINDOW;
use hushwire_proto::time::Instant;

use crate::clock;
use crate::convert;
use crate::dataplane::{Dataplane, Peer, Routes, Session};
use crate::handoff::{SLOTS, Work};
use crate::stats::DropReason;

/// Messages that one system call takes, each of up to 64 KiB.
pub(crate) const MESSAGES_AT_ONCE: usize = 8;
/// Bytes of one system call from which on more is likely to wait at the socket already: more than
/// one full run.
const LARGE: usize = 96 * 1024;

/// The most datagrams of a run (UDP_MAX_SEGMENTS of Linux).
const RUN_MAX: usize = 128;
/// Buffers are opened side by side, so the replay window may see their packets in any order: all
/// that can be under way has to fit into it, with room to spare for what the network does.
const _: () = assert!((SLOTS + 1) * MESSAGES_AT_ONCE * RUN_MAX * 3 / 2 <= WINDOW as usize);

/// The messages of one system call.
pub(crate) struct ReceiveBuffer<S: DatagramSocket> {
    dataplane: Arc<Dataplane<S>>,
    receiver: S::Receiver,
    /// How many messages there are.
    count: usize,
    /// When they were received.
    now: Instant,
    /// What came of each message.
    opened: Vec<Opened>,
    scratch: Scratch,
}

/// What came of a message.
#[derive(Default)]
pub(crate) struct Opened {
    /// Inner packets for the TUN device, as ranges of the message.
    pub(crate) accepted: Vec<Range<usize>>,
    /// Datagrams that are no data.
    pub(crate) others: Vec<Range<usize>>,
    /// Whom authentic packets came from.
    pub(crate) heard: Vec<Heard>,
}

/// A session that authentic packets came from.
pub(crate) struct Heard {
    pub(crate) session: Session,
    /// Their bytes of UDP payload.
    pub(crate) bytes: u64,
    /// Whether any was more than a keepalive.
    pub(crate) data: bool,
}

/// Kept for its allocations.
#[derive(Default)]
struct Scratch {
    /// Neighbours with the same receiver index.
    sealed: Vec<Packet>,
    verdicts: Vec<bool>,
}

impl<S: DatagramSocket> ReceiveBuffer<S> {
    /// An empty one. `receiver` takes as many as [`MESSAGES_AT_ONCE`] messages.
    pub(crate) fn new(dataplane: Arc<Dataplane<S>>, receiver: S::Receiver) -> Self {
        Self {
            dataplane,
            receiver,
            count: 0,
            now: Instant::default(),
            opened: (0..MESSAGES_AT_ONCE).map(|_| Opened::default()).collect(),
            scratch: Scratch::default(),
        }
    }

    /// Receives what is there into the buffer, which is empty, and returns the number of messages.
    pub(crate) fn fill(&mut self, sockets: &S, family: Family) -> io::Result<usize> {
        self.count = sockets.receive(family, &mut self.receiver)?;
        self.now = clock::monotonic();
        Ok(self.count)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many messages there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is so much that more is likely to wait.
    pub(crate) fn is_large(&mut self) -> bool {
        let message = |index| self.receiver.message(index).map(|it| it.contents.len());
        (0..self.count).filter_map(message).sum::<usize>() >= LARGE
    }

    /// When the messages were received.
    pub(crate) const fn received_at(&self) -> Instant {
        self.now
    }

    /// Opens the message at `index`.
    pub(crate) fn open(&mut self, index: usize, routes: &Routes) {
        let (Some(message), Some(opened)) =
            (self.receiver.message(index), self.opened.get_mut(index))
        else {
            return;
        };
        let opening = Opening {
            dataplane: &self.dataplane,
            now: self.now,
            routes,
            ecn: convert::ecn_from_io(message.ecn),
        };
        opening.open(message, &mut self.scratch, opened);
    }

    /// The message at `index`, what came of it, and the way that it came.
    pub(crate) fn opened(&mut self, index: usize) -> Option<(Path, &[u8], &Opened)> {
        let message = self.receiver.message(index)?;
        let path = convert::path_from_io(&message);
        Some((path, message.contents, self.opened.get(index)?))
    }

    /// Forgets the messages.
    pub(crate) fn clear(&mut self) {
        for opened in self.opened.iter_mut().take(self.count) {
            opened.accepted.clear();
            opened.others.clear();
            opened.heard.clear();
        }
        self.count = 0;
    }
}

impl<S: DatagramSocket + 'static> Work for ReceiveBuffer<S> {
    fn perform(&mut self) {
        let routes = self.dataplane.tables().routes();
        for index in 0..self.count {
            self.open(index, &routes);
        }
    }
}

/// What the datagrams of one message have in common.
struct Opening<'a, S> {
    dataplane: &'a Dataplane<S>,
    now: Instant,
    routes: &'a Routes,
    ecn: Ecn,
}

impl<S: DatagramSocket> Opening<'_, S> {
    fn open(&self, message: Received<'_>, scratch: &mut Scratch, opened: &mut Opened) {
        let buffer = message.contents;
        let mut current = None;
        let mut start = 0;
        while start < buffer.len() {
            let end = buffer.len().min(start + message.stride.max(1));
            match parse_data(&buffer[start..end]) {
                Some((index, counter)) => {
                    if current.is_some_and(|current| current != index) {
                        self.open_run(current, buffer, scratch, opened);
                    }
                    current = Some(index);
                    scratch.sealed.push(Packet {
                        start: start + DATA_HEADER_SIZE,
                        len: end - start - DATA_HEADER_SIZE,
                        counter,
                    });
                }
                None => opened.others.push(start..end),
            }
            start = end;
        }
        self.open_run(current, buffer, scratch, opened);
    }

    /// Opens the packets that wait, all for the session with this receiver index.
    fn open_run(
        &self,
        index: Option<u32>,
        buffer: &mut [u8],
        scratch: &mut Scratch,
        opened: &mut Opened,
    ) {
        let stats = self.dataplane.stats();
        let Scratch { sealed, verdicts } = scratch;
        let Some(index) = index else { return };
        let Some(session) = self.dataplane.tables().session(index) else {
            stats.add(DropReason::UnknownIndex, sealed.len() as u64);
            return sealed.clear();
        };
        verdicts.clear();
        verdicts.resize(sealed.len(), false);
        session
            .keypair
            .open_batch(self.now, buffer, sealed, verdicts);
        let (mut bytes, mut data) = (0, false);
        for (packet, _) in sealed.iter().zip(&*verdicts).filter(|(_, ok)| **ok) {
            bytes += (DATA_HEADER_SIZE + packet.len) as u64;
            let inner = packet.start..packet.start + packet.len - TAG_SIZE;
            if inner.is_empty() {
                continue;
            }
            data = true;
            match self.accept(&session.peer, buffer, inner) {
                Ok(range) => opened.accepted.push(range),
                Err(reason) => stats.count(reason),
            }
        }
        let refused = verdicts.iter().filter(|ok| !**ok).count();
        stats.add(DropReason::Unauthentic, refused as u64);
        sealed.clear();
        if bytes > 0 {
            opened.heard.push(Heard {
                session,
                bytes,
                data,
            });
        }
    }

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

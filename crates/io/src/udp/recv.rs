//! Receiving: many messages a system call, each perhaps a run of datagrams.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::cmsg::Incoming;
use super::counters::Tally;
use super::sys::{self, Slot, WINDOW};
use super::{DatagramReceiver, Received};

/// The buffers of a receiving thread: some messages, each large enough for any datagram or
/// run. Memory that no message has reached yet is not backed by pages.
#[derive(Debug)]
pub struct Receiver {
    slots: Vec<Slot>,
    buffers: Vec<u8>,
    /// Size of each buffer.
    size: usize,
    ready: Vec<Ready>,
}

/// A message that is fit to be handed out.
#[derive(Debug)]
struct Ready {
    slot: usize,
    len: usize,
    from: SocketAddr,
    incoming: Incoming,
}

/// Larger than any datagram, and than any run that the kernel merges.
const BUFFER_BYTES: usize = 1 << 16;

/// Pending errors to take off a socket in one call: enough to get to the datagrams behind
/// them, few enough that a flood of errors cannot hold the caller.
const ERRORS_PER_CALL: usize = 16;

impl Receiver {
    /// Buffers for up to `messages` messages a call, at least 1 and at most 64, of 64 KiB
    /// each.
    pub fn new(messages: usize) -> Self {
        Self::with_buffers(messages, BUFFER_BYTES)
    }

    /// Buffers of `bytes` each, for when `UDP_GRO` is off and memory is short. What is larger
    /// is dropped and counted.
    pub fn with_buffers(messages: usize, bytes: usize) -> Self {
        let (messages, size) = (messages.clamp(1, WINDOW), bytes.max(1));
        Self {
            slots: vec![Slot::EMPTY; messages],
            buffers: vec![0; messages * size],
            size,
            ready: Vec::with_capacity(messages),
        }
    }

    /// See [`DatagramSocket::receive`](super::DatagramSocket::receive).
    pub(super) fn fill(&mut self, socket: impl AsFd, tally: &Tally) -> io::Result<usize> {
        self.ready.clear();
        let mut last = Errno::INTR;
        for _ in 0..ERRORS_PER_CALL {
            match sys::receive_many(&socket, &mut self.slots, &mut self.buffers, self.size) {
                Ok(count) => {
                    self.sort_out(count, tally);
                    return Ok(self.ready.len());
                }
                Err(Errno::INTR) => {}
                Err(errno) if is_news_of_an_earlier_send(errno) => {
                    tally.receive_errors.add(1);
                    last = errno;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        // Not the news of so many sends, but trouble that stays.
        match last {
            Errno::INTR => Ok(0),
            errno => Err(errno.into()),
        }
    }

    /// Keeps, of the first `count` slots, those that are whole and understood.
    fn sort_out(&mut self, count: usize, tally: &Tally) {
        for (index, slot) in self.slots.iter().enumerate().take(count) {
            if slot.flags & libc::MSG_TRUNC != 0 {
                tally.receive_truncated.add(1);
                continue;
            }
            // Without all control messages a run cannot be told from a datagram.
            let whole = slot.flags & libc::MSG_CTRUNC == 0;
            let from = slot.name.decode(slot.name_len).filter(|_| whole);
            let Some(from) = from else {
                tally.receive_malformed.add(1);
                continue;
            };
            self.ready.push(Ready {
                slot: index,
                len: slot.len,
                from,
                incoming: slot.control.decode(slot.control_len),
            });
        }
    }
}

impl DatagramReceiver for Receiver {
    fn len(&self) -> usize {
        self.ready.len()
    }

    fn message(&mut self, index: usize) -> Option<Received<'_>> {
        let ready = self.ready.get(index)?;
        let start = ready.slot * self.size;
        let contents = self.buffers.get_mut(start..start + ready.len)?;
        let single = contents.len().max(1);
        let stride = ready
            .incoming
            .segment
            .map_or(single, |size| usize::from(size.get()).min(single));
        Some(Received {
            from: ready.from,
            local: ready.incoming.local,
            ecn: ready.incoming.ecn,
            stride,
            contents,
        })
    }
}

/// Errors that ICMP or the network below left on the socket. They say nothing about the socket
/// itself, and anyone on the path can cause them.
fn is_news_of_an_earlier_send(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::NONET
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::MSGSIZE
            | Errno::ACCESS
            | Errno::PERM
            | Errno::TIMEDOUT
            | Errno::NOBUFS
            | Errno::NOMEM
    )
}

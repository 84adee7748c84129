//! The pair of sockets.

#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::bind::{Pair, open_pair};
use super::recv::Receiver;
use super::segment::max_segments;
use super::send::{Job, Outlet, SendReport, SendScratch};
use super::socket::Socket;
use super::{Counters, DatagramSocket, Family, OffloadState, Transmit, UdpError, UdpOptions};

/// An IPv4 and an IPv6 socket on one port, or one of the two where the host lacks the other.
///
/// Closed on drop. The port is held exclusively (no `SO_REUSEADDR`, no `SO_REUSEPORT`), but for
/// the others of a [group](Self::bind_group).
#[derive(Debug)]
pub struct Sockets {
    pair: Pair<Socket>,
}

/// A snapshot for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The local port.
    pub port: u16,
    /// The IPv4 socket, if the host has IPv4.
    pub v4: Option<FamilyStatus>,
    /// The IPv6 socket, if the host has IPv6.
    pub v6: Option<FamilyStatus>,
}

/// A snapshot of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyStatus {
    /// Segmentation offload, sending.
    pub gso: OffloadState,
    /// Receive offload.
    pub gro: OffloadState,
    /// The send buffer in bytes, as the kernel counts: twice what was asked for.
    pub send_buffer_bytes: usize,
    /// The receive buffer in bytes, counted likewise.
    pub receive_buffer_bytes: usize,
    /// What went wrong so far.
    pub counters: Counters,
}

impl Sockets {
    /// Opens, sets up and binds the sockets. Port 0 is a random port, free in both families.
    ///
    /// # Errors
    ///
    /// When the port is taken in either family, when there is neither family, or when the
    /// system refuses a setting without which a tunnel would not work.
    pub fn bind(options: &UdpOptions) -> Result<Self, UdpError> {
        let pair = open_pair(options.port, |family, port| {
            Socket::open(family, port, options, false)
        })?;
        Ok(Self { pair })
    }

    /// `count` pairs on one port, at least one, for as many threads: what arrives is spread over
    /// them by sender, so the datagrams of one peer stay in order.
    ///
    /// The first pair is bound exclusively and lets the others join then, so a port that somebody
    /// else holds is an error all the same. From then on a process of the same user could join
    /// too, if it asked for that.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); none is left open.
    pub fn bind_group(options: &UdpOptions, count: usize) -> Result<Vec<Self>, UdpError> {
        let first = Self::bind(options)?;
        let joining = UdpOptions {
            port: first.pair.port,
            ..options.clone()
        };
        if count > 1 {
            first.let_join()?;
        }
        let mut group = vec![first];
        for _ in 1..count {
            let pair = open_pair(joining.port, |family, port| {
                Socket::open(family, port, &joining, true)
            })?;
            group.push(Self { pair });
        }
        Ok(group)
    }

    fn let_join(&self) -> Result<(), UdpError> {
        let mut sockets = self.pair.v4.iter().chain(&self.pair.v6);
        sockets.try_for_each(Socket::let_join)
    }

    /// What is in use, and what went wrong so far.
    pub fn status(&self) -> Status {
        let of = |socket: &Socket| {
            let (send_buffer_bytes, receive_buffer_bytes) = socket.buffer_sizes();
            FamilyStatus {
                gso: socket.gso_state(),
                gro: socket.gro_state(),
                send_buffer_bytes,
                receive_buffer_bytes,
                counters: socket.counters(),
            }
        };
        Status {
            port: self.pair.port,
            v4: self.pair.v4.as_ref().map(of),
            v6: self.pair.v6.as_ref().map(of),
        }
    }

    fn socket(&self, family: Family) -> Option<&Socket> {
        match family {
            Family::V4 => self.pair.v4.as_ref(),
            Family::V6 => self.pair.v6.as_ref(),
        }
    }
}

impl DatagramSocket for Sockets {
    type SendScratch = SendScratch;
    type Receiver = Receiver;

    fn send<'s>(&self, batch: &[Transmit<'_>], scratch: &'s mut SendScratch) -> SendReport<'s> {
        let mut job = Job::new(scratch);
        let mut base = 0;
        for run in batch.chunk_by(|a, b| Family::of(a.to) == Family::of(b.to)) {
            if let Some(first) = run.first() {
                let family = Family::of(first.to);
                match self.socket(family) {
                    Some(socket) => job.send(socket, run, base),
                    None => job.refuse(family, run, base),
                }
            }
            base += run.len();
        }
        job.finish()
    }

    fn receive(&self, family: Family, receiver: &mut Receiver) -> io::Result<usize> {
        match self.socket(family) {
            Some(socket) => receiver.fill(socket, socket.tally()),
            None => Err(Errno::AFNOSUPPORT.into()),
        }
    }

    fn fd(&self, family: Family) -> Option<BorrowedFd<'_>> {
        self.socket(family).map(AsFd::as_fd)
    }

    fn port(&self) -> u16 {
        self.pair.port
    }

    fn set_fwmark(&self, mark: u32) -> Result<(), UdpError> {
        for socket in self.pair.v4.iter().chain(&self.pair.v6) {
            socket.set_fwmark(mark)?;
        }
        Ok(())
    }

    fn max_segments(&self, family: Family, segment_size: NonZeroU16) -> usize {
        match self.socket(family) {
            Some(socket) if socket.gso_state().is_on() => max_segments(family, segment_size),
            _ => 1,
        }
    }
}

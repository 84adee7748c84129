//! The socket of one family, set up.

#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use super::counters::{Counters, Tally};
use super::offload::OffloadCell;
use super::send::Outlet;
use super::sys::{self, Piece, Wire};
use super::{Action, Family, OffReason, OffloadState, UdpError, UdpOptions, route};

/// A bound UDP socket of one family.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    family: Family,
    mark: AtomicU32,
    gso: OffloadCell,
    gro: OffloadState,
    tally: Tally,
}

impl Socket {
    /// Opens, sets up and binds; returns the port as well. One that `joins` gets a share of what
    /// arrives for the sockets of this process that are bound to the port and let others join.
    pub(super) fn open(
        family: Family,
        port: u16,
        options: &UdpOptions,
        joins: bool,
    ) -> Result<(Self, u16), UdpError> {
        let domain = match family {
            Family::V4 => AddressFamily::INET,
            Family::V6 => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = net::socket_with(domain, SocketType::DGRAM, flags, None)
            .map_err(|errno| UdpError::new(Action::Open, errno))?;
        match family {
            Family::V4 => set_up_v4(fd.as_fd())?,
            Family::V6 => set_up_v6(fd.as_fd())?,
        }
        enlarge_buffers(fd.as_fd(), options.buffer_bytes);
        let socket = Self {
            gso: OffloadCell::new(probe_gso(fd.as_fd(), options.gso)),
            gro: enable_gro(fd.as_fd(), options.gro),
            mark: AtomicU32::new(0),
            tally: Tally::default(),
            fd,
            family,
        };
        if options.fwmark != 0 {
            socket.set_fwmark(options.fwmark)?;
        }
        if joins {
            socket.let_join()?;
        }
        // Bound last, so that nothing arrives at a socket that is half set up.
        let port = socket
            .bind(port)
            .map_err(|errno| UdpError::new(Action::Bind(port), errno))?;
        Ok((socket, port))
    }

    fn bind(&self, port: u16) -> Result<u16, Errno> {
        let any: SocketAddr = match self.family {
            Family::V4 => (Ipv4Addr::UNSPECIFIED, port).into(),
            Family::V6 => (Ipv6Addr::UNSPECIFIED, port).into(),
        };
        net::bind(&self.fd, &any)?;
        let bound = net::getsockname(&self.fd)?;
        SocketAddr::try_from(bound).map(|address| address.port())
    }

    /// Lets others of this user bind to the same port from now on (`SO_REUSEPORT`). The kernel
    /// then chooses the socket by the addresses and ports of a datagram, so that all of one sender
    /// arrive at one.
    pub(super) fn let_join(&self) -> Result<(), UdpError> {
        named(
            "SO_REUSEPORT",
            sockopt::set_socket_reuseport(&self.fd, true),
        )
    }

    pub(super) fn set_fwmark(&self, mark: u32) -> Result<(), UdpError> {
        sys::set_option(
            &self.fd,
            libc::SOL_SOCKET,
            libc::SO_MARK,
            mark.cast_signed(),
        )
        .map_err(|errno| UdpError::new(Action::SetFwmark(mark), errno))?;
        self.mark.store(mark, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn gso_state(&self) -> OffloadState {
        self.gso.state()
    }

    pub(super) fn gro_state(&self) -> OffloadState {
        self.gro
    }

    pub(super) fn buffer_sizes(&self) -> (usize, usize) {
        (
            sockopt::socket_send_buffer_size(&self.fd).unwrap_or(0),
            sockopt::socket_recv_buffer_size(&self.fd).unwrap_or(0),
        )
    }

    pub(super) fn counters(&self) -> Counters {
        let drops = sys::option::<MEMINFO_WORDS>(&self.fd, libc::SOL_SOCKET, libc::SO_MEMINFO)
            .map_or(0, |words| words[libc::SK_MEMINFO_DROPS as usize]);
        self.tally.snapshot(drops.into())
    }
}

/// Words of `SO_MEMINFO` up to the count of drops (`SK_MEMINFO_VARS`).
const MEMINFO_WORDS: usize = 9;

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Outlet for Socket {
    fn family(&self) -> Family {
        self.family
    }

    fn gso(&self) -> &OffloadCell {
        &self.gso
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn submit<'a>(
        &self,
        pieces: impl Iterator<Item = Piece<'a>>,
        wire: &mut Wire,
    ) -> Result<usize, Errno> {
        sys::send_many(&self.fd, self.family, pieces, wire)
    }

    fn wait(&self, errno: Errno) {
        if errno == Errno::AGAIN {
            let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
            // However it ends, sending is tried again, a limited number of times.
            let _ = poll(&mut fds, Some(&PAUSE));
        } else {
            // A full device queue: the socket stays writable, so there is nothing to poll.
            thread::sleep(Duration::from_nanos(PAUSE.tv_nsec.unsigned_abs()));
        }
    }

    fn path_mtu(&self, to: SocketAddr) -> Option<u32> {
        route::path_mtu(to, self.mark.load(Ordering::Relaxed)).ok()
    }
}

/// How long to wait for room before sending is tried again.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

fn set_up_v4(fd: BorrowedFd<'_>) -> Result<(), UdpError> {
    named(
        "IP_PKTINFO",
        sys::set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
    )?;
    named("IP_RECVTOS", sockopt::set_ip_recvtos(fd, true))?;
    // Fragment rather than refuse what is larger than the path: a tunnel may be given an
    // inner MTU larger than the outer one, and the kernel's driver clears DF as well.
    let dont = sockopt::Ipv4PathMtuDiscovery::DONT;
    named("IP_MTU_DISCOVER", sockopt::set_ip_mtu_discover(fd, dont))
}

fn set_up_v6(fd: BorrowedFd<'_>) -> Result<(), UdpError> {
    named("IPV6_V6ONLY", sockopt::set_ipv6_v6only(fd, true))?;
    named(
        "IPV6_RECVPKTINFO",
        sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    )?;
    named("IPV6_RECVTCLASS", sockopt::set_ipv6_recvtclass(fd, true))?;
    let dont = sockopt::Ipv6PathMtuDiscovery::DONT;
    named(
        "IPV6_MTU_DISCOVER",
        sockopt::set_ipv6_mtu_discover(fd, dont),
    )
}

fn named(option: &'static str, result: Result<(), Errno>) -> Result<(), UdpError> {
    result.map_err(|errno| UdpError::new(Action::SetOption(option), errno))
}

/// Past the system's limits if allowed, else up to them. A smaller buffer is no failure.
fn enlarge_buffers(fd: BorrowedFd<'_>, bytes: usize) {
    if sockopt::set_socket_recv_buffer_size_force(fd, bytes).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(fd, bytes);
    }
    if sockopt::set_socket_send_buffer_size_force(fd, bytes).is_err() {
        let _ = sockopt::set_socket_send_buffer_size(fd, bytes);
    }
}

/// Linux has `UDP_SEGMENT` from 4.18 on; before, the control message would be ignored.
fn probe_gso(fd: BorrowedFd<'_>, wanted: bool) -> OffloadState {
    if !wanted {
        return OffloadState::Off(OffReason::SwitchedOff);
    }
    match sys::option::<1>(fd, libc::SOL_UDP, libc::UDP_SEGMENT) {
        Ok(_) => OffloadState::On,
        Err(_) => OffloadState::Off(OffReason::Unsupported),
    }
}

/// Linux has `UDP_GRO` from 5.0 on.
fn enable_gro(fd: BorrowedFd<'_>, wanted: bool) -> OffloadState {
    if !wanted {
        return OffloadState::Off(OffReason::SwitchedOff);
    }
    match sys::set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1) {
        Ok(()) => OffloadState::On,
        Err(_) => OffloadState::Off(OffReason::Unsupported),
    }
}

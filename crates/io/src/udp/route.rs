//! Whether the routes still agree with what a socket learnt.

#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::netlink::{Route, RouteQuery, decode, encode};
use super::{Local, sys};

/// Whether a datagram with this mark, sent to `to` from the address of `from`, would leave
/// through the interface of `from`: if not, that source is to be forgotten.
///
/// A source of the other family or on no interface of this host does not route; one whose
/// interface is unknown (0) does if the address is there. When nothing at all routes to `to`,
/// the source is not at fault, and the answer is yes. Takes some microseconds and a few
/// descriptors; meant for the control thread.
///
/// # Errors
///
/// When the routes cannot be asked for.
pub fn source_still_routes(to: SocketAddr, from: &Local, fwmark: u32) -> io::Result<bool> {
    if to.is_ipv4() != from.ip.is_ipv4() || !is_local(from)? {
        return Ok(false);
    }
    let query = RouteQuery {
        to: to.ip(),
        port: to.port(),
        from: from.ip,
        mark: fwmark,
        ifindex: scope_id(to),
    };
    match look_up(&query) {
        Ok(Route::Through(ifindex)) => Ok(from.ifindex == 0 || ifindex == from.ifindex),
        // The kernel ascribes what this host sends to itself to the interface that has the
        // address, or to loopback: a comparison says nothing.
        Ok(Route::Local | Route::Unspecified) => Ok(true),
        Err(Errno::INVAL) => Ok(false),
        Err(
            Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::ACCESS
            | Errno::NODEV
            | Errno::ADDRNOTAVAIL,
        ) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

/// The MTU of the route to `to` for packets with this mark, IP header included, as far as it
/// is known.
///
/// # Errors
///
/// When there is no route, or no permission to use the mark.
pub fn path_mtu(to: SocketAddr, fwmark: u32) -> io::Result<u32> {
    let socket = udp_socket(to.ip())?;
    if fwmark != 0 {
        let mark = fwmark.cast_signed();
        sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_MARK, mark)?;
    }
    // Connecting a UDP socket sends nothing; it looks up the route.
    net::connect(&socket, &to)?;
    let mtu = match to {
        SocketAddr::V4(_) => sockopt::ip_mtu(&socket)?,
        SocketAddr::V6(_) => sockopt::ipv6_mtu(&socket)?,
    };
    Ok(mtu)
}

/// Word of changes to routes, addresses, rules and links, in the network namespace in which it
/// was opened.
#[derive(Debug)]
pub struct RouteMonitor {
    fd: OwnedFd,
}

/// `RTMGRP_IPV6_RULE`, which linux/rtnetlink.h has only as a group number, 19.
const IPV6_RULE: u32 = 1 << (19 - 1);

impl RouteMonitor {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// When the system has no rtnetlink or no descriptor left.
    pub fn open() -> io::Result<Self> {
        let fd = netlink_socket()?;
        // Links too, since IPv4 drops the routes of a link that goes down without a word.
        let groups = (libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV4_RULE
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV6_ROUTE)
            .cast_unsigned()
            | IPV6_RULE;
        net::bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        Ok(Self { fd })
    }

    /// Takes off all that has arrived, without waiting. Returns whether anything may have
    /// changed since the last time.
    ///
    /// # Errors
    ///
    /// When the descriptor is of no more use.
    pub fn drain(&self) -> io::Result<bool> {
        let mut changed = false;
        // What changed is not of interest, so messages may be cut off.
        let mut buffer = [0; 64];
        for _ in 0..MESSAGES_PER_DRAIN {
            match net::recv(&self.fd, &mut buffer, RecvFlags::DONTWAIT) {
                Ok(_) => changed = true,
                // The kernel dropped messages: all the more a change.
                Err(Errno::NOBUFS) => changed = true,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(changed)
    }
}

/// So that a stream of changes faster than they are read cannot hold the caller; what is left
/// shows up as readable again.
const MESSAGES_PER_DRAIN: usize = 4096;

impl AsFd for RouteMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether the address is one of this host's, found by trying to bind to it.
fn is_local(local: &Local) -> io::Result<bool> {
    let address = match local.ip {
        IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
        IpAddr::V6(ip) => {
            let scope = if ip.is_unicast_link_local() {
                local.ifindex
            } else {
                0
            };
            SocketAddrV6::new(ip, 0, 0, scope).into()
        }
    };
    match net::bind(udp_socket(local.ip)?, &address) {
        Ok(()) => Ok(true),
        Err(Errno::ADDRNOTAVAIL | Errno::NODEV | Errno::INVAL) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn look_up(query: &RouteQuery) -> Result<Route, Errno> {
    let fd = netlink_socket()?;
    net::send(&fd, &encode(query), SendFlags::empty())?;
    // The kernel answers within the call that asks, so there is nothing to wait for.
    let mut answer = [0; 4096];
    let (len, _) = net::recv(&fd, &mut answer, RecvFlags::DONTWAIT)?;
    decode(answer.get(..len).unwrap_or_default())
}

fn netlink_socket() -> Result<OwnedFd, Errno> {
    // No protocol is protocol 0, which is NETLINK_ROUTE.
    net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
}

fn udp_socket(ip: IpAddr) -> Result<OwnedFd, Errno> {
    let domain = if ip.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    net::socket_with(domain, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

/// The interface that a link-local address names; 0 for any other.
fn scope_id(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => v6.scope_id(),
        _ => 0,
    }
}

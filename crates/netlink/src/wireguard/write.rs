//! A change of a device as messages.

use std::net::{IpAddr, SocketAddr};

use super::constants::{
    ALLOWED_IP_A_ADDR, ALLOWED_IP_A_CIDR, ALLOWED_IP_A_FAMILY, ALLOWED_IP_A_FLAGS,
    ALLOWED_IP_F_REMOVE_ME, DEVICE_A_FLAGS, DEVICE_A_FWMARK, DEVICE_A_IFNAME, DEVICE_A_LISTEN_PORT,
    DEVICE_A_PEERS, DEVICE_A_PRIVATE_KEY, DEVICE_F_REPLACE_PEERS, PEER_A_ALLOWED_IPS,
    PEER_A_ENDPOINT, PEER_A_FLAGS, PEER_A_PERSISTENT_KEEPALIVE, PEER_A_PRESHARED_KEY,
    PEER_A_PUBLIC_KEY, PEER_F_REMOVE_ME, PEER_F_REPLACE_ALLOWED_IPS, PEER_F_UPDATE_ONLY,
};
use super::{AllowedIpUpdate, PeerUpdate, Update};
use crate::attribute::{Full, Writer};
use crate::genetlink::Command;

/// The messages of an update, none longer than a limit. The first has the settings of the device. A peer whose prefixes
/// do not fit goes on in the next message, with its key and the rest of them: the kernel takes that for another change
/// of the same peer, so what was said once (such as to replace the prefixes) must not be said again.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    command: Command,
    name: &'a [u8],
    update: &'a Update,
    limit: usize,
    /// What is still to be said; none when all has been.
    next: Option<Position>,
}

/// How far an update has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    /// Whether the device's own settings have been.
    device_written: bool,
    /// The peer that comes next.
    peer: usize,
    /// How much of that peer has been.
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Nothing of it has been written.
    Whole,
    /// All but its prefixes from this one on.
    AllowedIpsFrom(usize),
}

impl<'a> Messages<'a> {
    pub(super) fn new(command: Command, name: &'a [u8], update: &'a Update, limit: usize) -> Self {
        Self {
            command,
            name,
            update,
            limit,
            next: Some(Position {
                device_written: false,
                peer: 0,
                part: Part::Whole,
            }),
        }
    }

    /// Writes as much as fits from a position on, and tells where to go on.
    fn write(&self, message: &mut Writer, mut at: Position) -> Result<Option<Position>, Full> {
        message.string(DEVICE_A_IFNAME, self.name)?;
        if !at.device_written {
            write_device(message, self.update)?;
            at.device_written = true;
        }
        if at.peer >= self.update.peers.len() {
            return Ok(None);
        }
        let peers = message.open(DEVICE_A_PEERS)?;
        while let Some(peer) = self.update.peers.get(at.peer) {
            let mark = message.mark();
            match write_peer(message, peer, at.part) {
                Ok(None) => {
                    at.peer += 1;
                    at.part = Part::Whole;
                }
                Ok(Some(rest)) => {
                    at.part = Part::AllowedIpsFrom(rest);
                    break;
                }
                Err(Full) => {
                    message.back_to(mark);
                    break;
                }
            }
        }
        message.close(peers);
        Ok((at.peer < self.update.peers.len()).then_some(at))
    }
}

impl Iterator for Messages<'_> {
    type Item = Writer;

    fn next(&mut self) -> Option<Writer> {
        let position = self.next?;
        let mut message = self.command.start(self.limit);
        // The limit has room for the device and one peer, so every message gets on. Were it not so, it would be the end.
        self.next = self.write(&mut message, position).unwrap_or(None);
        debug_assert_ne!(
            self.next,
            Some(position),
            "nothing fits into {}",
            self.limit
        );
        self.next = self.next.filter(|next| *next != position);
        Some(message)
    }
}

fn write_device(message: &mut Writer, update: &Update) -> Result<(), Full> {
    if let Some(key) = &update.private_key {
        message.attribute(DEVICE_A_PRIVATE_KEY, key.as_bytes())?;
    }
    if let Some(port) = update.listen_port {
        message.u16(DEVICE_A_LISTEN_PORT, port)?;
    }
    if let Some(mark) = update.fwmark {
        message.u32(DEVICE_A_FWMARK, mark)?;
    }
    if update.replace_peers {
        message.u32(DEVICE_A_FLAGS, DEVICE_F_REPLACE_PEERS)?;
    }
    Ok(())
}

/// Writes a peer, and tells the first prefix that did not fit. `Full` if nothing of use did.
fn write_peer(message: &mut Writer, peer: &PeerUpdate, part: Part) -> Result<Option<usize>, Full> {
    let nest = message.open(0)?;
    message.attribute(PEER_A_PUBLIC_KEY, &peer.public_key)?;
    write_flags(message, peer, part)?;
    if part == Part::Whole {
        write_settings(message, peer)?;
    }
    let first = match part {
        Part::Whole => 0,
        Part::AllowedIpsFrom(first) => first,
    };
    let written = write_allowed_ips(message, peer, first);
    message.close(nest);
    let next = first + written;
    if next == peer.allowed_ips.len() {
        Ok(None)
    } else if written == 0 && part != Part::Whole {
        Err(Full)
    } else {
        Ok(Some(next))
    }
}

fn write_flags(message: &mut Writer, peer: &PeerUpdate, part: Part) -> Result<(), Full> {
    let once = part == Part::Whole;
    let flags = [
        (peer.remove, PEER_F_REMOVE_ME),
        (peer.update_only, PEER_F_UPDATE_ONLY),
        (peer.replace_allowed_ips && once, PEER_F_REPLACE_ALLOWED_IPS),
    ];
    let flags = flags
        .into_iter()
        .filter(|(set, _)| *set)
        .fold(0, |flags, (_, flag)| flags | flag);
    if flags == 0 {
        return Ok(());
    }
    message.u32(PEER_A_FLAGS, flags)
}

fn write_settings(message: &mut Writer, peer: &PeerUpdate) -> Result<(), Full> {
    if let Some(key) = &peer.preshared_key {
        message.attribute(PEER_A_PRESHARED_KEY, key.as_bytes())?;
    }
    if let Some(endpoint) = peer.endpoint {
        message.attribute(PEER_A_ENDPOINT, &socket_address(endpoint))?;
    }
    if let Some(seconds) = peer.persistent_keepalive {
        message.u16(PEER_A_PERSISTENT_KEEPALIVE, seconds)?;
    }
    Ok(())
}

/// Writes the prefixes that fit, and tells how many.
fn write_allowed_ips(message: &mut Writer, peer: &PeerUpdate, first: usize) -> usize {
    let rest = peer.allowed_ips.get(first..).unwrap_or_default();
    if rest.is_empty() {
        return 0;
    }
    let before = message.mark();
    let Ok(nest) = message.open(PEER_A_ALLOWED_IPS) else {
        return 0;
    };
    let mut written = 0;
    for prefix in rest {
        let mark = message.mark();
        if write_allowed_ip(message, prefix).is_err() {
            message.back_to(mark);
            break;
        }
        written += 1;
    }
    message.close(nest);
    if written == 0 {
        message.back_to(before);
    }
    written
}

fn write_allowed_ip(message: &mut Writer, prefix: &AllowedIpUpdate) -> Result<(), Full> {
    let nest = message.open(0)?;
    match prefix.addr {
        IpAddr::V4(addr) => {
            message.u16(ALLOWED_IP_A_FAMILY, libc::AF_INET as u16)?;
            message.attribute(ALLOWED_IP_A_ADDR, &addr.octets())?;
        }
        IpAddr::V6(addr) => {
            message.u16(ALLOWED_IP_A_FAMILY, libc::AF_INET6 as u16)?;
            message.attribute(ALLOWED_IP_A_ADDR, &addr.octets())?;
        }
    }
    message.u8(ALLOWED_IP_A_CIDR, prefix.cidr)?;
    // Only where it is needed: older kernels refuse the attribute.
    if prefix.remove {
        message.u32(ALLOWED_IP_A_FLAGS, ALLOWED_IP_F_REMOVE_ME)?;
    }
    message.close(nest);
    Ok(())
}

/// A `struct sockaddr_in` or `sockaddr_in6`.
pub(super) fn socket_address(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    match address {
        SocketAddr::V4(address) => {
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(address) => {
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

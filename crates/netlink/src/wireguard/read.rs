//! A device out of the messages of a dump.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::constants::{
    ALLOWED_IP_A_ADDR, ALLOWED_IP_A_CIDR, ALLOWED_IP_A_FAMILY, DEVICE_A_FWMARK,
    DEVICE_A_LISTEN_PORT, DEVICE_A_PEERS, DEVICE_A_PRIVATE_KEY, PEER_A_ALLOWED_IPS,
    PEER_A_ENDPOINT, PEER_A_LAST_HANDSHAKE, PEER_A_PERSISTENT_KEEPALIVE, PEER_A_PRESHARED_KEY,
    PEER_A_PUBLIC_KEY, PEER_A_RX_BYTES, PEER_A_TX_BYTES,
};
use super::{Device, KEY_LEN, Peer, SecretKey};
use crate::attribute::{Attribute, Attributes};

/// Puts a device together. A device too large for one message comes in several; the later ones have nothing but peers,
/// and a peer that was cut off comes again with nothing but its key and the rest of its prefixes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    device: Device,
}

impl Reader {
    /// Takes the next message in. An error says what is wrong with it.
    pub(super) fn message(&mut self, attributes: Attributes<'_>) -> Result<(), String> {
        for attribute in attributes {
            match attribute.kind {
                DEVICE_A_PRIVATE_KEY => self.device.private_key = secret(&attribute),
                DEVICE_A_LISTEN_PORT => self.device.listen_port = attribute.u16().unwrap_or(0),
                DEVICE_A_FWMARK => self.device.fwmark = attribute.u32().unwrap_or(0),
                DEVICE_A_PEERS => {
                    for peer in attribute.nested() {
                        self.peer(peer.nested())?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Device {
        self.device
    }

    fn peer(&mut self, attributes: Attributes<'_>) -> Result<(), String> {
        let mut peer = read_peer(attributes)?;
        match self.device.peers.last_mut() {
            Some(last) if last.public_key == peer.public_key => {
                last.allowed_ips.append(&mut peer.allowed_ips);
            }
            _ => self.device.peers.push(peer),
        }
        Ok(())
    }
}

fn read_peer(attributes: Attributes<'_>) -> Result<Peer, String> {
    let mut public_key = None;
    let mut peer = Peer {
        public_key: [0; KEY_LEN],
        preshared_key: None,
        endpoint: None,
        last_handshake: Duration::ZERO,
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        allowed_ips: Vec::new(),
    };
    for attribute in attributes {
        match attribute.kind {
            PEER_A_PUBLIC_KEY => public_key = attribute.value.try_into().ok(),
            PEER_A_PRESHARED_KEY => peer.preshared_key = secret(&attribute),
            PEER_A_ENDPOINT => peer.endpoint = socket_address(attribute.value),
            PEER_A_PERSISTENT_KEEPALIVE => {
                peer.persistent_keepalive = attribute.u16().unwrap_or(0);
            }
            PEER_A_LAST_HANDSHAKE => {
                peer.last_handshake = time(attribute.value).unwrap_or_default();
            }
            PEER_A_RX_BYTES => peer.rx_bytes = attribute.u64().unwrap_or(0),
            PEER_A_TX_BYTES => peer.tx_bytes = attribute.u64().unwrap_or(0),
            PEER_A_ALLOWED_IPS => {
                for prefix in attribute.nested() {
                    let prefix = read_allowed_ip(prefix.nested());
                    peer.allowed_ips
                        .push(prefix.ok_or("an allowed IP that is none")?);
                }
            }
            _ => {}
        }
    }
    peer.public_key = public_key.ok_or("a peer without a key")?;
    Ok(peer)
}

fn secret(attribute: &Attribute<'_>) -> Option<SecretKey> {
    attribute.value.try_into().ok().map(SecretKey::new)
}

pub(super) fn read_allowed_ip(attributes: Attributes<'_>) -> Option<(IpAddr, u8)> {
    let (mut family, mut addr, mut cidr) = (None, None, None);
    for attribute in attributes {
        match attribute.kind {
            ALLOWED_IP_A_FAMILY => family = attribute.u16(),
            ALLOWED_IP_A_ADDR => addr = Some(attribute.value),
            ALLOWED_IP_A_CIDR => cidr = attribute.value.first().copied(),
            _ => {}
        }
    }
    let (addr, cidr) = (addr?, cidr?);
    let (addr, width): (IpAddr, u8) = match libc::c_int::from(family?) {
        libc::AF_INET => (<[u8; 4]>::try_from(addr).ok()?.into(), 32),
        libc::AF_INET6 => (<[u8; 16]>::try_from(addr).ok()?.into(), 128),
        _ => return None,
    };
    (cidr <= width).then_some((addr, cidr))
}

/// A `struct sockaddr_in` or `sockaddr_in6`.
pub(super) fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match (libc::c_int::from(u16::from_ne_bytes(*family)), bytes.len()) {
        (libc::AF_INET, 16) => {
            let addr = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddr::new(addr.into(), port))
        }
        (libc::AF_INET6, 28) => {
            let (flow, rest) = rest.split_first_chunk::<4>()?;
            let (addr, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk::<4>()?);
            let flow = u32::from_be_bytes(*flow);
            let addr = SocketAddrV6::new(Ipv6Addr::from(*addr), port, flow, scope);
            Some(SocketAddr::V6(addr))
        }
        _ => None,
    }
}

/// A `struct __kernel_timespec`: two 64-bit numbers with signs.
fn time(bytes: &[u8]) -> Option<Duration> {
    let (seconds, rest) = bytes.split_first_chunk::<8>()?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let nanoseconds = i64::from_ne_bytes(*rest.first_chunk::<8>()?);
    let nanoseconds = u32::try_from(nanoseconds).ok()?;
    Some(Duration::new(seconds, nanoseconds.min(999_999_999)))
}

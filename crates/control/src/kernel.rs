//! The kernel's devices.

use std::time::Duration;

use hushwire_config::device::{Device, Peer};
use hushwire_config::key::{PresharedKey, PrivateKey, PublicKey};
use hushwire_config::prefix::{AllowedIpEntry, Prefix};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};
use hushwire_netlink::wireguard::{self, AllowedIpUpdate, SecretKey, WireGuard};

use crate::Error;

pub(crate) fn read(name: &[u8], limit: Option<Duration>) -> Result<Device, Error> {
    let device = open(name, limit)?.device(name)?;
    Ok(device_from(device))
}

pub(crate) fn change(
    name: &[u8],
    limit: Option<Duration>,
    update: &DeviceUpdate,
) -> Result<(), Error> {
    Ok(open(name, limit)?.set(name, &update_from(update))?)
}

/// Looks at the name first: where the kernel has no WireGuard, a name that cannot be is still the first mistake.
fn open(name: &[u8], limit: Option<Duration>) -> Result<WireGuard, Error> {
    if name.len() > wireguard::NAME_LIMIT {
        return Err(Error::NameTooLong);
    }
    Ok(WireGuard::open(limit)?)
}

fn device_from(device: wireguard::Device) -> Device {
    Device {
        private_key: device
            .private_key
            .map(|key| PrivateKey::new(*key.as_bytes())),
        listen_port: device.listen_port,
        fwmark: device.fwmark,
        peers: device.peers.into_iter().map(peer_from).collect(),
    }
}

fn peer_from(peer: wireguard::Peer) -> Peer {
    let preshared_key = peer
        .preshared_key
        .map(|key| PresharedKey::new(*key.as_bytes()));
    let prefixes = peer.allowed_ips.into_iter();
    Peer {
        public_key: PublicKey::new(peer.public_key),
        preshared_key: preshared_key.filter(|key| !key.is_zero()),
        endpoint: peer.endpoint,
        last_handshake: (!peer.last_handshake.is_zero()).then_some(peer.last_handshake),
        tx_bytes: peer.tx_bytes,
        rx_bytes: peer.rx_bytes,
        persistent_keepalive: peer.persistent_keepalive,
        allowed_ips: prefixes
            .filter_map(|(addr, cidr)| Prefix::new(addr, cidr))
            .collect(),
    }
}

fn update_from(update: &DeviceUpdate) -> wireguard::Update {
    let private_key = update.private_key.as_ref();
    wireguard::Update {
        private_key: private_key.map(|key| SecretKey::new(*key.as_bytes())),
        listen_port: update.listen_port,
        fwmark: update.fwmark,
        replace_peers: update.replace_peers,
        peers: update.peers.iter().map(peer_update_from).collect(),
    }
}

fn peer_update_from(peer: &PeerUpdate) -> wireguard::PeerUpdate {
    let settings = match &peer.action {
        PeerAction::Remove => &PeerSettings::default(),
        PeerAction::Set(settings) => settings,
    };
    let preshared_key = settings.preshared_key.as_ref();
    wireguard::PeerUpdate {
        public_key: *peer.public_key.as_bytes(),
        remove: peer.action == PeerAction::Remove,
        update_only: settings.update_only,
        preshared_key: preshared_key.map(|key| SecretKey::new(*key.as_bytes())),
        endpoint: settings.endpoint,
        persistent_keepalive: settings.persistent_keepalive,
        replace_allowed_ips: settings.replace_allowed_ips,
        allowed_ips: settings.allowed_ips.iter().map(allowed_ip_from).collect(),
    }
}

fn allowed_ip_from(entry: &AllowedIpEntry) -> AllowedIpUpdate {
    AllowedIpUpdate {
        addr: entry.prefix.addr(),
        cidr: entry.prefix.cidr(),
        remove: entry.remove,
    }
}

//! A device as it is: what a get of the UAPI, or a dump of the kernel's, tells of it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::prefix::{AllowedIp, Prefix};

/// The state of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its private key, if the device told of one: a device may tell of an all-zero key, and
    /// wg(8) then shows it.
    pub private_key: Option<PrivateKey>,
    /// The UDP port that it listens on. 0: none yet.
    pub listen_port: u16,
    /// The mark on its packets. 0: none.
    pub fwmark: u32,
    /// Its peers, in the order in which the device told of them.
    pub peers: Vec<Peer>,
}

/// The state of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub public_key: PublicKey,
    /// The pre-shared key, if there is one.
    pub preshared_key: Option<PresharedKey>,
    /// Where its datagrams go, if that is known.
    pub endpoint: Option<SocketAddr>,
    /// When the last handshake was complete, since 1970. `None`: never.
    pub last_handshake: Option<Duration>,
    /// UDP payload sent to it, in bytes.
    pub tx_bytes: u64,
    /// UDP payload received from it, in bytes.
    pub rx_bytes: u64,
    /// Seconds between keepalives. 0: off.
    pub persistent_keepalive: u16,
    /// The prefixes that are its own. A device masks them; what one tells that does not is kept.
    pub allowed_ips: Vec<Prefix>,
}

impl Peer {
    /// A peer of which nothing is known but its key.
    #[must_use]
    pub const fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            preshared_key: None,
            endpoint: None,
            last_handshake: None,
            tx_bytes: 0,
            rx_bytes: 0,
            persistent_keepalive: 0,
            allowed_ips: Vec::new(),
        }
    }
}

/// Takes a device's state in, piece by piece, so that a device with many allowed IPs need not
/// be copied to be shown: the fields of the device first, then every peer, each followed by its
/// allowed IPs.
pub trait SnapshotSink {
    /// The device. Called once, first.
    fn device(&mut self, device: &DeviceState<'_>);
    /// The next peer.
    fn peer(&mut self, peer: &PeerState<'_>);
    /// The next prefix of the peer last named.
    fn allowed_ip(&mut self, prefix: AllowedIp);
}

/// A device's own fields, as in [`Device`].
#[derive(Clone, Copy, Debug)]
pub struct DeviceState<'a> {
    /// Its private key.
    pub private_key: Option<&'a PrivateKey>,
    /// The UDP port. 0: none.
    pub listen_port: u16,
    /// The mark. 0: none.
    pub fwmark: u32,
}

/// A peer's own fields, as in [`Peer`].
#[derive(Clone, Copy, Debug)]
pub struct PeerState<'a> {
    /// Its name.
    pub public_key: &'a PublicKey,
    /// The pre-shared key.
    pub preshared_key: Option<&'a PresharedKey>,
    /// Where its datagrams go.
    pub endpoint: Option<SocketAddr>,
    /// When the last handshake was complete, since 1970.
    pub last_handshake: Option<Duration>,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Seconds between keepalives. 0: off.
    pub persistent_keepalive: u16,
}

impl Device {
    /// Tells a sink of this device.
    pub fn describe(&self, sink: &mut dyn SnapshotSink) {
        sink.device(&DeviceState {
            private_key: self.private_key.as_ref(),
            listen_port: self.listen_port,
            fwmark: self.fwmark,
        });
        for peer in &self.peers {
            sink.peer(&PeerState {
                public_key: &peer.public_key,
                preshared_key: peer.preshared_key.as_ref(),
                endpoint: peer.endpoint,
                last_handshake: peer.last_handshake,
                tx_bytes: peer.tx_bytes,
                rx_bytes: peer.rx_bytes,
                persistent_keepalive: peer.persistent_keepalive,
            });
            for prefix in &peer.allowed_ips {
                sink.allowed_ip(prefix.masked());
            }
        }
    }
}

/// Collects a snapshot into the model.
impl SnapshotSink for Device {
    fn device(&mut self, device: &DeviceState<'_>) {
        self.private_key = device.private_key.cloned();
        self.listen_port = device.listen_port;
        self.fwmark = device.fwmark;
    }

    fn peer(&mut self, peer: &PeerState<'_>) {
        self.peers.push(Peer {
            public_key: *peer.public_key,
            preshared_key: peer.preshared_key.cloned(),
            endpoint: peer.endpoint,
            last_handshake: peer.last_handshake,
            tx_bytes: peer.tx_bytes,
            rx_bytes: peer.rx_bytes,
            persistent_keepalive: peer.persistent_keepalive,
            allowed_ips: Vec::new(),
        });
    }

    fn allowed_ip(&mut self, prefix: AllowedIp) {
        if let Some(peer) = self.peers.last_mut() {
            peer.allowed_ips.push(prefix.into());
        }
    }
}

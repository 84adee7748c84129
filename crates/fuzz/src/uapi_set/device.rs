//! A protocol device under control, without sockets.

use std::net::SocketAddr;

use hushwire_config::device::{DeviceState, PeerState, SnapshotSink};
use hushwire_config::uapi::{DeviceControl, Errno};
use hushwire_config::{AllowedIp, PresharedKey, PrivateKey, PublicKey};
use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::crypto::Random;
use hushwire_proto::key;
use hushwire_proto::peer::PeerId;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::time::{Instant, Now, UnixTime};

type Device = hushwire_proto::Device<DefaultCrypto>;

/// The port that cannot be had, and the one that a device gets that asks for any: as those of the
/// plain device.
const TAKEN: u16 = 51999;
const ANY: u16 = 40000;

pub(super) struct ProtocolDevice {
    device: Device,
    port: u16,
    mark: u32,
}

struct Counter(u8);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

impl Default for ProtocolDevice {
    fn default() -> Self {
        let mut device = Device::new(Box::new(Counter(0)));
        device.set_up(NOW, true);
        Self {
            device,
            port: ANY,
            mark: 0,
        }
    }
}

const NOW: Now = Now {
    monotonic: Instant::from_nanos(1_000_000_000),
    unix: UnixTime {
        secs: 1_700_000_000,
        nanos: 0,
    },
};

impl ProtocolDevice {
    fn with(&mut self, key: &PublicKey, change: impl FnOnce(&mut Device, PeerId)) {
        if let Some(id) = self.device.peer(&key::PublicKey::new(*key.as_bytes())) {
            change(&mut self.device, id);
        }
    }
}

fn prefix(allowed: AllowedIp) -> Prefix {
    Prefix::new(allowed.addr(), allowed.cidr()).expect("a length that was checked")
}

impl DeviceControl for ProtocolDevice {
    fn begin(&mut self) {}

    fn set_private_key(&mut self, key: Option<PrivateKey>) {
        let key = key.map(|key| key::PrivateKey::new(*key.as_bytes()));
        self.device.set_private_key(NOW, key);
    }

    fn set_listen_port(&mut self, port: u16) -> Result<(), Errno> {
        if port == TAKEN {
            self.port = 0;
            return Err(Errno::ADDRESS_IN_USE);
        }
        self.port = if port == 0 { ANY } else { port };
        Ok(())
    }

    fn set_fwmark(&mut self, mark: u32) -> Result<(), Errno> {
        self.mark = mark;
        Ok(())
    }

    fn remove_all_peers(&mut self) {
        self.device.remove_all_peers();
    }

    fn is_own_key(&self, key: &PublicKey) -> bool {
        let own = self.device.public_key().map(key::PublicKey::as_bytes);
        own.map_or_else(|| key.is_zero(), |own| own == key.as_bytes())
    }

    fn add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno> {
        let key = key::PublicKey::new(*key.as_bytes());
        let exists = self.device.peer(&key).is_some();
        let added = self.device.add_peer(NOW, key);
        added.map(|_| !exists).map_err(|_| Errno::INVALID)
    }

    fn remove_peer(&mut self, key: &PublicKey) {
        self.with(key, Device::remove_peer);
    }

    fn set_preshared_key(&mut self, peer: &PublicKey, key: Option<PresharedKey>) {
        let key = key.map_or(key::PresharedKey::NONE, |key| {
            key::PresharedKey::new(*key.as_bytes())
        });
        self.with(peer, |device, id| device.set_preshared_key(id, key));
    }

    fn set_endpoint(&mut self, peer: &PublicKey, endpoint: SocketAddr) {
        self.with(peer, |device, id| device.set_endpoint(NOW, id, endpoint));
    }

    fn set_persistent_keepalive(&mut self, peer: &PublicKey, seconds: u16) {
        self.with(peer, |device, id| {
            device.set_persistent_keepalive(NOW, id, seconds);
        });
    }

    fn clear_allowed_ips(&mut self, peer: &PublicKey) {
        self.with(peer, Device::clear_allowed_ips);
    }

    fn insert_allowed_ip(&mut self, peer: &PublicKey, allowed: AllowedIp) -> Result<(), Errno> {
        self.with(peer, |device, id| {
            device.add_allowed_ip(id, prefix(allowed));
        });
        Ok(())
    }

    fn remove_allowed_ip(&mut self, peer: &PublicKey, allowed: AllowedIp) {
        self.with(peer, |device, id| {
            device.remove_allowed_ip(id, prefix(allowed));
        });
    }

    fn commit(&mut self) {
        self.device.publish();
        // Nobody sends it.
        let mut datagram = Vec::new();
        while self.device.poll_transmit(&mut datagram).is_some() {}
    }

    fn snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno> {
        let private_key = self.device.private_key();
        let private_key = private_key.map(|key| PrivateKey::new(*key.as_bytes()));
        sink.device(&DeviceState {
            private_key: private_key.as_ref(),
            listen_port: self.port,
            fwmark: self.mark,
        });
        for peer in self.device.peers() {
            let psk = peer.preshared_key();
            let psk = (!psk.is_none()).then(|| PresharedKey::new(*psk.as_bytes()));
            let keepalive = peer.persistent_keepalive();
            sink.peer(&PeerState {
                public_key: &PublicKey::new(*peer.public_key().as_bytes()),
                preshared_key: psk.as_ref(),
                endpoint: peer.endpoint(),
                last_handshake: None,
                tx_bytes: 0,
                rx_bytes: 0,
                persistent_keepalive: keepalive.map_or(0, |every| every.as_secs() as u16),
            });
            for prefix in peer.allowed_ips() {
                let allowed = AllowedIp::new(prefix.address(), prefix.length());
                sink.allowed_ip(allowed.expect("a length that fits"));
            }
        }
        Ok(())
    }
}

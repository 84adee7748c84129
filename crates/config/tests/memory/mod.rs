//! A device in memory: the plain operations behind the UAPI, done the simplest way.

use std::net::SocketAddr;

use hushwire_config::device::{Device, Peer, SnapshotSink};
use hushwire_config::uapi::{DeviceControl, Errno};
use hushwire_config::{AllowedIp, PresharedKey, PrivateKey, PublicKey};

/// One pair of keys for the test's look-up: the only derivation that the recordings need.
const PRIVATE: &str = "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669";
const PUBLIC: &str = "1c8828f7137324c58b2804928624ea2326f1674537c062e251e2753ca7fcca4c";

/// The port that cannot be had.
const TAKEN: u16 = 51999;

/// The port that a device gets that asks for any.
const ANY: u16 = 40000;

#[derive(Debug)]
pub(crate) struct MemoryDevice {
    pub(crate) state: Device,
    pub(crate) sets_begun: usize,
    pub(crate) commits: usize,
}

impl Default for MemoryDevice {
    fn default() -> Self {
        let state = Device {
            listen_port: ANY,
            ..Device::default()
        };
        Self {
            state,
            sets_begun: 0,
            commits: 0,
        }
    }
}

impl MemoryDevice {
    fn peer(&mut self, key: &PublicKey) -> Option<&mut Peer> {
        self.state
            .peers
            .iter_mut()
            .find(|peer| peer.public_key == *key)
    }

    fn own_key(&self) -> PublicKey {
        match &self.state.private_key {
            None => PublicKey::new([0; 32]),
            Some(key) if *key == PrivateKey::from_hex(PRIVATE).unwrap() => {
                PublicKey::from_hex(PUBLIC).unwrap()
            }
            Some(_) => PublicKey::new([0xee; 32]),
        }
    }
}

impl DeviceControl for MemoryDevice {
    fn begin(&mut self) {
        self.sets_begun += 1;
    }

    fn set_private_key(&mut self, key: Option<PrivateKey>) {
        self.state.private_key = key;
        let own = self.own_key();
        self.remove_peer(&own);
    }

    fn set_listen_port(&mut self, port: u16) -> Result<(), Errno> {
        if port == TAKEN {
            self.state.listen_port = 0;
            return Err(Errno::ADDRESS_IN_USE);
        }
        self.state.listen_port = if port == 0 { ANY } else { port };
        Ok(())
    }

    fn set_fwmark(&mut self, mark: u32) -> Result<(), Errno> {
        self.state.fwmark = mark;
        Ok(())
    }

    fn remove_all_peers(&mut self) {
        self.state.peers.clear();
    }

    fn is_own_key(&self, key: &PublicKey) -> bool {
        *key == self.own_key()
    }

    fn add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno> {
        if self.peer(key).is_some() {
            return Ok(false);
        }
        self.state.peers.push(Peer::new(*key));
        Ok(true)
    }

    fn remove_peer(&mut self, key: &PublicKey) {
        self.state.peers.retain(|peer| peer.public_key != *key);
    }

    fn set_preshared_key(&mut self, peer: &PublicKey, key: Option<PresharedKey>) {
        if let Some(peer) = self.peer(peer) {
            peer.preshared_key = key;
        }
    }

    fn set_endpoint(&mut self, peer: &PublicKey, endpoint: SocketAddr) {
        if let Some(peer) = self.peer(peer) {
            peer.endpoint = Some(endpoint);
        }
    }

    fn set_persistent_keepalive(&mut self, peer: &PublicKey, seconds: u16) {
        if let Some(peer) = self.peer(peer) {
            peer.persistent_keepalive = seconds;
        }
    }

    fn clear_allowed_ips(&mut self, peer: &PublicKey) {
        if let Some(peer) = self.peer(peer) {
            peer.allowed_ips.clear();
        }
    }

    fn insert_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp) -> Result<(), Errno> {
        for other in &mut self.state.peers {
            other.allowed_ips.retain(|held| *held != prefix.into());
        }
        if let Some(peer) = self.peer(peer) {
            peer.allowed_ips.push(prefix.into());
        }
        Ok(())
    }

    fn remove_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp) {
        if let Some(peer) = self.peer(peer) {
            peer.allowed_ips.retain(|held| *held != prefix.into());
        }
    }

    fn commit(&mut self) {
        self.commits += 1;
    }

    fn snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno> {
        self.state.describe(sink);
        Ok(())
    }
}

//! What a control client changes, as primitive operations on the running device.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hushwire_config::device::{DeviceState, PeerState, SnapshotSink};
use hushwire_config::key::{PresharedKey, PrivateKey, PublicKey};
use hushwire_config::prefix::AllowedIp;
use hushwire_config::status::Status;
use hushwire_config::uapi::{DeviceControl, Errno};
use hushwire_io::udp::{Sockets, UdpError};
use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::device::PeerView;
use hushwire_proto::key;
use hushwire_proto::peer::PeerId;
use hushwire_proto::provider::DefaultCrypto;

use crate::clock;
use crate::control::State;
use crate::dataplane::{Dataplane, Device};
use crate::memory::{Answer, Contents};
use crate::status::Vitals;

/// The running device, as its configuration sees it. Clones share the device.
pub struct Target {
    dataplane: Arc<Dataplane<Sockets>>,
    state: Arc<State>,
    vitals: Arc<Vitals>,
    /// Whether this one is in the middle of a set, and so keeps others waiting.
    in_set: bool,
    /// The room for an answer that is on its way.
    answer: Option<Answer>,
}

impl Clone for Target {
    fn clone(&self) -> Self {
        Self::new(
            Arc::clone(&self.dataplane),
            Arc::clone(&self.state),
            Arc::clone(&self.vitals),
        )
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.leave_set();
    }
}

impl Target {
    pub(crate) fn new(
        dataplane: Arc<Dataplane<Sockets>>,
        state: Arc<State>,
        vitals: Arc<Vitals>,
    ) -> Self {
        Self {
            dataplane,
            state,
            vitals,
            in_set: false,
            answer: None,
        }
    }

    pub(crate) const fn is_in_set(&self) -> bool {
        self.in_set
    }

    /// The answer has been sent, or never will be.
    pub(crate) fn answered(&mut self) {
        self.answer = None;
    }

    /// Whether the device may come to hold so much.
    fn fits(&self, wanted: Contents) -> bool {
        let memory = self.dataplane.memory();
        memory.is_none_or(|memory| memory.allows(wanted))
    }

    fn leave_set(&mut self) {
        if std::mem::take(&mut self.in_set) {
            self.state.sets().leave();
        }
    }

    /// The sockets are others, or other routes are theirs: the peers' replies may leave from
    /// another address now.
    fn forget_sources(&self) {
        for peer in self.state.device().peers() {
            peer.shared().clear_source();
        }
    }

    fn refused(&self, error: &UdpError) -> Errno {
        let hint = match error.errno() {
            rustix::io::Errno::ACCESS => "; hushwired keeps it with --low-ports",
            _ => "",
        };
        self.dataplane.log().error(format_args!("{error}{hint}"));
        Errno::from_os(error.errno().raw_os_error())
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub(crate) const fn dataplane(&self) -> &Arc<Dataplane<Sockets>> {
        &self.dataplane
    }

    /// Changes a peer, if there is one with this key.
    fn with_peer(&self, key: &PublicKey, change: impl FnOnce(&mut Device, PeerId)) {
        let mut device = self.state.device();
        if let Some(id) = device.peer(&to_proto(key)) {
            change(&mut device, id);
        }
    }
}

impl DeviceControl for Target {
    fn begin(&mut self) {
        self.state.sets().enter();
        self.in_set = true;
    }

    fn set_private_key(&mut self, key: Option<PrivateKey>) {
        let key = key.map(|key| key::PrivateKey::new(*key.as_bytes()));
        self.state.device().set_private_key(clock::now(), key);
    }

    fn set_listen_port(&mut self, port: u16) -> Result<(), Errno> {
        let result = self.state.binding().set_port(&self.dataplane, port);
        self.forget_sources();
        result.map_err(|error| self.refused(&error))
    }

    fn set_fwmark(&mut self, mark: u32) -> Result<(), Errno> {
        let result = self.state.binding().set_fwmark(&self.dataplane, mark);
        self.forget_sources();
        result.map_err(|error| self.refused(&error))
    }

    fn remove_all_peers(&mut self) {
        self.state.device().remove_all_peers();
    }

    fn is_own_key(&self, key: &PublicKey) -> bool {
        match self.state.device().public_key() {
            Some(own) => own.as_bytes() == key.as_bytes(),
            None => key.is_zero(),
        }
    }

    fn add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno> {
        let mut device = self.state.device();
        let key = to_proto(key);
        let exists = device.peer(&key).is_some();
        let there = contents(&device);
        let wanted = Contents {
            peers: there.peers + usize::from(!exists),
            ..there
        };
        if !exists && !self.fits(wanted) {
            return Err(Errno::NO_MEMORY);
        }
        match device.add_peer(clock::now(), key) {
            Ok(_) => Ok(!exists),
            Err(_) => Err(Errno::INVALID),
        }
    }

    fn remove_peer(&mut self, key: &PublicKey) {
        self.with_peer(key, Device::remove_peer);
    }

    fn set_preshared_key(&mut self, key: &PublicKey, psk: Option<PresharedKey>) {
        let psk = psk.map_or(key::PresharedKey::NONE, |psk| {
            key::PresharedKey::new(*psk.as_bytes())
        });
        self.with_peer(key, |device, id| device.set_preshared_key(id, psk));
    }

    fn set_endpoint(&mut self, key: &PublicKey, endpoint: SocketAddr) {
        self.with_peer(key, |device, id| {
            device.set_endpoint(clock::now(), id, endpoint);
        });
    }

    fn set_persistent_keepalive(&mut self, key: &PublicKey, seconds: u16) {
        self.with_peer(key, |device, id| {
            device.set_persistent_keepalive(clock::now(), id, seconds);
        });
    }

    fn clear_allowed_ips(&mut self, key: &PublicKey) {
        self.with_peer(key, Device::clear_allowed_ips);
    }

    fn insert_allowed_ip(&mut self, key: &PublicKey, allowed: AllowedIp) -> Result<(), Errno> {
        let mut device = self.state.device();
        let there = contents(&device);
        let wanted = Contents {
            allowed_ips: there.allowed_ips + 1,
            ..there
        };
        if !self.fits(wanted) {
            return Err(Errno::NO_MEMORY);
        }
        let prefix = Prefix::new(allowed.addr(), allowed.cidr());
        if let (Some(prefix), Some(id)) = (prefix, device.peer(&to_proto(key))) {
            device.add_allowed_ip(id, prefix);
        }
        Ok(())
    }

    fn remove_allowed_ip(&mut self, key: &PublicKey, allowed: AllowedIp) {
        if let Some(prefix) = Prefix::new(allowed.addr(), allowed.cidr()) {
            self.with_peer(key, |device, id| device.remove_allowed_ip(id, prefix));
        }
    }

    fn commit(&mut self) {
        self.state.device().publish();
        // What the changes made necessary to send waits in the device.
        self.dataplane.wake_control();
        self.leave_set();
    }

    fn snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno> {
        // Waits for a set that is on its way.
        self.state.sets().enter();
        self.state.sets().leave();
        let (listen_port, fwmark) = {
            let binding = self.state.binding();
            (binding.port(), binding.fwmark())
        };
        let device = self.state.device();
        if let Some(memory) = self.dataplane.memory() {
            let answer = memory.answer(contents(&device));
            self.answer = Some(answer.ok_or(Errno::NO_MEMORY)?);
        }
        let private_key = device
            .private_key()
            .map(|key| PrivateKey::new(*key.as_bytes()));
        sink.device(&DeviceState {
            private_key: private_key.as_ref(),
            listen_port,
            fwmark,
        });
        for peer in device.peers() {
            describe(&peer, sink);
        }
        Ok(())
    }

    /// Does not wait for a set, which may be what is wrong, and needs no room of the memory limit:
    /// the answer is a few kilobytes whatever the device holds.
    fn status(&mut self) -> Result<Status, Errno> {
        Ok(self.vitals.tell(&self.dataplane, &self.state))
    }
}

pub(crate) fn contents(device: &Device) -> Contents {
    Contents {
        peers: device.peer_count(),
        allowed_ips: device.allowed_ip_count(),
    }
}

fn describe(peer: &PeerView<'_, DefaultCrypto>, sink: &mut dyn SnapshotSink) {
    let psk = peer.preshared_key();
    let psk = (!psk.is_none()).then(|| PresharedKey::new(*psk.as_bytes()));
    sink.peer(&PeerState {
        public_key: &PublicKey::new(*peer.public_key().as_bytes()),
        preshared_key: psk.as_ref(),
        endpoint: peer.endpoint(),
        last_handshake: peer
            .last_handshake()
            .map(|at| Duration::new(at.secs, at.nanos)),
        tx_bytes: peer.shared().tx_bytes(),
        rx_bytes: peer.shared().rx_bytes(),
        persistent_keepalive: peer.persistent_keepalive().map_or(0, |interval| {
            u16::try_from(interval.as_secs()).unwrap_or(u16::MAX)
        }),
    });
    for prefix in peer.allowed_ips() {
        if let Some(allowed) = AllowedIp::new(prefix.address(), prefix.length()) {
            sink.allowed_ip(allowed);
        }
    }
}

fn to_proto(key: &PublicKey) -> key::PublicKey {
    key::PublicKey::new(*key.as_bytes())
}

//! From a config file to a change of a device.

use std::net::SocketAddr;

use crate::conf::span::Spanned;
use crate::conf::{Config, Peer};
use crate::endpoint::Endpoint;
use crate::key::{KEY_LEN, PrivateKey};
use crate::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};

/// What becomes of what the file does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It goes: no key, any port, no mark, no other peers. `wg setconf`.
    Replace,
    /// It stays. `wg addconf`.
    Add,
}

impl Config {
    /// The change that this file asks for. `resolve` finds the addresses of endpoints, the
    /// numeric ones included (see [`crate::resolve`]).
    ///
    /// # Errors
    ///
    /// The first one of `resolve`.
    pub fn to_update<E>(
        &self,
        mode: Mode,
        mut resolve: impl FnMut(&Spanned<Endpoint>) -> Result<SocketAddr, E>,
    ) -> Result<DeviceUpdate, E> {
        let replace = mode == Mode::Replace;
        let interface = &self.interface;
        let private_key = interface.private_key.as_ref().map(|key| key.value.clone());
        let peers = self
            .peers
            .iter()
            .map(|peer| peer_update(peer, &mut resolve));
        Ok(DeviceUpdate {
            private_key: private_key.or_else(|| replace.then(|| PrivateKey::new([0; KEY_LEN]))),
            listen_port: interface
                .listen_port
                .map(|port| port.value)
                .or_else(|| replace.then_some(0)),
            fwmark: interface
                .fwmark
                .map(|mark| mark.value)
                .or_else(|| replace.then_some(0)),
            replace_peers: replace,
            peers: peers.collect::<Result<_, E>>()?,
        })
    }
}

fn peer_update<E>(
    peer: &Peer,
    resolve: &mut impl FnMut(&Spanned<Endpoint>) -> Result<SocketAddr, E>,
) -> Result<PeerUpdate, E> {
    let settings = PeerSettings {
        update_only: false,
        preshared_key: peer.preshared_key.as_ref().map(|key| key.value.clone()),
        endpoint: peer.endpoint.as_ref().map(resolve).transpose()?,
        persistent_keepalive: peer.persistent_keepalive.map(|seconds| seconds.value),
        replace_allowed_ips: peer.allowed_ips.replace,
        allowed_ips: peer
            .allowed_ips
            .entries
            .iter()
            .map(|entry| entry.value)
            .collect(),
    };
    Ok(PeerUpdate {
        public_key: peer.public_key.value,
        action: PeerAction::Set(settings),
    })
}

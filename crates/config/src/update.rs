//! A change to a device: what `wg set`, `setconf` and their like send, over either transport.

use std::net::SocketAddr;

use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::prefix::AllowedIpEntry;

/// A change to a device, applied from the top down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceUpdate {
    /// Sets the private key. The all-zero key takes the device's away.
    pub private_key: Option<PrivateKey>,
    /// Sets the UDP port. 0 lets the device choose.
    pub listen_port: Option<u16>,
    /// Sets the mark. 0 takes it away.
    pub fwmark: Option<u32>,
    /// Removes all peers before those below are added.
    pub replace_peers: bool,
    /// What happens to peers, in order. A key may come more than once.
    pub peers: Vec<PeerUpdate>,
}

/// What happens to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerUpdate {
    /// Its name.
    pub public_key: PublicKey,
    /// What is done.
    pub action: PeerAction,
}

/// What is done to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAction {
    /// It goes, if it is there.
    Remove,
    /// It is made, if it is not there, and changed.
    Set(PeerSettings),
}

/// The settings of a peer that change. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Changes the peer only if it is there already.
    pub update_only: bool,
    /// Sets the pre-shared key. The all-zero key takes the peer's away.
    pub preshared_key: Option<PresharedKey>,
    /// Sets the endpoint.
    pub endpoint: Option<SocketAddr>,
    /// Sets the keepalive interval in seconds. 0 turns it off.
    pub persistent_keepalive: Option<u16>,
    /// Clears the allowed IPs before those below.
    pub replace_allowed_ips: bool,
    /// Prefixes that come or go, in order.
    pub allowed_ips: Vec<AllowedIpEntry>,
}

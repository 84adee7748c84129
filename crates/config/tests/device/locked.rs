//! The device in memory, shared.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hushwire_config::device::SnapshotSink;
use hushwire_config::uapi::{DeviceControl, Errno};
use hushwire_config::{AllowedIp, PresharedKey, PrivateKey, PublicKey};

use crate::memory::MemoryDevice;

/// A device that several connections share. Locks for each call.
pub(crate) struct Locked(pub(crate) Arc<Mutex<MemoryDevice>>);

macro_rules! forward {
    ($($name:ident(&mut self $(, $arg:ident: $kind:ty)*) $(-> $result:ty)?;)*) => {
        $(fn $name(&mut self $(, $arg: $kind)*) $(-> $result)? {
            self.0.lock().unwrap().$name($($arg),*)
        })*
    };
}

impl DeviceControl for Locked {
    forward! {
        begin(&mut self);
        set_private_key(&mut self, key: Option<PrivateKey>);
        set_listen_port(&mut self, port: u16) -> Result<(), Errno>;
        set_fwmark(&mut self, mark: u32) -> Result<(), Errno>;
        remove_all_peers(&mut self);
        add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno>;
        remove_peer(&mut self, key: &PublicKey);
        set_preshared_key(&mut self, peer: &PublicKey, key: Option<PresharedKey>);
        set_endpoint(&mut self, peer: &PublicKey, endpoint: SocketAddr);
        set_persistent_keepalive(&mut self, peer: &PublicKey, seconds: u16);
        clear_allowed_ips(&mut self, peer: &PublicKey);
        insert_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp) -> Result<(), Errno>;
        remove_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp);
        commit(&mut self);
        snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno>;
    }

    fn is_own_key(&self, key: &PublicKey) -> bool {
        self.0.lock().unwrap().is_own_key(key)
    }
}

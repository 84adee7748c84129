//! What the events of a set mean, in their order.

use std::net::SocketAddr;

use crate::device::SnapshotSink;
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::prefix::AllowedIp;
use crate::status::Status;
use crate::uapi::errno::Errno;
use crate::uapi::set::{Event, SetParser};

/// A device under control: plain operations, each of which takes effect before the next. The
/// rules of the protocol are in [`Session`] and not here.
///
/// A call about a peer that is not there (it may have gone meanwhile) does nothing.
pub trait DeviceControl {
    /// A set begins. Until [`commit`](Self::commit), no other set and no snapshot may come
    /// between.
    fn begin(&mut self);

    /// Sets or removes the private key, which comes clamped. The same key again changes nothing;
    /// another one ends all sessions. A peer whose key is the device's own from now on is
    /// removed.
    fn set_private_key(&mut self, key: Option<PrivateKey>);

    /// Listens on another UDP port, at once if the device is up. 0: any.
    ///
    /// # Errors
    ///
    /// [`Errno::ADDRESS_IN_USE`] if it cannot be bound: the device then has no port.
    fn set_listen_port(&mut self, port: u16) -> Result<(), Errno>;

    /// Sets the mark on the device's packets. 0: none.
    ///
    /// # Errors
    ///
    /// [`Errno::ADDRESS_IN_USE`] if the sockets cannot be had any more.
    fn set_fwmark(&mut self, mark: u32) -> Result<(), Errno>;

    /// Removes all peers.
    fn remove_all_peers(&mut self);

    /// Whether this is the device's own public key. Without a private key the all-zero key
    /// counts as its own.
    fn is_own_key(&self, key: &PublicKey) -> bool;

    /// Finds the peer or makes it. Tells whether it was made.
    ///
    /// # Errors
    ///
    /// [`Errno::INVALID`] or [`Errno::NO_MEMORY`] when the device takes no more peers.
    fn add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno>;

    /// Removes a peer.
    fn remove_peer(&mut self, key: &PublicKey);

    /// Sets or removes a peer's pre-shared key.
    fn set_preshared_key(&mut self, peer: &PublicKey, key: Option<PresharedKey>);

    /// Sets where a peer's datagrams go.
    fn set_endpoint(&mut self, peer: &PublicKey, endpoint: SocketAddr);

    /// Sets a peer's keepalive interval in seconds, 0 for off. One that goes from off to on
    /// while the device is up sends a keepalive at once, when the set is over.
    fn set_persistent_keepalive(&mut self, peer: &PublicKey, seconds: u16);

    /// Takes all allowed IPs from a peer.
    fn clear_allowed_ips(&mut self, peer: &PublicKey);

    /// Gives a prefix to a peer, taking it from the peer that has it.
    ///
    /// # Errors
    ///
    /// [`Errno::NO_MEMORY`] when the device takes no more.
    fn insert_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp) -> Result<(), Errno>;

    /// Takes exactly this prefix from a peer, if it has it.
    fn remove_allowed_ip(&mut self, peer: &PublicKey, prefix: AllowedIp);

    /// The set is over, well or badly: what was done stays done, and takes effect now at the
    /// latest.
    fn commit(&mut self);

    /// Tells the device's state.
    ///
    /// # Errors
    ///
    /// [`Errno::NO_MEMORY`] when there is no room for an answer of that length; nothing has been
    /// told then.
    fn snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno>;

    /// Tells how the device is doing, also in the middle of another client's set. Unless it says
    /// otherwise, a device has nothing to tell.
    ///
    /// # Errors
    ///
    /// [`Errno::NOT_SUPPORTED`] from a device that tells no status.
    fn status(&mut self) -> Result<Status, Errno> {
        Err(Errno::NOT_SUPPORTED)
    }
}

/// One set operation on its way: reads lines and turns them into calls on the device, each at
/// once. Nothing is rolled back when a later line fails.
#[derive(Debug, Default)]
pub struct Session {
    parser: SetParser,
    subject: Subject,
}

/// What the lines are about.
#[derive(Clone, Copy, Debug, Default)]
enum Subject {
    #[default]
    Device,
    Peer {
        key: PublicKey,
        created: bool,
    },
    /// A peer that is none: the device itself, one removed in this set, or one that should only
    /// have been updated. Lines about it must be well formed and do nothing.
    Dummy,
}

impl Session {
    /// A set of which no line has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a line.
    ///
    /// # Errors
    ///
    /// Those of [`SetParser::line`] and of the device. The set is over then.
    pub fn line(
        &mut self,
        device: &mut (impl DeviceControl + ?Sized),
        line: &[u8],
    ) -> Result<(), Errno> {
        let event = self.parser.line(line)?;
        self.apply(device, event)
    }

    /// Applies an event.
    ///
    /// # Errors
    ///
    /// Those of the device; [`Errno::INVALID`] for an event that [`SetParser`] would not have
    /// let pass here.
    pub fn apply(
        &mut self,
        device: &mut (impl DeviceControl + ?Sized),
        event: Event,
    ) -> Result<(), Errno> {
        if let Event::Peer(key) = event {
            self.subject = if device.is_own_key(&key) {
                Subject::Dummy
            } else {
                Subject::Peer {
                    key,
                    created: device.add_peer(&key)?,
                }
            };
            return Ok(());
        }
        match self.subject {
            Subject::Device => apply_to_device(device, event),
            Subject::Dummy => Ok(()),
            Subject::Peer { key, created } => {
                if apply_to_peer(device, &key, created, event)? {
                    self.subject = Subject::Dummy;
                }
                Ok(())
            }
        }
    }
}

fn apply_to_device(device: &mut (impl DeviceControl + ?Sized), event: Event) -> Result<(), Errno> {
    match event {
        Event::PrivateKey(key) => device.set_private_key(key.map(|key| key.clamped())),
        Event::ListenPort(port) => return device.set_listen_port(port),
        Event::Fwmark(mark) => return device.set_fwmark(mark),
        Event::ReplacePeers => device.remove_all_peers(),
        _ => return Err(Errno::INVALID),
    }
    Ok(())
}

/// Tells whether the peer is gone.
fn apply_to_peer(
    device: &mut (impl DeviceControl + ?Sized),
    peer: &PublicKey,
    created: bool,
    event: Event,
) -> Result<bool, Errno> {
    match event {
        Event::Remove => {
            device.remove_peer(peer);
            return Ok(true);
        }
        Event::UpdateOnly if created => {
            device.remove_peer(peer);
            return Ok(true);
        }
        Event::UpdateOnly | Event::ProtocolVersion => {}
        Event::PresharedKey(key) => device.set_preshared_key(peer, key),
        Event::Endpoint(endpoint) => device.set_endpoint(peer, endpoint),
        Event::PersistentKeepalive(seconds) => device.set_persistent_keepalive(peer, seconds),
        Event::ReplaceAllowedIps => device.clear_allowed_ips(peer),
        Event::AllowedIp {
            remove: false,
            prefix,
        } => device.insert_allowed_ip(peer, prefix)?,
        Event::AllowedIp {
            remove: true,
            prefix,
        } => device.remove_allowed_ip(peer, prefix),
        Event::PrivateKey(_)
        | Event::ListenPort(_)
        | Event::Fwmark(_)
        | Event::ReplacePeers
        | Event::Peer(_) => return Err(Errno::INVALID),
    }
    Ok(false)
}

//! The kernel's own WireGuard devices: the generic netlink family `wireguard`, version 1
//! (`linux/wireguard.h`).
//!
//! Interfaces themselves are made and deleted like all others, see [`Netlink`](crate::Netlink). All operations here want
//! `CAP_NET_ADMIN` in the interface's network namespace.

mod constants;
mod read;
mod write;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::genetlink::{Command, Consistency, GenericNetlink, Socket, Wire};
use crate::{Error, Result};
use constants::{CMD_GET_DEVICE, DEVICE_A_IFNAME, FAMILY, VERSION};
use read::Reader;
use write::Messages;

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;

/// The longest name of an interface in bytes (`IFNAMSIZ`, less the NUL).
pub const NAME_LIMIT: usize = 15;

/// Limit of a message of a set in bytes. What does not fit goes into another message, so it need not be larger than what
/// every kernel allocates without trouble.
const MESSAGE_LIMIT: usize = 8192;

/// A secret key: not shown by `Debug`, zeroed on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Zeroizing<[u8; KEY_LEN]>);

impl SecretKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// A device as the kernel tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The private key, if it has one.
    pub private_key: Option<SecretKey>,
    /// The UDP port. 0: none yet.
    pub listen_port: u16,
    /// The mark of its packets. 0: none.
    pub fwmark: u32,
    /// The peers, in the order in which they were made.
    pub peers: Vec<Peer>,
}

/// A peer as the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub public_key: [u8; KEY_LEN],
    /// The pre-shared key; all zero if there is none.
    pub preshared_key: Option<SecretKey>,
    /// Where its datagrams go, if that is known.
    pub endpoint: Option<SocketAddr>,
    /// When the last handshake was complete, since 1970; zero: never.
    pub last_handshake: Duration,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Seconds between keepalives. 0: off.
    pub persistent_keepalive: u16,
    /// Its prefixes: an address and the number of bits that count.
    pub allowed_ips: Vec<(IpAddr, u8)>,
}

/// A change to a device, applied from the top down. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Sets the private key. All zero takes it away.
    pub private_key: Option<SecretKey>,
    /// Sets the UDP port. 0: any.
    pub listen_port: Option<u16>,
    /// Sets the mark. 0: none.
    pub fwmark: Option<u32>,
    /// Removes all peers first.
    pub replace_peers: bool,
    /// What happens to peers, in order.
    pub peers: Vec<PeerUpdate>,
}

/// What happens to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerUpdate {
    /// Its name.
    pub public_key: [u8; KEY_LEN],
    /// Removes it.
    pub remove: bool,
    /// Does nothing if it is not there.
    pub update_only: bool,
    /// Sets the pre-shared key. All zero takes it away.
    pub preshared_key: Option<SecretKey>,
    /// Sets the endpoint.
    pub endpoint: Option<SocketAddr>,
    /// Sets the seconds between keepalives. 0: off.
    pub persistent_keepalive: Option<u16>,
    /// Removes all its prefixes first.
    pub replace_allowed_ips: bool,
    /// Prefixes that come or go, in order.
    pub allowed_ips: Vec<AllowedIpUpdate>,
}

impl PeerUpdate {
    /// A change that makes the peer, if it is not there, and nothing else.
    #[must_use]
    pub const fn new(public_key: [u8; KEY_LEN]) -> Self {
        Self {
            public_key,
            remove: false,
            update_only: false,
            preshared_key: None,
            endpoint: None,
            persistent_keepalive: None,
            replace_allowed_ips: false,
            allowed_ips: Vec::new(),
        }
    }
}

/// A prefix that comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedIpUpdate {
    /// The address. The kernel masks it.
    pub addr: IpAddr,
    /// The number of its bits that count.
    pub cidr: u8,
    /// Takes exactly this prefix from the peer (kernels from 6.16 on).
    pub remove: bool,
}

/// A blocking client of the family, in the network namespace in which it was opened.
#[derive(Debug)]
pub struct WireGuard {
    client: Client<Socket>,
}

impl WireGuard {
    /// Opens a client. It gives up on what takes longer than `limit`, if there is one; the kernel interrupts its answer
    /// whenever a device changes, so that on a busy device asking again might go on for long.
    ///
    /// # Errors
    /// `EPROTONOSUPPORT` when the kernel has no WireGuard and no module that could be loaded.
    pub fn open(limit: Option<Duration>) -> Result<Self> {
        let mut netlink = GenericNetlink::open()?;
        netlink.set_deadline(limit.and_then(|limit| Instant::now().checked_add(limit)));
        Ok(Self {
            client: Client::over(netlink)?,
        })
    }

    /// The state of a device.
    ///
    /// # Errors
    /// `ENODEV` when there is no interface of this name, `EOPNOTSUPP` when it is of another kind, `EPERM` for want of
    /// `CAP_NET_ADMIN`, `ENAMETOOLONG` when no interface can have the name.
    pub fn device(&mut self, name: &[u8]) -> Result<Device> {
        self.client.device(name)
    }

    /// Changes a device. What does not fit into one message is sent in several, each after the one before it was
    /// acknowledged; nothing is taken back when a later one is refused.
    ///
    /// # Errors
    /// As for [`WireGuard::device`]; and what the kernel says of the values.
    pub fn set(&mut self, name: &[u8], update: &Update) -> Result<()> {
        self.client.set(name, update)
    }
}

#[derive(Debug)]
struct Client<W> {
    netlink: GenericNetlink<W>,
    family: u16,
}

impl<W: Wire> Client<W> {
    fn over(mut netlink: GenericNetlink<W>) -> Result<Self> {
        let family = netlink.family(FAMILY)?.ok_or_else(|| {
            let missing = io::Error::from_raw_os_error(libc::EPROTONOSUPPORT);
            Error::system("use the kernel's WireGuard", missing)
        })?;
        Ok(Self { netlink, family })
    }

    fn device(&mut self, name: &[u8]) -> Result<Device> {
        let operation = || format!("read {}", String::from_utf8_lossy(name));
        check_name(name, &operation)?;
        loop {
            let mut message = self.command(CMD_GET_DEVICE).start(MESSAGE_LIMIT);
            message
                .string(DEVICE_A_IFNAME, name)
                .map_err(|_| name_too_long(&operation))?;
            let mut reader = Reader::default();
            let consistency = self
                .netlink
                .dump(message, &operation, |attributes| reader.message(attributes))?;
            if consistency == Consistency::Whole {
                return Ok(reader.finish());
            }
            if self.netlink.is_late() {
                return Err(Error::system(operation(), io::ErrorKind::TimedOut));
            }
        }
    }

    fn set(&mut self, name: &[u8], update: &Update) -> Result<()> {
        let operation = || format!("change {}", String::from_utf8_lossy(name));
        check_name(name, &operation)?;
        let command = self.command(constants::CMD_SET_DEVICE);
        for message in Messages::new(command, name, update, MESSAGE_LIMIT) {
            self.netlink.request(message, &operation)?;
        }
        Ok(())
    }

    fn command(&self, command: u8) -> Command {
        Command {
            family: self.family,
            command,
            version: VERSION,
        }
    }
}

/// The kernel would take a longer name for a mistake in the message.
fn check_name(name: &[u8], operation: &dyn Fn() -> String) -> Result<()> {
    if name.len() > NAME_LIMIT {
        return Err(name_too_long(operation));
    }
    Ok(())
}

fn name_too_long(operation: &dyn Fn() -> String) -> Error {
    Error::system(
        operation(),
        io::Error::from_raw_os_error(libc::ENAMETOOLONG),
    )
}

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

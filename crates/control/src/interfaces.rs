use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use hushwire_netlink::Netlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice};

use crate::device::Transport;
use crate::userspace::Userspace;
use crate::{Device, Error};

/// Where daemons have their control sockets.
const SOCKET_DIRECTORY: &str = "/var/run/wireguard";

/// The ending of a control socket's name.
pub(crate) const SOCKET_SUFFIX: &str = ".sock";

/// The longest name of an interface in bytes.
const NAME_LIMIT: usize = hushwire_netlink::wireguard::NAME_LIMIT;

/// The kind of the kernel's interfaces.
const KIND: &str = "wireguard";

/// The WireGuard interfaces of this network namespace, and those that daemons have sockets for.
#[derive(Clone, Debug)]
pub struct Interfaces {
    directory: PathBuf,
    limit: Option<Duration>,
}

impl Default for Interfaces {
    fn default() -> Self {
        Self::new()
    }
}

impl Interfaces {
    /// Those that wg(8) sees. A daemon that does not answer is waited for without end.
    #[must_use]
    pub fn new() -> Self {
        Self {
            directory: SOCKET_DIRECTORY.into(),
            limit: None,
        }
    }

    /// The same, but every operation on a device ends after this time at the latest.
    #[must_use]
    pub fn with_time_limit(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// The same, with control sockets in another directory.
    #[must_use]
    pub fn with_directory(self, directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            ..self
        }
    }

    /// Their names: the kernel's interfaces in the kernel's order, then the sockets in that of the directory. The
    /// socket of a daemon that has gone is removed on the way.
    ///
    /// # Errors
    /// When the kernel or the directory cannot be read. No directory is no error.
    pub fn names(&self) -> Result<Vec<OsString>, Error> {
        let mut names = Vec::new();
        for link in Netlink::open()?.links()? {
            if link.kind.as_deref() == Some(KIND) {
                names.push(link.name.into());
            }
        }
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(Error::Socket(error)),
        };
        for entry in entries {
            let file = entry.map_err(Error::Socket)?.file_name();
            let Some(name) = file.as_bytes().strip_suffix(SOCKET_SUFFIX.as_bytes()) else {
                continue;
            };
            let name = OsStr::from_bytes(name);
            if !name.is_empty() && self.find_userspace(name).is_some() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The device of this name: that of the daemon that has a socket for it, else the kernel's. The socket of a daemon
    /// that has gone is removed.
    ///
    /// Whether there is a device at all shows when it is read or changed.
    #[must_use]
    pub fn open(&self, name: &OsStr) -> Device {
        let transport = match self.find_userspace(name) {
            Some(userspace) => Transport::Userspace(userspace),
            None => Transport::Kernel { limit: self.limit },
        };
        Device::new(name.to_owned(), transport)
    }

    /// As [`Interfaces::open`], for a device that is to be changed.
    ///
    /// # Errors
    /// [`Error::NameTooLong`] for a name that no interface can have, even if there is a socket for it. (wg(8) would
    /// change the interface with the first 15 bytes of that name.)
    pub fn open_to_change(&self, name: &OsStr) -> Result<Device, Error> {
        if name.len() > NAME_LIMIT {
            return Err(Error::NameTooLong);
        }
        Ok(self.open(name))
    }

    /// The interface of this name in this network namespace, as the kernel sees it, whoever runs it. `None` if there is
    /// none here: that of a daemon may have been moved.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn link(&self, name: &OsStr) -> Result<Option<Link>, Error> {
        let Some(name) = name.to_str() else {
            return Ok(None);
        };
        let link = Netlink::open()?.link(name)?;
        Ok(link.map(|link| Link {
            up: link.up,
            mtu: link.mtu,
        }))
    }

    fn find_userspace(&self, name: &OsStr) -> Option<Userspace> {
        if name.as_bytes().contains(&b'/') {
            return None;
        }
        let mut file = name.to_owned().into_vec();
        file.extend_from_slice(SOCKET_SUFFIX.as_bytes());
        let path = self.directory.join(OsString::from_vec(file));
        Userspace::find(path, self.limit)
    }
}

/// What the kernel tells of an interface of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether it is set up.
    pub up: bool,
    /// Its MTU in bytes.
    pub mtu: u32,
}

/// Tells the names of this network namespace's interfaces by index.
#[derive(Debug)]
pub struct InterfaceNames(Option<OwnedFd>);

impl InterfaceNames {
    /// Where the system gives out no socket, no interface has a name.
    #[must_use]
    pub fn open() -> Self {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        );
        Self(socket.ok())
    }

    /// The name of the interface with this index.
    #[must_use]
    pub fn name(&self, index: u32) -> Option<String> {
        netdevice::index_to_name(self.0.as_ref()?, index).ok()
    }
}

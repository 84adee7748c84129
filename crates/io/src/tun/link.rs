//! A TUN device as a network interface: its name, MTU and state, wherever it is.
//!
//! An interface can be moved to another network namespace while its TUN device stays with the
//! process that made it. From then on names and indices mean nothing to that process's own
//! sockets. But a namespace can have a number in another one, and rtnetlink takes requests,
//! and sends events, across namespaces by that number. That needs no thread that enters the
//! other namespace, and, unlike a socket there, does not keep the namespace alive after its
//! last user is gone.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

use rustix::{fs::fstat, io::Errno};

use super::{
    ioctl::{Name, device_namespace, interface, socket_namespace},
    netlink::{LinkInfo, Message, Request, Shape, Socket},
};

/// How often a name that just changed is looked up anew.
const ATTEMPTS: usize = 8;

/// Asks rtnetlink about the interface of one TUN device.
#[derive(Debug)]
pub(super) struct Link {
    /// In the namespace where the device was made or taken over, its home.
    socket: Mutex<Socket>,
    /// `None` if the process may not know.
    home: Option<NamespaceId>,
    /// The interface's index when it was last seen at home; zero before.
    home_index: AtomicI32,
}

/// Tells network namespaces apart: device and inode number of their descriptors (ioctl_ns(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamespaceId(u64, u64);

/// Where an interface is, as seen from its home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) is_home: bool,
    /// The namespace's number in the home namespace, if it has one.
    pub(super) number: Option<i32>,
}

/// What an interface is like now.
#[derive(Clone, Debug)]
pub(super) struct LinkState {
    /// `None` if the process may not know.
    pub(super) namespace: Option<NamespaceId>,
    pub(super) place: Place,
    pub(super) info: LinkInfo,
}

/// Why an interface's state is not known.
#[derive(Debug)]
pub(super) enum Unknown {
    /// The device does not exist any more.
    Gone,
    /// It is in a namespace that the process may not look into.
    Hidden(io::Error),
}

impl Link {
    /// Takes the calling thread's network namespace for the device's home.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::for_requests()?;
        let home = socket_namespace(&socket).map_err(io::Error::from);
        let home = home.and_then(|fd| NamespaceId::of(&fd)).ok();
        Ok(Self {
            socket: Mutex::new(socket),
            home,
            home_index: AtomicI32::new(0),
        })
    }

    /// The present state of the interface of the TUN device `tun`.
    pub(super) fn state(&self, tun: impl AsFd) -> Result<LinkState, Unknown> {
        let mut last = Unknown::Hidden(Errno::NODEV.into());
        // The name is looked up in two steps, between which the interface may be renamed or
        // moved again.
        for _ in 0..ATTEMPTS {
            let (name, _) = interface(&tun).map_err(|_| Unknown::Gone)?;
            last = match self.try_state(&tun, name) {
                Ok(state) => return Ok(state),
                Err(error) => Unknown::Hidden(error),
            };
            if !matches!(&last, Unknown::Hidden(error) if is_missing(error)) {
                break;
            }
        }
        // What looked like a denial may have been the end.
        interface(&tun).map_err(|_| Unknown::Gone)?;
        Err(last)
    }

    fn try_state(&self, tun: impl AsFd, name: Name) -> io::Result<LinkState> {
        let (namespace, place) = match device_namespace(tun) {
            Ok(fd) => self.place(&fd)?,
            Err(Errno::PERM) => return self.state_without_permission(name),
            Err(error) => return Err(error.into()),
        };
        let target = if place.is_home { None } else { place.number };
        let info = self.link(name, target)?;
        if place.is_home {
            self.home_index.store(info.index, Relaxed);
        }
        Ok(LinkState {
            namespace: Some(namespace),
            place,
            info,
        })
    }

    fn place(&self, namespace: &OwnedFd) -> io::Result<(NamespaceId, Place)> {
        let id = NamespaceId::of(namespace)?;
        let is_home = self.home == Some(id);
        let number = match self.number(namespace)? {
            None if !is_home => {
                self.request(&Request::NameNamespace(namespace.as_fd()))?;
                let number = self.number(namespace)?;
                Some(number.ok_or(Errno::PERM)?)
            }
            number => number,
        };
        Ok((id, Place { is_home, number }))
    }

    /// A process that gave up its privileges still sees the interface while it is at home, and
    /// knows it by its index.
    fn state_without_permission(&self, name: Name) -> io::Result<LinkState> {
        let info = self.link(name, None)?;
        let index = self.home_index.load(Relaxed);
        if index != 0 && index != info.index {
            return Err(Errno::PERM.into());
        }
        Ok(LinkState {
            namespace: None,
            place: Place {
                is_home: true,
                number: None,
            },
            info,
        })
    }

    /// Sets the interface up. It must be at home.
    pub(super) fn shape(&self, index: i32, shape: Shape) -> io::Result<()> {
        self.request(&Request::Shape { index, shape }).map(drop)
    }

    fn number(&self, namespace: &OwnedFd) -> io::Result<Option<i32>> {
        match self.request(&Request::Namespace(namespace.as_fd()))? {
            Message::Namespace(number) => Ok((number >= 0).then_some(number)),
            _ => Ok(None),
        }
    }

    fn link(&self, name: Name, namespace: Option<i32>) -> io::Result<LinkInfo> {
        match self.request(&Request::Link { name, namespace })? {
            Message::Link(info) => Ok(info),
            _ => Err(Errno::NODEV.into()),
        }
    }

    fn request(&self, request: &Request<'_>) -> io::Result<Message> {
        // A thread that panicked left no request half done: the answer comes with the call.
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.request(request)
    }
}

impl NamespaceId {
    fn of(namespace: &OwnedFd) -> io::Result<Self> {
        let stat = fstat(namespace)?;
        Ok(Self(stat.st_dev, stat.st_ino))
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}

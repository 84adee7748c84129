//! Why there is no TUN device.

use core::fmt;
use std::io;

/// Why a TUN device could not be made or taken over.
#[derive(Debug)]
pub enum TunError {
    /// The name cannot be that of a network interface.
    InvalidName {
        /// The name asked for.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is an interface of that name already, be it a TUN device or another.
    AlreadyExists {
        /// The name asked for.
        name: String,
    },
    /// `/dev/net/tun` cannot be opened: it is missing, or the kernel has no TUN driver.
    NoDriver(io::Error),
    /// The process may not make network interfaces.
    NotPermitted {
        /// The name asked for, or that of the device taken over.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The number of queues is zero, or more than the kernel has.
    Queues {
        /// The number asked for.
        wanted: usize,
    },
    /// The descriptor handed over is not a TUN device.
    NotTun {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The MTU is out of the kernel's range.
    Mtu {
        /// The interface.
        name: String,
        /// The MTU asked for, in bytes.
        mtu: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A system call failed for another reason.
    System {
        /// What it was to do.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TunError {
    /// A mapper for the errors of a system call that was to do something.
    pub(super) fn system<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            doing,
            source: source.into(),
        }
    }
}

impl fmt::Display for TunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name, reason } => {
                write!(f, "`{name}` cannot name a network interface: {reason}")
            }
            Self::AlreadyExists { name } => write!(
                f,
                "the interface `{name}` exists already: delete it (`ip link del {name}`) or \
                 choose another name"
            ),
            Self::NoDriver(source) if source.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "not allowed to open /dev/net/tun: {source}; this needs root, or access to the \
                 device node"
            ),
            Self::NoDriver(source) => write!(
                f,
                "cannot open /dev/net/tun: {source}; load the kernel module (`modprobe tun`), or \
                 pass the device node into the container"
            ),
            Self::NotPermitted { name, source } => write!(
                f,
                "not allowed to set up the interface `{name}`: {source}; this needs root or \
                 CAP_NET_ADMIN"
            ),
            Self::Queues { wanted } => write!(
                f,
                "a TUN device cannot have {wanted} queues: choose between 1 and 256"
            ),
            Self::NotTun { reason } => write!(
                f,
                "the descriptor handed over is not a usable TUN device: {reason}"
            ),
            Self::Mtu { name, mtu, source } => {
                write!(f, "cannot set the MTU of `{name}` to {mtu} bytes: {source}")
            }
            Self::System { doing, source } => write!(f, "cannot {doing}: {source}"),
        }
    }
}

impl core::error::Error for TunError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NoDriver(source)
            | Self::NotPermitted { source, .. }
            | Self::Mtu { source, .. }
            | Self::System { source, .. } => Some(source),
            Self::InvalidName { .. }
            | Self::AlreadyExists { .. }
            | Self::Queues { .. }
            | Self::NotTun { .. } => None,
        }
    }
}

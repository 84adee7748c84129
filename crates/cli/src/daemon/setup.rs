//! Making, or taking over, the device and its control socket.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hushwire_engine::Level;
use hushwire_engine::sandbox::{Reach, Sandbox};
use hushwire_engine::uapi::ControlSocket;
use hushwire_io::process::Inherited;
use hushwire_io::tun::{Tun, TunOptions};
use rustix::net::{AddressFamily, sockopt};

use super::arguments::Arguments;
use super::environment::{self, Environment};
use super::error::Error;
use crate::device::DeviceOptions;

/// Command line and environment in one.
#[derive(Debug)]
pub(super) struct Settings {
    interface: String,
    tun_fd: Option<RawFd>,
    uapi_fd: Option<RawFd>,
    name_file: Option<PathBuf>,
    pub(super) device: DeviceOptions,
    more_queues: Vec<RawFd>,
    pub(super) sandbox: Sandbox,
    /// None when the environment does not say.
    pub(super) log_level: Option<Level>,
}

impl Settings {
    pub(super) fn new(arguments: Arguments, environment: Environment) -> Result<Self, Error> {
        let flags = arguments.flags;
        let device = flags.over_environment().map_err(Error::Option)?;
        let sandbox = flags.sandbox(Reach::Process).map_err(Error::Option)?;
        Ok(Self {
            interface: arguments.interface,
            tun_fd: environment.tun_fd,
            uapi_fd: environment.uapi_fd,
            name_file: environment.name_file,
            device,
            more_queues: environment.more_queues,
            sandbox,
            log_level: environment.log_level,
        })
    }
}

/// Makes what was not handed over. On failure nothing of it is left.
pub(super) fn create(
    settings: &Settings,
    inherited: &mut Inherited,
) -> Result<(Tun, ControlSocket), Error> {
    let options = TunOptions {
        queues: settings.device.queues,
        offloads: settings.device.offloads.tun,
        ..TunOptions::default()
    };
    let tun = match settings.tun_fd {
        Some(number) => {
            let first = environment::take(inherited, environment::TUN_FD, number)?;
            let more = settings
                .more_queues
                .iter()
                .map(|number| environment::take(inherited, environment::MORE_QUEUES, *number))
                .collect::<Result<_, _>>()?;
            Tun::from_fds(first, more, &options)
        }
        None => Tun::create(&settings.interface, &options),
    };
    let tun = tun.map_err(Error::Tun)?;
    let name = tun.name().map_err(Error::TunName)?;
    let socket = match settings.uapi_fd {
        Some(number) => {
            let fd = environment::take(inherited, environment::UAPI_FD, number)?;
            if !listens(&fd) {
                return Err(Error::NotListening { number });
            }
            ControlSocket::from_fd(fd, &name)
        }
        None => ControlSocket::bind(&name).map_err(Error::Socket)?,
    };
    if let Some(path) = &settings.name_file {
        write_name(path, &name).map_err(|error| Error::NameFile(path.clone(), error))?;
    }
    Ok((tun, socket))
}

fn listens(fd: &OwnedFd) -> bool {
    sockopt::socket_domain(fd) == Ok(AddressFamily::UNIX)
        && sockopt::socket_acceptconn(fd) == Ok(true)
}

fn write_name(path: &Path, name: &str) -> io::Result<()> {
    let owner_reads = 0o400;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(owner_reads)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(owner_reads))?;
    writeln!(file, "{name}")
}

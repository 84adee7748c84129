use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use hushwire_config::device::Device as State;
use hushwire_config::status::Status;
use hushwire_config::update::DeviceUpdate;

use crate::userspace::Userspace;
use crate::{Error, kernel};

/// A device that can be read and changed.
#[derive(Debug)]
pub struct Device {
    name: OsString,
    transport: Transport,
}

/// Who runs a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The kernel.
    Kernel,
    /// A daemon.
    Userspace,
}

/// What is known of how a device is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The kernel has it, and tells nothing but what it tells of any interface.
    Kernel,
    /// Its daemon tells.
    Told(Box<Status>),
    /// Its daemon, with the name of its program if that could be found out, tells no status.
    Untold(Option<String>),
}

#[derive(Debug)]
pub(crate) enum Transport {
    Kernel { limit: Option<Duration> },
    Userspace(Userspace),
}

impl Device {
    pub(crate) fn new(name: OsString, transport: Transport) -> Self {
        Self { name, transport }
    }

    /// The name that it was opened under.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Who runs it.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.transport {
            Transport::Kernel { .. } => Backend::Kernel,
            Transport::Userspace(_) => Backend::Userspace,
        }
    }

    /// Its state.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(&mut self) -> Result<State, Error> {
        match &mut self.transport {
            Transport::Kernel { limit } => kernel::read(self.name.as_bytes(), *limit),
            Transport::Userspace(daemon) => daemon.read(),
        }
    }

    /// How it is doing.
    ///
    /// # Errors
    /// [`Error`]; for a device of the kernel, when there is none.
    pub fn health(&mut self) -> Result<Health, Error> {
        match &mut self.transport {
            Transport::Kernel { limit } => {
                kernel::read(self.name.as_bytes(), *limit).map(|_| Health::Kernel)
            }
            Transport::Userspace(daemon) => Ok(match daemon.status()? {
                Some(status) => Health::Told(Box::new(status)),
                None => Health::Untold(daemon.program()),
            }),
        }
    }

    /// Changes it. Neither the kernel nor a daemon takes back what was done before something was refused.
    ///
    /// # Errors
    /// [`Error`].
    pub fn change(&mut self, update: &DeviceUpdate) -> Result<(), Error> {
        match &mut self.transport {
            Transport::Kernel { limit } => kernel::change(self.name.as_bytes(), *limit, update),
            Transport::Userspace(daemon) => daemon.change(update),
        }
    }
}

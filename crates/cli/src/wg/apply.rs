//! Changing a device.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use hushwire_config::endpoint::Endpoint;
use hushwire_config::resolve::{self, ResolveError, Retries, RetriesError};
use hushwire_config::update::DeviceUpdate;
use hushwire_control::{Device, Error};

use super::Context;
use super::output::Output;

/// What is said when a device cannot be changed.
const CANNOT_MODIFY: &str = "Unable to modify interface";

/// Opens a device that is to be changed.
pub(super) fn open(context: &mut Context<'_>, name: &OsStr) -> Option<Device> {
    let device = context.interfaces().open_to_change(name);
    device
        .map_err(|error| context.device_error(CANNOT_MODIFY, &error))
        .ok()
}

/// Changes it, and tells whether it went well.
pub(super) fn change(
    context: &mut Context<'_>,
    device: &mut Device,
    update: &DeviceUpdate,
) -> bool {
    match device.change(update) {
        Ok(()) => true,
        Err(error) => {
            context.device_error(CANNOT_MODIFY, &error);
            explain_removals(context, &error, update);
            false
        }
    }
}

/// Kernels before 6.16 call a removal of an allowed IP a bad message.
fn explain_removals(context: &mut Context<'_>, error: &Error, update: &DeviceUpdate) {
    use super::Spelling;
    use hushwire_config::update::PeerAction;
    let removes = update.peers.iter().any(|peer| match &peer.action {
        PeerAction::Set(settings) => settings.allowed_ips.iter().any(|entry| entry.remove),
        PeerAction::Remove => false,
    });
    if removes && context.spelling == Spelling::Own && matches!(error, Error::Kernel(_)) {
        context
            .output
            .hint("kernels before 6.16 cannot take single allowed IPs away; name those that stay");
    }
}

/// Looks up the addresses of endpoints, as patiently as the environment says.
#[derive(Default)]
pub(super) struct Resolver {
    retries: Option<Retries>,
}

/// Why an endpoint has no address.
#[derive(Debug)]
pub(super) enum LookUpError {
    /// The environment does not say how patiently to look.
    Retries(RetriesError),
    /// There is none.
    Resolve(ResolveError),
}

impl fmt::Display for LookUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retries(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
        }
    }
}

impl Resolver {
    /// Reads the environment, once.
    pub(super) fn prepare(&mut self) -> Result<Retries, LookUpError> {
        if let Some(retries) = self.retries {
            return Ok(retries);
        }
        let value = env::var_os(resolve::RETRIES_VARIABLE);
        let value = value.map(|value| hushwire_config::raw::decode(value.as_bytes()).into_owned());
        let retries = Retries::parse(value.as_deref().map(OsStr::new));
        let retries = retries.map_err(LookUpError::Retries)?;
        self.retries = Some(retries);
        Ok(retries)
    }

    /// Looks an endpoint up, and says of every try that failed that there will be another.
    pub(super) fn address(
        &mut self,
        endpoint: &Endpoint,
        output: &mut Output,
    ) -> Result<SocketAddr, LookUpError> {
        let retries = self.prepare()?;
        resolve::resolve(endpoint, retries, |retry| output.error(&retry.to_string()))
            .map_err(LookUpError::Resolve)
    }
}

//! The environment variables of the daemon: those of wireguard-go, and two of our own.

use std::env;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use hushwire_engine::Level;
use hushwire_io::process::Inherited;

use super::error::Error;
use crate::offloads;

pub(super) const TUN_FD: &str = "WG_TUN_FD";
pub(super) const UAPI_FD: &str = "WG_UAPI_FD";
pub(super) const FOREGROUND: &str = "WG_PROCESS_FOREGROUND";
/// Set by the process that was called, for the one in the background: where to report.
pub(super) const REPORT_FD: &str = "HUSHWIRE_REPORT_FD";
pub(super) const NAME_FILE: &str = "WG_TUN_NAME_FILE";
const LOG_LEVEL: &str = "LOG_LEVEL";

/// What the environment says. An empty variable says nothing.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) foreground: bool,
    pub(super) tun_fd: Option<RawFd>,
    pub(super) uapi_fd: Option<RawFd>,
    pub(super) name_file: Option<PathBuf>,
    pub(super) log_level: Option<Level>,
    /// A list of offloads.
    pub(super) disable: String,
    report_fd: Option<RawFd>,
}

impl Environment {
    pub(super) fn read() -> Result<Self, Error> {
        Ok(Self {
            foreground: text(FOREGROUND).as_deref() == Some("1"),
            tun_fd: descriptor(TUN_FD)?,
            uapi_fd: descriptor(UAPI_FD)?,
            report_fd: descriptor(REPORT_FD)?,
            name_file: env::var_os(NAME_FILE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            log_level: text(LOG_LEVEL).map(|value| Level::from_env(&value)),
            disable: text(offloads::VARIABLE).unwrap_or_default(),
        })
    }

    /// Whether another process of this program made the device, and the pipe to it.
    pub(super) fn take_report(&self, inherited: &mut Inherited) -> Result<Option<OwnedFd>, Error> {
        self.report_fd
            .map(|number| take(inherited, REPORT_FD, number))
            .transpose()
    }
}

/// The inherited descriptor that a variable names.
pub(super) fn take(
    inherited: &mut Inherited,
    variable: &'static str,
    number: RawFd,
) -> Result<OwnedFd, Error> {
    inherited
        .take(number)
        .ok_or(Error::NotInherited { variable, number })
}

fn descriptor(variable: &'static str) -> Result<Option<RawFd>, Error> {
    let Some(value) = text(variable) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(number) if number > 2 => Ok(Some(number)),
        _ => Err(Error::NotADescriptor { variable, value }),
    }
}

fn text(variable: &str) -> Option<String> {
    let value = env::var_os(variable)?;
    (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
}

//! The environment variables of the daemon: those of wireguard-go, and some of our own. Those that
//! stand in for flags are in [`crate::device`].

use std::env;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use hushwire_engine::Level;
use hushwire_io::process::Inherited;

use super::error::Error;

pub(super) const TUN_FD: &str = "WG_TUN_FD";
/// Set by the process that was called, for the one in the background: the queues of the device
/// after the first, which is in [`TUN_FD`].
pub(super) const MORE_QUEUES: &str = "HUSHWIRE_TUN_FDS";
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
    /// The device's further queues, if it was handed over with them.
    pub(super) more_queues: Vec<RawFd>,
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
            more_queues: descriptors(MORE_QUEUES)?,
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

/// The numbers in a list such as `5,6`.
fn descriptors(variable: &'static str) -> Result<Vec<RawFd>, Error> {
    let value = text(variable).unwrap_or_default();
    let numbers = value.split(',').filter(|number| !number.is_empty());
    numbers
        .map(|number| match number.parse() {
            Ok(number) if number > 2 => Ok(number),
            _ => Err(Error::NotADescriptor {
                variable,
                value: value.clone(),
            }),
        })
        .collect()
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

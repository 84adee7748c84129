//! How a device of ours is run: what `hushwired` and `hushwire run` take alike, by flag and by
//! environment. A flag wins.

mod count;
mod memory;
pub(crate) mod offloads;
pub(crate) mod sandbox;

use std::env;
use std::fmt;

use hushwire_engine::sandbox::{Reach, Sandbox};

pub(crate) use offloads::Offloads;

use count::{HELPERS, NoCount, QUEUES};
use memory::NoAmount;
use offloads::UnknownOffload;
use sandbox::{Choice, ChoiceError};

const DISABLE: &str = "--disable";
const SANDBOX: &str = "--sandbox";

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) offloads: Offloads,
    pub(crate) queues: Option<usize>,
    pub(crate) helpers: Option<usize>,
    /// In bytes.
    pub(crate) memory_limit: Option<u64>,
    pub(crate) sandbox: Choice,
}

/// How to run the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceOptions {
    pub(crate) offloads: Offloads,
    pub(crate) queues: usize,
    pub(crate) helpers: usize,
    /// In bytes.
    pub(crate) memory_limit: Option<u64>,
}

/// What is wrong with a flag or a variable; it says itself what there is to choose from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OptionError {
    Count(NoCount),
    MemoryLimit(NoAmount),
    Offload(UnknownOffload),
    /// In the environment.
    OffloadVariable(UnknownOffload),
    Sandbox(ChoiceError),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(error) => error.fmt(f),
            Self::MemoryLimit(error) => error.fmt(f),
            Self::Offload(error) => error.fmt(f),
            Self::OffloadVariable(error) => write!(f, "{}: {error}", offloads::VARIABLE),
            Self::Sandbox(error) => error.fmt(f),
        }
    }
}

impl Flags {
    /// Takes an option if it is one of these, with what `value` says is its value. Returns whether
    /// it is.
    pub(crate) fn take<'a, E: From<OptionError>>(
        &mut self,
        option: &str,
        value: impl FnOnce(&'static str) -> Result<&'a str, E>,
    ) -> Result<bool, E> {
        if option == DISABLE {
            let list = value(DISABLE)?;
            self.offloads.disable(list).map_err(OptionError::Offload)?;
        } else if option == HELPERS.option {
            let text = value(HELPERS.option)?;
            self.helpers = Some(HELPERS.parse(text).map_err(OptionError::Count)?);
        } else if option == memory::OPTION {
            let text = value(memory::OPTION)?;
            self.memory_limit = Some(memory::parse(text).map_err(OptionError::MemoryLimit)?);
        } else if option == QUEUES.option {
            let text = value(QUEUES.option)?;
            self.queues = Some(QUEUES.parse(text).map_err(OptionError::Count)?);
        } else if option == SANDBOX {
            let mode = sandbox::mode(value(SANDBOX)?).map_err(OptionError::Sandbox)?;
            self.sandbox.mode = Some(mode);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// With what the environment says where the command line says nothing. An empty variable says
    /// nothing.
    pub(crate) fn over_environment(&self) -> Result<DeviceOptions, OptionError> {
        self.over(&|variable| {
            let value = env::var_os(variable)?;
            (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
        })
    }

    /// The sandbox that was chosen, by flag or by environment.
    pub(crate) fn sandbox(&self, reach: Reach) -> Result<Sandbox, OptionError> {
        self.sandbox.sandbox(reach).map_err(OptionError::Sandbox)
    }

    fn over(
        &self,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<DeviceOptions, OptionError> {
        let mut offloads = self.offloads;
        offloads
            .disable(&environment(offloads::VARIABLE).unwrap_or_default())
            .map_err(OptionError::OffloadVariable)?;
        let memory_limit = match (self.memory_limit, environment(memory::VARIABLE)) {
            (Some(bytes), _) => Some(bytes),
            (None, Some(text)) => Some(memory::parse(&text).map_err(OptionError::MemoryLimit)?),
            (None, None) => None,
        };
        Ok(DeviceOptions {
            offloads,
            queues: QUEUES
                .choose(self.queues, environment)
                .map_err(OptionError::Count)?,
            helpers: HELPERS
                .choose(self.helpers, environment)
                .map_err(OptionError::Count)?,
            memory_limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags of words such as `--queues=2`.
    fn flags(line: &str) -> Result<Flags, OptionError> {
        let mut flags = Flags::default();
        for word in line.split_whitespace() {
            let (option, value) = word.split_once('=').unwrap_or((word, ""));
            assert!(
                flags.take(option, |_| Ok::<_, OptionError>(value))?,
                "{word}"
            );
        }
        Ok(flags)
    }

    fn says(variable: &str) -> Option<String> {
        let value = match variable {
            "HUSHWIRE_DISABLE" => "tun-uso",
            "HUSHWIRE_HELPERS" => "5",
            "HUSHWIRE_MEMORY_LIMIT" => "1M",
            "HUSHWIRE_QUEUES" => "3",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let none = flags("").unwrap().over(&says).unwrap();
        assert_eq!((none.queues, none.helpers), (3, 5));
        assert_eq!(none.memory_limit, Some(1 << 20));
        let line = "--queues=2 --helpers=0 --memory-limit=2M --disable=udp-gso";
        let all = flags(line).unwrap().over(&says).unwrap();
        assert_eq!((all.queues, all.helpers), (2, 0));
        assert_eq!(all.memory_limit, Some(2 << 20));
        assert!(!all.offloads.udp().gso && !all.offloads.tun.uso);
        let auto = flags("--queues=auto").unwrap().over(&says).unwrap();
        assert_eq!(auto.queues, hushwire_engine::default_queues());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        for (line, parts) in [
            ("--queues=x", ["`x`", "1 to 64"]),
            ("--helpers=-1", ["`-1`", "0 to 64"]),
            ("--memory-limit=much", ["`much`", "64M"]),
            ("--disable=gso", ["`gso`", "udp-gso"]),
            ("--sandbox=maybe", ["`maybe`", "strict"]),
        ] {
            let error = flags(line).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        let error = flags("")
            .unwrap()
            .over(&|variable| (variable == offloads::VARIABLE).then(|| "gso".to_owned()));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("HUSHWIRE_DISABLE: "), "{error}");
    }

    #[test]
    fn what_is_none_of_these_is_left() {
        let mut flags = Flags::default();
        let taken = flags.take("--name", |_| {
            Err(OptionError::Count(QUEUES.parse("").unwrap_err()))
        });
        assert_eq!(taken, Ok(false));
    }
}

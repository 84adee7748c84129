//! The file: where it is, and what it says.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hushwire_config::conf::{Config, Dialect, Mode, parse};
use hushwire_config::resolve::{Retries, resolve};
use hushwire_config::update::DeviceUpdate;
use hushwire_quick::keys::{self, Place};
use hushwire_quick::{Located, QuickFile, check};
use zeroize::Zeroizing;

use super::arguments::Arguments;
use super::error::Error;
use crate::quick::public_key;

/// Where files are that are named by their interface.
const DIRECTORY: &str = "/etc/wireguard";
const EXTENSION: &str = "conf";

/// A configuration that can be brought up.
pub(super) struct Configuration {
    pub(super) path: PathBuf,
    pub(super) interface: String,
    /// Without the keys that stand elsewhere.
    pub(super) file: QuickFile,
    /// What the device is to be, with all keys.
    config: Config,
}

impl Configuration {
    /// Reads and checks the file. What does no harm is told on standard error.
    pub(super) fn load(arguments: &Arguments) -> Result<Self, Error> {
        let path = find(&arguments.file);
        let text = fs::read(&path).map_err(|error| Error::Read(path.clone(), error))?;
        let text = Zeroizing::new(text);
        let file = QuickFile::parse(&text).map_err(|error| {
            Error::Configuration(format!("{}: {}", path.display(), error.guarded()))
        })?;
        let mut findings = check(&text, &path, &file, public_key);
        findings.errors.extend(findings.missing_key.take());
        for warning in &findings.warnings {
            warn(warning);
        }
        if !findings.errors.is_empty() {
            return Err(Error::Configuration(findings.errors.join("\n")));
        }
        let interface = match &arguments.name {
            Some(name) => name.clone(),
            None => name_of(&path).ok_or_else(|| Error::Unnamed(path.clone()))?,
        };
        let located = Located {
            path: fs::canonicalize(&path).unwrap_or_else(|_| path.clone()),
            interface: interface.clone(),
        };
        if located.is_world_accessible() {
            let shown = located.path.display();
            warn(&format_args!("Warning: `{shown}' is world accessible"));
        }
        let place = Place {
            path: &located.path,
            interface: &interface,
            commands: true,
            interrupt: None,
        };
        let filled = keys::fill_in(&text, Dialect::Quick, &place)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        for warning in &filled.warnings {
            warn(warning);
        }
        let text = filled.text.unwrap_or(text);
        let config = parse(&text, Dialect::Quick)
            .map_err(|error| Error::Configuration(error.in_file(&path).to_string()))?
            .config;
        Ok(Self {
            path,
            interface,
            file,
            config,
        })
    }

    /// The change that makes a fresh device what the file says. Looks up the names of endpoints.
    pub(super) fn resolve(&self) -> Result<DeviceUpdate, Error> {
        self.config.to_update(Mode::Add, |endpoint| {
            let at = |error: String| {
                Error::Configuration(format!(
                    "{}:{}: {error}",
                    self.path.display(),
                    endpoint.span
                ))
            };
            let retries = Retries::from_env().map_err(|error| Error::Retries(error.to_string()))?;
            resolve(endpoint, retries, |retry| warn(retry)).map_err(|error| at(error.to_string()))
        })
    }
}

/// Tells something on standard error that does not stop us.
pub(super) fn warn(what: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// The file itself, or the one that is meant by the name of an interface.
fn find(file: &Path) -> PathBuf {
    let is_bare = file
        .parent()
        .is_some_and(|parent| parent.as_os_str().is_empty());
    if is_bare && !file.exists() {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{EXTENSION}"));
        let meant = Path::new(DIRECTORY).join(name);
        if meant.exists() {
            return meant;
        }
    }
    file.to_owned()
}

/// The interface that a file is named after.
fn name_of(path: &Path) -> Option<String> {
    if path.extension()? != EXTENSION {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=+.-".contains(&byte);
    (stem.len() <= 15 && stem.bytes().all(legal)).then(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_interface() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("/etc/wireguard/wg0.conf").as_deref(), Some("wg0"));
        assert_eq!(name("a=b+c.d-e.conf").as_deref(), Some("a=b+c.d-e"));
        assert_eq!(
            name("fifteen-letters.conf").as_deref(),
            Some("fifteen-letters")
        );
        for none in [
            "wg0",
            "sixteen-letters-.conf",
            "wg 0.conf",
            ".conf",
            "/dev/stdin",
        ] {
            assert_eq!(name(none), None, "{none}");
        }
    }
}

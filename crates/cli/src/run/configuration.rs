//! The file: where it is, what it says, and what of it is not done.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hushwire_config::conf::{Config, Dialect, Mode, Severity, Span, parse};
use hushwire_config::key::{PrivateKey, PublicKey};
use hushwire_config::resolve::{Retries, resolve};
use hushwire_config::update::DeviceUpdate;
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;
use zeroize::Zeroizing;

use super::arguments::Arguments;
use super::error::Error;

/// Where files are that are named by their interface.
const DIRECTORY: &str = "/etc/wireguard";
const EXTENSION: &str = "conf";

/// A configuration that can be brought up.
pub(super) struct Configuration {
    pub(super) path: PathBuf,
    pub(super) interface: String,
    pub(super) config: Config,
}

impl Configuration {
    /// Reads and checks the file. What does no harm is told on standard error.
    pub(super) fn load(arguments: &Arguments) -> Result<Self, Error> {
        let path = find(&arguments.file);
        let text = fs::read(&path).map_err(|error| Error::Read(path.clone(), error))?;
        let text = Zeroizing::new(text);
        let parsed = parse(&text, Dialect::Quick)
            .map_err(|error| Error::Configuration(error.in_file(&path).to_string()))?;
        let interface = match &arguments.name {
            Some(name) => name.clone(),
            None => name_of(&path).ok_or_else(|| Error::Unnamed(path.clone()))?,
        };
        let configuration = Self {
            path,
            interface,
            config: parsed.config,
        };
        let own = configuration.config.interface.private_key.as_deref();
        let found = configuration.config.check(own.map(public_key).as_ref());
        let (errors, warnings): (Vec<_>, Vec<_>) = parsed
            .warnings
            .into_iter()
            .chain(found)
            .partition(|diagnostic| diagnostic.severity() == Severity::Error);
        if !errors.is_empty() {
            let lines = errors
                .iter()
                .map(|error| error.in_file(&configuration.path).to_string());
            return Err(Error::Configuration(lines.collect::<Vec<_>>().join("\n")));
        }
        for warning in warnings {
            warn(&warning.in_file(&configuration.path));
        }
        configuration.warn_of_what_is_not_done();
        Ok(configuration)
    }

    fn warn_of_what_is_not_done(&self) {
        let interface = &self.config.interface;
        if let Some(dns) = interface.dns.first() {
            self.warn_at(dns.span, "DNS is not set up: name servers stay as they are");
        }
        if let Some(save) = &interface.save_config
            && **save
        {
            self.warn_at(save.span, "SaveConfig is not done: the file stays as it is");
        }
    }

    /// Tells something about a place in the file on standard error.
    pub(super) fn warn_at(&self, span: Span, what: &str) {
        warn(&format_args!("{}:{span}: {what}", self.path.display()));
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

fn public_key(private: &PrivateKey) -> PublicKey {
    PublicKey::new(DefaultCrypto::public_key(private.clamped().as_bytes()))
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

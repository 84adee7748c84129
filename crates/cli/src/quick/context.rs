//! What surrounds the program: where it is, and what it starts.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use hushwire_config::key::{PrivateKey, PublicKey};
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_quick::{Daemon, Environment, find_program};

/// Names the program that carries the packets of an interface where the kernel does not.
const IMPLEMENTATION: &str = "WG_QUICK_USERSPACE_IMPLEMENTATION";
/// The program that wg-quick(8) takes if it is not told another.
const STANDARD: &str = "wireguard-go";
/// Ours.
const OWN: &str = "hushwired";

/// The folder of this program's file, in front of the search path: so its companions are found.
pub(crate) fn environment(started_as: &OsStr, config_file: &Path) -> Environment {
    let path = env::var_os("PATH").unwrap_or_default();
    let own = env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent).map(PathBuf::from);
    let folders = own.into_iter().chain(env::split_paths(&path));
    Environment {
        program: started_as.to_string_lossy().into_owned(),
        path: env::join_paths(folders).unwrap_or(path),
        config_file: config_file.to_owned(),
    }
}

/// The public key that belongs to a private one.
pub(crate) fn public_key(private: &PrivateKey) -> PublicKey {
    PublicKey::new(DefaultCrypto::public_key(private.clamped().as_bytes()))
}

/// The daemon: the one that is asked for, else ours. None if the one asked for is not there.
pub(super) fn daemon(path: &OsStr) -> Option<Daemon> {
    let asked_for = env::var_os(IMPLEMENTATION).filter(|name| !name.is_empty());
    match asked_for {
        Some(name) => named(&name, path),
        None => Some(own(path)),
    }
}

fn named(name: &OsStr, path: &OsStr) -> Option<Daemon> {
    Some(Daemon {
        shown: name.to_owned(),
        program: find_program(name, path)?,
        started_as: Some(name.to_owned()),
        low_ports: false,
    })
}

/// Under the standard's name where that is installed as a name of ours.
fn own(path: &OsStr) -> Daemon {
    let this = env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let daemon = this.with_file_name(OWN);
    let daemon = if daemon.is_file() {
        daemon
    } else {
        this.clone()
    };
    let standard = find_program(OsStr::new(STANDARD), path);
    let is_ours =
        |file: &PathBuf| fs::canonicalize(file).is_ok_and(|file| file == this || file == daemon);
    match standard.filter(is_ours) {
        Some(program) => Daemon {
            shown: STANDARD.into(),
            program,
            started_as: Some(STANDARD.into()),
            low_ports: false,
        },
        None => Daemon {
            shown: OWN.into(),
            program: daemon,
            started_as: Some(OsString::from(OWN)),
            low_ports: false,
        },
    }
}

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where the tools of a Debian system are, in an ordinary user's `PATH` or not.
const SYSTEM_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The Debian package of a tool whose package has another name.
const PACKAGES: [(&str, &str); 17] = [
    ("bash", "bash"),
    ("cat", "coreutils"),
    ("env", "coreutils"),
    ("groff", "groff-base"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ping", "iputils-ping"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("setpriv", "util-linux"),
    ("sh", "dash"),
    ("sleep", "coreutils"),
    ("ss", "iproute2"),
    ("tc", "iproute2"),
    ("true", "coreutils"),
    ("unshare", "util-linux"),
    ("wg", "wireguard-tools"),
    ("wg-quick", "wireguard-tools"),
];

/// Makes sure that programs are installed.
///
/// # Errors
/// One sentence that names all that is missing and the Debian packages to install.
///
/// ```
/// hushwire_lab::require_tools(&["cat", "env"]).unwrap();
/// ```
pub fn require_tools(tools: &[&str]) -> Result<()> {
    let missing: Vec<&str> = tools
        .iter()
        .copied()
        .filter(|tool| find_tool(tool).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<String> = missing
        .iter()
        .map(|tool| package_of(tool).to_owned())
        .collect();
    packages.sort();
    packages.dedup();
    Err(Error::MissingTools {
        tools: missing.iter().map(|tool| (*tool).to_owned()).collect(),
        packages,
    })
}

/// A search path that has the system directories in it whatever the caller's has.
pub(crate) fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&own).chain(SYSTEM_DIRECTORIES.map(PathBuf::from));
    env::join_paths(directories).unwrap_or(own)
}

pub(crate) fn find_tool(name: &str) -> Option<PathBuf> {
    env::split_paths(&search_path())
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn package_of(tool: &str) -> &str {
    let known = PACKAGES.iter().find(|(name, _)| *name == tool);
    known.map_or(tool, |(_, package)| package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let error = require_tools(&["cat", "no-such-tool", "env", "neither-this"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not installed: no-such-tool, neither-this; as root: apt-get install neither-this no-such-tool"
        );
    }

    #[test]
    fn a_tool_has_the_name_of_its_package_or_is_listed() {
        assert_eq!(package_of("ss"), "iproute2");
        assert_eq!(package_of("iperf3"), "iperf3");
    }
}

//! Which file is meant, and which interface.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where a file is that is named by its interface only.
const DIRECTORY: &str = "/etc/wireguard";

const EXTENSION: &[u8] = b".conf";

/// The longest name of an interface in bytes.
const NAME_LIMIT: usize = 15;

/// The permissions of everybody else.
const OTHERS: u32 = 0o007;

/// A file and the interface that it is named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file, all symbolic links resolved.
    pub path: PathBuf,
    /// The interface: by the name that was given, not by the one that a link leads to.
    pub interface: String,
}

/// Why there is none. The messages are wg-quick(8)'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// No such file.
    Missing(PathBuf),
    /// A file that no interface can be named after.
    Name,
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "`{}' does not exist", path.display()),
            Self::Name => {
                f.write_str("The config file must be a valid interface name, followed by .conf")
            }
        }
    }
}

impl std::error::Error for LocateError {}

impl Located {
    /// Finds the file that a word on the command line means: `/etc/wireguard/WORD.conf` for
    /// anything that could be an interface's name, else the word as a path.
    ///
    /// # Errors
    /// [`LocateError`].
    pub fn find(word: &OsStr) -> Result<Self, LocateError> {
        let path = if is_interface_name(word.as_bytes()) {
            let mut name = word.to_owned();
            name.push(OsStr::from_bytes(EXTENSION));
            Path::new(DIRECTORY).join(name)
        } else {
            PathBuf::from(word)
        };
        let Ok(resolved) = fs::canonicalize(&path) else {
            return Err(LocateError::Missing(path));
        };
        let interface = interface_of(path.as_os_str()).ok_or(LocateError::Name)?;
        Ok(Self {
            path: resolved,
            interface,
        })
    }

    /// Whether everybody may get at the file: it and its directory give others a permission that
    /// is the same.
    #[must_use]
    pub fn is_world_accessible(&self) -> bool {
        let mode = |path: &Path| fs::metadata(path).map_or(0, |found| found.permissions().mode());
        let directory = self.path.parent().unwrap_or_else(|| Path::new("/"));
        mode(&self.path) & mode(directory) & OTHERS != 0
    }
}

/// Whether wg-quick(8) takes this for the name of an interface.
fn is_interface_name(name: &[u8]) -> bool {
    let is_legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"_=+.-".contains(byte);
    (1..=NAME_LIMIT).contains(&name.len()) && name.iter().all(is_legal)
}

/// The interface that a path names, with whatever stands before its last slash.
fn interface_of(path: &OsStr) -> Option<String> {
    let file = path.as_bytes().rsplit(|&byte| byte == b'/').next()?;
    let name = file.strip_suffix(EXTENSION)?;
    if !is_interface_name(name) {
        return None;
    }
    OsString::from(OsStr::from_bytes(name)).into_string().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn name(path: &str) -> Option<String> {
        interface_of(OsStr::new(path))
    }

    #[test]
    fn a_path_names_an_interface() {
        for (path, expected) in [
            ("wg0.conf", "wg0"),
            ("./wg0.conf", "wg0"),
            ("/a b/c/a=b+c.d-_.conf", "a=b+c.d-_"),
            ("x.conf.conf", "x.conf"),
            ("fifteen-letters.conf", "fifteen-letters"),
        ] {
            assert_eq!(name(path).as_deref(), Some(expected), "{path}");
        }
        for path in [
            "wg0",
            ".conf",
            "/.conf",
            "sixteen-letters-.conf",
            "wg 0.conf",
            "wé.conf",
            "wg0.conf/",
            "wg0.CONF",
        ] {
            assert_eq!(name(path), None, "{path}");
        }
    }

    #[test]
    fn a_bare_name_lies_in_etc() {
        let missing = |word: &str| Located::find(OsStr::new(word)).unwrap_err().to_string();
        assert_eq!(
            missing("hushwire-none"),
            "`/etc/wireguard/hushwire-none.conf' does not exist"
        );
        assert_eq!(
            missing("hushwire.none=16"),
            "`hushwire.none=16' does not exist"
        );
        assert_eq!(missing("./none.conf"), "`./none.conf' does not exist");
    }

    #[test]
    fn a_link_names_the_interface_and_leads_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("real.conf");
        fs::write(&file, "").unwrap();
        let link = directory.path().join("alias.conf");
        symlink(&file, &link).unwrap();
        let located = Located::find(link.as_os_str()).unwrap();
        assert_eq!(located.interface, "alias");
        assert_eq!(located.path, fs::canonicalize(&file).unwrap());
    }

    #[test]
    fn both_file_and_directory_let_the_world_in() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("wg0.conf");
        fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let located = Located::find(file.as_os_str()).unwrap();
        for (of_file, of_directory, expected) in [
            (0o644, 0o755, true),
            (0o644, 0o700, false),
            (0o600, 0o755, false),
            (0o604, 0o701, false),
            (0o604, 0o704, true),
        ] {
            set(&file, of_file);
            set(directory.path(), of_directory);
            assert_eq!(located.is_world_accessible(), expected, "{of_file:o}");
        }
    }
}

//! Keys that a file does not hold but tells the place of: `PrivateKeyFile` and the like.
//!
//! What is read here is nowhere told: errors name the place, and what is wrong with it.

mod command;

use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use hushwire_config::conf::{
    Dialect, KeySource, Section, Shown, Wanted, is_key_like_path, with_keys,
};
use hushwire_config::key::{BASE64_LEN, KeyText, PresharedKey, PrivateKey};
use hushwire_config::raw;
use zeroize::Zeroizing;

use crate::Interrupt;

/// Where systemd puts the credentials of a unit (systemd.exec(5)).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The permissions of everybody else.
const OTHERS: u32 = 0o007;
/// More than this, in bytes, is no key with blanks around it.
const LIMIT: usize = 4096;

/// What may come out of a place: all of it, zeroed when it goes.
type Content = Zeroizing<Vec<u8>>;

/// Whose keys they are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The config file.
    pub path: &'a Path,
    /// The interface, for `%i` in commands.
    pub interface: &'a str,
    /// Whether commands are run.
    pub commands: bool,
    /// Who may ask for the end while a command runs.
    pub interrupt: Option<&'a Interrupt>,
}

/// A text with its keys in it.
#[derive(Debug, Default)]
pub struct Filled {
    /// The text; none if all keys were in it already, or if it is no config file.
    pub text: Option<Zeroizing<Vec<u8>>>,
    /// What is to be told.
    pub warnings: Vec<String>,
}

/// Why there is a place but no key. Begins with the file's name, line and column.
#[derive(Debug)]
pub struct MissingKey {
    /// `path:line:column: name`.
    place: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// The path as it is to be shown.
    Read(String, io::Error),
    /// A relative path in a file that lies in no folder.
    NoFolder,
    /// This is no unit with credentials.
    NoCredentials,
    Start(io::Error),
    Forbidden,
    Ended(ExitStatus),
    TimeLimit,
    Interrupted,
    Wait(io::Error),
    TooLong,
    Empty,
    NoKey,
    /// The command printed nothing.
    PrintedNothing,
    /// What the command printed is no key.
    PrintedNoKey,
    Zero,
}

impl fmt::Display for MissingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for MissingKey {}

const A_KEY: &str =
    "a key is 44 characters of Base64, the last of them `=`, and nothing else but blanks";

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {path}: {error}"),
            Self::NoFolder => f.write_str(
                "the path is relative, and this configuration lies in no folder; write it in full",
            ),
            Self::NoCredentials => f.write_str(
                "there are no credentials here; they are for units of systemd, with \
                 LoadCredential=NAME:PATH",
            ),
            Self::Start(error) => write!(f, "cannot start sh: {error}"),
            Self::Forbidden => f.write_str(
                "wg runs no commands; use `hushwire` in its place, or what `wg-quick strip` prints",
            ),
            Self::Ended(status) => write!(f, "the command failed ({status})"),
            Self::TimeLimit => write!(
                f,
                "the command did not end within {} seconds",
                command::TIME_LIMIT.as_secs()
            ),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Wait(error) => write!(f, "cannot wait for the command: {error}"),
            Self::TooLong => f.write_str("there is more than a key; leave one key in it"),
            Self::Empty => f.write_str("there is nothing in it; put a key there"),
            Self::NoKey => write!(f, "what is in it is no key; {A_KEY}"),
            Self::PrintedNothing => f.write_str("the command printed nothing; have it print a key"),
            Self::PrintedNoKey => write!(f, "what the command printed is no key; {A_KEY}"),
            Self::Zero => f.write_str("the key is all zero, which means none"),
        }
    }
}

/// Reads all keys of a config file that stand elsewhere, in their order, and puts them in.
///
/// # Errors
/// [`MissingKey`], for the first that is not there.
pub fn fill_in(text: &[u8], dialect: Dialect, place: &Place<'_>) -> Result<Filled, MissingKey> {
    let mut warnings = Vec::new();
    let text = with_keys(text, dialect, |wanted| {
        read(&wanted, place, &mut warnings).map_err(|why| MissingKey {
            place: format!(
                "{}:{}: {}",
                place.path.display(),
                wanted.span,
                wanted.key.name
            ),
            why,
        })
    })?;
    Ok(Filled { text, warnings })
}

/// The lines of a text that say where keys are, as they would be printed. Nothing is read.
#[must_use]
pub fn places(text: &[u8], dialect: Dialect) -> Vec<String> {
    let mut lines = Vec::new();
    let told = with_keys(text, dialect, |wanted| {
        lines.push(shown_line(&wanted));
        Ok::<_, Infallible>(PrivateKey::new([0; 32]).to_base64())
    });
    match told {
        Ok(_) => lines,
    }
}

/// A command is told as it is, as those of hooks are.
fn shown_line(wanted: &Wanted<'_>) -> String {
    match wanted.source {
        KeySource::File(value) | KeySource::Credential(value) if is_key_like_path(value) => {
            format!("{} = {}", wanted.key.name, Shown(value))
        }
        source => source.line(wanted.key.section),
    }
}

fn read(
    wanted: &Wanted<'_>,
    place: &Place<'_>,
    warnings: &mut Vec<String>,
) -> Result<KeyText<BASE64_LEN>, Why> {
    let written = wanted.source.value();
    let value = raw::encode(written);
    let value = OsStr::from_bytes(&value);
    let content = match wanted.source {
        KeySource::File(_) => {
            let path = full_path(Path::new(value), place.path)?;
            if is_world_accessible(&path) {
                warnings.push(format!("Warning: `{}' is world accessible", path.display()));
            }
            read_file(&path, written)?
        }
        KeySource::Credential(_) => {
            let folder = env::var_os(CREDENTIALS).ok_or(Why::NoCredentials)?;
            read_file(&Path::new(&folder).join(value), written)?
        }
        KeySource::Command(_) if !place.commands => return Err(Why::Forbidden),
        KeySource::Command(command) => {
            let printed = command::output(command, place)?;
            return key(&printed, wanted.key.section).map_err(Why::printed);
        }
    };
    key(&content, wanted.key.section)
}

impl Why {
    /// The same of what a command printed: nobody looks for a file then.
    fn printed(self) -> Self {
        match self {
            Self::Empty => Self::PrintedNothing,
            Self::NoKey => Self::PrintedNoKey,
            other => other,
        }
    }
}

/// A relative path begins at the folder of the config file.
fn full_path(path: &Path, config: &Path) -> Result<PathBuf, Why> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    // What comes out of a pipe or a terminal has no folder.
    let config = fs::canonicalize(config).ok().filter(|path| path.is_file());
    let folder = config.as_deref().and_then(Path::parent);
    folder.map(|folder| folder.join(path)).ok_or(Why::NoFolder)
}

fn is_world_accessible(path: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |found| found.permissions().mode());
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    mode(path) & mode(folder) & OTHERS != 0
}

/// Reads a file, of which this was `written`: perhaps a key in the place of its path.
fn read_file(path: &Path, written: &str) -> Result<Content, Why> {
    let shown = || match is_key_like_path(written) {
        true => Shown(written).to_string(),
        false => path.display().to_string(),
    };
    let failed = |error| Why::Read(shown(), error);
    let mut file = File::open(path).map_err(failed)?;
    let mut content = Zeroizing::new(vec![0; LIMIT]);
    let mut length = 0;
    while let Some(room @ [_, ..]) = content.get_mut(length..) {
        match file.read(room) {
            Ok(0) => {
                content.truncate(length);
                return Ok(content);
            }
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Why::TooLong)
}

/// The one key that there is, blanks around it left out.
fn key(content: &[u8], section: Section) -> Result<KeyText<BASE64_LEN>, Why> {
    let text = content.trim_ascii();
    if text.is_empty() {
        return Err(Why::Empty);
    }
    match section {
        Section::Interface => {
            let key = PrivateKey::from_base64(text).map_err(|_| Why::NoKey)?;
            if key.is_zero() {
                return Err(Why::Zero);
            }
            Ok(key.to_base64())
        }
        Section::Peer => {
            let key = PresharedKey::from_base64(text).map_err(|_| Why::NoKey)?;
            Ok(key.to_base64())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    fn fill(directory: &Path, line: &str) -> Result<Filled, String> {
        let text = format!("[Interface]\nListenPort = 1\n{line}\n");
        let path = directory.join("wg0.conf");
        fs::write(&path, &text).unwrap();
        let place = Place {
            path: &path,
            interface: "wg0",
            commands: true,
            interrupt: None,
        };
        fill_in(text.as_bytes(), Dialect::Quick, &place).map_err(|error| error.to_string())
    }

    fn filled(directory: &Path, line: &str) -> Vec<String> {
        let Filled { text, warnings } = fill(directory, line).unwrap();
        let expected = format!("[Interface]\nListenPort = 1\nPrivateKey = {KEY}\n");
        assert!(*text.unwrap() == expected.as_bytes(), "{line}");
        warnings
    }

    fn private(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_relative_path_begins_at_the_folder_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("keys")).unwrap();
        let file = directory.path().join("keys/wg 0.key");
        private(&file, &format!("\n {KEY}\r\n"));
        assert!(filled(directory.path(), "PrivateKeyFile = keys/wg 0.key").is_empty());
        let full = format!("PrivateKeyFile = {}", file.display());
        assert!(filled(directory.path(), &full).is_empty());
    }

    #[test]
    fn a_file_that_all_can_read_is_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        open(directory.path(), 0o755);
        let file = directory.path().join("wg0.key");
        private(&file, KEY);
        open(&file, 0o644);
        let warnings = filled(directory.path(), "PrivateKeyFile = wg0.key");
        let expected = format!("Warning: `{}' is world accessible", file.display());
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn a_command_knows_the_interface_and_the_file() {
        let directory = tempfile::tempdir().unwrap();
        private(&directory.path().join("wg0.key"), KEY);
        for command in [
            "cat \"${CONFIG_FILE%.conf}.key\" # one key",
            "cat \"$(dirname \"$CONFIG_FILE\")/%i.key\"",
            "cat \"${CONFIG_FILE%/*}\"/$INTERFACE.key | tr -d '\\n'",
        ] {
            filled(directory.path(), &format!("PrivateKeyCommand = {command}"));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wg0.conf");
        let part = &KEY[2..12];
        let nothing = ["there is nothing in it", "the command printed nothing"];
        let no_key = ["in it is no key", "the command printed is no key"];
        for (content, reasons) in [
            (String::new(), nothing),
            (" \n".to_owned(), nothing),
            (KEY[1..].to_owned(), no_key),
            (format!("{KEY} {KEY}"), no_key),
            (format!("PrivateKey = {KEY}"), no_key),
            (KEY.repeat(100), ["more than a key"; 2]),
            (format!("{}=", "A".repeat(43)), ["all zero"; 2]),
        ] {
            private(&directory.path().join("wg0.key"), &content);
            let lines = [
                "PrivateKeyFile = wg0.key",
                "PrivateKeyCommand = cat ${CONFIG_FILE%.conf}.key",
            ];
            for (line, reason) in lines.into_iter().zip(reasons) {
                let error = fill(directory.path(), line).unwrap_err();
                let (name, _) = line.split_once(" =").unwrap();
                let place = format!("{}:3:{}: {name}: ", path.display(), name.len() + 4);
                assert!(error.starts_with(&place), "{error}");
                assert!(error.contains(reason) && !error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        for (line, reason) in [
            ("PrivateKeyFile = not-there", "/not-there: No such file"),
            ("PrivateKeyFile = .", "Is a directory"),
            ("PrivateKeyCommand = exit 3", "failed (exit status: 3)"),
            ("PrivateKeyCommand = kill -9 $$", "failed (signal: 9"),
        ] {
            let error = fill(directory.path(), line).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        // A command that fails has no key, whatever it has printed.
        let line = format!("PrivateKeyCommand = echo {KEY}; false");
        let error = fill(directory.path(), &line).unwrap_err();
        assert!(error.ends_with("failed (exit status: 1)"), "{error}");
    }

    #[test]
    fn a_key_in_the_place_of_its_path_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let line = format!("PrivateKeyFile = {KEY}");
        let error = fill(directory.path(), &line).unwrap_err();
        assert!(error.contains("cannot read … (44 characters): "), "{error}");
        let text = format!("[Interface]\n{line}\n");
        assert_eq!(
            places(text.as_bytes(), Dialect::Quick),
            ["PrivateKeyFile = … (44 characters)"]
        );
    }

    #[test]
    fn without_a_folder_paths_are_to_be_in_full() {
        let text = b"[Interface]\nPrivateKeyFile = a\n";
        let place = Place {
            path: Path::new("/dev/null"),
            interface: "wg0",
            commands: false,
            interrupt: None,
        };
        let error = fill_in(text, Dialect::Wg, &place).unwrap_err().to_string();
        assert!(error.starts_with("/dev/null:2:18: PrivateKeyFile: the path is relative"));
        let text = b"[Interface]\nPrivateKeyCommand = echo\n";
        let error = fill_in(text, Dialect::Wg, &place).unwrap_err().to_string();
        assert!(error.contains("wg runs no commands"), "{error}");
    }

    #[test]
    fn the_places_are_told_and_not_looked_at() {
        let text = b"[Interface]\nPrivateKeyCommand=exit 1 # a\n";
        assert_eq!(
            places(text, Dialect::Quick),
            ["PrivateKeyCommand = exit 1 # a"]
        );
        let status = Why::Ended(ExitStatus::from_raw(256));
        assert_eq!(status.to_string(), "the command failed (exit status: 1)");
    }
}

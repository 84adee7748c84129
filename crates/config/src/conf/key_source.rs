//! Keys that stand elsewhere: `PrivateKeyFile`, `PresharedKeyCommand` and the like.
//!
//! An extension of ours; the standard tools call such a line unrecognized. Nothing is read here.

use zeroize::Zeroizing;

use crate::conf::Config;
use crate::conf::diagnostic::{Key, Section};
use crate::conf::parse::{Dialect, parse};
use crate::conf::span::{Span, Spanned};
use crate::key::{BASE64_LEN, KeyText, PublicKey};
use crate::text::Line;

/// Where a key is to be read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// `…File`: a path. A relative one begins at the folder of the config file.
    File(Line),
    /// `…Credential`: the name of a credential (systemd.exec(5), `LoadCredential=`).
    Credential(Line),
    /// `…Command`: a command for sh(1) that prints the key. A `#` in it is part of it, but none
    /// begins with one.
    Command(Line),
}

const fn private(name: &'static str) -> Key {
    Key {
        name,
        section: Section::Interface,
    }
}

const fn preshared(name: &'static str) -> Key {
    Key {
        name,
        section: Section::Peer,
    }
}

const PRIVATE_FILE: Key = private("PrivateKeyFile");
const PRIVATE_CREDENTIAL: Key = private("PrivateKeyCredential");
const PRIVATE_COMMAND: Key = private("PrivateKeyCommand");
const PRESHARED_FILE: Key = preshared("PresharedKeyFile");
const PRESHARED_CREDENTIAL: Key = preshared("PresharedKeyCredential");
const PRESHARED_COMMAND: Key = preshared("PresharedKeyCommand");

/// The names in a file.
pub(super) const KEY_SOURCES: [Key; 6] = [
    PRIVATE_FILE,
    PRIVATE_CREDENTIAL,
    PRIVATE_COMMAND,
    PRESHARED_FILE,
    PRESHARED_CREDENTIAL,
    PRESHARED_COMMAND,
];

/// The names have this to be longer than, with the key that they stand for.
const PREFIXES: [&str; 2] = ["PrivateKey", "PresharedKey"];

impl KeySource {
    /// The source that a name of [`KEY_SOURCES`] and its value stand for.
    pub(super) fn new(key: Key, value: Line) -> Self {
        if is_command(key) {
            Self::Command(value)
        } else if key == PRIVATE_CREDENTIAL || key == PRESHARED_CREDENTIAL {
            Self::Credential(value)
        } else {
            Self::File(value)
        }
    }

    /// The name under which it stands in a section.
    #[must_use]
    pub const fn key(&self, section: Section) -> Key {
        match (section, self) {
            (Section::Interface, Self::File(_)) => PRIVATE_FILE,
            (Section::Interface, Self::Credential(_)) => PRIVATE_CREDENTIAL,
            (Section::Interface, Self::Command(_)) => PRIVATE_COMMAND,
            (Section::Peer, Self::File(_)) => PRESHARED_FILE,
            (Section::Peer, Self::Credential(_)) => PRESHARED_CREDENTIAL,
            (Section::Peer, Self::Command(_)) => PRESHARED_COMMAND,
        }
    }

    /// What was written.
    #[must_use]
    pub const fn value(&self) -> &Line {
        match self {
            Self::File(value) | Self::Credential(value) | Self::Command(value) => value,
        }
    }

    /// The line of a file, without its newline.
    #[must_use]
    pub fn line(&self, section: Section) -> String {
        format!("{} = {}", self.key(section).name, self.value())
    }
}

/// Whether the value of this name goes on behind a `#`.
pub(super) fn is_command(key: Key) -> bool {
    key == PRIVATE_COMMAND || key == PRESHARED_COMMAND
}

/// Whether this can be the name of a credential: that of a file, without a folder.
pub(super) fn is_credential_name(name: &str) -> bool {
    const NAME_MAX: usize = 255;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
    name.len() <= NAME_MAX && name != "." && name != ".." && name.bytes().all(is_plain)
}

/// A key that a file wants to have read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Under which name.
    pub key: Key,
    /// Where the source stands in the file.
    pub span: Span,
    /// The source.
    pub source: &'a KeySource,
    /// The peer that it is the pre-shared key of; none: it is the private key.
    pub peer: Option<&'a PublicKey>,
}

impl Config {
    /// The keys that are to be read from elsewhere, in the order of the file.
    pub fn wanted_keys(&self) -> impl Iterator<Item = Wanted<'_>> {
        let private = self.interface.private_key_source.as_ref();
        let preshared = self.peers.iter().filter_map(|peer| {
            let source = peer.preshared_key_source.as_ref()?;
            Some(wanted(source, Some(&peer.public_key.value)))
        });
        let mut all: Vec<_> = private
            .map(|source| wanted(source, None))
            .into_iter()
            .chain(preshared)
            .collect();
        all.sort_by_key(|wanted| wanted.span);
        all.into_iter()
    }
}

fn wanted<'a>(source: &'a Spanned<KeySource>, peer: Option<&'a PublicKey>) -> Wanted<'a> {
    let section = match peer {
        None => Section::Interface,
        Some(_) => Section::Peer,
    };
    Wanted {
        key: source.key(section),
        span: source.span,
        source: &source.value,
        peer,
    }
}

/// Whether a line of the text begins like one that says where a key is, be it right or wrong.
#[must_use]
pub fn names_key_sources(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| {
        let name: Vec<u8> = line
            .iter()
            .copied()
            .take_while(|&byte| byte != b'=' && byte != b'#')
            .filter(|byte| byte.is_ascii_alphabetic())
            .collect();
        let mut keys = KEY_SOURCES.iter();
        keys.any(|key| name.eq_ignore_ascii_case(key.name.as_bytes()))
    })
}

/// Puts `PrivateKey = …` and `PresharedKey = …` in the places of the lines that say where the
/// keys are, with what `read` gives. None if there is no such line, or if the text is no config
/// file: then whoever reads it next says why.
///
/// # Errors
///
/// The first one of `read`.
pub fn with_keys<E>(
    text: &[u8],
    dialect: Dialect,
    mut read: impl FnMut(Wanted<'_>) -> Result<KeyText<BASE64_LEN>, E>,
) -> Result<Option<Zeroizing<Vec<u8>>>, E> {
    if !names_key_sources(text) {
        return Ok(None);
    }
    let Ok(parsed) = parse(text, dialect) else {
        return Ok(None);
    };
    let mut keys = Vec::new();
    for wanted in parsed.config.wanted_keys() {
        keys.push((wanted.span.line, wanted.key.section, read(wanted)?));
    }
    let mut keys = keys.into_iter().peekable();
    // Room for all of it, so that no copy of a key is left where the text grew.
    let room = text.len() + keys.len() * (BASE64_LEN + PREFIXES[1].len() + " = ".len()) + 1;
    let mut filled = Zeroizing::new(Vec::with_capacity(room));
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        if number > 1 {
            filled.push(b'\n');
        }
        match keys.next_if(|(at, ..)| *at == number) {
            None => filled.extend_from_slice(line),
            Some((_, section, key)) => {
                let name = match section {
                    Section::Interface => PREFIXES[0],
                    Section::Peer => PREFIXES[1],
                };
                filled.extend_from_slice(name.as_bytes());
                filled.extend_from_slice(b" = ");
                filled.extend_from_slice(key.as_bytes());
            }
        }
    }
    Ok(Some(filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Problem;
    use crate::key::PrivateKey;

    const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    const PEER: &str = "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

    fn config(text: &str) -> Config {
        parse(text.as_bytes(), Dialect::Quick).unwrap().config
    }

    fn source(line: &str) -> KeySource {
        let config = config(&format!("[Interface]\n{line}\n"));
        config.interface.private_key_source.unwrap().value
    }

    fn messages(text: &str, dialect: Dialect) -> Vec<String> {
        let error = parse(text.as_bytes(), dialect).unwrap_err();
        error
            .diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_value_keeps_its_blanks_and_a_command_its_hash_sign() {
        let line = |text: &str| Line::new(text).unwrap();
        assert_eq!(
            source("privatekeyFILE =  /a b/wg0.key # old\r"),
            KeySource::File(line("/a b/wg0.key"))
        );
        assert_eq!(
            source(" PrivateKeyCommand=pass show wg/%i # first line "),
            KeySource::Command(line("pass show wg/%i # first line"))
        );
        assert_eq!(
            source("PrivateKeyCredential = wg0.key"),
            KeySource::Credential(line("wg0.key"))
        );
    }

    #[test]
    fn a_peer_has_a_source_of_its_own() {
        let config = config(&format!("{PEER}\nPresharedKeyFile = psk\n"));
        let wanted: Vec<_> = config.wanted_keys().collect();
        assert_eq!(wanted[0].key.name, "PresharedKeyFile");
        assert_eq!(wanted[0].span.to_string(), "3:20");
        assert_eq!(wanted[0].peer, Some(&config.peers[0].public_key.value));
    }

    #[test]
    fn one_key_has_one_source() {
        let second = "PrivateKeyFile has a key that has been named before, on line 2";
        for first in [
            format!("PrivateKey = {KEY}"),
            "PrivateKeyFile = a".to_owned(),
            "PrivateKeyCommand = a".to_owned(),
        ] {
            let text = format!("[Interface]\n{first}\nPrivateKeyFile = b\n");
            for dialect in [Dialect::Quick, Dialect::Wg] {
                let found = messages(&text, dialect);
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].starts_with(&format!("3:1: {second}")), "{found:?}");
            }
        }
        let text = format!("[Interface]\nPrivateKeyFile = a\nPrivateKey = {KEY}\n");
        let found = messages(&text, Dialect::Wg);
        assert!(
            found[0].starts_with("3:1: PrivateKey has a key"),
            "{found:?}"
        );
        assert!(!found[0].contains(&KEY[..6]), "{found:?}");
        let text = format!("{PEER}\nPresharedKeyFile = a\nPresharedKeyFile = a\n");
        assert!(messages(&text, Dialect::Wg)[0].starts_with("4:1: "));
        // Another peer's is another key.
        config(&format!(
            "{PEER}\nPresharedKeyFile = a\n{PEER}\nPresharedKeyFile = a\n"
        ));
    }

    #[test]
    fn what_is_no_source_is_refused_in_the_standard_way_too() {
        for (line, part) in [
            ("PrivateKeyFile =", "has no value"),
            (
                "PrivateKeyCredential = a/b",
                "`a/b` is no credential's name",
            ),
            ("PrivateKeyCredential = ..", "`..` is no credential's name"),
            ("PresharedKeyFile = a", "does not belong in this section"),
        ] {
            let text = format!("[Interface]\n{line}\n");
            let error = parse(text.as_bytes(), Dialect::Wg).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            let standard = error.standard_message();
            assert!(
                standard.ends_with("\nConfiguration parsing error\n"),
                "{}",
                *standard
            );
        }
        let parsed = parse(b"[Interface]\nPrivateKeyFile = \xff\n", Dialect::Wg);
        let problem = parsed.unwrap_err().diagnostics()[0].problem.clone();
        assert!(matches!(problem, Problem::Text(_)), "{problem:?}");
    }

    #[test]
    fn keys_take_the_places_of_their_sources() {
        let text = format!(
            "# top\n[Interface]\n  Private KeyFile = wg0.key # there\nListenPort = 1\n{PEER}\n\
             PresharedKeyCommand = echo '#'"
        );
        let mut asked = Vec::new();
        let filled = with_keys(text.as_bytes(), Dialect::Wg, |wanted| {
            asked.push(wanted.source.value().to_string());
            PrivateKey::from_base64(KEY).map(|key| key.to_base64())
        });
        let filled = filled.unwrap().unwrap();
        assert_eq!(asked, ["wg0.key", "echo '#'"]);
        assert_eq!(
            std::str::from_utf8(&filled).unwrap(),
            format!(
                "# top\n[Interface]\nPrivateKey = {KEY}\nListenPort = 1\n{PEER}\nPresharedKey = {KEY}"
            )
        );
    }

    #[test]
    fn other_files_stay_as_they_are() {
        for text in [
            format!("[Interface]\nPrivateKey = {KEY}\n"),
            "[Interface]\nPrivateKeyFile = a\nnonsense\n".to_owned(),
            "# PrivateKeyFile = a\n".to_owned(),
        ] {
            let filled = with_keys(text.as_bytes(), Dialect::Quick, |_| Err("asked"));
            assert_eq!(filled, Ok(None));
        }
        assert!(names_key_sources(b"x\nPresharedKeyFile"));
        assert!(!names_key_sources(b"PrivateKey = PrivateKeyFile="));
        let failed = with_keys(b"[Interface]\nPrivateKeyFile = a\n", Dialect::Quick, |_| {
            Err("not there")
        });
        assert_eq!(failed, Err("not there"));
    }

    #[test]
    fn a_printed_source_reads_back() {
        let text = format!(
            "[Interface]\nPrivateKeyCommand = a # b\n\n{PEER}\nPresharedKeyCredential = c\n"
        );
        let config = config(&text);
        assert_eq!(*config.print(), text);
        assert!(config.check(None).is_empty(), "{:?}", config.check(None));
    }
}

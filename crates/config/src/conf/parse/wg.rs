//! The lines that wg(8) reads.

use zeroize::Zeroizing;

use super::{Draft, DraftKey, Parser, Place};
use crate::conf::diagnostic::{Diagnostic, Key, Problem, Quoted, Section, Unrecognized};
use crate::conf::key_source::KEY_SOURCES;
use crate::conf::line::{RawLine, StrippedLine};
use crate::conf::parse::quick::QUICK_KEYS;
use crate::conf::span::{Span, Spanned};
use crate::endpoint::Endpoint;
use crate::key::{KeyError, PresharedKey, PrivateKey, PublicKey};
use crate::port;
use crate::raw;
use crate::setting::{self, BadValue, SettingError};

const fn interface(name: &'static str) -> Key {
    Key {
        name,
        section: Section::Interface,
    }
}

const fn peer(name: &'static str) -> Key {
    Key {
        name,
        section: Section::Peer,
    }
}

const PRIVATE_KEY: Key = interface("PrivateKey");
const LISTEN_PORT: Key = interface("ListenPort");
const FWMARK: Key = interface("FwMark");
const PUBLIC_KEY: Key = peer("PublicKey");
const PRESHARED_KEY: Key = peer("PresharedKey");
const ALLOWED_IPS: Key = peer("AllowedIPs");
const ENDPOINT: Key = peer("Endpoint");
const PERSISTENT_KEEPALIVE: Key = peer("PersistentKeepalive");

const WG_KEYS: [Key; 8] = [
    PRIVATE_KEY,
    LISTEN_PORT,
    FWMARK,
    PUBLIC_KEY,
    PRESHARED_KEY,
    ALLOWED_IPS,
    ENDPOINT,
    PERSISTENT_KEEPALIVE,
];

/// The longest name of an unknown key that a message shows: too short for a key's text.
const SHOWN_NAME_LIMIT: usize = 24;

impl Parser {
    pub(super) fn wg_line(&mut self, raw: RawLine<'_>) {
        let line = raw.stripped();
        let text: &[u8] = &line.bytes;
        if text.is_empty() {
            return;
        }
        if text.starts_with(b"[") {
            return self.section(&line);
        }
        let Place::In(section) = self.place else {
            return self.unrecognized(&line);
        };
        match key_and_value(text).filter(|(key, _)| key.section == section) {
            Some((key, start)) => {
                if let Some(first) = self.earlier_source(key) {
                    self.error(line.span(0), Problem::SecondKeySource { key, first });
                } else if KEY_SOURCES.contains(&key) {
                    self.key_source(key, raw);
                } else {
                    self.setting(key, &Value { line: &line, start });
                }
            }
            None => self.unrecognized(&line),
        }
    }

    fn section(&mut self, line: &StrippedLine) {
        let span = line.span(0);
        if line.bytes.eq_ignore_ascii_case(b"[Interface]") {
            self.place = Place::In(Section::Interface);
            self.interface.section.get_or_insert(span);
        } else if line.bytes.eq_ignore_ascii_case(b"[Peer]") {
            self.place = Place::In(Section::Peer);
            self.peers.push(Draft::new(span));
        } else {
            self.place = Place::Lost;
            self.refuse(line, Unrecognized::UnknownSection);
        }
    }

    fn setting(&mut self, key: Key, value: &Value<'_>) {
        let result = match key.section {
            Section::Interface => self.interface_setting(key, value),
            Section::Peer => self.peer_setting(key, value),
        };
        if let Err((offset, bad)) = result {
            if key == PUBLIC_KEY
                && let Some(draft) = self.peers.last_mut()
                && draft.key == DraftKey::Missing
            {
                draft.key = DraftKey::Bad;
            }
            self.error(value.span(offset), Problem::Value(key, bad));
        }
    }

    fn interface_setting(&mut self, key: Key, value: &Value<'_>) -> Result<(), (usize, BadValue)> {
        let text = value.text();
        let span = value.span(0);
        if key == PRIVATE_KEY {
            let key = value.key(PrivateKey::from_base64)?;
            self.interface.private_key = Some(Spanned::new(key, span));
        } else if key == LISTEN_PORT {
            let port = port::parse(&text)
                .map_err(|error| (0, BadValue::new(SettingError::Port(error), &text)))?;
            self.interface.listen_port = Some(Spanned::new(port, span));
        } else if key == FWMARK {
            let mark = setting::fwmark(&text).map_err(|bad| (0, bad))?;
            self.interface.fwmark = Some(Spanned::new(mark, span));
        }
        Ok(())
    }

    fn peer_setting(&mut self, key: Key, value: &Value<'_>) -> Result<(), (usize, BadValue)> {
        if key == ALLOWED_IPS {
            return self.allowed_ips(value);
        }
        if key == ENDPOINT {
            return self.endpoint(value);
        }
        let Some(draft) = self.peers.last_mut() else {
            return Ok(());
        };
        let span = value.span(0);
        if key == PUBLIC_KEY {
            draft.peer.public_key = Spanned::new(value.key(PublicKey::from_base64)?, span);
            draft.key = DraftKey::Known;
        } else if key == PRESHARED_KEY {
            let key = value.key(PresharedKey::from_base64)?;
            draft.peer.preshared_key = Some(Spanned::new(key, span));
        } else if key == PERSISTENT_KEEPALIVE {
            let seconds = setting::persistent_keepalive(&value.text()).map_err(|bad| (0, bad))?;
            draft.peer.persistent_keepalive = Some(Spanned::new(seconds, span));
        }
        Ok(())
    }

    fn endpoint(&mut self, value: &Value<'_>) -> Result<(), (usize, BadValue)> {
        let text = value.text();
        let span = value.span(0);
        let endpoint = Endpoint::parse(&text)
            .map_err(|error| (0, BadValue::new(SettingError::Endpoint(error), &text)))?;
        if let Some(draft) = self.peers.last_mut() {
            let before = draft.peer.endpoint.replace(Spanned::new(endpoint, span));
            self.replaced_endpoints.extend(before);
        }
        Ok(())
    }

    fn allowed_ips(&mut self, value: &Value<'_>) -> Result<(), (usize, BadValue)> {
        let Some(draft) = self.peers.last_mut() else {
            return Ok(());
        };
        let allowed_ips = &mut draft.peer.allowed_ips;
        // Every line starts over; what earlier lines have listed stays listed.
        allowed_ips.replace = true;
        for listed in setting::allowed_ips(&value.text()) {
            let listed = listed?;
            let span = value.span(listed.offset);
            allowed_ips.replace &= !listed.signed;
            allowed_ips.entries.push(Spanned::new(listed.entry, span));
            let prefix = listed.entry.prefix;
            if prefix.has_host_bits() {
                let written = listed.written.to_owned();
                let problem = Problem::HostBits { prefix, written };
                self.warnings.push(Diagnostic::new(span, problem));
            }
        }
        Ok(())
    }

    fn unrecognized(&mut self, line: &StrippedLine) {
        if self.place != Place::Lost {
            let reason = self.reason(&line.bytes);
            self.refuse(line, reason);
        }
    }

    fn refuse(&mut self, line: &StrippedLine, reason: Unrecognized) {
        let text = Quoted(Zeroizing::new(raw::decode(&line.bytes).into_owned()));
        self.error(line.span(0), Problem::Unrecognized(reason, text));
    }

    fn reason(&self, line: &[u8]) -> Unrecognized {
        let Some(equals) = line.iter().position(|&byte| byte == b'=') else {
            return Unrecognized::NoEquals;
        };
        let name = &line[..equals];
        let known = all_keys().find(|key| name.eq_ignore_ascii_case(key.name.as_bytes()));
        match (known, self.place) {
            (Some(key), Place::Start) => Unrecognized::NoSection(key),
            (Some(key), Place::In(section)) if key.section != section => {
                Unrecognized::OtherSection(key)
            }
            (Some(key), _) if equals + 1 == line.len() => Unrecognized::NoValue(key),
            _ => {
                let shown = std::str::from_utf8(name).ok();
                let shown = shown.filter(|name| (1..=SHOWN_NAME_LIMIT).contains(&name.len()));
                let alike = shown.and_then(similar_key);
                Unrecognized::UnknownKey(shown.map(str::to_owned), alike)
            }
        }
    }
}

/// The value of a line: what follows its `=`.
struct Value<'a> {
    line: &'a StrippedLine,
    start: usize,
}

impl Value<'_> {
    fn bytes(&self) -> &[u8] {
        self.line.bytes.get(self.start..).unwrap_or_default()
    }

    /// The value as text. Bytes that are none come out as characters that no value has.
    fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(raw::decode(self.bytes()).into_owned())
    }

    fn span(&self, offset: usize) -> Span {
        self.line.span(self.start.saturating_add(offset))
    }

    fn key<'v, K>(
        &'v self,
        decode: impl FnOnce(&'v [u8]) -> Result<K, KeyError>,
    ) -> Result<K, (usize, BadValue)> {
        decode(self.bytes())
            .map_err(|error| (0, BadValue::new(SettingError::Key(error), &self.text())))
    }
}

/// Finds `Key=` at the start of a line with at least one character after it.
fn key_and_value(line: &[u8]) -> Option<(Key, usize)> {
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let key = WG_KEYS
        .iter()
        .chain(&KEY_SOURCES)
        .find(|key| line[..equals].eq_ignore_ascii_case(key.name.as_bytes()))?;
    (equals + 1 < line.len()).then_some((*key, equals + 1))
}

fn all_keys() -> impl Iterator<Item = Key> {
    WG_KEYS
        .into_iter()
        .chain(KEY_SOURCES)
        .chain(QUICK_KEYS.into_iter().map(interface))
}

/// The key that somebody may have meant: a few letters away.
fn similar_key(name: &str) -> Option<Key> {
    const FAR: usize = 3;
    all_keys()
        .map(|key| {
            (
                distance(&name.to_ascii_lowercase(), &key.name.to_ascii_lowercase()),
                key,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, key)| *distance < FAR && *distance * 2 < key.name.len())
        .map(|(_, key)| key)
}

/// The edit distance of Levenshtein.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, from) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, to) in to.chars().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_likely_meaning() {
        assert_eq!(similar_key("AllowedIP"), Some(ALLOWED_IPS));
        assert_eq!(similar_key("listenport"), Some(LISTEN_PORT));
        assert_eq!(similar_key("Adress"), Some(interface("Address")));
        assert_eq!(similar_key("Foo"), None);
        assert_eq!(similar_key("D"), None);
    }
}

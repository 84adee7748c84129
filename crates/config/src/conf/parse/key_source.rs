//! The lines that say where a key is.

use super::Parser;
use crate::conf::diagnostic::{Key, Problem, Section};
use crate::conf::key_source::{self, KeySource};
use crate::conf::line::{RawLine, trimmed};
use crate::conf::span::{Span, Spanned};
use crate::raw;
use crate::text::Line;

impl Parser {
    /// Takes a line in whose name is one of those that say where a key is. Its blanks count.
    pub(super) fn key_source(&mut self, key: Key, line: RawLine<'_>) {
        let visible = line.before_comment();
        let start = visible.iter().position(|&byte| byte == b'=');
        let start = start.map_or(visible.len(), |equals| equals + 1);
        let text = if key_source::is_command(key) {
            line.bytes
        } else {
            visible
        };
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let (blanks, value) = trimmed(text.get(start..).unwrap_or_default());
        let span = line.span(start + blanks);
        let Ok(text) = Line::new(&*raw::decode(value)) else {
            return self.error(span, Problem::Text(key));
        };
        let source = KeySource::new(key, text);
        if let KeySource::Credential(name) = &source
            && !key_source::is_credential_name(name)
        {
            return self.error(span, Problem::CredentialName(key, name.to_string()));
        }
        let source = Some(Spanned::new(source, span));
        match key.section {
            Section::Interface => self.interface.private_key_source = source,
            Section::Peer => {
                if let Some(draft) = self.peers.last_mut() {
                    draft.peer.preshared_key_source = source;
                }
            }
        }
    }

    /// Where the key has been named before that the key of this line names. A key that is only
    /// written more than once is the standard tools' business: there the last one counts.
    pub(super) fn earlier_source(&self, key: Key) -> Option<Span> {
        let (written, source) = match key.name {
            "PublicKey" => return None,
            _ if key.section == Section::Interface => {
                let interface = &self.interface;
                let written = interface.private_key.as_ref().map(|key| key.span);
                (written, interface.private_key_source.as_ref())
            }
            _ => {
                let peer = &self.peers.last()?.peer;
                let written = peer.preshared_key.as_ref().map(|key| key.span);
                (written, peer.preshared_key_source.as_ref())
            }
        };
        let source = source.map(|source| source.span);
        match key.name {
            "PrivateKey" | "PresharedKey" => source,
            _ if key_source::KEY_SOURCES.contains(&key) => source.or(written),
            _ => None,
        }
    }
}

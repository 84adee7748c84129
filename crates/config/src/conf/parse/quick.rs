//! The lines that wg-quick(8) keeps for itself.

use super::Parser;
use crate::conf::diagnostic::{Key, Problem, Section};
use crate::conf::line::{RawLine, trimmed};
use crate::conf::span::Spanned;
use crate::conf::value::{Dns, InterfaceAddress, Table};
use crate::inet;
use crate::raw;
use crate::text::{Line, Word};

/// The keys, in their proper spelling.
pub(super) const QUICK_KEYS: [&str; 9] = [
    "Address",
    "DNS",
    "MTU",
    "Table",
    "PreUp",
    "PostUp",
    "PreDown",
    "PostDown",
    "SaveConfig",
];

/// A setting of wg-quick(8)'s: where its value stands in the line.
struct Setting<'a> {
    key: Key,
    line: RawLine<'a>,
    offset: usize,
    value: &'a [u8],
}

impl Parser {
    /// Tells whether the line was wg-quick's, and not wg's.
    pub(super) fn quick_line(&mut self, line: RawLine<'_>) -> bool {
        let visible = line.before_comment();
        let equals = visible.iter().position(|&byte| byte == b'=');
        let (_, name) = trimmed(&visible[..equals.unwrap_or(visible.len())]);
        if name.starts_with(b"[") {
            self.in_quick_interface = name.eq_ignore_ascii_case(b"[Interface]");
        }
        let known = QUICK_KEYS
            .iter()
            .find(|key| name.eq_ignore_ascii_case(key.as_bytes()));
        let Some(name) = known.filter(|_| self.in_quick_interface) else {
            return false;
        };
        // A hook's value goes on behind a `#`. Without a `=` the name is its own value.
        let source = if is_hook(name) && equals.is_some() {
            line.bytes
        } else {
            visible
        };
        let start = equals.map_or(0, |equals| equals + 1);
        let (blanks, value) = trimmed(&source[start..]);
        let key = Key {
            name,
            section: Section::Interface,
        };
        self.quick_setting(&Setting {
            key,
            line,
            offset: start + blanks,
            value,
        });
        true
    }

    fn quick_setting(&mut self, setting: &Setting<'_>) {
        let span = setting.line.span(setting.offset);
        if std::str::from_utf8(setting.value).is_err() {
            return self.error(span, Problem::Text(setting.key));
        }
        // UTF-8 too may have the characters that stand for bytes; all text has one form.
        let text = &*raw::decode(setting.value);
        match setting.key.name {
            "Address" => self.addresses(setting, text),
            "DNS" => self.dns(setting, text),
            "SaveConfig" => match text {
                text if text.eq_ignore_ascii_case("true") => {
                    self.interface.save_config = Some(Spanned::new(true, span));
                }
                text if text.eq_ignore_ascii_case("false") => {
                    self.interface.save_config = Some(Spanned::new(false, span));
                }
                text => self.error(span, Problem::SaveConfig(text.to_owned())),
            },
            // An empty value is as good as none, and undoes an earlier one.
            "MTU" if text.is_empty() => self.interface.mtu = None,
            "MTU" => match inet::c_number(text) {
                Some(mtu) => self.interface.mtu = Some(Spanned::new(mtu, span)),
                None => self.error(span, Problem::Mtu(text.to_owned())),
            },
            "Table" if text.is_empty() => self.interface.table = None,
            "Table" => match Table::parse(text) {
                Some(table) => self.interface.table = Some(Spanned::new(table, span)),
                None => self.error(span, Problem::Table(text.to_owned())),
            },
            _ => self.hook(setting, text),
        }
    }

    fn addresses(&mut self, setting: &Setting<'_>, text: &str) {
        for (offset, word) in words(text) {
            let span = setting.line.span(setting.offset + offset);
            match InterfaceAddress::parse(word) {
                Some(address) => self.interface.addresses.push(Spanned::new(address, span)),
                None => self.error(span, Problem::Address(word.to_owned())),
            }
        }
    }

    fn dns(&mut self, setting: &Setting<'_>, text: &str) {
        for (offset, word) in words(text) {
            let span = setting.line.span(setting.offset + offset);
            match Word::new(word) {
                Ok(word) => self.interface.dns.push(Spanned::new(Dns::new(word), span)),
                Err(_) => self.error(span, Problem::Text(setting.key)),
            }
        }
    }

    fn hook(&mut self, setting: &Setting<'_>, text: &str) {
        let span = setting.line.span(setting.offset);
        let hooks = match setting.key.name {
            "PreUp" => &mut self.interface.pre_up,
            "PostUp" => &mut self.interface.post_up,
            "PreDown" => &mut self.interface.pre_down,
            _ => &mut self.interface.post_down,
        };
        match Line::new(text) {
            Ok(command) => hooks.push(Spanned::new(command, span)),
            // An empty command does nothing.
            Err(_) if text.is_empty() => {}
            Err(_) => self.error(span, Problem::Text(setting.key)),
        }
    }
}

fn is_hook(key: &str) -> bool {
    matches!(key, "PreUp" | "PostUp" | "PreDown" | "PostDown")
}

/// The words of a list, and where they start. Bash splits at spaces and tabs, and commas have
/// become spaces before.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split([' ', '\t', ',']).filter_map(move |word| {
        let offset = next;
        next += word.len() + 1;
        (!word.is_empty()).then_some((offset, word))
    })
}

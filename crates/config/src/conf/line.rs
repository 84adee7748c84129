//! One line of a file, and where its characters stood before blanks were taken out.

use zeroize::Zeroizing;

use crate::conf::span::Span;
use crate::key_file::is_blank;

/// A line as it stands in the file, without its newline.
#[derive(Clone, Copy)]
pub(super) struct RawLine<'a> {
    /// Its number, from 1.
    pub(super) number: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> RawLine<'a> {
    /// The place of a byte.
    pub(super) fn span(&self, offset: usize) -> Span {
        let before = self.bytes.get(..offset).unwrap_or(self.bytes);
        let characters = before
            .iter()
            .filter(|&&byte| starts_character(byte))
            .count();
        Span {
            line: self.number,
            column: column(characters),
        }
    }

    /// The line up to its comment.
    pub(super) fn before_comment(&self) -> &'a [u8] {
        let end = self.bytes.iter().position(|&byte| byte == b'#');
        &self.bytes[..end.unwrap_or(self.bytes.len())]
    }

    /// The line as wg(8) sees it: up to its comment or a NUL, all blanks taken out.
    pub(super) fn stripped(&self) -> StrippedLine {
        let mut stripped = StrippedLine {
            number: self.number,
            bytes: Zeroizing::new(Vec::with_capacity(self.bytes.len())),
            characters: Vec::new(),
        };
        let mut characters = 0;
        for &byte in self.before_comment().iter().take_while(|&&byte| byte != 0) {
            characters += usize::from(starts_character(byte));
            if !is_blank(byte) {
                stripped.bytes.push(byte);
                stripped
                    .characters
                    .push(column(characters.saturating_sub(1)));
            }
        }
        stripped
    }
}

/// A line without comment and blanks. May hold a key.
pub(super) struct StrippedLine {
    number: u32,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The column of every byte.
    characters: Vec<u32>,
}

impl StrippedLine {
    /// The place of a byte. Behind the end: that of the last one.
    pub(super) fn span(&self, offset: usize) -> Span {
        let column = self
            .characters
            .get(offset)
            .or_else(|| self.characters.last());
        Span {
            line: self.number,
            column: column.copied().unwrap_or(1),
        }
    }
}

/// Takes the blanks off both ends. Gives the text and where it starts.
pub(super) fn trimmed(text: &[u8]) -> (usize, &[u8]) {
    let start = text
        .iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|&byte| !is_blank(byte))
        .map_or(start, |last| last + 1);
    (start, &text[start..end])
}

/// Whether this is no continuation byte of UTF-8.
const fn starts_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

fn column(characters_before: usize) -> u32 {
    u32::try_from(characters_before).map_or(u32::MAX, |count| count.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_comments_go_and_columns_stay() {
        let line = RawLine {
            number: 7,
            bytes: "\té Key =\x0b v\r# c".as_bytes(),
        };
        let stripped = line.stripped();
        assert_eq!(stripped.bytes.as_slice(), "éKey=v".as_bytes());
        assert_eq!(stripped.span(0), Span { line: 7, column: 2 });
        assert_eq!(stripped.span(2), Span { line: 7, column: 4 });
        assert_eq!(
            stripped.span(6),
            Span {
                line: 7,
                column: 11
            }
        );
        assert_eq!(stripped.span(100), stripped.span(6));
        assert_eq!(line.span(4), Span { line: 7, column: 4 });
    }

    #[test]
    fn wg_sees_nothing_behind_a_nul() {
        let line = RawLine {
            number: 1,
            bytes: b"a=1\0b",
        };
        assert_eq!(line.stripped().bytes.as_slice(), b"a=1");
    }

    #[test]
    fn trimming() {
        assert_eq!(trimmed(b" \ta b\r"), (2, &b"a b"[..]));
        assert_eq!(trimmed(b"  "), (2, &b""[..]));
        assert_eq!(trimmed(b""), (0, &b""[..]));
    }
}

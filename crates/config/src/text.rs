//! Text that keeps its place in a line-oriented file.
//!
//! A config file has no quoting, so a value with a newline in it would be two lines, the second
//! one of somebody's choosing. These types cannot hold one.

use std::fmt;
use std::ops::Deref;

use crate::raw;

/// A piece of text cannot stand in the place it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError;

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("empty, or with a character that a config file cannot hold here")
    }
}

impl std::error::Error for TextError {}

/// A command or other text to the end of its line: not empty, no newline, no NUL, no blanks
/// around it. A `#` in it is part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line(Box<str>);

impl Line {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// [`TextError`] if it is empty, has blanks around it, or holds a newline, a NUL or a
    /// character that would be no such text in a file, where it stands for a byte
    /// ([`crate::raw`]).
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, TextError> {
        let text = text.into();
        let blank = |edge: Option<u8>| edge.is_none_or(crate::key_file::is_blank);
        let bytes = text.as_bytes();
        if blank(bytes.first().copied())
            || blank(bytes.last().copied())
            || bytes.iter().any(|byte| matches!(byte, b'\n' | 0))
            || !raw::is_text(&text)
        {
            return Err(TextError);
        }
        Ok(Self(text))
    }
}

/// One word of a list: not empty, and without blanks, commas, `#` and NUL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word(Box<str>);

impl Word {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// [`TextError`] if it is empty or holds one of the characters that a word may not, or one
    /// that would be no such text in a file, where it stands for a byte ([`crate::raw`]).
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, TextError> {
        let text = text.into();
        let breaks =
            |byte: &u8| crate::key_file::is_blank(*byte) || matches!(byte, b',' | b'#' | 0);
        if text.is_empty() || text.as_bytes().iter().any(breaks) || !raw::is_text(&text) {
            return Err(TextError);
        }
        Ok(Self(text))
    }
}

macro_rules! as_text {
    ($text:ident) => {
        impl Deref for $text {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

as_text!(Line);
as_text!(Word);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(&*Line::new("echo a # b").unwrap(), "echo a # b");
        for bad in [
            "",
            " ",
            " a",
            "a\r",
            "a\nb",
            "a\0b",
            "a\u{10ff0a}b",
            "\u{10ffff}",
        ] {
            assert_eq!(Line::new(bad), Err(TextError), "{bad:?}");
        }
    }

    #[test]
    fn a_word_is_one_word() {
        assert_eq!(&*Word::new("fe80::1%eth0").unwrap(), "fe80::1%eth0");
        for bad in [
            "",
            "a b",
            "a,b",
            "a#b",
            "a\nb",
            "a\0",
            "a\x0b",
            "a\u{10ff2c}b",
            "\u{10ffff}",
        ] {
            assert_eq!(Word::new(bad), Err(TextError), "{bad:?}");
        }
    }
}

//! JSON, as far as it is written here.

use std::io::{self, Write};

use crate::raw;

/// Writes a string by RFC 8259, section 7. A byte that is no text ([`raw`]) becomes the replacement
/// character.
///
/// # Errors
///
/// Those of the writer.
pub fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(out, "\\{char}")?,
            '\0'..='\x1f' | '\x7f' => write!(out, "\\u{:04x}", u32::from(char))?,
            char if raw::byte_of(char).is_some() => out.write_all("\u{fffd}".as_bytes())?,
            char => out.write_all(char.encode_utf8(&mut [0; 4]).as_bytes())?,
        }
    }
    out.write_all(b"\"")
}

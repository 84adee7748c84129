//! Bytes that are no text, in text.
//!
//! Everything here parses text, but command lines and files may hold any bytes, and the standard
//! tools quote them back as they are. So [`decode`] keeps a byte that is not UTF-8 as a character
//! that no value may contain, and [`encode`] turns it back.

use std::borrow::Cow;

/// The first of the 256 characters that stand for bytes: the end of Plane 16, private use.
const FIRST: u32 = 0x10_ff00;

/// The text of these bytes.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_stand_in)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(2 * bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if is_stand_in(char) {
                let mut buffer = [0; 4];
                text.extend(char.encode_utf8(&mut buffer).bytes().filter_map(stand_in));
            } else {
                text.push(char);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(stand_in));
    }
    Cow::Owned(text)
}

/// The bytes that [`decode`] made the text of.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(is_stand_in) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match byte_of(char) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Whether [`decode`] made this text, or could have: it comes back from a file as it went in.
///
/// Other text has a character of the 256 that stands for no byte here. In a file it would become
/// a newline, say, or a part of a letter.
pub(crate) fn is_decoded(text: &str) -> bool {
    !text.contains(is_stand_in) || decode(&encode(text)) == text
}

/// Whether this is [`decode`]d text whose bytes are UTF-8 altogether.
pub(crate) fn is_text(text: &str) -> bool {
    is_decoded(text) && std::str::from_utf8(&encode(text)).is_ok()
}

/// The byte that a character stands for.
pub(crate) fn byte_of(char: char) -> Option<u8> {
    u8::try_from(u32::from(char).checked_sub(FIRST)?).ok()
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

fn is_stand_in(char: char) -> bool {
    byte_of(char).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_itself() {
        assert!(matches!(decode("é €".as_bytes()), Cow::Borrowed("é €")));
        assert!(matches!(encode("é €"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_character_that_stands_for_a_byte_is_no_text() {
        let own = "\u{10ff41}";
        assert_ne!(decode(own.as_bytes()), own);
        assert_eq!(&*encode(&decode(own.as_bytes())), own.as_bytes());
    }

    #[test]
    fn a_character_that_stands_for_no_byte_is_found() {
        for (text, are) in [
            ("é €", (true, true)),
            (&*decode(b"a\xf4\x8f\xbc\x8a"), (true, true)),
            (&*decode(b"a\xff"), (true, false)),
            ("\u{10ff0a}", (false, false)),
            ("\u{10ffc3}\u{10ffa9}", (false, false)),
        ] {
            assert_eq!((is_decoded(text), is_text(text)), are, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn all_bytes_come_back(bytes: Vec<u8>) {
            let text = decode(&bytes);
            prop_assert_eq!(&*encode(&text), bytes.as_slice());
            prop_assert!(is_decoded(&text));
        }

        #[test]
        fn characters_at_the_end_of_unicode_come_back(text in "[a\u{10fefe}-\u{10ffff}]{0,9}") {
            let kept = decode(text.as_bytes());
            prop_assert_eq!(&*encode(&kept), text.as_bytes());
        }
    }
}

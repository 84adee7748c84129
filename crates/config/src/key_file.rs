//! Keys that come alone: in a file (`wg set … private-key FILE`) or on standard input
//! (`wg pubkey`).

use std::fmt;

use crate::key::{BASE64_LEN, KeyError, PresharedKey, PrivateKey};

/// Why a key file or the input of `pubkey` holds no key. The messages are wg(8)'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFileError {
    /// A key file shorter than a key.
    Length,
    /// A key file with this byte after the key and its blanks.
    Trailing(u8),
    /// `pubkey`: anything but blanks after the key.
    TrailingInput,
    /// `pubkey`: too short, or not a key. For a file: not a key.
    Key(KeyError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("Invalid length key in key file"),
            Self::Trailing(byte) => {
                write!(
                    f,
                    "Found trailing character in key file: `{}'",
                    char::from(*byte)
                )
            }
            Self::TrailingInput => f.write_str("Trailing characters found after key"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// The private key in the content of a key file: 44 characters, then blanks only. An empty file
/// is the all-zero key, which removes the device's.
///
/// # Errors
///
/// [`KeyFileError`], with the message of wg(8). For [`KeyFileError::Key`] wg(8) adds the text:
/// ``: `…'``.
pub fn private_key(content: &[u8]) -> Result<PrivateKey, KeyFileError> {
    Ok(match file_text(content)? {
        Some(text) => PrivateKey::from_base64(text).map_err(KeyFileError::Key)?,
        None => PrivateKey::new([0; 32]),
    })
}

/// The pre-shared key in the content of a key file, by the rules of [`private_key`].
///
/// # Errors
///
/// As [`private_key`].
pub fn preshared_key(content: &[u8]) -> Result<PresharedKey, KeyFileError> {
    Ok(match file_text(content)? {
        Some(text) => PresharedKey::from_base64(text).map_err(KeyFileError::Key)?,
        None => PresharedKey::new([0; 32]),
    })
}

/// The private key on the standard input of `wg pubkey`: 44 characters, then blanks and NULs
/// only. What follows the key is judged before the key itself.
///
/// # Errors
///
/// [`KeyFileError::Key`] or [`KeyFileError::TrailingInput`].
pub fn pubkey_input(input: &[u8]) -> Result<PrivateKey, KeyFileError> {
    let Some((text, rest)) = input.split_at_checked(BASE64_LEN) else {
        return Err(KeyFileError::Key(KeyError));
    };
    if rest.iter().any(|&byte| byte != 0 && !is_blank(byte)) {
        return Err(KeyFileError::TrailingInput);
    }
    PrivateKey::from_base64(text).map_err(KeyFileError::Key)
}

fn file_text(content: &[u8]) -> Result<Option<&[u8]>, KeyFileError> {
    if content.is_empty() {
        return Ok(None);
    }
    let (text, rest) = content
        .split_at_checked(BASE64_LEN)
        .ok_or(KeyFileError::Length)?;
    match rest.iter().find(|&&byte| !is_blank(byte)) {
        Some(&byte) => Err(KeyFileError::Trailing(byte)),
        None => Ok(Some(text)),
    }
}

/// C's `isspace` in the C locale.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    fn message(result: Result<PrivateKey, KeyFileError>) -> String {
        result.map_or_else(
            |error| error.to_string(),
            |key| key.to_base64().as_str().to_owned(),
        )
    }

    #[test]
    fn pubkey_reads_a_key_and_blanks() {
        for good in [
            KEY.to_owned(),
            format!("{KEY}\n"),
            format!("{KEY} \t\r\n\x0b\x0c\0\n"),
        ] {
            assert_eq!(message(pubkey_input(good.as_bytes())), KEY);
        }
    }

    #[test]
    fn pubkey_refuses_the_rest() {
        let format = "Key is not the correct length or format";
        let trailing = "Trailing characters found after key";
        assert_eq!(message(pubkey_input(b"")), format);
        assert_eq!(message(pubkey_input(&KEY.as_bytes()[..43])), format);
        assert_eq!(
            message(pubkey_input(format!("{}\n", &KEY[..43]).as_bytes())),
            format
        );
        assert_eq!(
            message(pubkey_input(format!("{KEY}x").as_bytes())),
            trailing
        );
        assert_eq!(
            message(pubkey_input(format!("{KEY}\n{KEY}\n").as_bytes())),
            trailing
        );
        assert_eq!(
            message(pubkey_input(format!("{}x", "!".repeat(44)).as_bytes())),
            trailing
        );
        assert_eq!(
            message(pubkey_input(format!(" {KEY}\n").as_bytes())),
            trailing
        );
    }

    #[test]
    fn a_key_file_is_a_key_and_blanks_or_empty() {
        assert_eq!(
            message(private_key(format!("{KEY}\r\n \n").as_bytes())),
            KEY
        );
        assert!(private_key(b"").unwrap().is_zero());
        assert!(preshared_key(b"").unwrap().is_zero());
        assert_eq!(
            message(private_key(b"\n")),
            "Invalid length key in key file"
        );
        let trailing = "Found trailing character in key file: `x'";
        assert_eq!(
            message(private_key(format!("{KEY} x").as_bytes())),
            trailing
        );
        assert_eq!(
            private_key(format!("{KEY}\0").as_bytes()).unwrap_err(),
            KeyFileError::Trailing(0)
        );
        assert_eq!(
            private_key(format!("!{}", &KEY[1..]).as_bytes()).unwrap_err(),
            KeyFileError::Key(KeyError)
        );
    }
}

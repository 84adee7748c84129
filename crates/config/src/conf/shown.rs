//! Text out of a file in a message, without what may be a key.

use std::fmt;

use crate::key::PresharedKey;
use crate::raw;

/// So many digits of Base64 or hexadecimal in a row may be most of a key, and are not shown.
const KEY_LIKE: usize = 24;

/// Text out of a file (in the form of [`raw::decode`]) on its way to a terminal: not too much of
/// it, nothing that the terminal would act on, and nothing that might be a key in the wrong place.
#[derive(Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LIMIT: usize = 80;
        if is_key_like(self.0) {
            return write!(f, "… ({} characters)", self.0.chars().count());
        }
        for (index, char) in self.0.chars().enumerate() {
            if index == LIMIT {
                return f.write_str("…");
            }
            if let Some(byte) = raw::byte_of(char) {
                write!(f, "\\x{byte:02x}")?;
            } else if char.is_control() {
                write!(f, "{}", char.escape_default())?;
            } else {
                write!(f, "{char}")?;
            }
        }
        Ok(())
    }
}

fn is_key_like(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let mut runs = text.as_bytes().split(|&byte| !is_digit(byte));
    runs.any(|run| run.len() >= KEY_LIKE)
}

/// Whether what stands where a path should may be a key. Full paths are long and have no digit but
/// letters and `/`, so there it is their parts that count.
#[must_use]
pub fn is_key_like_path(text: &str) -> bool {
    if !text.starts_with('/') {
        return is_key_like(text);
    }
    text.split('/').any(is_key_like) || PresharedKey::from_base64(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_paths_are_no_keys() {
        for path in [
            "/etc/wireguard/keys/of/this/host/wg0",
            "/run/credentials/hushwire@wg0.service/key",
            "keys/wg0.key",
        ] {
            assert!(!is_key_like_path(path), "{path}");
        }
    }

    #[test]
    fn keys_are_no_paths() {
        for key in [
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
            "xTIBA5rboUvnH4htodjb6e697Q/LERt1NAB4mZqp8Dg=",
            "/TIBA5rboUvnH4htod/b6e697QjLERt1NAB4m/qp8Dg=",
            "/etc/yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
        ] {
            assert!(is_key_like_path(key), "{key}");
        }
    }
}

//! Keys: 32 bytes each, in the Base64 of the tools and the hex of the UAPI.
//!
//! Secret keys are zeroed on drop, compared in constant time, and read and written without
//! branches or table look-ups that depend on the key. Their `Debug` shows nothing of them.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64ct::{Base64, Encoding};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;

/// Length of a key's Base64 form: 43 digits and one `=`.
pub const BASE64_LEN: usize = 44;

/// Length of a key's hex form.
pub const HEX_LEN: usize = 2 * KEY_LEN;

/// A key's text was not a key. Deliberately says no more: the text may be nearly a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key is not the correct length or format")
    }
}

impl std::error::Error for KeyError {}

macro_rules! text_forms {
    ($key:ident) => {
        impl $key {
            /// The key with these bytes. Every value is allowed, the all-zero one included.
            #[must_use]
            pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
                &self.0
            }

            /// Whether all bytes are zero, which the UAPI and wg(8) take for "no key".
            #[must_use]
            pub fn is_zero(&self) -> bool {
                self.0.ct_eq(&[0; KEY_LEN]).into()
            }

            /// Reads the form of wg(8): exactly 44 characters of standard Base64, the last one
            /// `=` and the unused bits before it zero.
            ///
            /// # Errors
            ///
            /// [`KeyError`] for anything else, blanks around the key included.
            pub fn from_base64(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
                let mut key = Self([0; KEY_LEN]);
                decode_base64(text.as_ref(), &mut key.0)?;
                Ok(key)
            }

            /// Reads 64 hex digits of any case.
            ///
            /// # Errors
            ///
            /// [`KeyError`] for any other length or character.
            pub fn from_hex(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
                let mut key = Self([0; KEY_LEN]);
                decode_hex(text.as_ref(), &mut key.0)?;
                Ok(key)
            }

            /// The form of wg(8): 44 characters of Base64. The text is as secret as the key.
            #[must_use]
            pub fn to_base64(&self) -> KeyText<BASE64_LEN> {
                let mut text = KeyText([0; BASE64_LEN]);
                let _exact = Base64::encode(&self.0, &mut text.0);
                text
            }

            /// The form of the UAPI: 64 lower-case hex digits. The text is as secret as the key.
            #[must_use]
            pub fn to_hex(&self) -> KeyText<HEX_LEN> {
                let mut text = KeyText([0; HEX_LEN]);
                encode_hex(&self.0, &mut text.0);
                text
            }
        }

        impl ConstantTimeEq for $key {
            fn ct_eq(&self, other: &Self) -> Choice {
                self.0.ct_eq(&other.0)
            }
        }
    };
}

macro_rules! secret {
    ($key:ident) => {
        text_forms!($key);

        impl PartialEq for $key {
            fn eq(&self, other: &Self) -> bool {
                self.ct_eq(other).into()
            }
        }

        impl Eq for $key {}

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($key), "(hidden)"))
            }
        }
    };
}

/// A device's private key, as written: wg(8) forwards keys unclamped, so the model keeps what
/// it was given. [`clamped`](Self::clamped) is what a device uses.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey([u8; KEY_LEN]);

secret!(PrivateKey);

impl PrivateKey {
    /// A new private key out of 32 random bytes: `wg genkey`.
    #[must_use]
    pub fn generate(mut random: [u8; KEY_LEN]) -> Self {
        let key = Self(random).clamped();
        random.zeroize();
        key
    }

    /// The key with its three lowest bits and its highest cleared and its second highest set
    /// (RFC 7748, section 5): the number that X25519 would use anyway.
    #[must_use]
    pub fn clamped(&self) -> Self {
        let mut clamped = self.clone();
        clamped.0[0] &= 0b1111_1000;
        clamped.0[KEY_LEN - 1] = (clamped.0[KEY_LEN - 1] & 0b0111_1111) | 0b0100_0000;
        clamped
    }
}

/// A pre-shared key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PresharedKey([u8; KEY_LEN]);

secret!(PresharedKey);

impl PresharedKey {
    /// A new pre-shared key out of 32 random bytes: `wg genpsk`.
    #[must_use]
    pub fn generate(mut random: [u8; KEY_LEN]) -> Self {
        let key = Self(random);
        random.zeroize();
        key
    }
}

/// A peer's public key: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_LEN]);

text_forms!(PublicKey);

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Base64, as every tool shows it.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_base64().as_str())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_base64(text)
    }
}

/// The text of a key, of `N` ASCII characters, zeroed on drop: it is as secret as its key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyText<const N: usize>([u8; N]);

impl<const N: usize> KeyText<N> {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The characters as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for KeyText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(hidden)")
    }
}

fn decode_base64(text: &[u8], key: &mut [u8; KEY_LEN]) -> Result<(), KeyError> {
    if text.len() != BASE64_LEN {
        return Err(KeyError);
    }
    // The decoder wants room for whole groups of three.
    let mut bytes = Zeroizing::new([0; KEY_LEN + 1]);
    let decoded = Base64::decode(text, bytes.as_mut_slice()).map_err(|_| KeyError)?;
    key.copy_from_slice(<&[u8; KEY_LEN]>::try_from(decoded).map_err(|_| KeyError)?);
    Ok(())
}

fn decode_hex(text: &[u8], key: &mut [u8; KEY_LEN]) -> Result<(), KeyError> {
    if text.len() != HEX_LEN {
        return Err(KeyError);
    }
    let mut valid = u8::MAX;
    for (pair, byte) in text.chunks_exact(2).zip(key.iter_mut()) {
        let (high, high_valid) = nibble(pair[0]);
        let (low, low_valid) = nibble(pair[1]);
        *byte = (high << 4) | low;
        valid &= high_valid & low_valid;
    }
    // One decision for the whole key, so that time tells nothing about where a bad digit is.
    if valid == u8::MAX {
        Ok(())
    } else {
        Err(KeyError)
    }
}

/// The value of a hex digit, and all ones if it was one, else zero. Arithmetic only, so that
/// time tells nothing about the digit, and a device of many peers is read in vectors.
fn nibble(digit: u8) -> (u8, u8) {
    // `0` to `9` are 0 to 9 here, `A` to `F` of either case 1 to 6.
    let number = digit ^ b'0';
    let letter = (digit & 0b1101_1111) ^ 0x40;
    let is_number = below(number, 10);
    let is_letter = below(letter.wrapping_sub(1), 6);
    let value = (number & is_number) | (letter.wrapping_add(9) & is_letter);
    (value, is_number | is_letter)
}

/// All ones if `value < bound`, else zero.
fn below(value: u8, bound: u8) -> u8 {
    (u16::from(value).wrapping_sub(bound.into()) >> 8) as u8
}

fn encode_hex(key: &[u8; KEY_LEN], text: &mut [u8; HEX_LEN]) {
    for (byte, pair) in key.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 0x0f);
    }
}

fn digit(nibble: u8) -> u8 {
    /// From the character after `9` to `a`.
    const GAP: u8 = b'a' - (b'0' + 10);
    b'0' + nibble + (GAP & !below(nibble, 10))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE64: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    const HEX: &str = "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669";

    #[test]
    fn both_forms_name_the_same_key() {
        let key = PrivateKey::from_base64(BASE64).unwrap();
        assert_eq!(key, PrivateKey::from_hex(HEX).unwrap());
        assert_eq!(key.to_base64().as_str(), BASE64);
        assert_eq!(key.to_hex().as_str(), HEX);
    }

    #[test]
    fn hex_of_any_case_is_read_and_lower_case_written() {
        let key = PublicKey::from_hex(HEX.to_uppercase()).unwrap();
        assert_eq!(key.to_hex().as_str(), HEX);
    }

    #[test]
    fn hex_of_another_length_or_with_another_character_is_no_key() {
        for bad in [
            "",
            "zz",
            &HEX[1..],
            &format!("{HEX}0"),
            &format!("g{}", &HEX[1..]),
        ] {
            assert_eq!(PublicKey::from_hex(bad), Err(KeyError), "{bad:?}");
        }
        for byte in 0..=u8::MAX {
            let mut text = HEX.as_bytes().to_vec();
            text[63] = byte;
            let last = PublicKey::from_hex(&text).map(|key| key.as_bytes()[31]);
            let value = char::from(byte).to_digit(16);
            let expected = value.map(|value| 0x60 | value as u8).ok_or(KeyError);
            assert_eq!(last, expected, "{byte}");
        }
    }

    #[test]
    fn base64_is_read_as_wg_reads_it() {
        for bad in [
            "",
            "AAAA",
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk",
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk==",
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm==",
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkA",
            "yAnz5TF-lXXJte14tji3zlMNq-hd2rYUIgJBgB3fBmk=",
            "!Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
            " Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        ] {
            assert_eq!(PublicKey::from_base64(bad), Err(KeyError), "{bad:?}");
        }
        assert!(PublicKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=").is_ok());
    }

    #[test]
    fn the_last_digit_has_two_zero_bits() {
        for digit in b'!'..=b'~' {
            let mut text = BASE64.as_bytes().to_vec();
            text[42] = digit;
            let allowed = b"AEIMQUYcgkosw048".contains(&digit);
            assert_eq!(
                PublicKey::from_base64(&text).is_ok(),
                allowed,
                "{}",
                char::from(digit)
            );
        }
    }

    #[test]
    fn clamping_as_in_rfc_7748() {
        let key = PrivateKey::new([0xff; KEY_LEN]).clamped();
        assert_eq!(&key.to_hex().as_str()[..4], "f8ff");
        assert_eq!(&key.to_hex().as_str()[60..], "ff7f");
        assert_eq!(PrivateKey::new([0; KEY_LEN]).clamped().as_bytes()[31], 64);
        assert_eq!(PrivateKey::generate([0xff; KEY_LEN]), key);
        assert_eq!(
            PresharedKey::generate([0xff; KEY_LEN]).as_bytes(),
            &[0xff; KEY_LEN]
        );
    }

    #[test]
    fn only_the_all_zero_key_is_zero() {
        assert!(PresharedKey::new([0; KEY_LEN]).is_zero());
        let mut bytes = [0; KEY_LEN];
        bytes[31] = 1;
        assert!(!PresharedKey::new(bytes).is_zero());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::from_base64(BASE64).unwrap();
        let shown = format!(
            "{key:?} {:?} {:?}",
            key.to_base64(),
            PresharedKey::new(*key.as_bytes())
        );
        assert_eq!(
            shown,
            "PrivateKey(hidden) KeyText(hidden) PresharedKey(hidden)"
        );
    }

    proptest! {
        #[test]
        fn every_key_survives_both_forms(bytes: [u8; KEY_LEN]) {
            let key = PublicKey::new(bytes);
            prop_assert_eq!(PublicKey::from_base64(key.to_base64().as_str()), Ok(key));
            prop_assert_eq!(PublicKey::from_hex(key.to_hex().as_bytes()), Ok(key));
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}

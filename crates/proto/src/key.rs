//! The keys that people configure.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::{Crypto, KEY_LEN, Random};

/// A static public key: the name of a peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// The key with these bytes. Every value is one, if not always a useful one.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl From<[u8; KEY_LEN]> for PublicKey {
    fn from(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }
}

/// The first eight characters of the usual Base64 form: enough to tell peers apart.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        f.write_str("PublicKey(")?;
        for group in self.0[..6].chunks_exact(3) {
            let bits = group
                .iter()
                .fold(0, |bits, &byte| bits << 8 | u32::from(byte));
            for shift in [18, 12, 6, 0] {
                let digit = (bits >> shift) as usize % ALPHABET.len();
                write!(f, "{}", char::from(ALPHABET[digit]))?;
            }
        }
        f.write_str("…)")
    }
}

/// A private key, static or ephemeral. Zeroed when dropped; `Debug` shows nothing of it, and
/// comparison takes constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey([u8; KEY_LEN]);

impl PrivateKey {
    /// The key with these bytes, clamped (RFC 7748, section 5): the three lowest bits and the
    /// highest are cleared, the second highest is set.
    #[must_use]
    pub fn new(mut bytes: [u8; KEY_LEN]) -> Self {
        let mut key = Self(bytes);
        bytes.zeroize();
        key.0[0] &= 248;
        key.0[31] = key.0[31] & 127 | 64;
        key
    }

    /// A new key.
    pub fn generate(random: &mut (impl Random + ?Sized)) -> Self {
        let mut bytes = [0; KEY_LEN];
        random.fill(&mut bytes);
        let key = Self::new(bytes);
        bytes.zeroize();
        key
    }

    /// The clamped bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The public key that belongs to this one.
    #[must_use]
    pub fn public_key<C: Crypto>(&self) -> PublicKey {
        PublicKey(C::public_key(&self.0))
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PrivateKey {}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A symmetric key that two peers share beforehand, all zeros when they share none (the paper,
/// section 5.2). Zeroed when dropped; `Debug` shows nothing of it, and comparison takes constant
/// time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PresharedKey([u8; KEY_LEN]);

impl PresharedKey {
    /// What stands for "no pre-shared key".
    pub const NONE: Self = Self([0; KEY_LEN]);

    /// The key with these bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; KEY_LEN]) -> Self {
        let key = Self(bytes);
        bytes.zeroize();
        key
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Whether this is [`PresharedKey::NONE`].
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for PresharedKey {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for PresharedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PresharedKey {}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::TestRandom;
    use alloc::format;

    #[test]
    fn private_keys_are_clamped() {
        let key = PrivateKey::new([0xff; 32]);
        assert_eq!((key.0[0], key.0[31]), (0xf8, 0x7f));
        assert_eq!(key.0[1..31], [0xff; 30]);
        let key = PrivateKey::new([0; 32]);
        assert_eq!((key.0[0], key.0[31]), (0, 0x40));
        let generated = PrivateKey::generate(&mut TestRandom(1));
        assert_eq!(generated, PrivateKey::new(*generated.as_bytes()));
        assert_ne!(generated, PrivateKey::generate(&mut TestRandom(2)));
    }

    #[test]
    fn debug_shows_no_secret_and_a_prefix_of_what_is_public() {
        assert_eq!(
            format!("{:?}", PrivateKey::new([0x5a; 32])),
            "PrivateKey(..)"
        );
        assert_eq!(
            format!("{:?}", PresharedKey::new([0x5a; 32])),
            "PresharedKey(..)"
        );
        let mut bytes = [0; 32];
        bytes[..6].copy_from_slice(&[0xfb, 0xef, 0xbf, 0x00, 0x10, 0x83]);
        assert_eq!(
            format!("{:?}", PublicKey::new(bytes)),
            "PublicKey(+++/ABCD…)"
        );
    }

    #[test]
    fn secrets_are_zeroed_when_dropped() {
        const fn zeroed<T: ZeroizeOnDrop>() {}
        zeroed::<PrivateKey>();
        zeroed::<PresharedKey>();
        zeroed::<crate::crypto::SharedSecret>();
    }

    #[test]
    fn only_all_zeros_is_no_preshared_key() {
        assert!(PresharedKey::default().is_none());
        let mut bytes = [0; 32];
        bytes[31] = 1;
        assert!(!PresharedKey::new(bytes).is_none());
    }
}

//! The aws-lc-rs backend: one packet at a time.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;

use crate::{KEY_LEN, NONCE_LEN, TAG_LEN};

/// A key as aws-lc holds it: on its own heap, whose every block is overwritten when it is freed
/// (`OPENSSL_free` cleanses, and dropping the key frees it).
pub(crate) struct AwsKey(LessSafeKey);

impl AwsKey {
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        // Wrong lengths and want of memory are the only failures; the second ends a Rust program
        // at every other allocation too.
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("out of memory for a cipher key");
        Self(LessSafeKey::new(key))
    }

    /// Fails only for more than [`crate::PLAINTEXT_LEN_MAX`] bytes.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Unspecified> {
        self.0.seal_in_place_scatter(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            in_out,
            &[],
            tag,
        )
    }

    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unspecified> {
        // Not `open_in_place`, which moves the plaintext onto itself afterwards.
        self.0
            .open_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                tag,
                in_out,
            )
            .map(|_| ())
    }
}

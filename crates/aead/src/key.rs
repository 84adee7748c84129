//! The key, and the verbs over one message.

mod verbs;

use core::fmt;

use zeroize::Zeroizing;

use crate::aws::AwsKey;
use crate::backend::{Backend, Engine, Selection};
use crate::{KEY_LEN, NONCE_LEN, PLAINTEXT_LEN_MAX, TAG_LEN};

/// A ChaCha20-Poly1305 key.
///
/// The key material is overwritten when this is dropped. `Debug` shows none of it. Both directions
/// are possible with one key, as handshakes and tests need it; a session uses a key for one.
pub struct Key {
    aws: AwsKey,
    words: Zeroizing<[u32; 8]>,
    engine: Engine,
    /// No other implementation even for what another does faster.
    exact: bool,
}

/// An authenticator did not match; nothing more can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated;

/// A plaintext is longer than [`PLAINTEXT_LEN_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Key {
    /// Takes a key in use with the implementation of [`Selection::current`]. Batches too small for
    /// it are left to aws-lc-rs, unless the environment insists. The caller's copy stays the
    /// caller's to overwrite.
    #[must_use]
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        let selection = Selection::current();
        Self::with_engine(key, selection.engine(), selection.is_forced())
    }

    /// Takes a key in use with one implementation for all of its batches, whatever their size.
    /// `None` if the processor cannot run it.
    #[must_use]
    pub fn with_backend(key: &[u8; KEY_LEN], backend: Backend) -> Option<Self> {
        Engine::new(backend).map(|engine| Self::with_engine(key, engine, true))
    }

    fn with_engine(key: &[u8; KEY_LEN], engine: Engine, exact: bool) -> Self {
        let mut words = Zeroizing::new([0; 8]);
        for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            aws: AwsKey::new(key),
            words,
            engine,
            exact,
        }
    }

    /// The implementation behind this key.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.engine.backend()
    }

    /// Seals one message with associated data in place and hands out its authenticator.
    ///
    /// # Errors
    ///
    /// When the message is longer than [`PLAINTEXT_LEN_MAX`].
    pub fn seal_detached(
        &self,
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], TooLong> {
        let mut tag = [0; TAG_LEN];
        self.aws
            .seal(nonce(counter), aad, in_out, &mut tag)
            .map_err(|_| TooLong)?;
        Ok(tag)
    }

    /// Opens one message with associated data in place.
    ///
    /// # Errors
    ///
    /// When the authenticator does not match; the bytes of the message are then zeroed.
    pub fn open_detached(
        &self,
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        self.aws
            .open(nonce(counter), aad, in_out, tag)
            .map_err(|_| {
                in_out.fill(0);
                Unauthenticated
            })
    }
}

/// Four zero bytes and the counter, little-endian (the paper, section 5.4.6).
fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.backend())
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authenticator does not match")
    }
}

impl core::error::Error for Unauthenticated {}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message is longer than {PLAINTEXT_LEN_MAX} bytes")
    }
}

impl core::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_the_end_of_the_nonce() {
        assert_eq!(
            nonce(0x0807_0605_0403_0201),
            [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(
            format!(
                "{:?}",
                Key::with_backend(&[0x5a; 32], Backend::AwsLc).unwrap()
            ),
            "Key(aws-lc)"
        );
    }
}

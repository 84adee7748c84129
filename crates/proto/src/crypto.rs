//! The boundary to the cryptographic primitives.
//!
//! The protocol is generic over [`Crypto`], as rustls is over its provider: whoever brings the
//! primitives of `Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s` and of the cookie can run it, without
//! `std`. `provider::DefaultCrypto`, behind the feature `provider`, is what everybody else uses.
//!
//! Randomness is an argument too: [`Random`].

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Length of keys, of public values and of hashes, in bytes.
pub const KEY_LEN: usize = 32;

/// Length of an authenticator of an AEAD, and of a MAC, in bytes.
pub const TAG_LEN: usize = 16;

/// Length of the nonce of XChaCha20-Poly1305, in bytes.
pub const XNONCE_LEN: usize = 24;

/// The primitives (the paper, section 5.4). None of them may panic, whatever the arguments.
pub trait Crypto: Send + Sync + 'static {
    /// ChaCha20-Poly1305 under the key of a session, over batches of packets.
    type Key: TransportKey;

    /// An X25519 private key ready for use.
    type DhKey: DhKey;

    /// The X25519 public value of a private key, for who needs nothing else of it.
    #[must_use]
    fn public_key(private: &[u8; KEY_LEN]) -> [u8; KEY_LEN] {
        Self::DhKey::new(private).public_key()
    }

    /// BLAKE2s with 32 bytes of output, over the parts one after the other.
    fn hash(parts: &[&[u8]]) -> [u8; KEY_LEN];

    /// HMAC (RFC 2104) with that hash, over the parts one after the other.
    fn hmac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]>;

    /// Keyed BLAKE2s with 16 bytes of output, over the parts one after the other. `K` is at most
    /// 32.
    fn mac<const K: usize>(key: &[u8; K], parts: &[&[u8]]) -> [u8; TAG_LEN];

    /// ChaCha20-Poly1305 (RFC 8439) of one short message in place, with the counter as the last
    /// eight bytes of the nonce, little-endian.
    fn seal(key: &[u8; KEY_LEN], counter: u64, aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_LEN];

    /// The reverse of [`Crypto::seal`].
    ///
    /// # Errors
    ///
    /// When the authenticator does not match. No plaintext is then left in `in_out`.
    fn open(
        key: &[u8; KEY_LEN],
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated>;

    /// XChaCha20-Poly1305 of one short message in place.
    fn xseal(
        key: &[u8; KEY_LEN],
        nonce: &[u8; XNONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> [u8; TAG_LEN];

    /// The reverse of [`Crypto::xseal`].
    ///
    /// # Errors
    ///
    /// When the authenticator does not match. No plaintext is then left in `in_out`.
    fn xopen(
        key: &[u8; KEY_LEN],
        nonce: &[u8; XNONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated>;
}

/// An X25519 private key (RFC 7748, section 5) with all that a library computes when it takes one
/// in use, so that this is done once for a key, not once for a function. Zeroed when dropped.
pub trait DhKey: Send + Sync + 'static {
    /// Takes a key in use.
    fn new(private: &[u8; KEY_LEN]) -> Self;

    /// The public value.
    fn public_key(&self) -> [u8; KEY_LEN];

    /// The Diffie-Hellman function. `None` when the result is all zeros, which is what every
    /// public value of low order gives; [`SharedSecret::new`] decides it.
    fn agree(&self, public: &[u8; KEY_LEN]) -> Option<SharedSecret>;
}

/// A session key, for batches of transport data packets. Zeroed when dropped.
pub trait TransportKey: Send + Sync + 'static {
    /// Takes a key in use.
    fn new(key: &[u8; KEY_LEN]) -> Self;

    /// Seals each packet in place, without associated data: `len` bytes of plaintext at `start`
    /// become ciphertext, and the 16 bytes behind them the authenticator.
    ///
    /// # Errors
    ///
    /// When the packets do not lie in the buffer in ascending order, each with its 16 bytes of
    /// room, without overlap. Nothing has then been sealed, so the buffer must not be sent.
    fn seal_batch(&self, buffer: &mut [u8], packets: &[Packet]) -> Result<(), LayoutError>;

    /// Opens each packet in place, without associated data: `len` bytes of ciphertext and
    /// authenticator at `start` become `len - 16` bytes of plaintext.
    ///
    /// `verdicts[i]` says whether packet `i` authenticated; the bytes of one that did not are
    /// zeroed.
    ///
    /// # Errors
    ///
    /// When the packets do not lie in the buffer in ascending order without overlap, or when there
    /// are not as many verdicts as packets. All verdicts are then `false`.
    fn open_batch(
        &self,
        buffer: &mut [u8],
        packets: &[Packet],
        verdicts: &mut [bool],
    ) -> Result<(), LayoutError>;
}

/// One packet of a batch: a place in the buffer, and its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Offset of the first byte in the buffer.
    pub start: usize,
    /// Bytes of plaintext when sealing, bytes of ciphertext and authenticator when opening.
    pub len: usize,
    /// Counter part of the nonce.
    pub counter: u64,
}

/// A source of unpredictable bytes, such as the operating system's.
pub trait Random: Send {
    /// Fills `out`. A source that can fail ends the program rather than return predictable bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// The result of a Diffie-Hellman function, never all zeros. Zeroed when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret([u8; KEY_LEN]);

impl SharedSecret {
    /// `None` when the bytes are all zeros: the other side then sent a public value of low order,
    /// and the "secret" would be everybody's (RFC 7748, section 6.1). Constant time.
    #[must_use]
    pub fn new(mut bytes: [u8; KEY_LEN]) -> Option<Self> {
        let secret = Self(bytes);
        bytes.zeroize();
        let low_order = bool::from(secret.0.ct_eq(&[0; KEY_LEN]));
        (!low_order).then_some(secret)
    }

    /// The secret bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// An authenticator did not match; nothing more can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated;

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authenticator does not match")
    }
}

impl core::error::Error for Unauthenticated {}

/// The packets of a batch do not fit the buffer or the verdicts: a mistake of the caller, never of
/// the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutError;

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the packets of a batch must lie in the buffer in ascending order without overlap, \
             with room for their authenticators and a verdict for each",
        )
    }
}

impl core::error::Error for LayoutError {}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_all_zero_secret_cannot_be_held() {
        assert!(SharedSecret::new([0; 32]).is_none());
        for byte in 0..32 {
            let mut bytes = [0; 32];
            bytes[byte] = 0x80;
            assert_eq!(SharedSecret::new(bytes).unwrap().as_bytes(), &bytes);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = SharedSecret::new([0x5a; 32]).unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret(..)");
    }
}

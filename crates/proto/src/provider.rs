//! The default provider of the primitives.
//!
//! | what | from |
//! |---|---|
//! | ChaCha20-Poly1305 | `hushwire-aead` |
//! | X25519 | aws-lc-rs |
//! | BLAKE2s, XChaCha20-Poly1305 | RustCrypto |
//! | HMAC | here, over BLAKE2s |

use core::fmt;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use blake2::digest::consts::U16;
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2s256, Blake2sMac};
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use hushwire_aead::{AsPacket, Key};
use zeroize::Zeroizing;

use crate::crypto::{
    Crypto, DhKey, KEY_LEN, LayoutError, Packet, SharedSecret, TAG_LEN, TransportKey,
    Unauthenticated, XNONCE_LEN,
};

/// Length of a block of BLAKE2s in bytes.
const BLOCK_LEN: usize = 64;

/// The primitives that everybody gets who does not bring their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultCrypto;

impl Crypto for DefaultCrypto {
    type Key = Key;
    type DhKey = X25519Key;

    fn hash(parts: &[&[u8]]) -> [u8; KEY_LEN] {
        let mut hash = Blake2s256::default();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize_fixed().into()
    }

    fn hmac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut inner = padded_key(key, 0x36);
        parts.iter().for_each(|part| inner.update(part));
        let mut digest = Zeroizing::new([0; KEY_LEN]);
        inner.finalize_into((&mut *digest).into());
        let mut outer = padded_key(key, 0x5c);
        outer.update(&*digest);
        outer.finalize_into((&mut *digest).into());
        digest
    }

    fn mac<const K: usize>(key: &[u8; K], parts: &[&[u8]]) -> [u8; TAG_LEN] {
        const { assert!(0 < K && K <= 32, "BLAKE2s takes keys of 1 to 32 bytes") };
        let mut mac = Blake2sMac::<U16>::new_from_slice(key).expect("the length was checked");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize_fixed().into()
    }

    fn seal(key: &[u8; KEY_LEN], counter: u64, aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = Key::new(key).seal_detached(counter, aad, in_out);
        tag.unwrap_or_else(|_| fail_closed(in_out))
    }

    fn open(
        key: &[u8; KEY_LEN],
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        Key::new(key)
            .open_detached(counter, aad, in_out, tag)
            .map_err(|_| Unauthenticated)
    }

    fn xseal(
        key: &[u8; KEY_LEN],
        nonce: &[u8; XNONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> [u8; TAG_LEN] {
        let tag = XChaCha20Poly1305::new(key.into()).encrypt_inout_detached(
            nonce.into(),
            aad,
            (&mut *in_out).into(),
        );
        tag.map_or_else(|_| fail_closed(in_out), Into::into)
    }

    fn xopen(
        key: &[u8; KEY_LEN],
        nonce: &[u8; XNONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        XChaCha20Poly1305::new(key.into())
            .decrypt_inout_detached(nonce.into(), aad, (&mut *in_out).into(), tag.into())
            .map_err(|_| {
                in_out.fill(0);
                Unauthenticated
            })
    }
}

/// An X25519 private key of aws-lc-rs, which computes the public value when it takes one in and
/// overwrites the key when it is dropped.
pub struct X25519Key(PrivateKey);

impl DhKey for X25519Key {
    fn new(private: &[u8; KEY_LEN]) -> Self {
        // Only want of memory can fail here, which ends the program at every other allocation too.
        let private = PrivateKey::from_private_key(&X25519, private);
        Self(private.expect("out of memory for a private key"))
    }

    fn public_key(&self) -> [u8; KEY_LEN] {
        let public = self.0.compute_public_key().ok();
        public
            .and_then(|public| public.as_ref().try_into().ok())
            .expect("out of memory for a public key")
    }

    fn agree(&self, public: &[u8; KEY_LEN]) -> Option<SharedSecret> {
        let public = UnparsedPublicKey::new(&X25519, public);
        agree(&self.0, public, (), |secret| {
            let secret = <&[u8; KEY_LEN]>::try_from(secret).map_err(|_| ())?;
            SharedSecret::new(*secret).ok_or(())
        })
        .ok()
    }
}

impl fmt::Debug for X25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Key(..)")
    }
}

impl TransportKey for Key {
    fn new(key: &[u8; KEY_LEN]) -> Self {
        Self::new(key)
    }

    fn seal_batch(&self, buffer: &mut [u8], packets: &[Packet]) -> Result<(), LayoutError> {
        self.seal_batch(buffer, packets).map_err(|_| LayoutError)
    }

    fn open_batch(
        &self,
        buffer: &mut [u8],
        packets: &[Packet],
        verdicts: &mut [bool],
    ) -> Result<(), LayoutError> {
        self.open_batch(buffer, packets, verdicts)
            .map_err(|_| LayoutError)
    }
}

impl AsPacket for Packet {
    fn as_packet(&self) -> hushwire_aead::Packet {
        hushwire_aead::Packet {
            start: self.start,
            len: self.len,
            counter: self.counter,
        }
    }
}

/// A hash that has taken in one block of the key and padding, one half of HMAC. (`hmac::SimpleHmac`
/// leaves its key in memory; the hash and this block are overwritten.)
fn padded_key(key: &[u8; KEY_LEN], pad: u8) -> Blake2s256 {
    let mut block = Zeroizing::new([pad; BLOCK_LEN]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to ^= from);
    let mut hash = Blake2s256::default();
    hash.update(&*block);
    hash
}

/// A message beyond the limit of the cipher, 256 GiB, cannot come from a datagram. Should one come
/// all the same, nothing readable and nothing that authenticates leaves.
fn fail_closed(in_out: &mut [u8]) -> [u8; TAG_LEN] {
    in_out.fill(0);
    [0; TAG_LEN]
}

#[cfg(test)]
mod tests;

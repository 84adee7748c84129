//! `Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s` (the Noise specification, revision 34, and the paper,
//! section 5.4), for any prologue and any payload.
//!
//! Both messages of the pattern are here, from both sides, as methods of a [`Transcript`].
//! [`crate::handshake`] puts WireGuard's prologue, timestamp and messages around them.

use zeroize::Zeroizing;

use crate::crypto::{Crypto, DhKey, KEY_LEN, SharedSecret, TAG_LEN, Unauthenticated};
use crate::key::{PresharedKey, PublicKey};

const CONSTRUCTION: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";

/// The chaining key, and the hash of all that was said: Noise's symmetric state without its cipher
/// key, which here lives only from the step that makes it to the one message that it seals.
#[derive(Clone)]
pub(crate) struct Transcript {
    chaining_key: Zeroizing<[u8; KEY_LEN]>,
    hash: [u8; KEY_LEN],
}

/// What the first message carries before its payload.
pub(crate) struct First {
    pub(crate) ephemeral: PublicKey,
    pub(crate) encrypted_static: [u8; KEY_LEN],
    pub(crate) static_tag: [u8; TAG_LEN],
    /// The authenticator of the payload, which was sealed in place.
    pub(crate) payload_tag: [u8; TAG_LEN],
}

/// What the second message carries before its payload.
pub(crate) struct Second {
    pub(crate) ephemeral: PublicKey,
    /// The authenticator of the payload, which was sealed in place.
    pub(crate) payload_tag: [u8; TAG_LEN],
}

/// What the initiator knows while it waits for the second message.
pub(crate) struct InitiatorSecrets<'a, C: Crypto> {
    pub(crate) static_: &'a C::DhKey,
    pub(crate) ephemeral: &'a C::DhKey,
    pub(crate) psk: &'a PresharedKey,
}

/// What the responder knows when it writes the second message.
pub(crate) struct ResponderSecrets<'a, C: Crypto> {
    pub(crate) ephemeral: &'a C::DhKey,
    pub(crate) psk: &'a PresharedKey,
}

/// The two transport keys, the initiator's sending key first.
pub(crate) type Split = (Zeroizing<[u8; KEY_LEN]>, Zeroizing<[u8; KEY_LEN]>);

impl Transcript {
    /// The state before the first message: both sides know the responder's static key.
    pub(crate) fn new<C: Crypto>(prologue: &[u8], responder: &PublicKey) -> Self {
        let construction = C::hash(&[CONSTRUCTION]);
        let mut transcript = Self {
            chaining_key: Zeroizing::new(construction),
            hash: construction,
        };
        transcript.mix_hash::<C>(prologue);
        transcript.mix_hash::<C>(responder.as_bytes());
        transcript
    }

    /// Writes `e, es, s, ss` and the payload. `None` when the responder's static key, with which
    /// `static_static` was made, is of low order.
    pub(crate) fn write_first<C: Crypto>(
        &mut self,
        local: &PublicKey,
        remote: &PublicKey,
        static_static: &SharedSecret,
        ephemeral: &C::DhKey,
        payload: &mut [u8],
    ) -> Option<First> {
        let ephemeral_public = PublicKey::new(ephemeral.public_key());
        self.mix_ephemeral::<C>(&ephemeral_public);
        let secret = ephemeral.agree(remote.as_bytes())?;
        let mut encrypted_static = *local.as_bytes();
        let key = self.mix_key::<C>(secret.as_bytes());
        let static_tag = key.seal::<C>(self, &mut encrypted_static);
        let key = self.mix_key::<C>(static_static.as_bytes());
        let payload_tag = key.seal::<C>(self, payload);
        Some(First {
            ephemeral: ephemeral_public,
            encrypted_static,
            static_tag,
            payload_tag,
        })
    }

    /// Reads `e, es, s`: the initiator's static key, which nothing yet proves to be its own.
    pub(crate) fn read_first_static<C: Crypto>(
        &mut self,
        local: &C::DhKey,
        ephemeral: &PublicKey,
        mut encrypted_static: [u8; KEY_LEN],
        static_tag: &[u8; TAG_LEN],
    ) -> Option<PublicKey> {
        self.mix_ephemeral::<C>(ephemeral);
        let secret = local.agree(ephemeral.as_bytes())?;
        let key = self.mix_key::<C>(secret.as_bytes());
        key.open::<C>(self, &mut encrypted_static, static_tag)
            .ok()?;
        Some(PublicKey::new(encrypted_static))
    }

    /// Reads `ss` and the payload, which proves the static key.
    pub(crate) fn read_first_payload<C: Crypto>(
        &mut self,
        static_static: &SharedSecret,
        payload: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        let key = self.mix_key::<C>(static_static.as_bytes());
        key.open::<C>(self, payload, tag)
    }

    /// Writes `e, ee, se, psk` and the payload. `None` when a key of the initiator is of low order.
    pub(crate) fn write_second<C: Crypto>(
        &mut self,
        secrets: &ResponderSecrets<'_, C>,
        remote: &PublicKey,
        remote_ephemeral: &PublicKey,
        payload: &mut [u8],
    ) -> Option<Second> {
        let own = secrets.ephemeral;
        let ephemeral = PublicKey::new(own.public_key());
        self.mix_ephemeral::<C>(&ephemeral);
        self.mix_chain::<C>(own.agree(remote_ephemeral.as_bytes())?.as_bytes());
        self.mix_chain::<C>(own.agree(remote.as_bytes())?.as_bytes());
        let key = self.mix_psk::<C>(secrets.psk);
        let payload_tag = key.seal::<C>(self, payload);
        Some(Second {
            ephemeral,
            payload_tag,
        })
    }

    /// Reads `e, ee, se, psk` and the payload.
    pub(crate) fn read_second<C: Crypto>(
        &mut self,
        secrets: &InitiatorSecrets<'_, C>,
        remote_ephemeral: &PublicKey,
        payload: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()> {
        let remote = remote_ephemeral.as_bytes();
        self.mix_ephemeral::<C>(remote_ephemeral);
        self.mix_chain::<C>(secrets.ephemeral.agree(remote)?.as_bytes());
        self.mix_chain::<C>(secrets.static_.agree(remote)?.as_bytes());
        let key = self.mix_psk::<C>(secrets.psk);
        key.open::<C>(self, payload, tag).ok()
    }

    /// The keys of the session.
    pub(crate) fn split<C: Crypto>(&self) -> Split {
        let [first, second] = kdf2::<C>(&self.chaining_key, &[]);
        (first, second)
    }

    fn mix_hash<C: Crypto>(&mut self, data: &[u8]) {
        self.hash = C::hash(&[&self.hash, data]);
    }

    fn mix_ephemeral<C: Crypto>(&mut self, ephemeral: &PublicKey) {
        self.mix_hash::<C>(ephemeral.as_bytes());
        // Only in patterns with a pre-shared key (the Noise specification, section 9.2).
        self.mix_chain::<C>(ephemeral.as_bytes());
    }

    /// Noise's `MixKey` where another follows before anything is sealed: no key is made.
    fn mix_chain<C: Crypto>(&mut self, input: &[u8]) {
        self.chaining_key = kdf1::<C>(&self.chaining_key, input);
    }

    fn mix_key<C: Crypto>(&mut self, input: &[u8]) -> MessageKey {
        let [chaining_key, key] = kdf2::<C>(&self.chaining_key, input);
        self.chaining_key = chaining_key;
        MessageKey(key)
    }

    fn mix_psk<C: Crypto>(&mut self, psk: &PresharedKey) -> MessageKey {
        let [chaining_key, hash_input, key] = kdf3::<C>(&self.chaining_key, psk.as_bytes());
        self.chaining_key = chaining_key;
        self.mix_hash::<C>(&*hash_input);
        MessageKey(key)
    }
}

/// A key for one message: using it uses it up, so its nonce is always zero.
struct MessageKey(Zeroizing<[u8; KEY_LEN]>);

impl MessageKey {
    fn seal<C: Crypto>(self, transcript: &mut Transcript, in_out: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = C::seal(&self.0, 0, &transcript.hash, in_out);
        transcript.hash = C::hash(&[&transcript.hash, in_out, &tag]);
        tag
    }

    fn open<C: Crypto>(
        self,
        transcript: &mut Transcript,
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        let heard = C::hash(&[&transcript.hash, in_out, tag]);
        C::open(&self.0, 0, &transcript.hash, in_out, tag)?;
        transcript.hash = heard;
        Ok(())
    }
}

type Derived = Zeroizing<[u8; KEY_LEN]>;

/// HKDF (RFC 5869) with the chaining key as salt and an empty info: the paper's KDF, section 5.4.
fn kdf1<C: Crypto>(chaining_key: &[u8; KEY_LEN], input: &[u8]) -> Derived {
    let extracted = C::hmac(chaining_key, &[input]);
    C::hmac(&extracted, &[&[1]])
}

fn kdf2<C: Crypto>(chaining_key: &[u8; KEY_LEN], input: &[u8]) -> [Derived; 2] {
    let extracted = C::hmac(chaining_key, &[input]);
    let first = C::hmac(&extracted, &[&[1]]);
    let second = C::hmac(&extracted, &[&*first, &[2]]);
    [first, second]
}

fn kdf3<C: Crypto>(chaining_key: &[u8; KEY_LEN], input: &[u8]) -> [Derived; 3] {
    let extracted = C::hmac(chaining_key, &[input]);
    let first = C::hmac(&extracted, &[&[1]]);
    let second = C::hmac(&extracted, &[&*first, &[2]]);
    let third = C::hmac(&extracted, &[&*second, &[3]]);
    [first, second, third]
}

#[cfg(all(test, feature = "provider"))]
mod tests;

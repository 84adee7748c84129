//! The handshake (the paper, section 5.4): one message each way, then a session.
//!
//! The states are values that change hands, and every one is zeroed when dropped:
//!
//! | side | step | from | to |
//! |---|---|---|---|
//! | initiator | [`initiate`] | [`RemoteStatic`] | message, [`InitiatorState`] |
//! | responder | [`ReceivedInitiation::open`] | message | who claims to have sent it |
//! | responder | [`ReceivedInitiation::authenticate`] | [`RemoteStatic`] | timestamp, [`ResponderState`] |
//! | responder | [`ResponderState::respond`] | [`RemoteStatic`] | message, [`SessionKeys`] |
//! | initiator | [`InitiatorState::receive_response`] | message | [`SessionKeys`] |
//!
//! Everything a message can be wrong about gives `None`: neither side may learn more from an
//! answer, and there is nothing that a caller could do about one fault and not about another.
//!
//! The MACs of the messages are left zero; they are the business of [`crate::cookie`].

use core::cell::OnceCell;
use core::fmt;

use zeroize::Zeroizing;

use crate::cookie::MacKeys;
use crate::crypto::{Crypto, DhKey, KEY_LEN, SharedSecret, TAG_LEN};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::messages::{INITIATION_SIZE, Initiation, RESPONSE_SIZE, Response};
use crate::noise::{InitiatorSecrets, ResponderSecrets, Transcript};
use crate::tai64n::{TAI64N_LEN, Tai64n};

/// WireGuard's prologue (the paper, section 5.4).
const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";

/// A device's static key and what is derived from it.
pub struct LocalIdentity<C: Crypto> {
    private: PrivateKey,
    dh: C::DhKey,
    public: PublicKey,
    mac_keys: MacKeys,
}

impl<C: Crypto> LocalIdentity<C> {
    /// The identity with this private key.
    #[must_use]
    pub fn new(private: PrivateKey) -> Self {
        let dh = C::DhKey::new(private.as_bytes());
        let public = PublicKey::new(dh.public_key());
        Self {
            private,
            dh,
            public,
            mac_keys: MacKeys::new::<C>(&public),
        }
    }

    /// The private key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The keys of the MACs in messages to this device.
    pub(crate) const fn mac_keys(&self) -> &MacKeys {
        &self.mac_keys
    }
}

impl<C: Crypto> fmt::Debug for LocalIdentity<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalIdentity({:?})", self.public)
    }
}

/// A peer's static key, the pre-shared key, and the result of Diffie-Hellman between the static
/// keys of both, which every handshake uses.
pub struct RemoteStatic {
    public: PublicKey,
    psk: PresharedKey,
    /// Computed when it is first needed: a device may have many peers that never speak. `None` in
    /// the cell when the peer's key is of low order: no handshake is possible.
    static_static: OnceCell<Option<SharedSecret>>,
}

impl RemoteStatic {
    /// A peer without pre-shared key.
    #[must_use]
    pub const fn new(public: PublicKey) -> Self {
        Self {
            public,
            psk: PresharedKey::NONE,
            static_static: OnceCell::new(),
        }
    }

    /// Takes in that the device's own key has changed.
    pub fn forget_local(&mut self) {
        self.static_static = OnceCell::new();
    }

    /// The secret shared with the device of this identity, which must be the same in every call
    /// until [`Self::forget_local`].
    fn static_static<C: Crypto>(&self, local: &LocalIdentity<C>) -> Option<&SharedSecret> {
        self.static_static
            .get_or_init(|| local.dh.agree(self.public.as_bytes()))
            .as_ref()
    }

    /// Sets the pre-shared key, [`PresharedKey::NONE`] for none. A handshake reads it when it ends,
    /// so this one counts for a handshake on its way.
    pub fn set_preshared_key(&mut self, psk: PresharedKey) {
        self.psk = psk;
    }

    /// The peer's public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The pre-shared key.
    #[must_use]
    pub const fn preshared_key(&self) -> &PresharedKey {
        &self.psk
    }

    /// Whether a handshake with this peer is possible at all: its key is not of low order.
    #[must_use]
    pub fn is_usable<C: Crypto>(&self, local: &LocalIdentity<C>) -> bool {
        self.static_static::<C>(local).is_some()
    }
}

impl fmt::Debug for RemoteStatic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteStatic({:?})", self.public)
    }
}

/// What a handshake yields, as seen from one side. The keys are zeroed when this is dropped.
#[derive(Clone)]
pub struct SessionKeys {
    /// The key for packets to the peer.
    pub send: Zeroizing<[u8; KEY_LEN]>,
    /// The key for packets from the peer.
    pub recv: Zeroizing<[u8; KEY_LEN]>,
    /// What the peer wants to be called in packets to it.
    pub remote_index: u32,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys")
            .field("remote_index", &self.remote_index)
            .finish_non_exhaustive()
    }
}

/// Begins a handshake. `sender_index` is what the peer shall call us, `ephemeral` must be fresh and
/// `timestamp` greater than that of our last initiation to this peer.
///
/// `None` when no handshake with this peer is possible: see [`RemoteStatic::is_usable`].
#[must_use]
pub fn initiate<C: Crypto>(
    local: &LocalIdentity<C>,
    remote: &RemoteStatic,
    sender_index: u32,
    ephemeral: &PrivateKey,
    timestamp: Tai64n,
) -> Option<([u8; INITIATION_SIZE], InitiatorState<C>)> {
    let static_static = remote.static_static::<C>(local)?;
    let mut transcript = Transcript::new::<C>(IDENTIFIER, &remote.public);
    let ephemeral = C::DhKey::new(ephemeral.as_bytes());
    let mut payload = timestamp.to_bytes();
    let first = transcript.write_first::<C>(
        &local.public,
        &remote.public,
        static_static,
        &ephemeral,
        &mut payload,
    )?;
    let message = Initiation::build(
        sender_index,
        first.ephemeral.as_bytes(),
        (&first.encrypted_static, &first.static_tag),
        (&payload, &first.payload_tag),
    );
    let state = InitiatorState {
        transcript,
        ephemeral,
        local_index: sender_index,
    };
    Some((message, state))
}

/// An initiation that we sent and that waits for its response.
pub struct InitiatorState<C: Crypto> {
    transcript: Transcript,
    ephemeral: C::DhKey,
    local_index: u32,
}

impl<C: Crypto> InitiatorState<C> {
    /// What the peer was told to call us.
    #[must_use]
    pub const fn local_index(&self) -> u32 {
        self.local_index
    }

    /// Reads a response. The state stays good: anyone can send a wrong response, and it must not
    /// keep the right one out.
    #[must_use]
    pub fn receive_response(
        &self,
        local: &LocalIdentity<C>,
        remote: &RemoteStatic,
        response: &Response<'_>,
    ) -> Option<SessionKeys> {
        if response.receiver != self.local_index {
            return None;
        }
        let mut transcript = self.transcript.clone();
        let secrets = InitiatorSecrets {
            static_: &local.dh,
            ephemeral: &self.ephemeral,
            psk: &remote.psk,
        };
        transcript.read_second::<C>(
            &secrets,
            &PublicKey::new(*response.ephemeral),
            &mut [],
            response.encrypted_nothing,
        )?;
        let (send, recv) = transcript.split::<C>();
        Some(SessionKeys {
            send,
            recv,
            remote_index: response.sender,
        })
    }
}

impl<C: Crypto> fmt::Debug for InitiatorState<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_index(f, "InitiatorState", "local_index", self.local_index)
    }
}

/// An initiation that names its sender but has not yet proved to be from it.
pub struct ReceivedInitiation {
    transcript: Transcript,
    remote_public: PublicKey,
    remote_ephemeral: PublicKey,
    remote_index: u32,
    timestamp: [u8; TAI64N_LEN],
    timestamp_tag: [u8; TAG_LEN],
}

impl ReceivedInitiation {
    /// Reads who claims to have sent an initiation. `None` when it is not for us.
    #[must_use]
    pub fn open<C: Crypto>(local: &LocalIdentity<C>, initiation: &Initiation<'_>) -> Option<Self> {
        let mut transcript = Transcript::new::<C>(IDENTIFIER, &local.public);
        let remote_ephemeral = PublicKey::new(*initiation.ephemeral);
        let (encrypted_static, static_tag) = initiation.encrypted_static;
        let remote_public = transcript.read_first_static::<C>(
            &local.dh,
            &remote_ephemeral,
            *encrypted_static,
            static_tag,
        )?;
        let (timestamp, timestamp_tag) = initiation.encrypted_timestamp;
        Some(Self {
            transcript,
            remote_public,
            remote_ephemeral,
            remote_index: initiation.sender,
            timestamp: *timestamp,
            timestamp_tag: *timestamp_tag,
        })
    }

    /// The key of the peer that claims to have sent it.
    #[must_use]
    pub const fn remote_public_key(&self) -> &PublicKey {
        &self.remote_public
    }

    /// Proves that the peer with that key sent the initiation, at some time. That it was not sent
    /// before is for the caller to see: the timestamp must be greater than the greatest one that
    /// this peer's initiations have had.
    #[must_use]
    pub fn authenticate<C: Crypto>(
        self,
        local: &LocalIdentity<C>,
        remote: &RemoteStatic,
    ) -> Option<(Tai64n, ResponderState)> {
        if self.remote_public != remote.public {
            return None;
        }
        let static_static = remote.static_static::<C>(local)?;
        let (mut transcript, mut timestamp) = (self.transcript, self.timestamp);
        transcript
            .read_first_payload::<C>(static_static, &mut timestamp, &self.timestamp_tag)
            .ok()?;
        let state = ResponderState {
            transcript,
            remote_ephemeral: self.remote_ephemeral,
            remote_index: self.remote_index,
        };
        Some((Tai64n::from_bytes(timestamp), state))
    }
}

impl fmt::Debug for ReceivedInitiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_index(f, "ReceivedInitiation", "remote_index", self.remote_index)
    }
}

/// An authentic initiation that can be answered.
pub struct ResponderState {
    transcript: Transcript,
    remote_ephemeral: PublicKey,
    remote_index: u32,
}

impl ResponderState {
    /// What the peer wants to be called.
    #[must_use]
    pub const fn remote_index(&self) -> u32 {
        self.remote_index
    }

    /// Answers, and ends the handshake on this side. `remote` must be the peer that authenticated
    /// the initiation; `sender_index` is what it shall call us, and `ephemeral` must be fresh.
    ///
    /// `None` when a key of the peer is of low order.
    #[must_use]
    pub fn respond<C: Crypto>(
        self,
        remote: &RemoteStatic,
        sender_index: u32,
        ephemeral: &PrivateKey,
    ) -> Option<([u8; RESPONSE_SIZE], SessionKeys)> {
        let mut transcript = self.transcript;
        let secrets = ResponderSecrets {
            ephemeral: &C::DhKey::new(ephemeral.as_bytes()),
            psk: &remote.psk,
        };
        let second = transcript.write_second::<C>(
            &secrets,
            &remote.public,
            &self.remote_ephemeral,
            &mut [],
        )?;
        let message = Response::build(
            sender_index,
            self.remote_index,
            second.ephemeral.as_bytes(),
            &second.payload_tag,
        );
        let (recv, send) = transcript.split::<C>();
        let keys = SessionKeys {
            send,
            recv,
            remote_index: self.remote_index,
        };
        Some((message, keys))
    }
}

impl fmt::Debug for ResponderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_index(f, "ResponderState", "remote_index", self.remote_index)
    }
}

/// All that may be said about a state.
fn debug_index(f: &mut fmt::Formatter<'_>, state: &str, name: &str, index: u32) -> fmt::Result {
    f.debug_struct(state)
        .field(name, &index)
        .finish_non_exhaustive()
}

#[cfg(all(test, feature = "provider"))]
mod tests;

//! Both sides of the handshake against each other, and against everything that could be wrong.

use alloc::format;
use core::cell::OnceCell;

use super::*;
use crate::crypto::testing::{TestRandom, hex};
use crate::messages::Message;
use crate::provider::DefaultCrypto;
use crate::time::UnixTime;

type C = DefaultCrypto;

const INITIATOR_INDEX: u32 = 0x1111_1111;
const RESPONDER_INDEX: u32 = 0x2222_2222;

/// One side: who it is, and how it sees the other.
struct Side {
    local: LocalIdentity<C>,
    remote: RemoteStatic,
}

struct Pair {
    initiator: Side,
    responder: Side,
    random: TestRandom,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut random = TestRandom(seed);
        let one = LocalIdentity::<C>::new(PrivateKey::generate(&mut random));
        let two = LocalIdentity::<C>::new(PrivateKey::generate(&mut random));
        let to_two = RemoteStatic::new(*two.public_key());
        let to_one = RemoteStatic::new(*one.public_key());
        Self {
            initiator: Side {
                local: one,
                remote: to_two,
            },
            responder: Side {
                local: two,
                remote: to_one,
            },
            random,
        }
    }

    fn with_psk(seed: u64, psk: PresharedKey) -> Self {
        let mut pair = Self::new(seed);
        pair.initiator.remote.set_preshared_key(psk.clone());
        pair.responder.remote.set_preshared_key(psk);
        pair
    }

    fn initiate(&mut self) -> ([u8; INITIATION_SIZE], InitiatorState<C>) {
        let Side { local, remote } = &self.initiator;
        let ephemeral = PrivateKey::generate(&mut self.random);
        initiate::<C>(local, remote, INITIATOR_INDEX, &ephemeral, timestamp()).unwrap()
    }

    fn respond(&mut self, message: &[u8]) -> Option<([u8; RESPONSE_SIZE], SessionKeys)> {
        let Side { local, remote } = &self.responder;
        let received = ReceivedInitiation::open::<C>(local, &initiation(message)?)?;
        let (time, state) = received.authenticate::<C>(local, remote)?;
        assert_eq!(time, timestamp());
        let ephemeral = PrivateKey::generate(&mut self.random);
        state.respond::<C>(remote, RESPONDER_INDEX, &ephemeral)
    }

    fn finish(&self, state: &InitiatorState<C>, message: &[u8]) -> Option<SessionKeys> {
        let Side { local, remote } = &self.initiator;
        state.receive_response(local, remote, &response(message)?)
    }
}

fn timestamp() -> Tai64n {
    Tai64n::from_unix(UnixTime {
        secs: 1_700_000_000,
        nanos: 0,
    })
}

fn initiation(message: &[u8]) -> Option<Initiation<'_>> {
    match Message::parse(message) {
        Ok(Message::Initiation(initiation)) => Some(initiation),
        _ => None,
    }
}

fn response(message: &[u8]) -> Option<Response<'_>> {
    match Message::parse(message) {
        Ok(Message::Response(response)) => Some(response),
        _ => None,
    }
}

#[test]
fn the_identifier_is_that_of_the_paper() {
    assert_eq!(IDENTIFIER, b"WireGuard v1 zx2c4 Jason@zx2c4.com");
    assert_eq!(IDENTIFIER.len(), 34);
}

/// The first values of every transcript, which other implementations have as constants.
#[test]
fn the_transcript_begins_as_everywhere() {
    let construction = C::hash(&[b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"]);
    let expected = [
        96, 226, 109, 174, 243, 39, 239, 192, 46, 195, 53, 226, 160, 37, 210, 208, 22, 235, 66, 6,
        248, 114, 119, 245, 45, 56, 209, 152, 139, 120, 205, 54,
    ];
    assert_eq!(construction, expected);
    let expected = [
        34, 17, 179, 97, 8, 26, 197, 102, 105, 18, 67, 219, 69, 138, 213, 50, 45, 156, 108, 102,
        34, 147, 232, 183, 14, 225, 156, 101, 186, 7, 158, 243,
    ];
    assert_eq!(C::hash(&[&construction, IDENTIFIER]), expected);
}

#[test]
fn both_sides_get_the_same_keys() {
    for psk in [PresharedKey::NONE, PresharedKey::new([0x5a; 32])] {
        let mut pair = Pair::with_psk(1, psk);
        let (message, state) = pair.initiate();
        assert_eq!(state.local_index(), INITIATOR_INDEX);
        let (message, at_responder) = pair.respond(&message).unwrap();
        let at_initiator = pair.finish(&state, &message).unwrap();

        assert_eq!(at_initiator.send, at_responder.recv);
        assert_eq!(at_initiator.recv, at_responder.send);
        assert_ne!(at_initiator.send, at_initiator.recv);
        assert_eq!(at_initiator.remote_index, RESPONDER_INDEX);
        assert_eq!(at_responder.remote_index, INITIATOR_INDEX);
    }
}

#[test]
fn every_handshake_has_keys_of_its_own() {
    let mut pair = Pair::new(1);
    let (message, first) = pair.initiate();
    let (message, _) = pair.respond(&message).unwrap();
    let first = pair.finish(&first, &message).unwrap();
    let (message, second) = pair.initiate();
    let (message, _) = pair.respond(&message).unwrap();
    let second = pair.finish(&second, &message).unwrap();
    assert_ne!(first.send, second.send);
}

#[test]
fn messages_carry_indices_and_no_macs() {
    let mut pair = Pair::new(1);
    let (first, _) = pair.initiate();
    assert_eq!(first[..8], [1, 0, 0, 0, 0x11, 0x11, 0x11, 0x11]);
    assert_eq!(first[116..], [0; 32]);
    let (second, _) = pair.respond(&first).unwrap();
    assert_eq!(second[..8], [2, 0, 0, 0, 0x22, 0x22, 0x22, 0x22]);
    assert_eq!(second[8..12], [0x11; 4]);
    assert_eq!(second[60..], [0; 32]);
}

#[test]
fn every_byte_of_an_initiation_but_index_and_macs_counts() {
    let mut pair = Pair::new(2);
    let (message, _) = pair.initiate();
    for byte in (0..4).chain(8..116) {
        for bit in [0, 3] {
            let mut damaged = message;
            damaged[byte] ^= 1 << bit;
            assert!(pair.respond(&damaged).is_none(), "byte {byte} bit {bit}");
        }
    }
    // The index of the sender is not sealed; it is covered by the first MAC and by the session.
    assert!(pair.respond(&message).is_some());
}

#[test]
fn every_byte_of_a_response_but_index_and_macs_counts() {
    let mut pair = Pair::new(3);
    let (message, state) = pair.initiate();
    let (message, _) = pair.respond(&message).unwrap();
    for byte in (0..4).chain(8..60) {
        for bit in [0, 3] {
            let mut damaged = message;
            damaged[byte] ^= 1 << bit;
            assert!(
                pair.finish(&state, &damaged).is_none(),
                "byte {byte} bit {bit}"
            );
        }
    }
    // All those forgeries did not keep the right one out.
    assert!(pair.finish(&state, &message).is_some());
}

#[test]
fn a_response_belongs_to_one_initiation() {
    let mut pair = Pair::new(4);
    let (message, _) = pair.initiate();
    let (old, _) = pair.respond(&message).unwrap();
    let (_, state) = pair.initiate();
    assert!(pair.finish(&state, &old).is_none());
}

#[test]
fn preshared_keys_must_agree() {
    let mut pair = Pair::with_psk(5, PresharedKey::new([1; 32]));
    let (message, state) = pair.initiate();
    let (message, _) = pair.respond(&message).unwrap();
    for wrong in [PresharedKey::new([2; 32]), PresharedKey::NONE] {
        pair.initiator.remote.set_preshared_key(wrong);
        assert!(pair.finish(&state, &message).is_none());
    }
    pair.initiator
        .remote
        .set_preshared_key(PresharedKey::new([1; 32]));
    assert!(pair.finish(&state, &message).is_some());
}

#[test]
fn a_preshared_key_set_during_the_handshake_counts() {
    let mut pair = Pair::new(6);
    let (message, state) = pair.initiate();
    let psk = PresharedKey::new([7; 32]);
    pair.initiator.remote.set_preshared_key(psk.clone());
    pair.responder.remote.set_preshared_key(psk);
    let (message, at_responder) = pair.respond(&message).unwrap();
    let at_initiator = pair.finish(&state, &message).unwrap();
    assert_eq!(at_initiator.send, at_responder.recv);
}

#[test]
fn an_initiation_is_for_one_responder() {
    let mut pair = Pair::new(7);
    let (message, _) = pair.initiate();
    let other = LocalIdentity::<C>::new(PrivateKey::new([9; 32]));
    let opened = ReceivedInitiation::open::<C>(&other, &initiation(&message).unwrap());
    assert!(opened.is_none());
}

#[test]
fn an_initiation_names_its_sender_and_only_the_sender_authenticates_it() {
    let mut pair = Pair::new(8);
    let (message, _) = pair.initiate();
    let responder = &pair.responder;
    let open =
        || ReceivedInitiation::open::<C>(&responder.local, &initiation(&message).unwrap()).unwrap();
    assert_eq!(
        open().remote_public_key(),
        pair.initiator.local.public_key()
    );
    let stranger = LocalIdentity::<C>::new(PrivateKey::new([9; 32]));
    let stranger = RemoteStatic::new(*stranger.public_key());
    assert!(
        open()
            .authenticate::<C>(&responder.local, &stranger)
            .is_none()
    );
    assert!(
        open()
            .authenticate::<C>(&responder.local, &responder.remote)
            .is_some()
    );
}

/// Someone who knows both public keys, but no private one, can name anyone as the sender.
#[test]
fn a_stolen_name_does_not_authenticate() {
    let mut pair = Pair::new(9);
    let thief = PrivateKey::new([3; 32]);
    let thief = <C as Crypto>::DhKey::new(thief.as_bytes());
    let secret = thief
        .agree(pair.responder.local.public_key().as_bytes())
        .unwrap();
    pair.initiator.remote.static_static = OnceCell::from(Some(secret));
    let (message, _) = pair.initiate();
    let Side { local, remote } = &pair.responder;
    let received = ReceivedInitiation::open::<C>(local, &initiation(&message).unwrap()).unwrap();
    assert_eq!(received.remote_public_key(), remote.public_key());
    assert!(received.authenticate::<C>(local, remote).is_none());
}

#[test]
fn keys_of_low_order_are_refused_everywhere() {
    let mut pair = Pair::new(10);
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ] {
        let point = PublicKey::new(hex(point));
        // As a peer.
        let remote = RemoteStatic::new(point);
        assert!(!remote.is_usable::<C>(&pair.initiator.local));
        let ephemeral = PrivateKey::new([1; 32]);
        let local = &pair.initiator.local;
        assert!(initiate::<C>(local, &remote, 1, &ephemeral, timestamp()).is_none());
        // As an ephemeral value in either message.
        let (mut message, state) = pair.initiate();
        let (mut answer, _) = pair.respond(&message).unwrap();
        message[8..40].copy_from_slice(point.as_bytes());
        assert!(pair.respond(&message).is_none());
        answer[12..44].copy_from_slice(point.as_bytes());
        assert!(pair.finish(&state, &answer).is_none());
    }
}

#[test]
fn a_peer_follows_the_devices_key() {
    let mut pair = Pair::new(11);
    let Side { local, remote } = &mut pair.initiator;
    let (new_key, old_key) = (LocalIdentity::<C>::new(PrivateKey::new([7; 32])), &*local);
    assert!(remote.is_usable::<C>(old_key));
    remote.forget_local();
    *local = new_key;
    pair.responder.remote = RemoteStatic::new(*local.public_key());
    let (message, state) = pair.initiate();
    let (message, _) = pair.respond(&message).unwrap();
    assert!(pair.finish(&state, &message).is_some());
}

#[test]
fn debug_shows_no_secret() {
    let mut pair = Pair::new(12);
    let (message, state) = pair.initiate();
    let (_, keys) = pair.respond(&message).unwrap();
    assert_eq!(
        format!("{state:?}"),
        "InitiatorState { local_index: 286331153, .. }"
    );
    assert_eq!(
        format!("{keys:?}"),
        "SessionKeys { remote_index: 286331153, .. }"
    );
    let public = format!("{:?}", pair.initiator.local.public_key());
    assert_eq!(
        format!("{:?}", pair.initiator.local),
        format!("LocalIdentity({public})")
    );
    assert_eq!(
        format!("{:?}", pair.responder.remote),
        format!("RemoteStatic({public})")
    );
}

//! The three steps of a handshake that cost something, from message to message, and what costs most
//! in them.

use std::hint::black_box;

use hushwire_proto::cookie::{CookieChecker, CookieGenerator};
use hushwire_proto::crypto::DhKey;
use hushwire_proto::handshake::{
    self, InitiatorState, LocalIdentity, ReceivedInitiation, RemoteStatic,
};
use hushwire_proto::key::PrivateKey;
use hushwire_proto::messages::{INITIATION_SIZE, Message, RESPONSE_SIZE};
use hushwire_proto::provider::{DefaultCrypto, X25519Key};
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::{Instant, UnixTime};

use crate::case::Case;
use crate::random::Repeatable;

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const TURNS: u64 = 4;

pub(super) fn cases() -> Vec<Case> {
    let initiate = Case::new("handshake/initiate", || {
        let (mut initiator, _) = pair();
        move || {
            black_box(initiator.initiate());
        }
    });
    let answer = Case::new("handshake/answer", || {
        let (mut initiator, mut responder) = pair();
        let (message, _) = initiator.initiate();
        move || {
            black_box(responder.answer(&message));
        }
    });
    let consume = Case::new("handshake/consume", || {
        let (mut initiator, mut responder) = pair();
        let (message, state) = initiator.initiate();
        let response = responder.answer(&message);
        move || initiator.consume(&state, &response)
    });
    let prepare = Case::new("handshake/x25519-prepare", || {
        let mut random = Repeatable::new(5);
        move || {
            let key = PrivateKey::generate(&mut random);
            black_box(X25519Key::new(key.as_bytes()).public_key());
        }
    });
    let agree = Case::new("handshake/x25519-agree", || {
        let [own, other] = [6, 7].map(|seed| X25519Key::new(&[seed; 32]));
        let other = other.public_key();
        move || {
            black_box(own.agree(black_box(&other)).expect("a usable key"));
        }
    });
    [initiate, answer, consume, prepare, agree]
        .map(|case| case.counted(TURNS))
        .into()
}

/// One side of a handshake, without the rest of a device.
struct Side {
    local: LocalIdentity<DefaultCrypto>,
    remote: RemoteStatic,
    checker: CookieChecker,
    cookies: CookieGenerator,
    random: Repeatable,
}

/// An initiator and a responder who know each other.
fn pair() -> (Side, Side) {
    let [alice, bob] = [1, 2].map(|seed| {
        let key = PrivateKey::generate(&mut Repeatable::new(seed));
        LocalIdentity::new(key)
    });
    let keys = [*bob.public_key(), *alice.public_key()];
    let [to_bob, to_alice] = keys.map(RemoteStatic::new);
    let [alices, bobs] = keys.map(|key| CookieGenerator::new::<DefaultCrypto>(&key));
    (
        Side::new(alice, to_bob, alices, 3),
        Side::new(bob, to_alice, bobs, 4),
    )
}

impl Side {
    fn new(
        local: LocalIdentity<DefaultCrypto>,
        remote: RemoteStatic,
        cookies: CookieGenerator,
        seed: u64,
    ) -> Self {
        let mut checker = CookieChecker::new();
        checker.set_identity(Some(&local));
        Self {
            local,
            remote,
            checker,
            cookies,
            random: Repeatable::new(seed),
        }
    }

    fn initiate(&mut self) -> ([u8; INITIATION_SIZE], InitiatorState<DefaultCrypto>) {
        let ephemeral = PrivateKey::generate(&mut self.random);
        let timestamp = Tai64n::from_unix(UnixTime { secs: 1, nanos: 0 });
        let (mut message, state) = handshake::initiate::<DefaultCrypto>(
            &self.local,
            &self.remote,
            1,
            &ephemeral,
            timestamp,
        )
        .expect("a usable key");
        self.cookies.add_macs::<DefaultCrypto>(NOW, &mut message);
        (message, state)
    }

    fn answer(&mut self, message: &[u8; INITIATION_SIZE]) -> [u8; RESPONSE_SIZE] {
        let Ok(Message::Initiation(initiation)) = Message::parse(message) else {
            panic!("not an initiation");
        };
        let mac = self.checker.verify_mac1::<DefaultCrypto>(&initiation.macs);
        assert!(mac, "the first MAC is wrong");
        let received = ReceivedInitiation::open::<DefaultCrypto>(&self.local, &initiation)
            .expect("an initiation for us");
        let (_, responder) = received
            .authenticate::<DefaultCrypto>(&self.local, &self.remote)
            .expect("an authentic initiation");
        let ephemeral = PrivateKey::generate(&mut self.random);
        let (mut response, keys) = responder
            .respond::<DefaultCrypto>(&self.remote, 2, &ephemeral)
            .expect("usable keys");
        black_box(keys);
        self.cookies.add_macs::<DefaultCrypto>(NOW, &mut response);
        response
    }

    fn consume(&self, state: &InitiatorState<DefaultCrypto>, message: &[u8; RESPONSE_SIZE]) {
        let Ok(Message::Response(response)) = Message::parse(message) else {
            panic!("not a response");
        };
        let mac = self.checker.verify_mac1::<DefaultCrypto>(&response.macs);
        assert!(mac, "the first MAC is wrong");
        let keys = state.receive_response(&self.local, &self.remote, &response);
        black_box(keys.expect("an authentic response"));
    }
}

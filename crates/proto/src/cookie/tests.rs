//! MACs and cookies from both sides.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::*;
use crate::crypto::testing::TestRandom;
use crate::key::PrivateKey;
use crate::messages::{INITIATION_SIZE, Initiation, Message, RESPONSE_SIZE, Response};
use crate::provider::DefaultCrypto;

type C = DefaultCrypto;

/// The paper: 120 seconds.
const LIFETIME: Duration = Duration::from_secs(120);
const START: Instant = Instant::from_nanos(1_000_000_000_000);
const TICK: Duration = Duration::from_nanos(1);

fn source() -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, 7), 51820).into()
}

fn macs(message: &[u8]) -> Macs<'_> {
    match Message::parse(message) {
        Ok(Message::Initiation(initiation)) => initiation.macs,
        Ok(Message::Response(response)) => response.macs,
        other => panic!("{other:?}"),
    }
}

/// A responder, and an initiator that writes to it.
struct Pair {
    random: TestRandom,
    local: LocalIdentity<C>,
    checker: CookieChecker,
    generator: CookieGenerator,
}

impl Pair {
    fn new() -> Self {
        let mut random = TestRandom(1);
        let local = LocalIdentity::<C>::new(PrivateKey::generate(&mut random));
        let mut checker = CookieChecker::new();
        checker.set_identity(Some(&local));
        Self {
            random,
            generator: CookieGenerator::new::<C>(local.public_key()),
            checker,
            local,
        }
    }

    fn message(&mut self, now: Instant) -> [u8; INITIATION_SIZE] {
        let (key, tag) = ([2; 32], [3; 16]);
        let mut message = Initiation::build(1, &[4; 32], (&key, &tag), (&[5; 12], &tag));
        self.generator.add_macs::<C>(now, &mut message);
        message
    }

    fn reply(
        &mut self,
        now: Instant,
        source: SocketAddr,
        message: &[u8],
    ) -> [u8; COOKIE_REPLY_SIZE] {
        self.checker
            .reply::<C>(now, &mut self.random, 1, &macs(message), source)
            .unwrap()
    }

    fn receive(&mut self, now: Instant, reply: &[u8]) -> bool {
        match Message::parse(reply) {
            Ok(Message::CookieReply(reply)) => self.generator.receive_reply::<C>(now, &reply),
            other => panic!("{other:?}"),
        }
    }

    /// The whole dance: message, reply, cookie.
    fn give_cookie(&mut self, now: Instant, source: SocketAddr) {
        let message = self.message(now);
        let reply = self.reply(now, source, &message);
        assert!(self.receive(now, &reply));
    }

    fn accepts(&self, now: Instant, source: SocketAddr, message: &[u8]) -> bool {
        self.checker.verify_mac2::<C>(now, &macs(message), source)
    }
}

#[test]
fn constants_are_those_of_the_paper() {
    assert_eq!(LABEL_MAC1, b"mac1----");
    assert_eq!(LABEL_COOKIE, b"cookie--");
    assert_eq!(COOKIE_LIFETIME, LIFETIME);
}

/// Written out from the paper's formulas.
#[test]
fn macs_are_what_the_paper_says() {
    let mut pair = Pair::new();
    pair.give_cookie(START, source());
    let message = pair.message(START);
    let public = pair.local.public_key();
    let key = C::hash(&[b"mac1----", public.as_bytes()]);
    assert_eq!(message[116..132], C::mac(&key, &[&message[..116]]));

    let secret = &pair.checker.secret.as_ref().unwrap().bytes;
    let cookie = C::mac::<32>(secret, &[&[192, 0, 2, 7, 0xca, 0x6c]]);
    assert_eq!(message[132..], C::mac(&cookie, &[&message[..132]]));
}

#[test]
fn a_first_mac_is_for_one_receiver_and_one_message() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    let valid = |pair: &Pair, message: &[u8]| pair.checker.verify_mac1::<C>(&macs(message));
    assert!(valid(&pair, &message));
    for byte in 4..132 {
        let mut damaged = message;
        damaged[byte] ^= 1;
        assert!(!valid(&pair, &damaged), "byte {byte}");
    }
    let other = LocalIdentity::<C>::new(PrivateKey::new([9; 32]));
    pair.checker.set_identity(Some(&other));
    assert!(!valid(&pair, &message));
}

#[test]
fn a_device_without_a_key_answers_nothing() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    pair.checker.set_identity::<C>(None);
    let macs = macs(&message);
    assert!(!pair.checker.verify_mac1::<C>(&macs));
    let reply = pair
        .checker
        .reply::<C>(START, &mut pair.random, 1, &macs, source());
    assert!(reply.is_none());
}

#[test]
fn both_kinds_of_message_get_macs() {
    let mut pair = Pair::new();
    pair.give_cookie(START, source());
    let mut message: [u8; RESPONSE_SIZE] = Response::build(1, 2, &[4; 32], &[3; 16]);
    pair.generator.add_macs::<C>(START, &mut message);
    assert!(pair.checker.verify_mac1::<C>(&macs(&message)));
    assert!(pair.accepts(START, source(), &message));
}

#[test]
fn without_a_cookie_the_second_mac_is_zero_and_wrong() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    assert_eq!(message[132..], [0; 16]);
    assert!(!pair.accepts(START, source(), &message));
    // Nor is it right once the responder has a secret.
    let _reply = pair.reply(START, source(), &message);
    assert!(!pair.accepts(START, source(), &message));
}

#[test]
fn a_cookie_makes_the_second_mac_right() {
    let mut pair = Pair::new();
    pair.give_cookie(START, source());
    let message = pair.message(START);
    assert!(pair.accepts(START, source(), &message));
    for byte in 4..148 {
        let mut damaged = message;
        damaged[byte] ^= 1;
        assert!(!pair.accepts(START, source(), &damaged), "byte {byte}");
    }
}

#[test]
fn a_cookie_is_bound_to_address_and_port() {
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
    for right in [source(), (v6, 51820).into()] {
        let mut pair = Pair::new();
        pair.give_cookie(START, right);
        let message = pair.message(START);
        assert!(pair.accepts(START, right, &message));
        let mut port = right;
        port.set_port(51821);
        let mut bytes = right;
        bytes.set_port(51820_u16.swap_bytes());
        for wrong in [
            port,
            bytes,
            (Ipv4Addr::new(192, 0, 2, 8), 51820).into(),
            (Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped(), 51820).into(),
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 8), 51820).into(),
        ] {
            assert!(!pair.accepts(START, wrong, &message), "{wrong}");
        }
    }
}

#[test]
fn a_secret_is_good_for_120_seconds() {
    let mut pair = Pair::new();
    pair.give_cookie(START, source());
    let last = START + (LIFETIME - TICK);
    let message = pair.message(last);
    assert!(pair.accepts(last, source(), &message));
    assert!(!pair.accepts(START + LIFETIME, source(), &message));
}

#[test]
fn a_secret_is_kept_while_it_is_good_and_replaced_after() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    pair.reply(START, source(), &message);
    let secret = |pair: &Pair| {
        pair.checker
            .secret
            .as_ref()
            .map(|secret| secret.bytes.clone())
    };
    let first = secret(&pair);
    pair.reply(START + (LIFETIME - TICK), source(), &message);
    assert_eq!(secret(&pair), first);
    pair.reply(START + LIFETIME, source(), &message);
    assert_ne!(secret(&pair), first);
    assert_eq!(pair.checker.secret.as_ref().unwrap().made, START + LIFETIME);
}

#[test]
fn the_initiator_uses_a_cookie_for_120_seconds() {
    let mut pair = Pair::new();
    pair.give_cookie(START, source());
    assert_ne!(pair.message(START + (LIFETIME - TICK))[132..], [0; 16]);
    assert_eq!(pair.message(START + LIFETIME)[132..], [0; 16]);
    assert!(pair.generator.cookie.is_none());
}

#[test]
fn a_cookie_is_sealed_for_one_message() {
    let mut pair = Pair::new();
    let first = pair.message(START);
    let reply = pair.reply(START, source(), &first);
    // Another message has left since.
    let mut second = Initiation::build(2, &[4; 32], (&[2; 32], &[3; 16]), (&[5; 12], &[3; 16]));
    pair.generator.add_macs::<C>(START, &mut second);
    assert!(!pair.receive(START, &reply));
    let reply = pair.reply(START, source(), &second);
    assert!(pair.receive(START, &reply));
}

#[test]
fn a_reply_is_taken_once_and_only_if_it_was_asked_for() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    let reply = pair.reply(START, source(), &message);
    assert!(pair.receive(START, &reply));
    assert!(!pair.receive(START, &reply));

    let mut silent = Pair::new();
    assert!(!silent.receive(START, &reply));
}

#[test]
fn a_damaged_reply_is_refused_and_spoils_nothing() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    let reply = pair.reply(START, source(), &message);
    for byte in 8..COOKIE_REPLY_SIZE {
        let mut damaged = reply;
        damaged[byte] ^= 1;
        assert!(!pair.receive(START, &damaged), "byte {byte}");
    }
    assert!(pair.receive(START, &reply));
}

#[test]
fn replies_have_the_right_receiver_and_nonces_that_differ() {
    let mut pair = Pair::new();
    let message = pair.message(START);
    let first = pair.reply(START, source(), &message);
    let second = pair.reply(START, source(), &message);
    assert_eq!(first[..8], [3, 0, 0, 0, 1, 0, 0, 0]);
    assert_ne!(first[8..32], second[8..32]);
}

#[test]
fn a_message_without_room_for_macs_is_left_alone() {
    let mut pair = Pair::new();
    for len in [0, 15, 16, 31] {
        let mut message = alloc::vec![7; len];
        pair.generator.add_macs::<C>(START, &mut message);
        assert!(message.iter().all(|&byte| byte == 7));
    }
}

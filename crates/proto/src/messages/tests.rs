//! Forms, lengths and byte order.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The paper's own numbers, not our constants.
#[test]
fn sizes_are_those_of_the_paper() {
    assert_eq!(
        INITIATION_SIZE,
        4 + 4 + 32 + (32 + 16) + (12 + 16) + 16 + 16
    );
    assert_eq!(RESPONSE_SIZE, 4 + 4 + 4 + 32 + 16 + 16 + 16);
    assert_eq!(COOKIE_REPLY_SIZE, 4 + 4 + 24 + (16 + 16));
    assert_eq!(DATA_HEADER_SIZE, 4 + 4 + 8);
    assert_eq!(DATA_SIZE_MIN, 32);
}

#[test]
fn an_initiation_has_its_fields_in_order() {
    let mut bytes = Initiation::build(
        0x0403_0201,
        &[5; 32],
        (&[6; 32], &[13; 16]),
        (&[7; 12], &[14; 16]),
    );
    assert_eq!(bytes[..8], [1, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(bytes[8..40], [5; 32]);
    assert_eq!(
        (&bytes[40..72], &bytes[72..88]),
        (&[6; 32][..], &[13; 16][..])
    );
    assert_eq!(
        (&bytes[88..100], &bytes[100..116]),
        (&[7; 12][..], &[14; 16][..])
    );
    assert_eq!(bytes[116..], [0; 32]);
    bytes[116..132].fill(8);
    bytes[132..].fill(9);
    let Ok(Message::Initiation(parsed)) = Message::parse(&bytes) else {
        panic!("no initiation");
    };
    assert_eq!(parsed.sender, 0x0403_0201);
    assert_eq!(parsed.ephemeral, &[5; 32]);
    assert_eq!(parsed.encrypted_static, (&[6; 32], &[13; 16]));
    assert_eq!(parsed.encrypted_timestamp, (&[7; 12], &[14; 16]));
    assert_eq!(parsed.macs.covered, &bytes[..116]);
    assert_eq!((parsed.macs.mac1, parsed.macs.mac2), (&[8; 16], &[9; 16]));
}

#[test]
fn a_response_has_its_fields_in_order() {
    let mut bytes = Response::build(0x0403_0201, 0x0807_0605, &[9; 32], &[10; 16]);
    assert_eq!(bytes[..12], [2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bytes[12..44], [9; 32]);
    assert_eq!(bytes[44..60], [10; 16]);
    assert_eq!(bytes[60..], [0; 32]);
    bytes[60..76].fill(11);
    bytes[76..].fill(12);
    let Ok(Message::Response(parsed)) = Message::parse(&bytes) else {
        panic!("no response");
    };
    assert_eq!((parsed.sender, parsed.receiver), (0x0403_0201, 0x0807_0605));
    assert_eq!(parsed.ephemeral, &[9; 32]);
    assert_eq!(parsed.encrypted_nothing, &[10; 16]);
    assert_eq!(parsed.macs.covered, &bytes[..60]);
    assert_eq!((parsed.macs.mac1, parsed.macs.mac2), (&[11; 16], &[12; 16]));
}

#[test]
fn a_cookie_reply_has_its_fields_in_order() {
    let bytes = CookieReply::build(0x0403_0201, &[5; 24], (&[6; 16], &[7; 16]));
    assert_eq!(bytes[..8], [3, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(bytes[8..32], [5; 24]);
    assert_eq!((&bytes[32..48], &bytes[48..]), (&[6; 16][..], &[7; 16][..]));
    let parsed = CookieReply {
        receiver: 0x0403_0201,
        nonce: &[5; 24],
        encrypted_cookie: (&[6; 16], &[7; 16]),
    };
    assert_eq!(Message::parse(&bytes), Ok(Message::CookieReply(parsed)));
}

#[test]
fn data_has_its_fields_in_order() {
    let mut bytes = [0xee; 33];
    write_data_header(&mut bytes, 0x0403_0201, 0x0c0b_0a09_0807_0605);
    assert_eq!(
        bytes[..16],
        [4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    );
    assert_eq!(bytes[16..], [0xee; 17]);
    let parsed = Data {
        receiver: 0x0403_0201,
        counter: 0x0c0b_0a09_0807_0605,
        sealed: &[0xee; 17],
    };
    assert_eq!(Message::parse(&bytes), Ok(Message::Data(parsed)));
    assert_eq!(parse_data(&bytes), Some((parsed.receiver, parsed.counter)));
}

#[test]
fn a_header_does_not_fit_into_fifteen_bytes() {
    let mut short = [0xee; 15];
    write_data_header(&mut short, 1, 2);
    assert_eq!(short, [0xee; 15]);
}

#[test]
fn only_the_right_length_will_do() {
    let fixed = [
        (1, INITIATION_SIZE),
        (2, RESPONSE_SIZE),
        (3, COOKIE_REPLY_SIZE),
    ];
    for len in 4..=200 {
        for (kind, right) in fixed {
            let bytes = datagram(kind, len);
            let expected = Malformed::WrongLength { kind, len };
            match Message::parse(&bytes) {
                Ok(_) => assert_eq!(len, right),
                Err(error) => assert!(len != right && error == expected),
            }
        }
        let data = datagram(4, len);
        assert_eq!(Message::parse(&data).is_ok(), len >= 32);
        assert_eq!(parse_data(&data).is_some(), len >= 32);
    }
}

#[test]
fn reserved_bytes_must_be_zero_and_types_known() {
    for kind in 1..=4 {
        for reserved in 1..4 {
            let mut bytes = datagram(kind, 148);
            bytes[reserved] = 1;
            let expected = Malformed::UnknownType {
                kind: bytes[..4].try_into().unwrap(),
            };
            assert_eq!(Message::parse(&bytes), Err(expected));
            assert_eq!(parse_data(&bytes), None);
        }
    }
    for kind in [0, 5, 255] {
        let error = Message::parse(&datagram(kind, 148)).unwrap_err();
        assert!(matches!(error, Malformed::UnknownType { .. }));
    }
    for len in 0..4 {
        assert_eq!(
            Message::parse(&datagram(4, 4)[..len]),
            Err(Malformed::TooShort)
        );
    }
}

#[test]
fn errors_name_the_fault() {
    let error = Message::parse(&datagram(1, 149)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a message of type 1 cannot be 149 bytes long"
    );
    let error = Message::parse(&[4, 0, 0, 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no message begins with the bytes [04, 00, 00, 01]"
    );
}

fn datagram(kind: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes[0] = kind;
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..6_u8) {
        let _ = Message::parse(&bytes);
        let mut typed = bytes;
        if let Some(first) = typed.first_chunk_mut() {
            *first = [kind, 0, 0, 0];
        }
        let parsed = Message::parse(&typed);
        let data = parse_data(&typed);
        prop_assert_eq!(matches!(parsed, Ok(Message::Data(_))), data.is_some());
    }
}

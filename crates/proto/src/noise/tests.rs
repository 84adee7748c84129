//! The published vector of the pattern, and the constants of the paper.

use alloc::vec::Vec;

use super::*;
use crate::crypto::testing::hex;
use crate::provider::DefaultCrypto;

type C = DefaultCrypto;

const PROLOGUE: &[u8] = b"John Galt";
const PSK: &[u8; 32] = b"This is my Austrian perspective!";
const INITIATOR_STATIC: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
const INITIATOR_EPHEMERAL: &str =
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
const RESPONDER_STATIC: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
const RESPONDER_PUBLIC: &str = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62";
const RESPONDER_EPHEMERAL: &str =
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
const HANDSHAKE_HASH: &str = "f5191b875290abcd41347ac3622d9679688a7e980229cb937ef748336cfde0e5";

const FIRST: &str = "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944\
    001e21de9f98ddd8e2ad57527207feb56253c9c94a9e496782ecfcb2a75fbcaf1b52948cc48daefe660c62119ab50009\
    80c84831215f2441eba616548e832985464cf17e51ee93109008399a21f7e13f";
const SECOND: &str = "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843\
    cb765f2caef0751b8f007572dab0322217755c0632f365717edbf34d33e87a";
/// Transport messages, from responder and initiator in turn.
const TRANSPORT: [(&[u8], &str); 4] = [
    (
        b"F. A. Hayek",
        "8153ca9833bc3c1b91a7e66e5f4d4f5b59bf9e64c2f20d15f0bba7",
    ),
    (
        b"Carl Menger",
        "07af0c9c86e1b4e80f36b04ff7688d51141af3debd0332f0a705ef",
    ),
    (
        b"Jean-Baptiste Say",
        "6ab1467c0448cc78394494abaaf23afce0e234315d6e2624dcbfa8a21c1c4d073d",
    ),
    (
        b"Eugen B\xf6hm von Bawerk",
        "dfc346c0d2296ae6cf1acf6f12b8456a1dba228cf8d8b774aacf1c47fc53aa80ebc7a4c292",
    ),
];

/// The vector that the `cacophony` implementation published for this pattern.
#[test]
fn cacophony() {
    let [
        initiator,
        responder,
        initiator_ephemeral,
        responder_ephemeral,
    ] = [
        INITIATOR_STATIC,
        RESPONDER_STATIC,
        INITIATOR_EPHEMERAL,
        RESPONDER_EPHEMERAL,
    ]
    .map(|key| <C as Crypto>::DhKey::new(&hex(key)));
    let initiator_public = PublicKey::new(initiator.public_key());
    let responder_public = PublicKey::new(hex(RESPONDER_PUBLIC));
    assert_eq!(responder.public_key(), *responder_public.as_bytes());
    let static_static = initiator.agree(responder_public.as_bytes()).unwrap();
    let psk = PresharedKey::new(*PSK);

    let mut at_initiator = Transcript::new::<C>(PROLOGUE, &responder_public);
    let mut at_responder = at_initiator.clone();

    let mut payload = *b"Ludwig von Mises";
    let first = at_initiator
        .write_first::<C>(
            &initiator_public,
            &responder_public,
            &static_static,
            &initiator_ephemeral,
            &mut payload,
        )
        .unwrap();
    let written = [
        &first.ephemeral.as_bytes()[..],
        &first.encrypted_static,
        &first.static_tag,
        &payload,
        &first.payload_tag,
    ]
    .concat();
    assert_eq!(written, hex::<112>(FIRST));

    let read = at_responder.read_first_static::<C>(
        &responder,
        &first.ephemeral,
        first.encrypted_static,
        &first.static_tag,
    );
    assert_eq!(read, Some(initiator_public));
    at_responder
        .read_first_payload::<C>(&static_static, &mut payload, &first.payload_tag)
        .unwrap();
    assert_eq!(&payload, b"Ludwig von Mises");

    let mut payload = *b"Murray Rothbard";
    let secrets = ResponderSecrets {
        ephemeral: &responder_ephemeral,
        psk: &psk,
    };
    let second = at_responder
        .write_second::<C>(&secrets, &initiator_public, &first.ephemeral, &mut payload)
        .unwrap();
    let written = [
        &second.ephemeral.as_bytes()[..],
        &payload,
        &second.payload_tag,
    ]
    .concat();
    assert_eq!(written, hex::<63>(SECOND));

    let secrets = InitiatorSecrets {
        static_: &initiator,
        ephemeral: &initiator_ephemeral,
        psk: &psk,
    };
    at_initiator
        .read_second::<C>(
            &secrets,
            &second.ephemeral,
            &mut payload,
            &second.payload_tag,
        )
        .unwrap();
    assert_eq!(&payload, b"Murray Rothbard");

    assert_eq!(at_initiator.hash, hex(HANDSHAKE_HASH));
    assert_eq!(at_responder.hash, hex(HANDSHAKE_HASH));
    transport(&at_initiator.split::<C>(), &at_responder.split::<C>());
}

fn transport(at_initiator: &Split, at_responder: &Split) {
    assert_eq!(at_initiator, at_responder);
    for (index, (plaintext, sealed)) in TRANSPORT.iter().enumerate() {
        let key = if index % 2 == 0 {
            &at_initiator.0
        } else {
            &at_initiator.1
        };
        let mut message: Vec<u8> = plaintext.to_vec();
        let tag = C::seal(key, index as u64 / 2, &[], &mut message);
        message.extend(tag);
        let text: Vec<_> = message
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect();
        assert_eq!(text.concat(), *sealed);
    }
}

#[test]
fn the_name_is_that_of_the_paper() {
    assert_eq!(CONSTRUCTION, b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
    assert_eq!(CONSTRUCTION.len(), 37);
}

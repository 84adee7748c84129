//! What the device may answer, and what it did.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hushwire_lab::Datagram;
use hushwire_proto::messages::{COOKIE_REPLY_SIZE, Message};

/// Checks that every packet the host has sent is a cookie reply to somebody who asked by a message with a right first
/// MAC, that it names the index of that message, and that nobody got more than one a message. Returns how many there
/// were. `asked` says from where what was sent, and is empty when nothing may be answered.
#[track_caller]
pub(crate) fn only_cookies(heard: &[Vec<u8>], asked: &BTreeMap<SocketAddr, Vec<u8>>) -> usize {
    let mut got: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for packet in heard {
        let datagram = Datagram::read(packet)
            .unwrap_or_else(|| panic!("the host sent what is no UDP datagram: {packet:02x?}"));
        let message = asked.get(&datagram.to).unwrap_or_else(|| {
            panic!(
                "{} was answered, who may not be: {packet:02x?}",
                datagram.to
            )
        });
        assert_eq!(datagram.payload.len(), COOKIE_REPLY_SIZE, "{packet:02x?}");
        assert!(datagram.payload.len() < message.len());
        let Ok(Message::CookieReply(reply)) = Message::parse(&datagram.payload) else {
            panic!("no cookie reply: {packet:02x?}");
        };
        assert_eq!(
            reply.receiver.to_le_bytes(),
            message[4..8],
            "another's index"
        );
        *got.entry(datagram.to).or_default() += 1;
    }
    assert!(got.values().all(|count| *count == 1), "{got:?}");
    heard.len()
}

/// Checks that the host has said nothing at all.
#[track_caller]
pub(crate) fn none(heard: &[Vec<u8>]) {
    assert!(
        heard.is_empty(),
        "{} packets, the first: {:02x?}",
        heard.len(),
        heard[0]
    );
}

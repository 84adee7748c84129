//! The bounded queue between the sockets and the control thread.
//!
//! Every message but transport data goes through here. The slots are there from the start, so a
//! flood costs no allocation; what does not fit is dropped, and how full the queue is tells the
//! protocol whether it is under load. So what is no message at all, which costs its sender a few
//! bytes, does not get in: it would put the device under load and take the place of handshakes.

use hushwire_proto::messages::{INITIATION_SIZE, Message};
use hushwire_proto::path::Path;

use crate::bounded::Bounded;

/// Messages that the queue holds. The kernel driver has 4096; an eighth of this is a burst of 128
/// before cookies are asked for.
pub(crate) const CAPACITY: usize = 1024;

/// A handshake message or cookie reply as it came from the network.
#[derive(Clone, Copy)]
pub(crate) struct Handshake {
    pub(crate) path: Path,
    len: u8,
    bytes: [u8; INITIATION_SIZE],
}

impl Handshake {
    /// `None` when the datagram is no message of the protocol, or data.
    pub(crate) fn new(path: Path, datagram: &[u8]) -> Option<Self> {
        if matches!(Message::parse(datagram), Err(_) | Ok(Message::Data(_))) {
            return None;
        }
        let mut bytes = [0; INITIATION_SIZE];
        bytes.get_mut(..datagram.len())?.copy_from_slice(datagram);
        Some(Self {
            path,
            len: u8::try_from(datagram.len()).ok()?,
            bytes,
        })
    }

    pub(crate) fn datagram(&mut self) -> &mut [u8] {
        let len = usize::from(self.len).min(INITIATION_SIZE);
        &mut self.bytes[..len]
    }
}

pub(crate) type HandshakeQueue = Bounded<Handshake>;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, len: usize) -> Option<Handshake> {
        let path = Path::to("192.0.2.1:1".parse().unwrap());
        let mut datagram = vec![7; len];
        for (byte, first) in datagram.iter_mut().zip([kind, 0, 0, 0]) {
            *byte = first;
        }
        Handshake::new(path, &datagram)
    }

    fn initiation() -> Handshake {
        message(1, 148).unwrap()
    }

    /// Anything else would put the device under load for a few bytes.
    #[test]
    fn only_what_can_be_a_handshake_message_gets_in() {
        for kind in 0..=u8::MAX {
            for len in 0..200 {
                let length = match kind {
                    1 => 148,
                    2 => 92,
                    3 => 64,
                    _ => usize::MAX,
                };
                let got = message(kind, len).map(|mut message| message.datagram().len());
                assert_eq!(
                    got,
                    (len == length).then_some(len),
                    "type {kind}, {len} bytes"
                );
            }
        }
    }

    #[test]
    fn a_full_queue_drops_and_wakes_once() {
        let queue = HandshakeQueue::new(CAPACITY);
        assert_eq!(queue.push(initiation()), Some(true));
        for _ in 1..CAPACITY {
            assert_eq!(queue.push(initiation()), Some(false));
        }
        assert_eq!(queue.push(initiation()), None);
        assert_eq!(queue.pop().unwrap().1, CAPACITY);
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), CAPACITY - 1);
    }
}

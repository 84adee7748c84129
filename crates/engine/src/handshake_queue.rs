//! The bounded queue between the sockets and the control thread.
//!
//! Everything but transport data goes through here. The slots are there from the start, so a flood
//! costs no allocation; what does not fit is dropped, and how full the queue is tells the protocol
//! whether it is under load.

use hushwire_proto::messages::INITIATION_SIZE;
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
    /// `None` when the datagram is longer than any message of the protocol but data.
    pub(crate) fn new(path: Path, datagram: &[u8]) -> Option<Self> {
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

    fn message(len: usize) -> Option<Handshake> {
        let path = Path::to("192.0.2.1:1".parse().unwrap());
        Handshake::new(path, &vec![7; len])
    }

    #[test]
    fn only_messages_that_can_be_handshakes_fit() {
        assert_eq!(message(148).unwrap().datagram().len(), 148);
        assert_eq!(message(0).unwrap().datagram().len(), 0);
        assert!(message(149).is_none());
    }

    #[test]
    fn a_full_queue_drops_and_wakes_once() {
        let queue = HandshakeQueue::new(CAPACITY);
        assert_eq!(queue.push(message(1).unwrap()), Some(true));
        for _ in 1..CAPACITY {
            assert_eq!(queue.push(message(1).unwrap()), Some(false));
        }
        assert_eq!(queue.push(message(1).unwrap()), None);
        assert_eq!(queue.pop().unwrap().1, CAPACITY);
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), CAPACITY - 1);
    }
}

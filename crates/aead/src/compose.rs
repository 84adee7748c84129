//! Packets that are sealed or opened from one buffer into another.

use crate::TAG_LEN;
use crate::layout::{self, LayoutError, Packet};

/// Packets pad to a multiple of this many bytes (the paper, section 5.4.6).
const PADDING_UNIT: usize = 16;

/// A packet to be sealed that is put together on the way into its place: bytes that stand there
/// already, then bytes from elsewhere, then zeros. So a segment of a larger packet needs nothing
/// but its headers written beforehand, or nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composed<'a> {
    /// Offset of the first byte in the buffer of the sealed packets.
    pub start: usize,
    /// Bytes of plaintext that stand there already.
    pub head: usize,
    /// The plaintext behind them.
    pub body: &'a [u8],
    /// Zero bytes of plaintext behind these. The authenticator follows.
    pub padding: usize,
    /// Counter part of the nonce.
    pub counter: u64,
}

impl Composed<'_> {
    /// Bytes of plaintext; `None` if no buffer could hold them.
    fn text_len(&self) -> Option<usize> {
        self.head
            .checked_add(self.body.len())?
            .checked_add(self.padding)
    }

    /// The place of the plaintext of a checked packet.
    pub(crate) fn place(&self) -> Packet {
        Packet {
            start: self.start,
            len: self.head + self.body.len() + self.padding,
            counter: self.counter,
        }
    }
}

/// A batch of [`Composed`] packets: a slice of them, [`Slots`], or a caller's own list.
pub trait Compose {
    /// How many packets there are.
    fn count(&self) -> usize;

    /// The packet at a position. Cheap, and the same at every call.
    fn composed(&self, index: usize) -> Composed<'_>;
}

impl Compose for [Composed<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn composed(&self, index: usize) -> Composed<'_> {
        self[index]
    }
}

impl<const N: usize> Compose for [Composed<'_>; N] {
    fn count(&self) -> usize {
        N
    }

    fn composed(&self, index: usize) -> Composed<'_> {
        self[index]
    }
}

/// Whole packets from elsewhere into slots of equal size, with consecutive counters. Each is padded
/// with zeros to a multiple of sixteen bytes, but not beyond the MTU (the paper, section 5.4.6).
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    /// The plaintexts.
    pub bodies: &'a [&'a [u8]],
    /// Offset of the first plaintext in the buffer of the sealed packets: with the header of a
    /// transport message before it, 16.
    pub start: usize,
    /// Bytes from one plaintext to the next: header, padded plaintext and authenticator.
    pub stride: usize,
    /// Padding does not make a plaintext longer than this many bytes.
    pub mtu: usize,
    /// Counter of the first packet.
    pub counter: u64,
}

impl Slots<'_> {
    /// Bytes of plaintext of a packet, padding included.
    ///
    /// # Panics
    ///
    /// When there is no such packet.
    #[must_use]
    pub fn text_len(&self, index: usize) -> usize {
        self.bodies[index].len() + self.padding(index)
    }

    fn padding(&self, index: usize) -> usize {
        let len = self.bodies[index].len();
        let limit = len.max(self.mtu);
        len.checked_next_multiple_of(PADDING_UNIT)
            .map_or(0, |padded| padded.min(limit) - len)
    }
}

impl Compose for Slots<'_> {
    fn count(&self) -> usize {
        self.bodies.len()
    }

    fn composed(&self, index: usize) -> Composed<'_> {
        // What overflows is found by the check of the layout.
        let offset = self.stride.saturating_mul(index);
        Composed {
            start: self.start.saturating_add(offset),
            head: 0,
            body: self.bodies[index],
            padding: self.padding(index),
            counter: self.counter.wrapping_add(index as u64),
        }
    }
}

/// A packet to be opened from one buffer into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocated {
    /// Offset of the ciphertext in the buffer that it comes from.
    pub from: usize,
    /// Bytes of ciphertext and authenticator together.
    pub len: usize,
    /// Offset of the plaintext in the buffer that it goes to, 16 bytes shorter.
    pub to: usize,
    /// Counter part of the nonce.
    pub counter: u64,
}

impl Relocated {
    /// The place of the plaintext.
    pub(crate) const fn place(&self) -> Packet {
        Packet {
            start: self.to,
            len: self.len.saturating_sub(TAG_LEN),
            counter: self.counter,
        }
    }
}

/// What can stand in a batch that is opened from one buffer into another: a [`Relocated`], or a
/// caller's own type that knows the same four numbers.
pub trait AsRelocated {
    /// Both places and the counter. Cheap, and the same at every call.
    fn as_relocated(&self) -> Relocated;
}

impl AsRelocated for Relocated {
    fn as_relocated(&self) -> Relocated {
        *self
    }
}

/// Checks that the packets ascend in a buffer of `buffer_len` bytes without touching one another,
/// each with room for its authenticator.
pub(crate) fn check<C: Compose + ?Sized>(
    packets: &C,
    buffer_len: usize,
) -> Result<(), LayoutError> {
    let mut check = layout::Check::new(buffer_len, TAG_LEN);
    for index in 0..packets.count() {
        let packet = packets.composed(index);
        check.add(packet.start, packet.text_len())?;
    }
    Ok(())
}

/// Checks that the packets lie within the `source_len` bytes that they come from, and that their
/// plaintexts ascend without overlap in the `buffer_len` bytes that these go to.
pub(crate) fn check_relocated<R: AsRelocated>(
    packets: &[R],
    source_len: usize,
    buffer_len: usize,
) -> Result<(), LayoutError> {
    let mut check = layout::Check::new(buffer_len, 0);
    for (index, packet) in packets.iter().enumerate() {
        let packet = packet.as_relocated();
        let end = packet.from.checked_add(packet.len);
        if end.is_none_or(|end| end > source_len) {
            return Err(LayoutError::OutOfBounds { packet: index });
        }
        let place = packet.place();
        check.add(place.start, Some(place.len))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(start: usize, head: usize, body: &[u8], padding: usize) -> Composed<'_> {
        Composed {
            start,
            head,
            body,
            padding,
            counter: 0,
        }
    }

    #[test]
    fn all_parts_and_the_authenticator_count() {
        let packets = [composed(0, 1, b"23", 4), composed(23, 0, b"", 0)];
        assert_eq!(check(&packets, 39), Ok(()));
        let out = LayoutError::OutOfBounds { packet: 1 };
        assert_eq!(check(&packets, 38), Err(out));
        let overlap = LayoutError::Overlap { packet: 1 };
        let packets = [composed(0, 1, b"23", 4), composed(22, 0, b"", 0)];
        assert_eq!(check(&packets, 39), Err(overlap));
    }

    #[test]
    fn parts_that_wrap_are_out_of_bounds() {
        for packet in [
            composed(0, usize::MAX, b"1", 0),
            composed(0, 1, b"", usize::MAX),
            composed(usize::MAX, 0, b"1", 0),
        ] {
            let out = LayoutError::OutOfBounds { packet: 0 };
            assert_eq!(check(&[packet], usize::MAX), Err(out));
        }
    }

    #[test]
    fn slots_pad_to_sixteen_but_not_beyond_the_mtu() {
        let bytes = [0; 1420];
        let bodies = [
            &bytes[..0],
            &bytes[..1],
            &bytes[..16],
            &bytes[..1409],
            &bytes,
        ];
        let slots = Slots {
            bodies: &bodies,
            start: 16,
            stride: 1452,
            mtu: 1420,
            counter: 7,
        };
        let lens: Vec<_> = (0..slots.count()).map(|i| slots.text_len(i)).collect();
        assert_eq!(lens, [0, 16, 16, 1420, 1420]);
        let last = slots.composed(4);
        assert_eq!((last.start, last.counter), (16 + 4 * 1452, 11));
        assert_eq!(check(&slots, 5 * 1452), Ok(()));
        let out = LayoutError::OutOfBounds { packet: 4 };
        assert_eq!(check(&slots, 5 * 1452 - 1), Err(out));
        let small = Slots { mtu: 0, ..slots };
        assert_eq!(small.text_len(1), 1);
    }

    #[test]
    fn slots_that_wrap_are_out_of_bounds() {
        let slots = Slots {
            bodies: &[b"", b"", b""],
            start: 1,
            stride: usize::MAX / 2,
            mtu: 0,
            counter: 0,
        };
        let out = LayoutError::OutOfBounds { packet: 2 };
        assert_eq!(check(&slots, usize::MAX), Err(out));
    }

    #[test]
    fn both_places_of_a_relocated_packet_count() {
        let packet = |from, len, to| Relocated {
            from,
            len,
            to,
            counter: 0,
        };
        assert_eq!(check_relocated(&[packet(4, 20, 2)], 24, 6), Ok(()));
        assert_eq!(check_relocated(&[packet(9, 15, 6)], 24, 6), Ok(()));
        for bad in [
            packet(5, 20, 2),
            packet(4, 20, 3),
            packet(usize::MAX, 20, 2),
        ] {
            let out = LayoutError::OutOfBounds { packet: 0 };
            assert_eq!(check_relocated(&[bad], 24, 6), Err(out));
        }
        // The same ciphertext twice is no mistake, the same place is.
        let twice = [packet(0, 20, 0), packet(0, 20, 3)];
        let overlap = LayoutError::Overlap { packet: 1 };
        assert_eq!(check_relocated(&twice, 20, 8), Err(overlap));
    }
}

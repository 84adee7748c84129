//! Where the packets of a batch lie, and the check that they lie there.

use core::fmt;
use core::ops::Range;

use crate::{PLAINTEXT_LEN_MAX, TAG_LEN};

/// One packet of a batch: a place in the buffer, and the counter of the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Offset of the first byte in the buffer.
    pub start: usize,
    /// Bytes of plaintext when sealing (16 bytes of room for the authenticator follow them), bytes
    /// of ciphertext and authenticator together when opening.
    pub len: usize,
    /// Counter part of the nonce.
    pub counter: u64,
}

/// What can stand in a batch: a [`Packet`], or a caller's own type that knows the same three
/// numbers.
pub trait AsPacket {
    /// Place and counter. Cheap, and the same at every call.
    fn as_packet(&self) -> Packet;
}

impl AsPacket for Packet {
    fn as_packet(&self) -> Packet {
        *self
    }
}

/// A batch that does not fit its buffer: a mistake of the caller, never of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A packet, or the room for its authenticator, ends behind the buffer.
    OutOfBounds {
        /// Position of the packet in the batch.
        packet: usize,
    },
    /// A packet begins before the end of the one before it in the batch.
    Overlap {
        /// Position of the packet in the batch.
        packet: usize,
    },
    /// A packet is longer than the cipher allows.
    TooLong {
        /// Position of the packet in the batch.
        packet: usize,
    },
    /// There are not as many verdicts as packets.
    Verdicts {
        /// Packets in the batch.
        packets: usize,
        /// Room for verdicts.
        verdicts: usize,
    },
}

impl LayoutError {
    /// Position in the batch of the packet that does not fit, if it is one packet.
    #[must_use]
    pub const fn packet(&self) -> Option<usize> {
        match *self {
            Self::OutOfBounds { packet } | Self::Overlap { packet } | Self::TooLong { packet } => {
                Some(packet)
            }
            Self::Verdicts { .. } => None,
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { packet } => {
                write!(f, "packet {packet} of the batch ends behind the buffer")
            }
            Self::Overlap { packet } => write!(
                f,
                "packet {packet} of the batch begins before the end of the one before it"
            ),
            Self::TooLong { packet } => write!(
                f,
                "packet {packet} of the batch is longer than {PLAINTEXT_LEN_MAX} bytes"
            ),
            Self::Verdicts { packets, verdicts } => write!(
                f,
                "a batch of {packets} packets needs as many verdicts, not {verdicts}"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// Checks that the packets ascend in a buffer of `buffer_len` bytes without touching one another,
/// each with `room` bytes behind it.
pub(crate) fn check<P: AsPacket>(
    packets: &[P],
    buffer_len: usize,
    room: usize,
) -> Result<(), LayoutError> {
    let mut check = Check::new(buffer_len, room);
    for packet in packets {
        let Packet { start, len, .. } = packet.as_packet();
        check.add(start, Some(len))?;
    }
    Ok(())
}

/// The check of one packet after the other.
pub(crate) struct Check {
    buffer_len: usize,
    room: usize,
    free_from: usize,
    packet: usize,
}

impl Check {
    pub(crate) const fn new(buffer_len: usize, room: usize) -> Self {
        Self {
            buffer_len,
            room,
            free_from: 0,
            packet: 0,
        }
    }

    /// `None` for a length that no buffer has.
    #[inline]
    pub(crate) fn add(&mut self, start: usize, len: Option<usize>) -> Result<(), LayoutError> {
        let packet = self.packet;
        let end = len.and_then(|len| start.checked_add(len)?.checked_add(self.room));
        let end = end.filter(|&end| end <= self.buffer_len);
        let end = end.ok_or(LayoutError::OutOfBounds { packet })?;
        if start < self.free_from {
            return Err(LayoutError::Overlap { packet });
        }
        if too_long(end - start) {
            return Err(LayoutError::TooLong { packet });
        }
        self.free_from = end;
        self.packet += 1;
        Ok(())
    }
}

/// The bytes of a checked packet.
pub(crate) const fn range(packet: Packet) -> Range<usize> {
    packet.start..packet.start + packet.len
}

/// Whether ciphertext and authenticator of this length hold too long a plaintext.
const fn too_long(sealed_len: usize) -> bool {
    sealed_len.saturating_sub(TAG_LEN) as u64 > PLAINTEXT_LEN_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn packet(start: usize, len: usize) -> Packet {
        Packet {
            start,
            len,
            counter: 0,
        }
    }

    #[test]
    fn packets_may_touch_and_fill_the_buffer() {
        assert_eq!(check(&[packet(0, 4), packet(20, 4)], 40, TAG_LEN), Ok(()));
        assert_eq!(check::<Packet>(&[], 0, TAG_LEN), Ok(()));
        assert_eq!(check(&[packet(0, 0), packet(0, 0)], 0, 0), Ok(()));
    }

    #[test]
    fn the_room_behind_a_packet_counts() {
        let out = LayoutError::OutOfBounds { packet: 1 };
        assert_eq!(check(&[packet(0, 4), packet(20, 4)], 39, TAG_LEN), Err(out));
        let overlap = LayoutError::Overlap { packet: 1 };
        assert_eq!(
            check(&[packet(0, 4), packet(19, 4)], 40, TAG_LEN),
            Err(overlap)
        );
    }

    #[test]
    fn a_range_that_wraps_is_out_of_bounds() {
        for bad in [
            packet(usize::MAX, 1),
            packet(1, usize::MAX),
            packet(usize::MAX - 15, 0),
        ] {
            assert_eq!(
                check(&[bad], usize::MAX, TAG_LEN),
                Err(LayoutError::OutOfBounds { packet: 0 })
            );
        }
    }

    #[test]
    fn packets_must_ascend() {
        let overlap = LayoutError::Overlap { packet: 1 };
        assert_eq!(check(&[packet(20, 4), packet(0, 4)], 64, 0), Err(overlap));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_limit_of_the_cipher_is_kept() {
        let max = usize::try_from(PLAINTEXT_LEN_MAX).unwrap();
        assert_eq!(check(&[packet(0, max)], usize::MAX, TAG_LEN), Ok(()));
        assert_eq!(
            check(&[packet(0, max + 1)], usize::MAX, TAG_LEN),
            Err(LayoutError::TooLong { packet: 0 })
        );
    }

    #[test]
    fn errors_name_the_packet_and_the_fault() {
        let error = LayoutError::Overlap { packet: 3 };
        assert_eq!(error.packet(), Some(3));
        assert_eq!(
            error.to_string(),
            "packet 3 of the batch begins before the end of the one before it"
        );
        let error = LayoutError::Verdicts {
            packets: 2,
            verdicts: 1,
        };
        assert_eq!(error.packet(), None);
        assert_eq!(
            error.to_string(),
            "a batch of 2 packets needs as many verdicts, not 1"
        );
    }
}

//! Batches that are sealed and opened from one buffer into another.

use crate::TAG_LEN;
use crate::chacha20::BLOCK_LEN;
use crate::compose::{AsRelocated, Compose, Composed, Relocated};
use crate::layout::{self, Packet};
use crate::lines::{Nonce, Open, Packets, Seal, Span, nonce};

/// Plaintexts that are put together on their way. The layout has been checked.
pub(crate) struct Plain<'a, C: ?Sized> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) packets: &'a C,
}

/// Ciphertexts with their authenticators, to be opened elsewhere. The layout has been checked, and
/// there are as many verdicts as packets, all `false`.
pub(crate) struct Sealed<'a, R> {
    pub(crate) source: &'a [u8],
    pub(crate) buffer: &'a mut [u8],
    pub(crate) packets: &'a [R],
    pub(crate) verdicts: &'a mut [bool],
}

/// Puts a plaintext together, and says where it is.
pub(crate) fn assemble(buffer: &mut [u8], packet: Composed<'_>) -> Packet {
    let place = packet.place();
    let rest = &mut buffer[layout::range(place)][packet.head..];
    let (body, padding) = rest.split_at_mut(packet.body.len());
    body.copy_from_slice(packet.body);
    padding.fill(0);
    place
}

/// The lines of a packet that are whole lines of its body, as offsets: these are encrypted on their
/// way, and what is before and behind them after it has been put in place.
fn whole_lines(packet: &Composed<'_>) -> core::ops::Range<usize> {
    let first = packet.head.next_multiple_of(BLOCK_LEN);
    let end = (packet.head + packet.body.len()) / BLOCK_LEN * BLOCK_LEN;
    first..end.max(first)
}

impl<C: Compose + ?Sized> Packets for Plain<'_, C> {
    fn count(&self) -> usize {
        self.packets.count()
    }

    #[inline(always)]
    fn nonce(&self, packet: usize) -> Nonce {
        nonce(self.packets.composed(packet).counter)
    }

    #[inline(always)]
    fn text_len(&self, packet: usize) -> Option<usize> {
        Some(self.packets.composed(packet).place().len)
    }

    #[inline(always)]
    fn span(&mut self, packet: usize, offset: usize, count: usize) -> Span<'_> {
        let packet = self.packets.composed(packet);
        let Packet { start, len, .. } = packet.place();
        let whole = whole_lines(&packet);
        let (source, end) = if whole.contains(&offset) {
            (Some(&packet.body[offset - packet.head..]), whole.end)
        } else if offset < whole.start {
            (None, whole.start)
        } else {
            (None, len)
        };
        let len = (end.min(len) - offset).min(count * BLOCK_LEN);
        Span {
            source: source.map(|source| &source[..len]),
            target: &mut self.buffer[start + offset..][..len],
        }
    }

    fn ciphertext(&self, packet: usize) -> &[u8] {
        let place = self.packets.composed(packet).place();
        &self.buffer[layout::range(place)]
    }

    fn prepare(&mut self, packet: usize) {
        let packet = self.packets.composed(packet);
        let whole = whole_lines(&packet);
        let head = packet.head;
        let (body, padding) = self.buffer[packet.start..][head..]
            [..packet.body.len() + packet.padding]
            .split_at_mut(packet.body.len());
        let first = (whole.start - head).min(body.len());
        let last = (whole.end - head).min(body.len());
        body[..first].copy_from_slice(&packet.body[..first]);
        body[last..].copy_from_slice(&packet.body[last..]);
        padding.fill(0);
    }
}

impl<C: Compose + ?Sized> Seal for Plain<'_, C> {
    fn put_tag(&mut self, packet: usize, tag: [u8; TAG_LEN]) {
        let Packet { start, len, .. } = self.packets.composed(packet).place();
        self.buffer[start + len..][..TAG_LEN].copy_from_slice(&tag);
    }
}

impl<R: AsRelocated> Packets for Sealed<'_, R> {
    fn count(&self) -> usize {
        self.packets.len()
    }

    #[inline(always)]
    fn nonce(&self, packet: usize) -> Nonce {
        nonce(self.packets[packet].as_relocated().counter)
    }

    #[inline(always)]
    fn text_len(&self, packet: usize) -> Option<usize> {
        let packet = self.packets[packet].as_relocated();
        packet.len.checked_sub(TAG_LEN)
    }

    #[inline(always)]
    fn span(&mut self, packet: usize, offset: usize, count: usize) -> Span<'_> {
        let Relocated { from, len, to, .. } = self.packets[packet].as_relocated();
        let len = (len - TAG_LEN - offset).min(count * BLOCK_LEN);
        Span {
            source: Some(&self.source[from + offset..][..len]),
            target: &mut self.buffer[to + offset..][..len],
        }
    }

    fn ciphertext(&self, packet: usize) -> &[u8] {
        let Relocated { from, len, .. } = self.packets[packet].as_relocated();
        &self.source[from..][..len - TAG_LEN]
    }
}

impl<R: AsRelocated> Open for Sealed<'_, R> {
    fn tag(&self, packet: usize) -> [u8; TAG_LEN] {
        let Relocated { from, len, .. } = self.packets[packet].as_relocated();
        let sealed = &self.source[from..][..len];
        *sealed.last_chunk().expect("room for an authenticator")
    }

    fn judge(&mut self, packet: usize, authentic: bool) {
        self.verdicts[packet] = authentic;
        if !authentic {
            let place = self.packets[packet].as_relocated().place();
            self.buffer[layout::range(place)].fill(0);
        }
    }
}

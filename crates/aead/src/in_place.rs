//! Batches that are sealed and opened where they lie.

use crate::TAG_LEN;
use crate::chacha20::BLOCK_LEN;
use crate::layout::{AsPacket, Packet};
use crate::lines::{Nonce, Open, Packets, Seal, Span, nonce};

/// Plaintexts with room behind them. The layout has been checked.
pub(crate) struct Plain<'a, P> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) packets: &'a [P],
}

/// Ciphertexts with their authenticators. The layout has been checked, and there are as many
/// verdicts as packets, all `false`.
pub(crate) struct Sealed<'a, P> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) packets: &'a [P],
    pub(crate) verdicts: &'a mut [bool],
}

impl<P: AsPacket> Packets for Plain<'_, P> {
    fn count(&self) -> usize {
        self.packets.len()
    }

    #[inline(always)]
    fn nonce(&self, packet: usize) -> Nonce {
        nonce(self.packets[packet].as_packet().counter)
    }

    #[inline(always)]
    fn text_len(&self, packet: usize) -> Option<usize> {
        Some(self.packets[packet].as_packet().len)
    }

    #[inline(always)]
    fn span(&mut self, packet: usize, offset: usize, count: usize) -> Span<'_> {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        span(self.buffer, start + offset, len - offset, count)
    }

    fn ciphertext(&self, packet: usize) -> &[u8] {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        &self.buffer[start..][..len]
    }
}

impl<P: AsPacket> Seal for Plain<'_, P> {
    fn put_tag(&mut self, packet: usize, tag: [u8; TAG_LEN]) {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        self.buffer[start + len..][..TAG_LEN].copy_from_slice(&tag);
    }
}

impl<P: AsPacket> Packets for Sealed<'_, P> {
    fn count(&self) -> usize {
        self.packets.len()
    }

    #[inline(always)]
    fn nonce(&self, packet: usize) -> Nonce {
        nonce(self.packets[packet].as_packet().counter)
    }

    #[inline(always)]
    fn text_len(&self, packet: usize) -> Option<usize> {
        self.packets[packet].as_packet().len.checked_sub(TAG_LEN)
    }

    #[inline(always)]
    fn span(&mut self, packet: usize, offset: usize, count: usize) -> Span<'_> {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        span(self.buffer, start + offset, len - TAG_LEN - offset, count)
    }

    fn ciphertext(&self, packet: usize) -> &[u8] {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        &self.buffer[start..][..len - TAG_LEN]
    }
}

impl<P: AsPacket> Open for Sealed<'_, P> {
    fn tag(&self, packet: usize) -> [u8; TAG_LEN] {
        let Packet { start, len, .. } = self.packets[packet].as_packet();
        let sealed = &self.buffer[start..][..len];
        *sealed.last_chunk().expect("room for an authenticator")
    }

    fn judge(&mut self, packet: usize, authentic: bool) {
        self.verdicts[packet] = authentic;
        if !authentic {
            let Packet { start, len, .. } = self.packets[packet].as_packet();
            self.buffer[start..][..len].fill(0);
        }
    }
}

#[inline(always)]
fn span(buffer: &mut [u8], start: usize, len: usize, count: usize) -> Span<'_> {
    Span {
        source: None,
        target: &mut buffer[start..][..len.min(count * BLOCK_LEN)],
    }
}

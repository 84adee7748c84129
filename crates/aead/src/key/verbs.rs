//! The verbs over a batch.

use super::{Key, Unauthenticated, nonce};
use crate::backend::Engine;
use crate::choice::Range;
use crate::compose::{self, AsRelocated, Compose};
use crate::layout::{self, AsPacket, LayoutError, Packet};
use crate::lines::{Open, Packets, Seal};
use crate::{TAG_LEN, batch, between, in_place};

impl Key {
    /// Seals each packet in place: `len` bytes of plaintext at `start` become ciphertext, and the
    /// 16 bytes behind them the authenticator. There is no associated data.
    ///
    /// # Errors
    ///
    /// When the packets do not lie in the buffer in ascending order, each with its 16 bytes of
    /// room, without overlap. Nothing has then been sealed, so the buffer must not be sent.
    pub fn seal_batch<P: AsPacket>(
        &self,
        buffer: &mut [u8],
        packets: &[P],
    ) -> Result<(), LayoutError> {
        layout::check(packets, buffer.len(), TAG_LEN)?;
        if self.seal_together(&mut in_place::Plain { buffer, packets }) {
            return Ok(());
        }
        let mut packets = packets.iter().enumerate();
        packets.try_for_each(|(index, packet)| self.seal_packet(buffer, packet.as_packet(), index))
    }

    /// Seals packets on their way into their places: the plaintext of each is put together there
    /// from what [`Composed`](crate::Composed) says, encrypted in the same pass, and followed by
    /// the authenticator. There is no associated data.
    ///
    /// # Errors
    ///
    /// When the packets do not lie in the buffer in ascending order, each with its 16 bytes of
    /// room, without overlap. Nothing has then been sealed, so the buffer must not be sent.
    pub fn seal_composed<C: Compose + ?Sized>(
        &self,
        buffer: &mut [u8],
        packets: &C,
    ) -> Result<(), LayoutError> {
        compose::check(packets, buffer.len())?;
        if self.seal_together(&mut between::Plain { buffer, packets }) {
            return Ok(());
        }
        (0..packets.count()).try_for_each(|index| {
            let place = between::assemble(buffer, packets.composed(index));
            self.seal_packet(buffer, place, index)
        })
    }

    /// Opens each packet in place: `len` bytes of ciphertext and authenticator at `start` become
    /// `len - 16` bytes of plaintext, if they authenticate. There is no associated data.
    ///
    /// `verdicts[i]` says whether packet `i` did. The bytes of one that did not, or that is shorter
    /// than an authenticator, are zeroed: no plaintext that nobody vouches for is left to be read
    /// by mistake. The other packets of the batch are opened all the same.
    ///
    /// # Errors
    ///
    /// When the packets do not lie in the buffer in ascending order without overlap, or when there
    /// are not as many verdicts as packets. All verdicts are then `false` and the buffer is as it
    /// was.
    pub fn open_batch<P: AsPacket>(
        &self,
        buffer: &mut [u8],
        packets: &[P],
        verdicts: &mut [bool],
    ) -> Result<(), LayoutError> {
        clear(verdicts, packets.len())?;
        layout::check(packets, buffer.len(), 0)?;
        let mut sealed = in_place::Sealed {
            buffer,
            packets,
            verdicts,
        };
        if self.open_together(&mut sealed) {
            return Ok(());
        }
        for (packet, verdict) in packets.iter().zip(verdicts) {
            let packet = packet.as_packet();
            let sealed = &mut buffer[layout::range(packet)];
            *verdict = self.open_packet(packet.counter, sealed).is_ok();
        }
        Ok(())
    }

    /// Opens packets from one buffer into another: `len` bytes of ciphertext and authenticator at
    /// `from` in `source` become `len - 16` bytes of plaintext at `to` in `buffer`, if they
    /// authenticate. The source stays as it is. There is no associated data.
    ///
    /// `verdicts[i]` says whether packet `i` did. The place of one that did not is zeroed; one that
    /// is shorter than an authenticator has none. The other packets of the batch are opened all the
    /// same.
    ///
    /// # Errors
    ///
    /// When a packet does not lie in the source, when the plaintexts do not lie in the buffer in
    /// ascending order without overlap, or when there are not as many verdicts as packets. All
    /// verdicts are then `false` and the buffer is as it was.
    pub fn open_relocated<R: AsRelocated>(
        &self,
        source: &[u8],
        buffer: &mut [u8],
        packets: &[R],
        verdicts: &mut [bool],
    ) -> Result<(), LayoutError> {
        clear(verdicts, packets.len())?;
        compose::check_relocated(packets, source.len(), buffer.len())?;
        let mut sealed = between::Sealed {
            source,
            buffer,
            packets,
            verdicts,
        };
        if self.open_together(&mut sealed) {
            return Ok(());
        }
        for (packet, verdict) in packets.iter().zip(verdicts) {
            let packet = packet.as_relocated();
            let sealed = &source[packet.from..][..packet.len];
            let text = &mut buffer[layout::range(packet.place())];
            if let Some((ciphertext, tag)) = sealed.split_last_chunk() {
                text.copy_from_slice(ciphertext);
                *verdict = self.open_detached(packet.counter, &[], text, tag).is_ok();
            }
        }
        Ok(())
    }

    /// Seals a batch with an implementation for batches, if that is the right one for this batch.
    fn seal_together(&self, packets: &mut impl Seal) -> bool {
        match self.engine_for(packets, Engine::sealed_faster) {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => batch::seal(kernel, &self.words, packets),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => batch::seal(kernel, &self.words, packets),
            Engine::AwsLc => return false,
        }
        true
    }

    /// Opens a batch with an implementation for batches, if that is the right one for this batch.
    fn open_together(&self, packets: &mut impl Open) -> bool {
        match self.engine_for(packets, Engine::opened_faster) {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => batch::open(kernel, &self.words, packets),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => batch::open(kernel, &self.words, packets),
            Engine::AwsLc => return false,
        }
        true
    }

    /// The implementation for a batch: that of the key, if it is the faster one or the only one
    /// that is wanted.
    fn engine_for<P: Packets>(&self, packets: &P, faster: fn(Engine) -> Option<Range>) -> Engine {
        let pays = |range: Range| range.contains(packets);
        if self.exact || faster(self.engine).is_some_and(pays) {
            self.engine
        } else {
            Engine::AwsLc
        }
    }

    /// Seals the packet at `index` of a batch.
    fn seal_packet(
        &self,
        buffer: &mut [u8],
        packet: Packet,
        index: usize,
    ) -> Result<(), LayoutError> {
        let Packet {
            start,
            len,
            counter,
        } = packet;
        let (text, rest) = buffer[start..].split_at_mut(len);
        let tag = rest.first_chunk_mut();
        let tag = tag.ok_or(LayoutError::OutOfBounds { packet: index })?;
        self.aws
            .seal(nonce(counter), &[], text, tag)
            .map_err(|_| LayoutError::TooLong { packet: index })
    }

    fn open_packet(&self, counter: u64, packet: &mut [u8]) -> Result<(), Unauthenticated> {
        let opened = match packet.split_last_chunk_mut() {
            Some((ciphertext, tag)) => self.open_detached(counter, &[], ciphertext, tag),
            None => Err(Unauthenticated),
        };
        if opened.is_err() {
            packet.fill(0);
        }
        opened
    }
}

/// No packet is good before it has been looked at.
fn clear(verdicts: &mut [bool], packets: usize) -> Result<(), LayoutError> {
    verdicts.fill(false);
    if verdicts.len() != packets {
        return Err(LayoutError::Verdicts {
            packets,
            verdicts: verdicts.len(),
        });
    }
    Ok(())
}

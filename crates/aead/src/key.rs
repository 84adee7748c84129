//! The key, and the verbs over a batch.

use core::fmt;

use zeroize::Zeroizing;

use crate::aws::AwsKey;
use crate::backend::{Backend, Engine, Selection};
use crate::layout::{self, AsPacket, LayoutError, Packet};
use crate::{KEY_LEN, NONCE_LEN, PLAINTEXT_LEN_MAX, TAG_LEN, batch, in_place};

/// A ChaCha20-Poly1305 key.
///
/// The key material is overwritten when this is dropped. `Debug` shows none of it. Both directions
/// are possible with one key, as handshakes and tests need it; a session uses a key for one.
pub struct Key {
    aws: AwsKey,
    words: Zeroizing<[u32; 8]>,
    engine: Engine,
    /// No other implementation even for what another does faster.
    exact: bool,
}

/// Batches of fewer packets than this and of less plaintext in total than this many bytes are
/// faster one by one.
const SMALL_BATCH: usize = 4;
const SMALL_TOTAL: usize = 2048;

/// An authenticator did not match; nothing more can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated;

/// A plaintext is longer than [`PLAINTEXT_LEN_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Key {
    /// Takes a key in use with the implementation of [`Selection::current`]. Batches too small for
    /// it are left to aws-lc-rs, unless the environment insists. The caller's copy stays the
    /// caller's to overwrite.
    #[must_use]
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        let selection = Selection::current();
        Self::with_engine(key, selection.engine(), selection.is_forced())
    }

    /// Takes a key in use with one implementation for all of its batches, whatever their size.
    /// `None` if the processor cannot run it.
    #[must_use]
    pub fn with_backend(key: &[u8; KEY_LEN], backend: Backend) -> Option<Self> {
        Engine::new(backend).map(|engine| Self::with_engine(key, engine, true))
    }

    fn with_engine(key: &[u8; KEY_LEN], engine: Engine, exact: bool) -> Self {
        let mut words = Zeroizing::new([0; 8]);
        for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self {
            aws: AwsKey::new(key),
            words,
            engine,
            exact,
        }
    }

    /// The implementation for a batch.
    fn engine_for<P: AsPacket>(&self, packets: &[P]) -> Engine {
        if self.exact || packets.len() >= SMALL_BATCH {
            return self.engine;
        }
        let lens = packets.iter().map(|packet| packet.as_packet().len);
        if lens.sum::<usize>() >= SMALL_TOTAL {
            self.engine
        } else {
            Engine::AwsLc
        }
    }

    /// The implementation behind this key.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.engine.backend()
    }

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
        let engine = self.engine_for(packets);
        let mut plain = in_place::Plain { buffer, packets };
        match engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => batch::seal(kernel, &self.words, &mut plain),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => batch::seal(kernel, &self.words, &mut plain),
            Engine::AwsLc => return self.seal_one_by_one(buffer, packets),
        }
        Ok(())
    }

    fn seal_one_by_one<P: AsPacket>(
        &self,
        buffer: &mut [u8],
        packets: &[P],
    ) -> Result<(), LayoutError> {
        for (index, packet) in packets.iter().enumerate() {
            let packet = packet.as_packet();
            let sealed = Packet {
                len: packet.len + TAG_LEN,
                ..packet
            };
            let sealed = &mut buffer[layout::range(sealed)];
            self.seal_packet(packet.counter, sealed)
                .map_err(|TooLong| LayoutError::TooLong { packet: index })?;
        }
        Ok(())
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
        verdicts.fill(false);
        if verdicts.len() != packets.len() {
            return Err(LayoutError::Verdicts {
                packets: packets.len(),
                verdicts: verdicts.len(),
            });
        }
        layout::check(packets, buffer.len(), 0)?;
        let engine = self.engine_for(packets);
        let mut sealed = in_place::Sealed {
            buffer,
            packets,
            verdicts,
        };
        match engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(kernel) => batch::open(kernel, &self.words, &mut sealed),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(kernel) => batch::open(kernel, &self.words, &mut sealed),
            Engine::AwsLc => self.open_one_by_one(buffer, packets, verdicts),
        }
        Ok(())
    }

    fn open_one_by_one<P: AsPacket>(
        &self,
        buffer: &mut [u8],
        packets: &[P],
        verdicts: &mut [bool],
    ) {
        for (packet, verdict) in packets.iter().zip(verdicts) {
            let packet = packet.as_packet();
            let sealed = &mut buffer[layout::range(packet)];
            *verdict = self.open_packet(packet.counter, sealed).is_ok();
        }
    }

    /// Seals one message with associated data in place and hands out its authenticator.
    ///
    /// # Errors
    ///
    /// When the message is longer than [`PLAINTEXT_LEN_MAX`].
    pub fn seal_detached(
        &self,
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], TooLong> {
        let mut tag = [0; TAG_LEN];
        self.aws
            .seal(nonce(counter), aad, in_out, &mut tag)
            .map_err(|_| TooLong)?;
        Ok(tag)
    }

    /// Opens one message with associated data in place.
    ///
    /// # Errors
    ///
    /// When the authenticator does not match; the bytes of the message are then zeroed.
    pub fn open_detached(
        &self,
        counter: u64,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthenticated> {
        self.aws
            .open(nonce(counter), aad, in_out, tag)
            .map_err(|_| {
                in_out.fill(0);
                Unauthenticated
            })
    }

    /// `packet` is plaintext and the room for the authenticator.
    fn seal_packet(&self, counter: u64, packet: &mut [u8]) -> Result<(), TooLong> {
        let (plaintext, tag) = packet.split_last_chunk_mut().ok_or(TooLong)?;
        self.aws
            .seal(nonce(counter), &[], plaintext, tag)
            .map_err(|_| TooLong)
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

/// Four zero bytes and the counter, little-endian (the paper, section 5.4.6).
fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.backend())
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authenticator does not match")
    }
}

impl core::error::Error for Unauthenticated {}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message is longer than {PLAINTEXT_LEN_MAX} bytes")
    }
}

impl core::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_the_end_of_the_nonce() {
        assert_eq!(
            nonce(0x0807_0605_0403_0201),
            [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(
            format!(
                "{:?}",
                Key::with_backend(&[0x5a; 32], Backend::AwsLc).unwrap()
            ),
            "Key(aws-lc)"
        );
    }
}

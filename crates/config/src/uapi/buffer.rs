//! Buffers for what holds secrets.

use std::io;

use zeroize::{Zeroize, Zeroizing};

/// Collects a reply in chunks. Nothing is copied when it grows, so nothing secret stays behind
/// in memory given back, and all of it is zeroed on drop.
#[derive(Default)]
pub(crate) struct ChunkedBuffer {
    chunks: Vec<Zeroizing<Vec<u8>>>,
}

/// Small, since most devices' replies are.
const FIRST_CHUNK: usize = 2 << 10;
const LARGEST_CHUNK: usize = 64 << 10;

impl ChunkedBuffer {
    /// Writes all of it.
    pub(crate) fn write_to(&self, writer: &mut impl io::Write) -> io::Result<()> {
        self.chunks
            .iter()
            .try_for_each(|chunk| writer.write_all(chunk))
    }
}

impl io::Write for ChunkedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let last = self.chunks.last();
        if last.is_none_or(|chunk| chunk.len() == chunk.capacity()) {
            let size = last.map_or(FIRST_CHUNK, |chunk| {
                (2 * chunk.capacity()).min(LARGEST_CHUNK)
            });
            self.chunks.push(Zeroizing::new(Vec::with_capacity(size)));
        }
        let Some(chunk) = self.chunks.last_mut() else {
            return Ok(0);
        };
        let room = chunk.capacity() - chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A growing text that may hold secrets: outgrown memory is zeroed before it is given back.
#[derive(Default)]
pub(crate) struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(needed.next_power_of_two().max(256)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.clear();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn chunks_give_back_what_was_written() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let mut buffer = ChunkedBuffer::default();
        for piece in bytes.chunks(777) {
            buffer.write_all(piece).unwrap();
        }
        let mut back = Vec::new();
        buffer.write_to(&mut back).unwrap();
        assert!(back == bytes);
        assert!(
            buffer
                .chunks
                .iter()
                .all(|chunk| chunk.capacity() <= LARGEST_CHUNK)
        );
    }

    #[test]
    fn secret_text_grows() {
        let mut text = SecretText::default();
        for _ in 0..1000 {
            text.extend(b"abc");
        }
        assert_eq!(text.as_bytes(), "abc".repeat(1000).as_bytes());
        text.clear();
        assert!(text.as_bytes().is_empty());
    }
}

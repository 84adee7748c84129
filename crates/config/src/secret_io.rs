//! Buffered reading and writing that leaves nothing behind: the buffers are zeroed on drop.

use std::io::{self, BufRead, Read, Write};

use zeroize::Zeroizing;

/// Size of a buffer in bytes.
const SIZE: usize = 64 * 1024;

/// As [`std::io::BufReader`].
#[derive(Debug)]
pub struct SecretReader<R> {
    inner: R,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
}

impl<R: Read> SecretReader<R> {
    /// Reads from here.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: Zeroizing::new(vec![0; SIZE]),
            start: 0,
            end: 0,
        }
    }
}

impl<R: Read> Read for SecretReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(bytes)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: Read> BufRead for SecretReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start >= self.end {
            self.start = 0;
            self.end = self.inner.read(&mut self.buffer)?;
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
    }
}

/// As [`std::io::BufWriter`], but what is not flushed is lost.
#[derive(Debug)]
pub struct SecretWriter<W> {
    inner: W,
    buffer: Zeroizing<Vec<u8>>,
}

impl<W: Write> SecretWriter<W> {
    /// Writes to here.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            buffer: Zeroizing::new(Vec::with_capacity(SIZE)),
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let result = self.inner.write_all(&self.buffer);
        self.buffer.clear();
        result
    }
}

impl<W: Write> Write for SecretWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == SIZE {
            self.write_out()?;
        }
        // Never beyond what was reserved, so the buffer never moves.
        let taken = bytes.get(..SIZE - self.buffer.len()).unwrap_or(bytes);
        self.buffer.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        (0..300_000_u32)
            .map(|number| (number % 251) as u8)
            .collect()
    }

    #[test]
    fn everything_comes_through_in_order() {
        let mut writer = SecretWriter::new(Vec::new());
        for piece in bytes().chunks(777) {
            writer.write_all(piece).unwrap();
        }
        assert!(writer.inner.len() < bytes().len());
        writer.flush().unwrap();
        assert!(writer.inner == bytes());

        let mut back = Vec::new();
        SecretReader::new(&bytes()[..])
            .read_to_end(&mut back)
            .unwrap();
        assert!(back == bytes());
    }

    #[test]
    fn lines_are_read_across_the_end_of_the_buffer() {
        let text = "line\n".repeat(50_000);
        let mut reader = SecretReader::new(text.as_bytes());
        let mut line = Vec::new();
        let mut count = 0;
        while reader.read_until(b'\n', &mut line).unwrap() > 0 {
            assert_eq!(line, b"line\n");
            line.clear();
            count += 1;
        }
        assert_eq!(count, 50_000);
    }

    #[test]
    fn an_error_is_told_and_its_bytes_are_not_written_again() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = SecretWriter::new(Full);
        writer.write_all(b"x").unwrap();
        assert!(writer.flush().is_err());
        assert!(writer.flush().is_ok());
    }
}

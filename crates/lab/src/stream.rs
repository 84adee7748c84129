use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::{Error, Host, Result};

/// The port that is used, on a host of its own nobody else's.
const PORT: u16 = 7000;

/// Sends bytes that follow no pattern by TCP and compares what arrives: whatever splits and joins packets on the way
/// must leave the stream as it was. `patience` is for each single read and write.
///
/// # Errors
/// When there is no way from the client to the server's address, or other bytes arrive than were sent.
pub fn send_and_compare(
    client: &Host,
    server: &Host,
    address: IpAddr,
    length: usize,
    patience: Duration,
) -> Result<()> {
    let place = SocketAddr::new(address, PORT);
    let failed = |e: io::Error| Error::system(format!("send {length} bytes to {place}"), e);
    let listener = server.run(|| TcpListener::bind(place)).map_err(failed)?;
    let sent = noise(length);
    let received = thread::scope(|scope| {
        let sender = scope.spawn(|| -> io::Result<()> {
            let mut stream = client.run(|| TcpStream::connect_timeout(&place, patience))?;
            stream.set_write_timeout(Some(patience))?;
            stream.write_all(&sent)?;
            stream.shutdown(Shutdown::Write)
        });
        // So that nobody waits for a client that could not connect.
        listener.set_nonblocking(true)?;
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break Some(stream),
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                Err(_) if sender.is_finished() => break None,
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        };
        let mut received = Vec::with_capacity(length);
        if let Some(mut stream) = stream {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(patience))?;
            stream.read_to_end(&mut received)?;
        }
        match sender.join() {
            Ok(outcome) => outcome.map(|()| received),
            Err(payload) => std::panic::resume_unwind(payload),
        }
    })
    .map_err(failed)?;
    match first_difference(&sent, &received) {
        None => Ok(()),
        Some(place) => Err(Error::unexpected(
            format!("what came of {length} bytes, {} of them", received.len()),
            format!("byte {place} is the first that differs"),
        )),
    }
}

fn first_difference(sent: &[u8], received: &[u8]) -> Option<usize> {
    let differing = sent.iter().zip(received).position(|(a, b)| a != b);
    let shorter = sent.len().min(received.len());
    differing.or_else(|| (sent.len() != received.len()).then_some(shorter))
}

/// Bytes of a xorshift generator (Marsaglia 2003), the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_byte_or_an_end() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"axc"), Some(1));
        assert_eq!(first_difference(b"abc", b"ab"), Some(2));
        assert_eq!(first_difference(b"", b"a"), Some(0));
    }

    #[test]
    fn noise_is_as_long_as_asked_for_and_the_same_again() {
        assert_eq!(noise(13).len(), 13);
        assert_eq!(noise(64), noise(64));
        assert_ne!(noise(16)[..8], noise(16)[8..]);
    }
}

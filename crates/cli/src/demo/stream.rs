//! One TCP stream as fast as it goes, and how fast that is.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hushwire_lab::Host;

use super::error::Error;

/// Bytes written or read at once.
const CHUNK: usize = 256 * 1024;
/// Time between two looks at the rate.
const INTERVAL: Duration = Duration::from_millis(250);

/// Sends from one host to an address of another for some time, telling the rate of the moment,
/// and returns that of all the time, in bits per second.
pub(super) fn run(
    from: &Host,
    to: &Host,
    address: IpAddr,
    time: Duration,
    mut tell: impl FnMut(f64),
) -> Result<f64, Error> {
    let failed = |error: io::Error| Error::System("open a TCP stream through the tunnel", error);
    let listener = to.run(|| TcpListener::bind((address, 0))).map_err(failed)?;
    let there = listener.local_addr().map_err(failed)?;
    let outgoing = from.run(|| TcpStream::connect(there)).map_err(failed)?;
    let (incoming, _) = listener.accept().map_err(failed)?;
    let received = AtomicU64::new(0);
    let ending = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(&outgoing, &ending));
        let receiver = scope.spawn(|| receive(&incoming, &received));
        let start = Instant::now();
        let mut last = (start, 0);
        while start.elapsed() < time {
            thread::sleep(INTERVAL);
            let now = (Instant::now(), received.load(Ordering::Relaxed));
            tell(bits(now.1 - last.1) / (now.0 - last.0).as_secs_f64());
            last = now;
        }
        let rate = bits(last.1) / (last.0 - start).as_secs_f64();
        ending.store(true, Ordering::Relaxed);
        // A writer that waits for room in a stream that stands still sees this.
        let _ = outgoing.shutdown(Shutdown::Both);
        let results = [sender.join(), receiver.join()];
        let failure = results.into_iter().flatten().find_map(Result::err);
        match failure {
            Some(error) if last.1 == 0 => Err(failed(error)),
            _ => Ok(rate),
        }
    })
}

fn send(mut stream: &TcpStream, ending: &AtomicBool) -> io::Result<()> {
    let data = vec![0x5a; CHUNK];
    while !ending.load(Ordering::Relaxed) {
        stream.write_all(&data)?;
    }
    Ok(())
}

fn receive(mut stream: &TcpStream, received: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => received.fetch_add(length as u64, Ordering::Relaxed),
        };
    }
}

fn bits(bytes: u64) -> f64 {
    bytes as f64 * 8.0
}

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::{Error, Result};

/// How long a device may take to answer: some need seconds for ten thousand peers.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes; a device with many thousand peers stays under it.
const LONGEST: usize = 256 * 1024 * 1024;

/// Asks the device behind a control socket, as seen by the calling thread. The answer ends with a blank line.
pub(crate) fn exchange(interface: &str, request: &str) -> Result<String> {
    let path = format!("/run/wireguard/{interface}.sock");
    let failed = |error: std::io::Error| Error::system(format!("talk to {path}"), error);
    let mut stream = UnixStream::connect(&path).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(failed)?;
    stream.write_all(request.as_bytes()).map_err(failed)?;

    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while !answer.ends_with(b"\n\n") {
        let length = match stream.read(&mut chunk) {
            // Whoever was stopped and went on (SIGSTOP, SIGCONT) while there is a time limit.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result.map_err(failed)?,
        };
        if length == 0 || answer.len() > LONGEST {
            return Err(Error::unexpected(
                path,
                format!(
                    "the answer to `{}` has no end",
                    request.lines().next().unwrap_or_default()
                ),
            ));
        }
        answer.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    String::from_utf8(answer).map_err(|error| Error::unexpected(path, error))
}

/// The number in the `errno=` line that ends every answer; 0 is success.
pub(crate) fn errno(answer: &str) -> Option<i32> {
    answer
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("errno="))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errno_ends_the_answer() {
        assert_eq!(errno("listen_port=1\nerrno=0\n\n"), Some(0));
        assert_eq!(errno("errno=-22\n\n"), Some(-22));
        assert_eq!(errno("listen_port=1\n\n"), None);
        assert_eq!(errno(""), None);
    }
}

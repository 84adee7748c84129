//! Telling systemd how far we are (sd_notify(3)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::configuration::warn;

/// Names the socket of who wants to know.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// Everything is up.
pub(super) const READY: &str = "READY=1";
/// It is about to go down.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells it to whoever has started us and wants to know.
pub(super) fn tell(state: &str, status: &str) {
    let Some(socket) = env::var_os(VARIABLE).filter(|socket| !socket.is_empty()) else {
        return;
    };
    if let Err(error) = send(&socket, &format!("{state}\nSTATUS={status}\n")) {
        warn(&format_args!(
            "cannot tell the service manager {state}: {}: {error}",
            socket.display()
        ));
    }
}

/// A name that begins with `@` is one of the abstract namespace.
fn send(socket: &OsStr, text: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(text.as_bytes(), &address)
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_of_either_kind() {
        let name = format!("hushwire-notify-{}", std::process::id());
        let path = env::temp_dir().join(&name);
        let by_path = UnixDatagram::bind(&path).unwrap();
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        for (receiver, socket) in [
            (by_path, path.clone().into_os_string()),
            (by_name, format!("@{name}").into()),
        ] {
            receiver
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            send(&socket, "READY=1\n").unwrap();
            let mut buffer = [0; 64];
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\n");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(send(path.as_os_str(), "x").is_err());
    }
}

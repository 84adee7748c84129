//! A daemon that answers with a text, and keeps what it was sent.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hushwire_lab::Host;
use rustix::net::Shutdown;

use crate::case::{self, Uapi};

/// The directory of the control sockets.
pub(super) const SOCKETS: &str = "/run/wireguard";

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Fake<'h> {
    host: &'h Host,
    path: PathBuf,
    listener: UnixListener,
    thread: Option<JoinHandle<()>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl<'h> Fake<'h> {
    pub(super) fn start(host: &'h Host, uapi: &Uapi, mode: Option<u32>) -> Self {
        let path = socket_path(&uapi.iface);
        let listener = host.run(|| {
            let listener = UnixListener::bind(&path).expect("a socket");
            if let Some(mode) = mode {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            }
            listener
        });
        let log = Arc::<Mutex<Vec<String>>>::default();
        let reply =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "errno=0\n\n".to_owned());
        let server = Server {
            listener: listener.try_clone().expect("a descriptor"),
            get: reply(&uapi.get),
            set: reply(&uapi.set),
            log: Arc::clone(&log),
        };
        Self {
            host,
            path,
            listener,
            thread: Some(thread::spawn(move || server.run())),
            log,
        }
    }

    /// Forgets what it was sent so far.
    pub(super) fn forget(&self) {
        self.log.lock().expect("the log").clear();
    }

    /// What it was sent, a connection each; those that said nothing are not among them.
    pub(super) fn sent(&self) -> Vec<String> {
        self.log.lock().expect("the log").clone()
    }
}

impl Drop for Fake<'_> {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.host.run(|| {
            let _ = fs::remove_file(&self.path);
        });
    }
}

struct Server {
    listener: UnixListener,
    get: String,
    set: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves until the listener is shut down.
    fn run(self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let _ = self.serve(stream);
        }
    }

    fn serve(&self, mut stream: UnixStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut request = Vec::new();
        let mut buffer = [0; 65536];
        while !request.windows(2).any(|pair| pair == b"\n\n") {
            match stream.read(&mut buffer)? {
                0 => break,
                length => request.extend_from_slice(&buffer[..length]),
            }
        }
        if request.is_empty() {
            return Ok(());
        }
        self.log.lock().expect("the log").push(case::text(&request));
        let reply = if request.starts_with(b"get=1") {
            &self.get
        } else {
            &self.set
        };
        stream.write_all(&case::bytes(&with_time(reply)))
    }
}

/// Replaces `@NOW@` and `@NOW-5@` by seconds since 1970.
fn with_time(text: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let now = i64::try_from(now.as_secs()).expect("a time");
    let mut pieces = text.split("@NOW");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (offset, rest) = piece.split_once('@').expect("the end of @NOW@");
        let offset: i64 = match offset {
            "" => 0,
            offset => offset.parse().expect("a number of seconds"),
        };
        out.push_str(&(now + offset).to_string());
        out.push_str(rest);
    }
    out
}

/// Where the control socket of an interface is.
pub(super) fn socket_path(interface: &str) -> PathBuf {
    format!("{SOCKETS}/{interface}.sock").into()
}

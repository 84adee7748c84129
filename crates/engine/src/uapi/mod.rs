//! The cross-platform userspace interface: the server behind the control socket.

mod socket;
mod target;

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hushwire_config::uapi::Conversation;
use zeroize::{Zeroize, Zeroizing};

pub use socket::{ControlSocket, DIRECTORY, SocketError};
pub use target::Target;
pub(crate) use target::contents;

use crate::egress::PAUSE_AFTER_ERROR;
use crate::sandbox::{ThreadClass, Warden};
use crate::wait;
use socket::DirectoryWatch;

/// Clients served at a time; further ones are turned away. A client that hangs holds one place.
const CLIENTS_MAX: usize = 64;
/// How long a client may pause in the middle of a set.
const SET_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Bytes taken from a client at once.
const READ_SIZE: usize = 16 * 1024;
/// Stack of a client's thread, which parses lines and copies text.
const CLIENT_STACK: usize = 256 * 1024;

/// The thread that accepts clients.
pub(crate) struct Server {
    socket: ControlSocket,
    watch: DirectoryWatch,
    target: Target,
    warden: Warden,
    clients: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(socket: ControlSocket, target: Target, warden: Warden) -> io::Result<Self> {
        socket.listener().set_nonblocking(true)?;
        Ok(Self {
            watch: DirectoryWatch::new()?,
            socket,
            target,
            warden,
            clients: Arc::default(),
        })
    }

    /// Runs until the engine stops; stops it when the socket file is removed.
    pub(crate) fn run(self) {
        let dataplane = Arc::clone(self.target.dataplane());
        while !dataplane.is_stopping() && self.socket.is_in_place() {
            let fds = [
                self.socket.listener().as_fd(),
                self.watch.as_fd(),
                dataplane.stop_fd(),
            ];
            match wait::wait(fds, None) {
                Ok([connecting, removed, _]) => {
                    if removed {
                        self.watch.drain();
                    }
                    if connecting {
                        self.accept();
                    }
                }
                Err(error) => {
                    dataplane
                        .log()
                        .error(format_args!("control socket: {error}"));
                    break;
                }
            }
        }
        dataplane.log().debug("control socket closed");
        dataplane.stop();
    }

    fn accept(&self) {
        let stream = match self.socket.listener().accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {
                // Descriptors have run out, say. The client goes on waiting, and waking us.
                return std::thread::sleep(PAUSE_AFTER_ERROR);
            }
        };
        if self.clients.fetch_add(1, Ordering::AcqRel) >= CLIENTS_MAX {
            self.clients.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let place = Place(Arc::clone(&self.clients));
        let target = self.target.clone();
        let warden = self.warden.clone();
        let spawned = std::thread::Builder::new()
            .name("uapi-client".into())
            .stack_size(CLIENT_STACK)
            .spawn(move || {
                let _place = place;
                if let Err(error) = warden.enter_thread(ThreadClass::Client) {
                    return target.dataplane().log().error(error);
                }
                // A client that goes away in the middle of an answer has lost nothing else.
                let _ = serve(&stream, target);
            });
        if let Err(error) = spawned {
            let log = self.target.dataplane().log();
            log.error(format_args!("no thread for a control client: {error}"));
        }
    }
}

/// Holds the conversation with one client. Between operations it may be silent for as long as it
/// likes; in the middle of a set, during which all others wait, it may not.
fn serve(stream: &UnixStream, mut target: Target) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let dataplane = Arc::clone(target.dataplane());
    let mut conversation = Conversation::new();
    // Settings carry secrets.
    let mut buffer = Zeroizing::new([0; READ_SIZE]);
    let mut writer = stream;
    loop {
        let limit = target.is_in_set().then_some(SET_PAUSE_MAX);
        let [readable, stopping] = wait::wait([stream.as_fd(), dataplane.stop_fd()], limit)?;
        if stopping {
            return Ok(());
        }
        if !readable {
            if limit.is_some() {
                return conversation.abort(&mut target, &mut writer);
            }
            continue;
        }
        let count = (&*stream).read(buffer.as_mut_slice())?;
        if count == 0 {
            return conversation.finish(&mut target, &mut writer);
        }
        let bytes = buffer.get_mut(..count).unwrap_or_default();
        let received = conversation.receive(bytes, &mut target, &mut writer);
        // The client may stay for as long as it likes.
        bytes.zeroize();
        target.answered();
        if received?.is_break() {
            return Ok(());
        }
    }
}

/// One of the places for clients.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

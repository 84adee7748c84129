//! The cross-platform userspace interface: the server behind the control socket.

mod clients;
mod socket;
mod target;

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hushwire_config::uapi::Conversation;
use zeroize::{Zeroize, Zeroizing};

pub use socket::{ControlSocket, DIRECTORY, SocketError};
pub use target::Target;
pub(crate) use target::contents;

use crate::egress::PAUSE_AFTER_ERROR;
use crate::sandbox::{ThreadClass, Warden};
use crate::wait;
use clients::{Clients, Place, Rest};
use socket::DirectoryWatch;

/// How often a place is looked for, after a pause each: clients are at rest between any two
/// operations, but not always at the same time.
const ATTEMPTS: usize = 10;
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
    clients: Arc<Clients>,
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
                Err(error) => return dataplane.fail(format_args!("control socket: {error}")),
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
        let stream = Arc::new(stream);
        // All others are in the middle of something: this one is turned away.
        let Some(place) = self.place_for(&stream) else {
            return;
        };
        let target = self.target.clone();
        let warden = self.warden.clone();
        let spawned = std::thread::Builder::new()
            .name("uapi-client".into())
            .stack_size(CLIENT_STACK)
            .spawn(move || {
                if let Err(error) = warden.enter_thread(ThreadClass::Client) {
                    return target.dataplane().log().error(error);
                }
                // A client that goes away in the middle of an answer has lost nothing else.
                let _ = serve(&stream, &place, target);
            });
        if let Err(error) = spawned {
            let log = self.target.dataplane().log();
            log.error(format_args!("no thread for a control client: {error}"));
        }
    }

    fn place_for(&self, stream: &Arc<UnixStream>) -> Option<Place> {
        (0..ATTEMPTS).find_map(|attempt| {
            if attempt > 0 {
                std::thread::sleep(PAUSE_AFTER_ERROR);
            }
            self.clients.admit(stream)
        })
    }
}

/// Holds the conversation with one client. Between operations it may be silent for as long as
/// nobody else needs its place; in the middle of a set, during which all others wait, it may not.
fn serve(stream: &UnixStream, place: &Place, mut target: Target) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let dataplane = Arc::clone(target.dataplane());
    let mut conversation = Conversation::new();
    // Settings carry secrets.
    let mut buffer = Zeroizing::new([0; READ_SIZE]);
    let mut writer = stream;
    let mut since = Instant::now();
    loop {
        let limit = target.is_in_set().then_some(SET_PAUSE_MAX);
        if limit.is_none() {
            place.rest(Rest {
                since,
                has_begun: conversation.has_begun(),
            });
        }
        let [readable, stopping] = wait::wait([stream.as_fd(), dataplane.stop_fd()], limit)?;
        place.work();
        if stopping {
            return Ok(());
        }
        if !readable {
            if limit.is_some() {
                return conversation.abort(&mut target, &mut writer);
            }
            continue;
        }
        let count = match (&*stream).read(buffer.as_mut_slice()) {
            // The end is ours, not that of what the client had to say.
            Ok(0) if place.is_lost() => return conversation.abort(&mut target, &mut writer),
            Ok(0) => return conversation.finish(&mut target, &mut writer),
            Ok(count) => count,
            Err(error) => {
                // What was set before is to take effect; the answer is heard by nobody.
                let _unheard = conversation.abort(&mut target, &mut writer);
                return Err(error);
            }
        };
        let bytes = buffer.get_mut(..count).unwrap_or_default();
        let received = conversation.receive(bytes, &mut target, &mut writer);
        // The client may stay for a while.
        bytes.zeroize();
        target.answered();
        if received?.is_break() {
            return Ok(());
        }
        since = Instant::now();
    }
}

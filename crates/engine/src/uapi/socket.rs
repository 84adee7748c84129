//! The control socket `/var/run/wireguard/IFNAME.sock`: where it is, whose it is, when it goes.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, inotify};

/// The directory of all control sockets.
pub const DIRECTORY: &str = "/var/run/wireguard";

/// How long a daemon that is about to end may still hold the name of a device that is gone.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// A listening control socket. The file is removed when this is dropped, if it is still ours.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The file, opened for nothing but to be recognised.
    file: Option<OwnedFd>,
    /// Device and inode of the file, by which we know it from a later daemon's.
    identity: Option<(u64, u64)>,
    /// Whether dropping removes the file.
    owned: bool,
}

/// Why there is no control socket.
#[derive(Debug)]
pub enum SocketError {
    /// Another daemon answers on it.
    InUse(PathBuf),
    /// The system refused.
    Io(PathBuf, io::Error),
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "unix socket in use: another daemon answers on {}; end it or choose another name",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "control socket {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for SocketError {}

impl ControlSocket {
    /// Listens for the device `name`. A socket file that nobody answers on is replaced; one that
    /// is answered on for two more seconds belongs to a living daemon.
    ///
    /// Changes the file mode creation mask of the process for a moment, so it is to be called
    /// before there are threads.
    pub fn bind(name: &str) -> Result<Self, SocketError> {
        let path = Path::new(DIRECTORY).join(format!("{name}.sock"));
        Self::bind_at(&path).map_err(|error| match error {
            Some(error) => SocketError::Io(path.clone(), error),
            None => SocketError::InUse(path.clone()),
        })
    }

    /// Takes over a socket that listens already (`WG_UAPI_FD`).
    #[must_use]
    pub fn from_fd(fd: OwnedFd, name: &str) -> Self {
        let path = Path::new(DIRECTORY).join(format!("{name}.sock"));
        Self {
            listener: UnixListener::from(fd),
            identity: identity(&path),
            file: open(&path),
            path,
            owned: true,
        }
    }

    /// Gives the listening descriptor away, to be taken up with [`Self::from_fd`] by another
    /// process; the file stays.
    pub fn into_fd(mut self) -> io::Result<OwnedFd> {
        let fd = self.listener.try_clone()?.into();
        // Not before: on failure the file goes.
        self.owned = false;
        Ok(fd)
    }

    pub(crate) const fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Whether the file is still there and still ours: removing it ends the daemon.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_some() && self.present_identity() == self.identity
    }

    fn present_identity(&self) -> Option<(u64, u64)> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) => Some((metadata.dev(), metadata.ino())),
            // A user that we have become since may not look into the directory. A file that was
            // removed has no links left.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let stat = rustix::fs::fstat(self.file.as_ref()?).ok()?;
                (stat.st_nlink > 0).then_some((stat.st_dev, stat.st_ino))
            }
            Err(_) => None,
        }
    }

    /// `None` is "in use".
    fn bind_at(path: &Path) -> Result<Self, Option<io::Error>> {
        create_directory().map_err(Some)?;
        let start = Instant::now();
        loop {
            let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
            let bound = UnixListener::bind(path);
            rustix::process::umask(mask);
            match bound {
                Ok(listener) => {
                    return Ok(Self {
                        listener,
                        path: path.to_owned(),
                        identity: identity(path),
                        file: open(path),
                        owned: true,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    clear_the_way(path, start)?;
                }
                Err(error) => return Err(Some(error)),
            }
        }
    }
}

/// Removes a socket file without a daemon; waits a little for one that has a daemon.
fn clear_the_way(path: &Path, start: Instant) -> Result<(), Option<io::Error>> {
    match UnixStream::connect(path) {
        Ok(_) if start.elapsed() < TAKEOVER_TIMEOUT => {
            std::thread::sleep(Duration::from_millis(10));
            Ok(())
        }
        Ok(_) => Err(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            let is_socket = fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
            if !is_socket {
                return Err(Some(io::Error::from(io::ErrorKind::AlreadyExists)));
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Some(error)),
                _ => Ok(()),
            }
        }
    }
}

fn create_directory() -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(DIRECTORY) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn open(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.owned && self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Tells when something in the directory of the sockets was removed or renamed.
pub(crate) struct DirectoryWatch(OwnedFd);

impl DirectoryWatch {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let events = inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::MOVE_SELF;
        inotify::add_watch(&fd, DIRECTORY, events)?;
        Ok(Self(fd))
    }

    pub(crate) fn drain(&self) {
        let mut buffer = [0u8; 4096];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|read| read > 0) {}
    }
}

impl AsFd for DirectoryWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

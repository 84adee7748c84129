//! The devices of daemons: the UAPI over a stream socket.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hushwire_config::device::Device;
use hushwire_config::secret_io::{SecretReader, SecretWriter};
use hushwire_config::status::Status;
use hushwire_config::uapi::reply::ReplyError;
use hushwire_config::uapi::{get, reply, set, status};
use hushwire_config::update::DeviceUpdate;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::{Error, InterfaceNames, owner};

/// The socket of a daemon.
#[derive(Debug)]
pub(crate) struct Userspace {
    path: PathBuf,
    limit: Option<Duration>,
    /// The connection, or its failure, that showed that a daemon is there.
    first: Option<io::Result<UnixStream>>,
}

impl Userspace {
    /// Looks for a socket, and connects to it. If nobody listens any more, the socket is removed and there is none; if
    /// we may not connect, there is one.
    pub(crate) fn find(path: PathBuf, limit: Option<Duration>) -> Option<Self> {
        let is_socket = fs::metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket());
        if !is_socket || SocketAddrUnix::new(&path).is_err() {
            return None;
        }
        let first = connect(&path, limit);
        if is_refused(&first) {
            let _ = fs::remove_file(&path);
            return None;
        }
        Some(Self {
            path,
            limit,
            first: Some(first),
        })
    }

    pub(crate) fn read(&mut self) -> Result<Device, Error> {
        let mut connection = self.connection()?;
        connection.write_all(get::REQUEST).map_err(Error::from_io)?;
        Ok(reply::get(&mut SecretReader::new(connection))?)
    }

    /// `None` from a daemon that tells none: one that does not know the question hangs up, or answers an error.
    pub(crate) fn status(&mut self) -> Result<Option<Status>, Error> {
        let mut connection = self.connection()?;
        let asked = connection.write_all(status::REQUEST);
        let mut reader = SecretReader::new(connection);
        let begun = asked.and_then(|()| Ok(!reader.fill_buf()?.is_empty()));
        match begun {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if has_hung_up(&error) => return Ok(None),
            Err(error) => return Err(Error::from_io(error)),
        }
        match status::read(&mut reader) {
            Ok(status) => Ok(Some(status)),
            Err(ReplyError::Device(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The daemon's program, if it can be found out.
    pub(crate) fn program(&self) -> Option<String> {
        owner::program(&self.path)
    }

    pub(crate) fn change(&mut self, update: &DeviceUpdate) -> Result<(), Error> {
        let mut connection = self.connection()?;
        let names = InterfaceNames::open();
        let mut writer = SecretWriter::new(&mut connection);
        let written = set::write_naming(&mut writer, update, &|index| names.name(index))
            .and_then(|()| writer.flush());
        drop(writer);
        // A daemon that stopped to listen may have said why.
        let result = reply::set(&mut SecretReader::new(connection));
        match (written, result) {
            (Ok(()), result) => Ok(result?),
            (Err(_), Err(refusal @ reply::ReplyError::Device(_))) => Err(refusal.into()),
            (Err(error), _) => Err(Error::from_io(error)),
        }
    }

    fn connection(&mut self) -> Result<Connection, Error> {
        let stream = match self.first.take() {
            Some(first) => first,
            None => connect(&self.path, self.limit),
        };
        if is_refused(&stream) {
            let _ = fs::remove_file(&self.path);
        }
        let deadline = self
            .limit
            .and_then(|limit| Instant::now().checked_add(limit));
        Ok(Connection {
            stream: stream.map_err(Error::from_io)?,
            deadline,
        })
    }
}

fn is_refused(connection: &io::Result<UnixStream>) -> bool {
    connection
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn has_hung_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

/// Connects. With a queue full of others who wait, this takes until the limit.
fn connect(path: &Path, limit: Option<Duration>) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket: OwnedFd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, limit.map(at_least_something))?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address))?;
    Ok(socket.into())
}

/// Zero would mean no limit.
fn at_least_something(limit: Duration) -> Duration {
    limit.max(Duration::from_millis(1))
}

/// A connection on which everything together ends at a deadline.
struct Connection {
    stream: UnixStream,
    deadline: Option<Instant>,
}

impl Connection {
    fn arm(&self, direction: Timeout) -> io::Result<()> {
        let Some(deadline) = self.deadline else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(set_socket_timeout(
            &self.stream,
            direction,
            Some(at_least_something(left)),
        )?)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm(Timeout::Recv)?;
        self.stream.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm(Timeout::Send)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

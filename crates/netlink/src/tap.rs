use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::{Error, Result};

const DEVICE: &str = "/dev/net/tun";

/// One end of a wire: an Ethernet interface whose other end is this value. What the system sends out of the interface
/// is read here, and what is written here arrives at the interface. The interface goes with this value, unless it is persistent.
///
/// Frames are whole and final: the system has cut them to the MTU and filled in every checksum.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
}

impl Tap {
    /// Makes the interface in the calling thread's network namespace, down. Reads and writes do not block.
    ///
    /// # Errors
    /// When the name is taken or longer than 15 bytes, /dev/net/tun is not there, or for want of `CAP_NET_ADMIN`.
    pub fn new(name: &str) -> Result<Self> {
        Self::open(name, "create", libc::IFF_TUN_EXCL)
    }

    /// Becomes the other end of a persistent interface, as a virtual machine does of one that `ip tuntap` has made. If
    /// there is none in the calling thread's network namespace, it is made. It stays when it was there.
    ///
    /// # Errors
    /// When the interface is of another kind or has its other end already, the name is longer than 15 bytes,
    /// /dev/net/tun is not there, or for want of `CAP_NET_ADMIN`.
    pub fn attach(name: &str) -> Result<Self> {
        Self::open(name, "attach to", 0)
    }

    fn open(name: &str, verb: &str, flags: libc::c_int) -> Result<Self> {
        let operation = || format!("{verb} the TAP interface {name}");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(DEVICE)
            .map_err(|e| Error::system(format!("{}: open {DEVICE}", operation()), e))?;
        tie(&file, name, flags).map_err(|e| Error::system(operation(), e))?;
        let name = name.to_owned();
        Ok(Self { file, name })
    }

    /// The interface's name when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the next frame that the system has sent; returns its length in bytes. `WouldBlock` when there is none.
    ///
    /// # Errors
    /// `WouldBlock` when there is no frame; `EBADFD` when the interface was deleted.
    pub fn receive(&self, frame: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(frame)
    }

    /// Lets a frame arrive at the interface.
    ///
    /// # Errors
    /// `EIO` when the interface is down, `EINVAL` when it is shorter than an Ethernet header.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        (&self.file).write(frame).map(|_| ())
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// TUNSETIFF: ties the open file to the interface of this name.
fn tie(file: &File, name: &str, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: an all-zero `ifreq` is valid: integers, an array of them, and a union of those and null pointers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let space = request.ifr_name.len() - 1; // the last byte stays zero
    if name.is_empty() || name.len() > space {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("an interface name has 1 to {space} bytes"),
        ));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | flags;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives until the call returns; the descriptor is open.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

//! TUN devices.
//!
//! [`TunQueue`] is what the data path needs of one; [`Tun`] is Linux's. [`Monitor`] tells the
//! control path what happens to its interface.

mod device;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ioctl;
mod link;
mod monitor;
mod netlink;
mod queue;

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

pub use device::{Tun, TunOptions};
pub use error::TunError;
pub use monitor::{Event, Monitor};
pub use queue::Queue;

use crate::offload::{Outgoing, Received};

/// One queue of packets from and to a TUN device.
///
/// Several threads may use a queue at once; each call moves one whole packet.
pub trait TunQueue: Send + Sync {
    /// Reads one packet or super-packet into `buffer`, which should be
    /// [`MAX_PACKET`](crate::offload::MAX_PACKET) bytes long. `None` if there is none at
    /// present.
    ///
    /// # Errors
    ///
    /// An error for which [`is_gone`] holds is final. After any other, among them
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a packet that makes no sense, reading
    /// may go on.
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<Received>>;

    /// Writes one packet or super-packet, the concatenation of `parts`, of which there may be
    /// [`MAX_PARTS`](crate::offload::MAX_PARTS).
    ///
    /// # Errors
    ///
    /// The packet was not taken. An error for which [`is_gone`] holds is final; `EIO` says that
    /// the device is down; `EINVAL` that it is no IP packet, or a super-packet of a kind that
    /// the device does not know.
    fn write(&self, header: &Outgoing, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// The descriptor to poll for reading.
    fn as_fd(&self) -> BorrowedFd<'_>;
}

/// Whether an error of a queue says that its device does not exist any more.
#[must_use]
pub fn is_gone(error: &io::Error) -> bool {
    // EBADFD is what a queue says whose device was deleted; ENODEV and ENXIO are for what it
    // said before; EBADF is for a descriptor that someone closed.
    matches!(
        error.raw_os_error(),
        Some(libc::EBADFD | libc::EBADF | libc::ENODEV | libc::ENXIO)
    )
}

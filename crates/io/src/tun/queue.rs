//! One queue of a Linux TUN device.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::io::{Errno, readv, writev};

use super::TunQueue;
use crate::offload::{MAX_PARTS, Outgoing, Received, VirtioHeader};

/// One queue of a [`Tun`](super::Tun).
#[derive(Debug)]
pub struct Queue {
    fd: OwnedFd,
    /// Whether each packet has a virtio header.
    virtio: bool,
}

impl Queue {
    pub(super) const fn new(fd: OwnedFd, virtio: bool) -> Self {
        Self { fd, virtio }
    }
}

impl TunQueue for Queue {
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        if !self.virtio {
            let len = retry(|| rustix::io::read(&self.fd, &mut *buffer))?;
            return Ok(len.map(|len| received(len, VirtioHeader::default())));
        }
        let mut header = [0; VirtioHeader::LEN];
        let len = retry(|| {
            let mut parts = [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)];
            readv(&self.fd, &mut parts)
        })?;
        let Some(len) = len else { return Ok(None) };
        let Some(len) = len.checked_sub(VirtioHeader::LEN) else {
            let reason = "the TUN device sent a packet shorter than its virtio header";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        };
        let header = VirtioHeader::decode(header)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(received(len, header)))
    }

    fn write(&self, header: &Outgoing, parts: &[IoSlice<'_>]) -> io::Result<()> {
        if self.virtio {
            let header = VirtioHeader::encode(header);
            // The kernel takes a packet whole or not at all.
            return match parts {
                [one] => write(&self.fd, &[IoSlice::new(&header), *one]),
                _ => write_many(&self.fd, &header, parts),
            };
        }
        if *header != Outgoing::PLAIN {
            // What the kernel would say to a header that it does not expect.
            return Err(Errno::INVAL.into());
        }
        write(&self.fd, parts)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn received(len: usize, header: VirtioHeader) -> Received {
    Received {
        start: 0,
        len,
        segmentation: header.segmentation,
        checksum: header.checksum,
    }
}

fn write_many(fd: &OwnedFd, header: &[u8], parts: &[IoSlice<'_>]) -> io::Result<()> {
    let mut all = [IoSlice::new(&[]); MAX_PARTS + 1];
    let [first, rest @ ..] = &mut all;
    let Some(slots) = rest.get_mut(..parts.len()) else {
        return Err(Errno::INVAL.into());
    };
    *first = IoSlice::new(header);
    slots.copy_from_slice(parts);
    write(fd, all.get(..=parts.len()).unwrap_or_default())
}

fn write(fd: &OwnedFd, parts: &[IoSlice<'_>]) -> io::Result<()> {
    match retry(|| writev(fd, parts))? {
        Some(_) => Ok(()),
        // Only with a send buffer limit (TUNSETSNDBUF) that we never set.
        None => Err(Errno::AGAIN.into()),
    }
}

/// Calls again what a signal interrupted; `None` if it would block.
fn retry(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(len) => return Ok(Some(len)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

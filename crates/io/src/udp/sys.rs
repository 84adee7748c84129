//! The system calls that `rustix` does not have in the shape needed here: `sendmmsg` and
//! `recvmmsg` with control messages of our own, and a few socket options.
//!
//! All `unsafe` of this module tree is in this file.

use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::addr::Name;
use super::cmsg::{Control, Outgoing};
use super::{Family, Transmit};

/// The most messages that go into one system call.
pub(super) const WINDOW: usize = 64;

/// One message to the kernel: a datagram, or a segmented run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) transmit: &'a Transmit<'a>,
    pub(super) control: Outgoing,
    pub(super) contents: &'a [u8],
}

/// Space for the names and control messages of [`WINDOW`] messages.
#[derive(Debug)]
pub(super) struct Wire {
    names: [Name; WINDOW],
    controls: [Control; WINDOW],
}

impl Wire {
    pub(super) const EMPTY: Self = Self {
        names: [Name::EMPTY; WINDOW],
        controls: [Control::EMPTY; WINDOW],
    };
}

/// One message from the kernel, its payload aside.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) name: Name,
    pub(super) name_len: usize,
    pub(super) control: Control,
    pub(super) control_len: usize,
    /// Bytes of payload written.
    pub(super) len: usize,
    /// `MSG_TRUNC` and the like.
    pub(super) flags: i32,
}

impl Slot {
    pub(super) const EMPTY: Self = Self {
        name: Name::EMPTY,
        name_len: 0,
        control: Control::EMPTY,
        control_len: 0,
        len: 0,
        flags: 0,
    };
}

/// Sends up to [`WINDOW`] of `pieces` without blocking; returns how many the kernel took,
/// which is 1 or more.
pub(super) fn send_many<'a>(
    socket: impl AsFd,
    family: Family,
    pieces: impl Iterator<Item = Piece<'a>>,
    wire: &mut Wire,
) -> Result<usize, Errno> {
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; WINDOW];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; WINDOW];
    let spaces = wire.names.iter_mut().zip(&mut wire.controls);
    let entries = vectors.iter_mut().zip(&mut headers);
    let mut count = 0;
    for ((space, entry), piece) in spaces.zip(entries).zip(pieces) {
        let ((name, control), (vector, header)) = (space, entry);
        name.encode(piece.transmit.to);
        control.encode(family, &piece.control);
        let vector = vector.write(libc::iovec {
            iov_base: piece.contents.as_ptr().cast_mut().cast(),
            iov_len: piece.contents.len(),
        });
        let (name, control) = (name.as_bytes(), control.as_bytes());
        header.write(message(
            (name.as_ptr().cast_mut(), name.len()),
            (control.as_ptr().cast_mut(), control.len()),
            vector,
        ));
        count += 1;
    }
    if count == 0 {
        return Err(Errno::INVAL);
    }
    // SAFETY: the first `count` headers are initialised. Each points to a name, a control
    // buffer and a vector that points to a payload, all with their true lengths, alive until
    // the end of this function, and only read by the kernel, which for sending writes no more
    // than `msg_len` of each header.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_fd().as_raw_fd(),
            headers.as_mut_ptr().cast(),
            count,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    match usize::try_from(sent) {
        Ok(0) => Err(Errno::AGAIN),
        Ok(sent) => Ok(sent),
        Err(_) => Err(last_error()),
    }
}

/// Receives without blocking into `slots` and, one each, the `size`-byte parts of `buffers`,
/// at most [`WINDOW`]; returns how many were filled.
pub(super) fn receive_many(
    socket: impl AsFd,
    slots: &mut [Slot],
    buffers: &mut [u8],
    size: usize,
) -> Result<usize, Errno> {
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; WINDOW];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; WINDOW];
    let entries = vectors.iter_mut().zip(&mut headers);
    let spaces = slots.iter_mut().zip(buffers.chunks_exact_mut(size));
    let mut count = 0;
    for ((vector, header), (slot, buffer)) in entries.zip(spaces) {
        let vector = vector.write(libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        });
        header.write(message(
            (slot.name.as_mut_ptr(), Name::CAPACITY),
            (slot.control.as_mut_ptr(), Control::CAPACITY),
            vector,
        ));
        count += 1;
    }
    // SAFETY: the first `count` headers are initialised. Each points to a name, a control
    // buffer and a vector that points to a payload, all writable, distinct, of the stated
    // lengths and alive until the end of this function. Any bytes are valid in them. A null
    // timeout is none.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_fd().as_raw_fd(),
            headers.as_mut_ptr().cast(),
            count,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| last_error())?;
    for (slot, header) in slots.iter_mut().zip(&headers).take(received) {
        // SAFETY: the kernel filled no more headers than the `count` that were initialised.
        let header = unsafe { header.assume_init_ref() };
        slot.name_len = header.msg_hdr.msg_namelen as usize;
        slot.control_len = header.msg_hdr.msg_controllen as _;
        slot.len = header.msg_len as usize;
        slot.flags = header.msg_hdr.msg_flags;
    }
    Ok(received)
}

/// A header over a name, a control buffer and one vector.
fn message(
    (name, name_len): (*mut u8, usize),
    (control, control_len): (*mut u8, usize),
    vector: &mut libc::iovec,
) -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is integers and raw pointers, for which zero is a value. (It has
    // private padding on some C libraries, so it cannot be written as a literal.)
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    message.msg_hdr.msg_name = name.cast();
    message.msg_hdr.msg_namelen = name_len as _;
    message.msg_hdr.msg_control = control.cast();
    message.msg_hdr.msg_controllen = control_len as _;
    message.msg_hdr.msg_iov = vector;
    message.msg_hdr.msg_iovlen = 1;
    message
}

/// Sets a socket option that is an `int`.
pub(super) fn set_option(
    socket: impl AsFd,
    level: i32,
    option: i32,
    value: i32,
) -> Result<(), Errno> {
    // SAFETY: the value is a live `int` of the length given, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// Reads a socket option that is an array of 32-bit words; what a kernel leaves out is 0.
pub(super) fn option<const N: usize>(
    socket: impl AsFd,
    level: i32,
    option: i32,
) -> Result<[u32; N], Errno> {
    let mut words = [0u32; N];
    let mut len = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to an array of that size, for whose
    // elements any bytes are valid.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            words.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        Ok(words)
    } else {
        Err(last_error())
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

//! The TUN driver's ioctls (Linux `Documentation/networking/tuntap.rst`, `linux/if_tun.h`),
//! and the one that tells a socket's network namespace.

use core::ffi::{c_int, c_short, c_void};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::{
    io,
    ioctl::{IntegerSetter, Ioctl, IoctlOutput, Opcode, Setter, Updater, ioctl},
};

/// Bytes of an interface name, with its closing zero.
const NAME_SIZE: usize = libc::IFNAMSIZ;

/// A network interface's name, as the kernel keeps it: not necessarily UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name([u8; NAME_SIZE]);

impl Name {
    /// A name of at most 15 bytes without zeros.
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_SIZE];
        let (slot, _) = bytes.split_at_mut_checked(name.len())?;
        slot.copy_from_slice(name);
        let fits = name.len() < NAME_SIZE && !name.contains(&0);
        fits.then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self}")
    }
}

/// `struct ifreq` with the one member of its union that the TUN driver uses.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; NAME_SIZE],
    flags: c_short,
    unused: [u8; size_of::<libc::ifreq>() - NAME_SIZE - size_of::<c_short>()],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

impl InterfaceRequest {
    fn new(name: [u8; NAME_SIZE], flags: c_short) -> Self {
        Self {
            name,
            flags,
            unused: [0; _],
        }
    }
}

/// `TUNSETIFF`: makes or attaches to the interface `name`, in which `%d` stands for the first
/// free number. Returns the name that came of it.
pub(super) fn attach(fd: impl AsFd, name: Name, flags: c_int) -> io::Result<Name> {
    // The flags are 16 bits wide in the kernel, too.
    let mut request = InterfaceRequest::new(name.0, flags as c_short);
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose size and layout
    // InterfaceRequest has, and keeps no pointer to it.
    unsafe {
        const OPCODE: Opcode = libc::TUNSETIFF as Opcode;
        ioctl(fd, Updater::<OPCODE, _>::new(&mut request))?;
    }
    Ok(Name(request.name))
}

/// `TUNGETIFF`: the interface's present name and its `IFF_` flags. `EBADFD` if there is none
/// (any more).
pub(super) fn interface(fd: impl AsFd) -> io::Result<(Name, c_int)> {
    let mut request = InterfaceRequest::new([0; NAME_SIZE], 0);
    // SAFETY: TUNGETIFF writes one `struct ifreq`, whose size and layout InterfaceRequest has,
    // and keeps no pointer to it.
    unsafe {
        const OPCODE: Opcode = libc::TUNGETIFF as Opcode;
        ioctl(fd, Updater::<OPCODE, _>::new(&mut request))?;
    }
    Ok((
        Name(request.name),
        c_int::from(request.flags.cast_unsigned()),
    ))
}

/// `TUNSETOFFLOAD`: what the kernel may hand out, as `TUN_F_` flags.
pub(super) fn set_offload(fd: impl AsFd, flags: u32) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its flags by value and touches no memory of ours.
    unsafe {
        const OPCODE: Opcode = libc::TUNSETOFFLOAD as Opcode;
        ioctl(fd, IntegerSetter::<OPCODE>::new_usize(flags as usize))
    }
}

/// `TUNSETVNETHDRSZ`: the bytes of the virtio header.
pub(super) fn set_header_len(fd: impl AsFd, len: c_int) -> io::Result<()> {
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    unsafe {
        const OPCODE: Opcode = libc::TUNSETVNETHDRSZ as Opcode;
        ioctl(fd, Setter::<OPCODE, c_int>::new(len))
    }
}

/// `TUNSETVNETLE`: makes the virtio header little-endian whatever the machine is.
pub(super) fn set_little_endian(fd: impl AsFd) -> io::Result<()> {
    // SAFETY: TUNSETVNETLE reads one int.
    unsafe {
        const OPCODE: Opcode = libc::TUNSETVNETLE as Opcode;
        ioctl(fd, Setter::<OPCODE, c_int>::new(1))
    }
}

/// `TUNGETDEVNETNS`: the network namespace that the interface is in now (Linux 5.2). Needs
/// CAP_NET_ADMIN there.
pub(super) fn device_namespace(fd: impl AsFd) -> io::Result<OwnedFd> {
    const OPCODE: Opcode = libc::TUNGETDEVNETNS as Opcode;
    // SAFETY: TUNGETDEVNETNS takes no argument and returns a new descriptor.
    unsafe { ioctl(fd, NewDescriptor::<OPCODE>) }
}

/// `SIOCGSKNS`: the network namespace of a socket. Needs CAP_NET_ADMIN there.
pub(super) fn socket_namespace(fd: impl AsFd) -> io::Result<OwnedFd> {
    const OPCODE: Opcode = libc::SIOCGSKNS as Opcode;
    // SAFETY: SIOCGSKNS takes no argument and returns a new descriptor.
    unsafe { ioctl(fd, NewDescriptor::<OPCODE>) }
}

/// An ioctl without argument that returns a new descriptor.
struct NewDescriptor<const OPCODE: Opcode>;

// SAFETY: there is no argument, so the null pointer is right, and the output is made of the
// return value alone. Only the opcodes above use this type, and both return a descriptor that
// is ours to close.
unsafe impl<const OPCODE: Opcode> Ioctl for NewDescriptor<OPCODE> {
    type Output = OwnedFd;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        core::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> io::Result<OwnedFd> {
        // SAFETY: the ioctl succeeded, so its return value is a descriptor that nobody else
        // owns.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}

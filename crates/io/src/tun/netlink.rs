//! As much of rtnetlink (rtnetlink(7)) as following one interface takes.
//!
//! Numbers are in the machine's byte order; messages and attributes are aligned to four bytes.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, send,
        socket_with,
    },
};

use super::ioctl::Name;

/// Room for one message; the kernel's own limit for what it sends unasked.
const MESSAGE: usize = 32 * 1024;
const HEADER: usize = 16;
/// `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// `struct rtgenmsg`, padded.
const FAMILY_HEADER: usize = 4;

// linux/net_namespace.h
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// Changes to interfaces, and namespaces that get or lose a number.
const LINK_EVENTS: [u32; 2] = [libc::RTNLGRP_LINK, libc::RTNLGRP_NSID];

/// One message from the kernel that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// An interface as it is now.
    Link(LinkInfo),
    /// An interface was deleted, or went to another network namespace.
    LinkGone { index: i32 },
    /// The number of a network namespace; -1 if it has none.
    Namespace(i32),
    /// A network namespace that had this number is being taken down.
    NamespaceGone(i32),
    /// The answer to a request: an error number, or zero.
    Answer(i32),
}

/// What an `RTM_NEWLINK` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkInfo {
    pub(super) index: i32,
    pub(super) name: Name,
    /// In bytes.
    pub(super) mtu: u32,
    /// Administratively up (`IFF_UP`).
    pub(super) up: bool,
}

/// What a new interface is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// In bytes.
    pub(super) mtu: u32,
    /// Packets that wait for the process.
    pub(super) transmit_queue: u32,
    /// The most segments of a super-packet.
    pub(super) segments: u32,
}

/// A request to the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    /// An interface by name; in the namespace of that number, or the socket's own.
    Link { name: Name, namespace: Option<i32> },
    /// Set a new interface up, in the socket's own namespace.
    Shape { index: i32, shape: Shape },
    /// The number that the socket's namespace has for another.
    Namespace(BorrowedFd<'a>),
    /// Give another namespace a number.
    NameNamespace(BorrowedFd<'a>),
}

impl Request<'_> {
    fn encode(&self) -> Vec<u8> {
        match *self {
            Self::Link { name, namespace } => {
                let mut message = link_request(libc::RTM_GETLINK, 0, 0);
                let mut name = name.as_bytes().to_vec();
                name.push(0);
                push_attribute(&mut message, libc::IFLA_IFNAME, &name);
                if let Some(namespace) = namespace {
                    let number = namespace.to_ne_bytes();
                    push_attribute(&mut message, libc::IFLA_TARGET_NETNSID, &number);
                }
                message
            }
            Self::Shape { index, shape } => {
                let mut message = link_request(libc::RTM_NEWLINK, libc::NLM_F_ACK, index);
                for (kind, value) in [
                    (libc::IFLA_MTU, shape.mtu),
                    (libc::IFLA_TXQLEN, shape.transmit_queue),
                    (libc::IFLA_GSO_MAX_SEGS, shape.segments),
                ] {
                    push_attribute(&mut message, kind, &value.to_ne_bytes());
                }
                message
            }
            Self::Namespace(fd) => {
                let mut message = new_message(libc::RTM_GETNSID, 0, FAMILY_HEADER);
                push_attribute(&mut message, NETNSA_FD, &fd.as_raw_fd().to_ne_bytes());
                message
            }
            Self::NameNamespace(fd) => {
                let mut message = new_message(libc::RTM_NEWNSID, libc::NLM_F_ACK, FAMILY_HEADER);
                push_attribute(&mut message, NETNSA_FD, &fd.as_raw_fd().to_ne_bytes());
                push_attribute(&mut message, NETNSA_NSID, &(-1i32).to_ne_bytes());
                message
            }
        }
    }
}

/// A netlink socket, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// A socket for [`request`](Self::request).
    pub(super) fn for_requests() -> io::Result<Self> {
        Self::open(0)
    }

    /// A socket for [`receive`](Self::receive) that hears of every change to an interface, and
    /// of namespaces that get or lose a number.
    pub(super) fn for_link_events() -> io::Result<Self> {
        let mask = |group: u32| 1 << (group - 1);
        Self::open(LINK_EVENTS.map(mask).into_iter().sum())
    }

    /// A socket for [`receive`](Self::receive) that can hear of the interfaces in other
    /// namespaces as well, those that have a number in this one (`NETLINK_LISTEN_ALL_NSID`,
    /// netlink(7)). Needs CAP_NET_BROADCAST in both, but only now: the kernel asks for the rights
    /// that the process had when it opened the socket. Hears nothing before
    /// [`subscribe`](Self::subscribe).
    pub(super) fn for_link_events_everywhere() -> io::Result<Self> {
        let socket = Self::open(0)?;
        socket.set_option(libc::NETLINK_LISTEN_ALL_NSID, 1)?;
        Ok(socket)
    }

    /// Begins or ends to hear of changes.
    pub(super) fn subscribe(&self, begin: bool) -> io::Result<()> {
        let option = if begin {
            libc::NETLINK_ADD_MEMBERSHIP
        } else {
            libc::NETLINK_DROP_MEMBERSHIP
        };
        let mut groups = LINK_EVENTS.into_iter();
        groups.try_for_each(|group| self.set_option(option, group.cast_signed()))
    }

    fn open(groups: u32) -> io::Result<Self> {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        bind(&fd, &netlink::SocketAddrNetlink::new(0, groups))?;
        Ok(Self { fd })
    }

    /// Sends a request and returns the first message of the answer.
    ///
    /// The kernel answers before `send` returns, so nothing here waits. Not for several
    /// threads at once.
    pub(super) fn request(&self, request: &Request<'_>) -> io::Result<Message> {
        send(&self.fd, &request.encode(), SendFlags::empty())?;
        let mut buffer = vec![0; MESSAGE];
        let (len, _) = recv(&self.fd, &mut buffer[..], RecvFlags::empty())?;
        let answer = buffer.get(..len).unwrap_or_default();
        match messages(answer).next() {
            Some(Message::Answer(errno)) if errno != 0 => Err(io::Error::from_raw_os_error(errno)),
            Some(message) => Ok(message),
            None => Err(no_sense()),
        }
    }

    fn set_option(&self, option: i32, value: i32) -> io::Result<()> {
        // SAFETY: the option value is one int, which lives until the call returns.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_NETLINK,
                option,
                (&raw const value).cast(),
                size_of::<i32>() as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Takes one datagram of events into `buffer`. Returns its messages and the number of the
    /// namespace that they come from, if it is another one; or `None` if there is none at
    /// present. `ENOBUFS` says that some were lost.
    pub(super) fn receive<'b>(
        &self,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<Option<(impl Iterator<Item = Message> + use<'b>, Option<i32>)>> {
        buffer.resize(MESSAGE, 0);
        let mut control = Control([0; 8]);
        let Some((len, control_len)) = self.receive_message(buffer, &mut control)? else {
            return Ok(None);
        };
        let datagram = buffer.get(..len).unwrap_or_default();
        Ok(Some((messages(datagram), control.namespace(control_len))))
    }

    fn receive_message(
        &self,
        buffer: &mut [u8],
        control: &mut Control,
    ) -> io::Result<Option<(usize, usize)>> {
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: `msghdr` is plain data, for which all zeros is a value.
        let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control.0) as _;
        // SAFETY: `header` points to one iovec and one control buffer, each with its true
        // length and borrowed until the call returns.
        let len = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut header, 0) };
        match usize::try_from(len) {
            Ok(len) => Ok(Some((len, header.msg_controllen as usize))),
            Err(_) => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn no_sense() -> io::Error {
    let reason = "the kernel's answer over rtnetlink makes no sense";
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Room for one control message with an int, aligned as `struct cmsghdr`.
struct Control([u64; 8]);

impl Control {
    /// The namespace number in the first `len` bytes.
    fn namespace(&self, len: usize) -> Option<i32> {
        const WORD: usize = size_of::<usize>();
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_ne_bytes()).collect();
        // `struct cmsghdr`: a word of length, the level, the type; then the value.
        let message = bytes.get(..len)?;
        let level = i32::from_ne_bytes(field(message, WORD)?);
        let kind = i32::from_ne_bytes(field(message, WORD + 4)?);
        let number = i32::from_ne_bytes(field(message, WORD + 8)?);
        (level == libc::SOL_NETLINK && kind == libc::NETLINK_LISTEN_ALL_NSID).then_some(number)
    }
}

fn new_message(kind: u16, flags: i32, header: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    // The length is put in by `finish`.
    message.extend(0u32.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(((libc::NLM_F_REQUEST | flags) as u16).to_ne_bytes());
    // Sequence number and port: one request at a time needs neither.
    message.extend([0; 8]);
    message.resize(HEADER + header, 0);
    finish(&mut message);
    message
}

fn link_request(kind: u16, flags: i32, index: i32) -> Vec<u8> {
    let mut message = new_message(kind, flags, LINK_HEADER);
    if let Some(slot) = message.get_mut(HEADER + 4..HEADER + 8) {
        slot.copy_from_slice(&index.to_ne_bytes());
    }
    message
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(((4 + value.len()) as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(align(message.len()), 0);
    finish(message);
}

/// Puts the length into the message's header.
fn finish(message: &mut [u8]) {
    let len = message.len() as u32;
    if let Some(slot) = message.first_chunk_mut() {
        *slot = len.to_ne_bytes();
    }
}

const fn align(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// `N` bytes from `at`, if there are so many.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The messages of a datagram that matter here.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message> + use<'_> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let len = u32::from_ne_bytes(field(rest, 0)?) as usize;
        let kind = u16::from_ne_bytes(field(rest, 4)?);
        let body = rest.get(HEADER..len)?;
        rest = rest.get(align(len)..).unwrap_or_default();
        Some(parse(kind, body))
    })
    .flatten()
}

fn parse(kind: u16, body: &[u8]) -> Option<Message> {
    match kind {
        libc::RTM_NEWLINK => parse_link(body).map(Message::Link),
        libc::RTM_DELLINK => Some(Message::LinkGone {
            index: i32::from_ne_bytes(field(body, 4)?),
        }),
        libc::RTM_NEWNSID => parse_namespace(body).map(Message::Namespace),
        libc::RTM_DELNSID => parse_namespace(body).map(Message::NamespaceGone),
        kind if i32::from(kind) == libc::NLMSG_ERROR => {
            let code = i32::from_ne_bytes(field(body, 0)?);
            Some(Message::Answer(code.checked_neg()?))
        }
        _ => None,
    }
}

fn parse_namespace(body: &[u8]) -> Option<i32> {
    let mut attributes = attributes(body.get(FAMILY_HEADER..)?);
    let (_, value) = attributes.find(|(kind, _)| *kind == NETNSA_NSID)?;
    field(value, 0).map(i32::from_ne_bytes)
}

fn parse_link(body: &[u8]) -> Option<LinkInfo> {
    let index = i32::from_ne_bytes(field(body, 4)?);
    let flags = u32::from_ne_bytes(field(body, 8)?);
    let (mut name, mut mtu) = (None, None);
    for (kind, value) in attributes(body.get(LINK_HEADER..)?) {
        match kind {
            libc::IFLA_IFNAME => {
                let bytes = value.split(|byte| *byte == 0).next().unwrap_or_default();
                name = Name::new(bytes);
            }
            libc::IFLA_MTU => mtu = field(value, 0).map(u32::from_ne_bytes),
            _ => {}
        }
    }
    Some(LinkInfo {
        index,
        name: name?,
        mtu: mtu?,
        up: flags & libc::IFF_UP.cast_unsigned() != 0,
    })
}

/// Types and values.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes(field(rest, 0)?));
        let kind = u16::from_ne_bytes(field(rest, 2)?);
        let value = rest.get(4..len)?;
        rest = rest.get(align(len)..).unwrap_or_default();
        Some((kind & libc::NLA_TYPE_MASK as u16, value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link_message(kind: u16, index: i32, name: &[u8], mtu: u32, flags: u32) -> Vec<u8> {
        let mut message = link_request(kind, 0, index);
        message[HEADER + 8..HEADER + 12].copy_from_slice(&flags.to_ne_bytes());
        push_attribute(&mut message, libc::IFLA_IFNAME, name);
        push_attribute(&mut message, libc::IFLA_MTU, &mtu.to_ne_bytes());
        message
    }

    #[test]
    fn a_link_is_read_whatever_the_alignment_of_its_name() {
        for name in [&b"a\0"[..], b"wg0\0", b"a-long-name-of-\0"] {
            let mut datagram = link_message(libc::RTM_NEWLINK, 7, name, 1420, 1);
            datagram.extend(link_message(libc::RTM_DELLINK, 8, name, 1420, 0));
            let read: Vec<Message> = messages(&datagram).collect();
            let link = LinkInfo {
                index: 7,
                name: Name::new(&name[..name.len() - 1]).unwrap(),
                mtu: 1420,
                up: true,
            };
            assert_eq!(read, [Message::Link(link), Message::LinkGone { index: 8 }]);
        }
    }

    #[test]
    fn an_error_is_turned_into_its_number() {
        let mut message = new_message(libc::NLMSG_ERROR as u16, 0, 4);
        message[HEADER..].copy_from_slice(&(-libc::ENODEV).to_ne_bytes());
        assert_eq!(
            messages(&message).collect::<Vec<_>>(),
            [Message::Answer(libc::ENODEV)]
        );
    }

    #[test]
    fn the_loopback_interface_answers() {
        let socket = Socket::for_requests().unwrap();
        let name = Name::new(b"lo").unwrap();
        let request = Request::Link {
            name,
            namespace: None,
        };
        let Message::Link(link) = socket.request(&request).unwrap() else {
            panic!("not a link");
        };
        assert_eq!((link.index, link.name), (1, name));
        let missing = Request::Link {
            name: Name::new(b"no-such-link").unwrap(),
            namespace: None,
        };
        let error = socket.request(&missing).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = messages(&bytes).count();
        }

        #[test]
        fn no_damaged_link_panics(
            at in any::<proptest::sample::Index>(),
            byte: u8,
            len in any::<proptest::sample::Index>(),
        ) {
            let mut datagram = link_message(libc::RTM_NEWLINK, 7, b"wg0\0", 1420, 1);
            let at = at.index(datagram.len());
            datagram[at] = byte;
            let len = len.index(datagram.len() + 1);
            let _ = messages(&datagram[..len]).count();
        }
    }
}

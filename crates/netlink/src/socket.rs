use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::{io, mem};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlaBuffer, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{Error, Result};

/// Size of the receive buffer in bytes. The kernel fills at most 32 KiB of a dump at a time.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// How often a dump is asked for again when the table changed while the kernel was writing it out.
const DUMP_ATTEMPTS: usize = 8;
/// Size of `struct nlmsghdr`, with which an error message repeats the request it answers.
pub(crate) const MESSAGE_HEADER: usize = 16;
/// `NLM_F_CAPPED`: the error message repeats only the header of the request, not all of it.
const CAPPED: u16 = 0x100;
/// `NLMSGERR_ATTR_MSG`: the kernel's sentence in an extended acknowledgement.
const ERROR_SENTENCE: u16 = 1;

/// A blocking rtnetlink(7) client of one network namespace.
///
/// It speaks for the namespace in which the *opening* thread was, whichever thread uses it later. One request is
/// answered before the next is sent.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a client in the calling thread's current network namespace.
    ///
    /// # Errors
    /// When the system gives out no netlink socket (a seccomp filter, no file descriptors left).
    pub fn open() -> Result<Self> {
        let socket = open_socket(None).map_err(|e| Error::system("open a netlink socket", e))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; RECEIVE_BUFFER],
        })
    }

    /// Sends one request and waits for its acknowledgement. `operation` names it in an error.
    pub(crate) fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        operation: impl Fn() -> String,
    ) -> Result<()> {
        self.exchange(message, flags | NLM_F_ACK, &operation, |_| ())
            .map(|_| ())
    }

    /// Sends one request whose answer is a single object.
    pub(crate) fn query(
        &mut self,
        message: RouteNetlinkMessage,
        operation: impl Fn() -> String,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        let mut answers = Vec::new();
        self.exchange(message, NLM_F_ACK, &operation, |answer| {
            answers.push(answer);
        })?;
        Ok(answers)
    }

    /// Asks for all objects of a kind; asks again when the table changed in the middle.
    pub(crate) fn dump(
        &mut self,
        message: &RouteNetlinkMessage,
        operation: impl Fn() -> String,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        let mut answers = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            answers.clear();
            let whole =
                self.exchange(message.clone(), NLM_F_DUMP, &operation, |a| answers.push(a))?;
            if whole {
                break;
            }
        }
        Ok(answers)
    }

    /// The name of an interface, or its index as text when it has none any more: for error messages only.
    pub(crate) fn name_or_index(&self, index: u32) -> String {
        rustix::net::netdevice::index_to_name(&self.socket, index)
            .unwrap_or_else(|_| format!("interface {index}"))
    }

    /// One request and everything that answers it. False when the kernel says that a dump is not consistent.
    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        operation: &dyn Fn() -> String,
        mut on_answer: impl FnMut(RouteNetlinkMessage),
    ) -> Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(message, flags, operation)?;
        let mut consistent = true;
        loop {
            let received = self.receive(operation)?;
            let datagram = self.buffer.get(..received).unwrap_or_default();
            let read = read_answers(datagram, self.sequence, operation, &mut on_answer)?;
            consistent &= read.consistent;
            if read.last {
                return Ok(consistent);
            }
        }
    }

    fn send(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        operation: &dyn Fn() -> String,
    ) -> Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        rustix::io::retry_on_intr(|| rustix::net::send(&self.socket, &bytes, SendFlags::empty()))
            .map_err(|e| Error::system(operation(), e))?;
        Ok(())
    }

    fn receive(&mut self, operation: &dyn Fn() -> String) -> Result<usize> {
        let buffer = &mut self.buffer;
        let socket = &self.socket;
        let (_, length) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(socket, &mut buffer[..], RecvFlags::TRUNC)
        })
        .map_err(|e| Error::system(operation(), e))?;
        if length > buffer.len() {
            return Err(Error::reply(
                operation(),
                format!("{length} bytes in one message"),
            ));
        }
        Ok(length)
    }
}

/// What a datagram meant to a request.
pub(crate) struct ReadAnswers {
    /// False when the kernel says that a dump is not consistent.
    pub(crate) consistent: bool,
    /// Whether nothing more will come.
    pub(crate) last: bool,
}

/// Takes in what a datagram brings to the request of this number.
pub(crate) fn read_answers(
    datagram: &[u8],
    sequence: u32,
    operation: &dyn Fn() -> String,
    on_answer: &mut dyn FnMut(RouteNetlinkMessage),
) -> Result<ReadAnswers> {
    let mut consistent = true;
    let mut last = false;
    let mut rest = datagram;
    while !last && let Some((bytes, tail)) = split_message(rest) {
        rest = tail;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes)
            .map_err(|e| Error::reply(operation(), e))?;
        if answer.header.sequence_number != sequence {
            continue; // the late tail of a request that failed before
        }
        consistent &= answer.header.flags & NLM_F_DUMP_INTR == 0;
        match answer.payload {
            NetlinkPayload::InnerMessage(inner) => on_answer(inner),
            NetlinkPayload::Done(_) => last = true,
            NetlinkPayload::Error(error) => match error.code {
                None => last = true,
                Some(code) => {
                    return Err(Error::Refused {
                        operation: operation(),
                        source: io::Error::from_raw_os_error(code.get().saturating_abs()),
                        detail: kernel_sentence(&error.header, answer.header.flags),
                    });
                }
            },
            _ => {}
        }
    }
    Ok(ReadAnswers { consistent, last })
}

/// A netlink socket of a protocol; none is the first, `NETLINK_ROUTE`.
pub(crate) fn open_socket(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    // Kernels before 4.12 and 4.20 know nothing of these; the client works without, only its errors are shorter.
    let _ = enable(&socket, libc::NETLINK_EXT_ACK);
    let _ = enable(&socket, libc::NETLINK_CAP_ACK);
    let _ = enable(&socket, libc::NETLINK_GET_STRICT_CHK);
    Ok(socket)
}

fn enable(socket: &impl AsFd, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to a live integer and the length is that integer's size; the descriptor is open for the
    // duration of the borrow.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Cuts the first netlink message off a datagram; none when what is left cannot be one.
pub(crate) fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.first_chunk::<4>().copied()?) as usize;
    if length < MESSAGE_HEADER {
        return None;
    }
    let message = bytes.get(..length)?;
    let tail = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((message, tail))
}

/// The kernel's sentence out of an error message, whose payload repeats the request before the attributes.
pub(crate) fn kernel_sentence(payload: &[u8], flags: u16) -> Option<String> {
    let request = u32::from_ne_bytes(payload.first_chunk::<4>().copied()?) as usize;
    let repeated = if flags & CAPPED != 0 {
        MESSAGE_HEADER
    } else {
        request
    };
    let attributes = payload.get(repeated.checked_next_multiple_of(4)?..)?;
    NlasIterator::new(attributes)
        .map_while(std::result::Result::ok)
        .find(|attribute: &NlaBuffer<_>| attribute.kind() == ERROR_SENTENCE)
        .map(|attribute| {
            let text = String::from_utf8_lossy(attribute.value());
            text.trim_end_matches('\0').trim_end_matches('.').to_owned()
        })
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_at_their_own_length() {
        let mut bytes = vec![0; 20];
        bytes[..4].copy_from_slice(&18_u32.to_ne_bytes());
        let (message, tail) = split_message(&bytes).unwrap();
        assert_eq!((message.len(), tail.len()), (18, 0));

        bytes.extend([0; 16]);
        let (_, tail) = split_message(&bytes).unwrap();
        assert_eq!(tail.len(), 16);
    }

    #[test]
    fn a_length_that_lies_ends_the_datagram() {
        for length in [0_u32, 1, 15, 21, u32::MAX] {
            let mut bytes = vec![0; 20];
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(split_message(&bytes).is_none(), "{length}");
        }
        assert!(split_message(&[]).is_none());
        assert!(split_message(&[16, 0, 0]).is_none());
    }

    #[test]
    fn the_sentence_is_found_with_and_without_the_request() {
        let mut attribute = vec![0; 4];
        attribute[..2].copy_from_slice(&9_u16.to_ne_bytes());
        attribute[2..].copy_from_slice(&ERROR_SENTENCE.to_ne_bytes());
        attribute.extend(b"Oops\0\0\0\0");

        let mut capped = 24_u32.to_ne_bytes().to_vec();
        capped.resize(MESSAGE_HEADER, 0);
        capped.extend(&attribute);
        assert_eq!(kernel_sentence(&capped, CAPPED).as_deref(), Some("Oops"));

        let mut whole = 24_u32.to_ne_bytes().to_vec();
        whole.resize(24, 0);
        whole.extend(&attribute);
        assert_eq!(kernel_sentence(&whole, 0).as_deref(), Some("Oops"));
    }

    #[test]
    fn no_sentence_in_garbage() {
        for payload in [
            &[][..],
            &[1],
            &[255; 8],
            &[255, 255, 255, 255, 0, 0],
            &[16; 40],
        ] {
            assert_eq!(kernel_sentence(payload, CAPPED), None);
            assert_eq!(kernel_sentence(payload, 0), None);
        }
    }
}

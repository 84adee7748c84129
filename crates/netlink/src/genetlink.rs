//! Generic netlink: families with names, whose numbers the kernel gives out.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags};
use zeroize::Zeroizing;

use crate::attribute::{Attributes, Writer};
use crate::socket::{MESSAGE_HEADER, kernel_sentence, open_socket, split_message};
use crate::{Error, Result};

/// Size of the receive buffer in bytes. The kernel fills at most 32 KiB of a dump at a time.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// Size of `struct genlmsghdr`.
const GENERIC_HEADER: usize = 4;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_VERSION: u8 = 1;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Where messages go and come from.
pub(crate) trait Wire {
    /// Sends one message.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Receives one datagram into the buffer and tells its length, which may be more than went into the buffer. An
    /// error of `TimedOut` at the latest by the deadline.
    fn receive(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize>;
}

/// A socket to the kernel.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Wire for Socket {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        rustix::io::retry_on_intr(|| rustix::net::send(&self.0, message, SendFlags::empty()))?;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Zero would mean no limit.
            set_socket_timeout(
                &self.0,
                Timeout::Recv,
                Some(left.max(Duration::from_millis(1))),
            )?;
        }
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::TRUNC)
        });
        match received {
            Ok((_, length)) => Ok(length),
            Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A blocking client of a generic netlink family, in the network namespace in which it was opened. Requests and answers
/// may hold keys: its buffer is zeroed on drop.
#[derive(Debug)]
pub(crate) struct GenericNetlink<W = Socket> {
    wire: W,
    sequence: u32,
    buffer: Zeroizing<Vec<u8>>,
    deadline: Option<Instant>,
}

/// A message to a family, without what every message has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    /// The number of the family.
    pub(crate) family: u16,
    /// What is to be done.
    pub(crate) command: u8,
    /// The family's version.
    pub(crate) version: u8,
}

/// Whether everything that was told belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consistency {
    Whole,
    /// The objects changed while the kernel was telling of them.
    Interrupted,
}

impl GenericNetlink {
    pub(crate) fn open() -> Result<Self> {
        let socket = open_socket(Some(rustix::net::netlink::GENERIC))
            .map_err(|e| Error::system("open a generic netlink socket", e))?;
        Ok(Self::over(Socket(socket)))
    }
}

impl<W: Wire> GenericNetlink<W> {
    pub(crate) fn over(wire: W) -> Self {
        Self {
            wire,
            sequence: 0,
            buffer: Zeroizing::new(vec![0; RECEIVE_BUFFER]),
            deadline: None,
        }
    }

    /// Gives up on what takes longer than this.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether it is too late to begin something.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    /// The number of a family; none when the kernel has no such family, not even in a module that it could load.
    pub(crate) fn family(&mut self, name: &str) -> Result<Option<u16>> {
        let operation = || format!("look up the generic netlink family {name}");
        let controller = Command {
            family: GENL_ID_CTRL,
            command: CTRL_CMD_GETFAMILY,
            version: CTRL_VERSION,
        };
        let mut message = controller.start(256);
        message
            .string(CTRL_ATTR_FAMILY_NAME, name.as_bytes())
            .map_err(|_| Error::reply(operation(), "its name is too long"))?;
        let mut number = None;
        let result = self.exchange(message, NLM_F_ACK, &operation, |attributes| {
            number = number.or_else(|| {
                attributes
                    .into_iter()
                    .find(|one| one.kind == CTRL_ATTR_FAMILY_ID)?
                    .u16()
            });
            Ok(())
        });
        match result {
            Ok(_) => Ok(number),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and waits for its acknowledgement.
    pub(crate) fn request(
        &mut self,
        message: Writer,
        operation: &dyn Fn() -> String,
    ) -> Result<()> {
        self.exchange(message, NLM_F_ACK, operation, |_| Ok(()))
            .map(|_| ())
    }

    /// Asks for all objects of a kind, and hands each message about them on.
    pub(crate) fn dump(
        &mut self,
        message: Writer,
        operation: &dyn Fn() -> String,
        on_answer: impl FnMut(Attributes<'_>) -> std::result::Result<(), String>,
    ) -> Result<Consistency> {
        self.exchange(message, NLM_F_ACK | NLM_F_DUMP, operation, on_answer)
    }

    fn exchange(
        &mut self,
        message: Writer,
        flags: u16,
        operation: &dyn Fn() -> String,
        mut on_answer: impl FnMut(Attributes<'_>) -> std::result::Result<(), String>,
    ) -> Result<Consistency> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = message.finish();
        complete_header(&mut message, flags | NLM_F_REQUEST, self.sequence);
        self.wire
            .send(&message)
            .map_err(|e| Error::system(operation(), e))?;
        let mut consistency = Consistency::Whole;
        loop {
            let length = self
                .wire
                .receive(&mut self.buffer, self.deadline)
                .map_err(|e| Error::system(operation(), e))?;
            let Some(mut rest) = self.buffer.get(..length) else {
                let reason = format!("{length} bytes in one message");
                return Err(Error::reply(operation(), reason));
            };
            while let Some((bytes, tail)) = split_message(rest) {
                rest = tail;
                let answer = Answer::read(bytes);
                if answer.sequence != self.sequence {
                    continue; // the late tail of a request that failed before
                }
                if answer.flags & NLM_F_DUMP_INTR != 0 {
                    consistency = Consistency::Interrupted;
                }
                match answer.kind {
                    NLMSG_NOOP => {}
                    NLMSG_DONE | NLMSG_ERROR => {
                        return answer.result(operation).map(|()| consistency);
                    }
                    _ => {
                        let attributes = answer.payload.get(GENERIC_HEADER..).unwrap_or_default();
                        on_answer(Attributes(attributes))
                            .map_err(|reason| Error::reply(operation(), reason))?;
                    }
                }
            }
        }
    }
}

impl Command {
    /// The beginning of a message.
    pub(crate) fn start(self, limit: usize) -> Writer {
        let mut writer = Writer::new(limit.max(MESSAGE_HEADER + GENERIC_HEADER));
        let mut headers = [0; MESSAGE_HEADER + GENERIC_HEADER];
        headers[4..6].copy_from_slice(&self.family.to_ne_bytes());
        headers[MESSAGE_HEADER] = self.command;
        headers[MESSAGE_HEADER + 1] = self.version;
        let _fits = writer.raw(&headers);
        writer
    }
}

/// Writes what the sender of a message adds to it.
fn complete_header(message: &mut [u8], flags: u16, sequence: u32) {
    if let Some(header) = message.first_chunk_mut::<MESSAGE_HEADER>() {
        header[6..8].copy_from_slice(&flags.to_ne_bytes());
        header[8..12].copy_from_slice(&sequence.to_ne_bytes());
    }
}

/// A message of the kernel.
struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl<'a> Answer<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let (header, payload) = bytes
            .split_first_chunk::<MESSAGE_HEADER>()
            .unwrap_or((&[0; MESSAGE_HEADER], &[]));
        let [_, _, _, _, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        Self {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            payload,
        }
    }

    /// What the last message of an answer says: the error number with which it begins.
    fn result(&self, operation: &dyn Fn() -> String) -> Result<()> {
        // A done message of an old kernel has no number.
        let code = self.payload.first_chunk::<4>().copied();
        let code = i32::from_ne_bytes(code.unwrap_or_default());
        if code == 0 {
            return Ok(());
        }
        let behind = self.payload.get(4..).unwrap_or_default();
        Err(Error::Refused {
            operation: operation(),
            source: io::Error::from_raw_os_error(code.saturating_abs()),
            detail: kernel_sentence(behind, self.flags),
        })
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{Script, done, error, reply};
    use super::*;

    const FAMILY: Command = Command {
        family: 0x1f,
        command: 9,
        version: 3,
    };

    fn what() -> String {
        "try".to_owned()
    }

    #[test]
    fn a_request_has_its_headers_and_ends_with_its_acknowledgement() {
        let mut client = GenericNetlink::over(Script::new([vec![error(0)]]));
        let mut message = FAMILY.start(100);
        message.u32(5, 7).unwrap();
        client.request(message, &what).unwrap();
        let sent = &client.wire.sent[0];
        assert_eq!(sent.len(), 28);
        assert_eq!(u32::from_ne_bytes(sent[..4].try_into().unwrap()), 28);
        assert_eq!(u16::from_ne_bytes([sent[4], sent[5]]), 0x1f);
        assert_eq!(
            u16::from_ne_bytes([sent[6], sent[7]]),
            NLM_F_REQUEST | NLM_F_ACK
        );
        assert_eq!(u32::from_ne_bytes(sent[8..12].try_into().unwrap()), 1);
        assert_eq!(sent[12..20], [0, 0, 0, 0, 9, 3, 0, 0]);
    }

    #[test]
    fn a_refusal_is_told_with_its_number() {
        let mut client = GenericNetlink::over(Script::new([vec![error(-95)]]));
        let refused = client.request(FAMILY.start(100), &what).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(95));
        assert!(refused.to_string().starts_with("try: "));
    }

    #[test]
    fn a_dump_ends_with_done_and_what_it_says() {
        let answers = [
            vec![reply(&[(1, &[1])]), reply(&[(1, &[2])])],
            vec![done(0)],
        ];
        let mut client = GenericNetlink::over(Script::new(answers));
        let mut seen = Vec::new();
        let consistency = client.dump(FAMILY.start(100), &what, |attributes| {
            seen.extend(attributes.map(|one| one.value.to_vec()));
            Ok(())
        });
        assert_eq!(consistency.unwrap(), Consistency::Whole);
        assert_eq!(seen, [[1], [2]]);
        let flags = client.wire.sent[0][6..8].try_into().unwrap();
        assert_eq!(
            u16::from_ne_bytes(flags),
            NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP
        );

        let mut client = GenericNetlink::over(Script::new([vec![done(-90)]]));
        let failed = client.dump(FAMILY.start(100), &what, |_| Ok(()));
        assert_eq!(failed.unwrap_err().raw_os_error(), Some(90));
    }

    #[test]
    fn an_interruption_is_seen_in_any_message() {
        for place in 0..2 {
            let mut answer = vec![reply(&[]), done(0)];
            answer[place].flags = NLM_F_DUMP_INTR;
            let mut client = GenericNetlink::over(Script::new([answer]));
            let consistency = client.dump(FAMILY.start(100), &what, |_| Ok(()));
            assert_eq!(consistency.unwrap(), Consistency::Interrupted);
        }
    }

    #[test]
    fn answers_to_others_are_passed_over() {
        let mut stranger = error(-1);
        stranger.sequence = Some(77);
        let mut client = GenericNetlink::over(Script::new([vec![stranger, error(0)]]));
        client.request(FAMILY.start(100), &what).unwrap();
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_an_error() {
        let mut client = GenericNetlink::over(Script::new([vec![reply(&[]), done(0)]]));
        let refused = client.dump(FAMILY.start(100), &what, |_| Err("no".to_owned()));
        assert!(matches!(refused, Err(Error::Reply { .. })));
        // The rest of it, read with the next request, means nothing any more.
        assert!(client.wire.is_empty());
    }

    #[test]
    fn a_silent_kernel_is_not_waited_for_beyond_the_deadline() {
        let mut client = GenericNetlink::open().unwrap();
        client.set_deadline(Some(Instant::now()));
        assert!(client.is_late());
        let late = client.request(FAMILY.start(100), &what).unwrap_err();
        assert!(
            matches!(late, Error::System { source, .. } if source.kind() == io::ErrorKind::TimedOut)
        );
    }

    #[test]
    fn the_kernel_knows_its_own_controller() {
        let mut client = GenericNetlink::open().unwrap();
        assert_eq!(client.family("nlctrl").unwrap(), Some(GENL_ID_CTRL));
        assert_eq!(client.family("no-such-family").unwrap(), None);
        assert!(client.family(&"x".repeat(300)).is_err());
    }
}

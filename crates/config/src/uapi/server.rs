//! The server's side of a connection: bytes in, calls on the device, replies out.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use zeroize::Zeroizing;

use crate::stack::wipe_stack;
use crate::uapi::buffer::ChunkedBuffer;
use crate::uapi::errno::Errno;
use crate::uapi::framing::{Framing, Question, Step};
use crate::uapi::get::Printer;
use crate::uapi::session::{DeviceControl, Session};
use crate::uapi::status;

const READ_SIZE: usize = 16 << 10;

/// Holds the whole conversation of one connection: returns when the client has closed it, or
/// must be cut off because it speaks something else. The caller closes the stream.
///
/// Operations are answered one after the other, also when they came in one piece. At most one
/// partial line and, while it is sent, one reply are kept.
///
/// # Errors
///
/// Those of the stream. A set cut off by one stays applied as far as it came.
pub fn serve(
    stream: &mut (impl Read + Write),
    device: &mut (impl DeviceControl + ?Sized),
) -> io::Result<()> {
    let mut conversation = Conversation::new();
    let mut buffer = Zeroizing::new([0; READ_SIZE]);
    loop {
        let count = match stream.read(buffer.as_mut_slice()) {
            Ok(0) => return conversation.finish(device, stream),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // The answer may still get through; if not, the first error tells more.
                let _unheard = conversation.abort(device, stream);
                return Err(error);
            }
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if conversation.receive(bytes, device, stream)?.is_break() {
            return Ok(());
        }
    }
}

/// The state of one connection, for servers that do their own reading.
#[derive(Default)]
pub struct Conversation {
    framing: Framing,
    session: Option<Session>,
}

impl Conversation {
    /// A connection just accepted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a part of an operation has come, and its end has not.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.framing.has_begun()
    }

    /// Takes in what one read has brought, and writes the answers that it asks for. `Break`
    /// means: close the connection.
    ///
    /// # Errors
    ///
    /// Those of `replies`. What the operation did stays done.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        device: &mut (impl DeviceControl + ?Sized),
        replies: &mut impl Write,
    ) -> io::Result<ControlFlow<()>> {
        let mut input = bytes;
        while let Some(step) = self.framing.next(&mut input) {
            if step == Step::Close {
                return Ok(ControlFlow::Break(()));
            }
            let has_secret = has_secret(step);
            let outcome = handle(&mut self.session, step, device, replies);
            if has_secret {
                wipe_stack();
            }
            if let Outcome::Failed = outcome? {
                self.framing.fail();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The client has closed its side, which is as good an end of a set as an empty line.
    ///
    /// # Errors
    ///
    /// Those of `replies`.
    pub fn finish(
        &mut self,
        device: &mut (impl DeviceControl + ?Sized),
        replies: &mut impl Write,
    ) -> io::Result<()> {
        while let Some(step) = self.framing.end() {
            let outcome = handle(&mut self.session, step, device, replies);
            wipe_stack();
            if let Outcome::Failed = outcome? {
                self.framing.fail();
            }
        }
        Ok(())
    }

    /// Reading has failed: ends a set that has begun.
    ///
    /// # Errors
    ///
    /// Those of `replies`.
    pub fn abort(
        &mut self,
        device: &mut (impl DeviceControl + ?Sized),
        replies: &mut impl Write,
    ) -> io::Result<()> {
        match self.session.take() {
            Some(_) => end_set(device, Err(Errno::IO), replies),
            None => Ok(()),
        }
    }
}

/// Whether framing must know that a set is over before its end.
enum Outcome {
    Fine,
    Failed,
}

/// Whether keys are handled for it.
fn has_secret(step: Step<'_>) -> bool {
    match step {
        Step::Ask(Question::Get) => true,
        Step::SetLine(line) => {
            line.starts_with(b"private_key=") || line.starts_with(b"preshared_key=")
        }
        _ => false,
    }
}

// Its frame is one that can be overwritten afterwards.
#[inline(never)]
fn handle(
    session: &mut Option<Session>,
    step: Step<'_>,
    device: &mut (impl DeviceControl + ?Sized),
    replies: &mut impl Write,
) -> io::Result<Outcome> {
    let result = match step {
        Step::Close => return Ok(Outcome::Fine),
        Step::Ask(Question::Get) => {
            return reply_to_get(device, replies).map(|()| Outcome::Fine);
        }
        Step::Ask(Question::Status) => {
            return reply_to_status(device, replies).map(|()| Outcome::Fine);
        }
        // The sign is the recorded one: here it is the request that is wrong, not the device.
        Step::BadQuestion => {
            return write_errno(Err(Errno::INVALID), replies).map(|()| Outcome::Fine);
        }
        Step::SetBegin => {
            device.begin();
            *session = Some(Session::new());
            return Ok(Outcome::Fine);
        }
        Step::SetLine(line) => match session.as_mut().map(|session| session.line(device, line)) {
            Some(Err(errno)) => Err(errno),
            Some(Ok(())) | None => return Ok(Outcome::Fine),
        },
        Step::LineTooLong => Err(Errno::IO),
        Step::SetEnd => Ok(()),
    };
    *session = None;
    end_set(device, result, replies)?;
    Ok(if result.is_err() {
        Outcome::Failed
    } else {
        Outcome::Fine
    })
}

fn end_set(
    device: &mut (impl DeviceControl + ?Sized),
    result: Result<(), Errno>,
    replies: &mut impl Write,
) -> io::Result<()> {
    device.commit();
    write_errno(result, replies)
}

/// The reply to a set: wg(8) wants its errors negative.
fn write_errno(result: Result<(), Errno>, replies: &mut impl Write) -> io::Result<()> {
    let code = result.err().map_or(0, |errno| -errno.code());
    replies.write_all(format!("errno={code}\n\n").as_bytes())?;
    replies.flush()
}

/// The device is asked in one go and the reply sent afterwards, so that a client that does not
/// read never keeps the device waiting.
fn reply_to_get(
    device: &mut (impl DeviceControl + ?Sized),
    replies: &mut impl Write,
) -> io::Result<()> {
    let mut printer = Printer::new(ChunkedBuffer::default());
    match device.snapshot(&mut printer) {
        Ok(()) => printer.finish()?.write_to(replies)?,
        // Unlike those of a set, wg(8) wants these positive.
        Err(errno) => write!(replies, "errno={}\n\n", errno.code())?,
    }
    replies.flush()
}

fn reply_to_status(
    device: &mut (impl DeviceControl + ?Sized),
    replies: &mut impl Write,
) -> io::Result<()> {
    let mut text = Vec::new();
    match device.status() {
        Ok(status) => status::write(&mut text, &status)?,
        Err(errno) => write!(text, "errno={}\n\n", errno.code())?,
    }
    replies.write_all(&text)?;
    replies.flush()
}

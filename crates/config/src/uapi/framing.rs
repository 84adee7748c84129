//! Where operations begin and end in the stream of bytes of one connection.
//!
//! No I/O and no device here: bytes go in as they were read, in pieces of any size, and
//! [`Step`]s come out. Lines end with LF alone. At most one partial line is kept.

use crate::uapi::buffer::SecretText;

/// The longest line, without its newline, in bytes.
pub const LINE_LIMIT: usize = 64 << 10;

/// An operation that changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `get=1`: the configuration.
    Get,
    /// `status=1`: how the device is doing. Ours alone.
    Status,
}

impl Question {
    fn of(line: &[u8]) -> Option<Self> {
        match line {
            b"get=1" => Some(Self::Get),
            b"status=1" => Some(Self::Status),
            _ => None,
        }
    }
}

/// What the bytes ask for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole question: answer it.
    Ask(Question),
    /// A question with something else than an empty line after it: answer with EINVAL.
    BadQuestion,
    /// `set=1`.
    SetBegin,
    /// A line of the set. If it is no good, answer, and call [`Framing::fail`].
    SetLine(&'a [u8]),
    /// A line of the set longer than [`LINE_LIMIT`]: answer with EIO, and call
    /// [`Framing::fail`].
    LineTooLong,
    /// The set is complete: answer it.
    SetEnd,
    /// Close the connection without an answer: this is no operation.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before an operation.
    Idle,
    /// After the line of a question.
    Asked(Question),
    /// Within a set.
    Set,
    /// Within a set that has failed and has had its answer. Its other lines mean nothing any
    /// more. Those that had come before the answer went out are skipped, and after its empty
    /// line the connection goes on. Lines that come later are not from a client that waits for
    /// answers: unless one of them begins an operation, the connection is closed, but not before
    /// the set's end. A client that is still writing would otherwise be hit by a broken pipe and
    /// never see why.
    Failed { answered_before: bool },
    /// Nothing more is understood.
    Closed,
}

/// The framing of one connection.
pub struct Framing {
    state: State,
    line: LineBuffer,
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing {
    /// A new connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Idle,
            line: LineBuffer::default(),
        }
    }

    /// The next step, taking the bytes that make it off `input`. `None` when the input is used
    /// up: call again with what the next read brings, or [`end`](Self::end).
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Step<'s>> {
        loop {
            match self.state {
                State::Closed => return Some(Step::Close),
                State::Asked(question) => return self.after_question(question, input),
                State::Idle | State::Set | State::Failed { .. } => {}
            }
            let Some(taken) = self.line.take(input) else {
                if matches!(self.state, State::Failed { .. }) {
                    self.state = State::Failed {
                        answered_before: true,
                    };
                }
                return None;
            };
            match self.classify(taken) {
                Verdict::Skip => {}
                Verdict::Line => return Some(Step::SetLine(self.line.bytes(taken))),
                Verdict::Step(step) => return Some(step),
            }
        }
    }

    /// Says that the set's last line was refused and answered.
    pub fn fail(&mut self) {
        self.state = State::Failed {
            answered_before: false,
        };
    }

    /// Whether a part of an operation has come, and its end has not. What is left of a set that
    /// has had its answer is none.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        match self.state {
            State::Idle => self.line.is_partial(),
            State::Asked(_) | State::Set => true,
            State::Failed { .. } | State::Closed => false,
        }
    }

    /// What the end of the stream means: the end of a set, whose last line need not have had a
    /// newline. Call until `None`.
    pub fn end(&mut self) -> Option<Step<'_>> {
        if self.state != State::Set {
            return None;
        }
        if self.line.finish() {
            return Some(Step::SetLine(self.line.partial.as_bytes()));
        }
        self.state = State::Closed;
        Some(Step::SetEnd)
    }

    /// The byte after a question decides at once, without waiting for a whole line.
    fn after_question(&mut self, question: Question, input: &mut &[u8]) -> Option<Step<'static>> {
        let (first, rest) = input.split_first()?;
        if *first != b'\n' {
            self.state = State::Closed;
            return Some(Step::BadQuestion);
        }
        *input = rest;
        self.state = State::Idle;
        Some(Step::Ask(question))
    }

    fn classify(&mut self, taken: Taken<'_>) -> Verdict {
        if matches!(taken, Taken::TooLong) {
            return match self.state {
                State::Set => Verdict::Step(Step::LineTooLong),
                State::Failed { .. } => Verdict::Skip,
                _ => self.close(),
            };
        }
        let line = self.line.bytes(taken);
        let between_operations = matches!(
            self.state,
            State::Idle
                | State::Failed {
                    answered_before: true,
                }
        );
        if between_operations {
            if let Some(question) = Question::of(line) {
                return self.enter(State::Asked(question), Verdict::Skip);
            }
            if line == b"set=1" {
                return self.enter(State::Set, Verdict::Step(Step::SetBegin));
            }
        }
        match (self.state, line) {
            (State::Set, b"") => self.enter(State::Idle, Verdict::Step(Step::SetEnd)),
            (State::Set, _) => Verdict::Line,
            (
                State::Failed {
                    answered_before: false,
                },
                b"",
            ) => self.enter(State::Idle, Verdict::Skip),
            (
                State::Failed {
                    answered_before: true,
                },
                b"",
            ) => self.close(),
            (State::Failed { .. }, _) => Verdict::Skip,
            _ => self.close(),
        }
    }

    fn enter(&mut self, state: State, verdict: Verdict) -> Verdict {
        self.state = state;
        verdict
    }

    fn close(&mut self) -> Verdict {
        self.enter(State::Closed, Verdict::Step(Step::Close))
    }
}

enum Verdict {
    Skip,
    Line,
    Step(Step<'static>),
}

/// A line just completed: where its bytes are.
#[derive(Clone, Copy)]
enum Taken<'i> {
    Input(&'i [u8]),
    Buffered,
    TooLong,
}

/// Puts lines together that reads have taken apart.
#[derive(Default)]
struct LineBuffer {
    partial: SecretText,
    /// `partial` is a line that has been handed out.
    complete: bool,
    /// The rest of a line that was too long is being skipped.
    skipping: bool,
}

impl LineBuffer {
    fn take<'i>(&mut self, input: &mut &'i [u8]) -> Option<Taken<'i>> {
        self.forget_completed();
        loop {
            let newline = input.iter().position(|&byte| byte == b'\n');
            let (piece, rest) = match newline {
                Some(newline) => (&input[..newline], &input[newline + 1..]),
                None => (*input, &input[input.len()..]),
            };
            *input = rest;
            match (self.skipping, newline) {
                (true, Some(_)) => self.skipping = false,
                (true, None) => return None,
                (false, _) if self.partial.as_bytes().len() + piece.len() > LINE_LIMIT => {
                    self.partial.clear();
                    self.skipping = newline.is_none();
                    return Some(Taken::TooLong);
                }
                (false, None) => {
                    self.partial.extend(piece);
                    return None;
                }
                (false, Some(_)) if self.partial.as_bytes().is_empty() => {
                    return Some(Taken::Input(piece));
                }
                (false, Some(_)) => {
                    self.partial.extend(piece);
                    self.complete = true;
                    return Some(Taken::Buffered);
                }
            }
        }
    }

    /// Makes a line of what is there. `false` if nothing is.
    fn finish(&mut self) -> bool {
        self.forget_completed();
        self.complete = !self.partial.as_bytes().is_empty();
        self.complete
    }

    fn is_partial(&self) -> bool {
        !self.complete && !self.partial.as_bytes().is_empty()
    }

    fn forget_completed(&mut self) {
        if self.complete {
            self.partial.clear();
            self.complete = false;
        }
    }

    fn bytes<'s, 'i: 's>(&'s self, taken: Taken<'i>) -> &'s [u8] {
        match taken {
            Taken::Input(line) => line,
            Taken::Buffered => self.partial.as_bytes(),
            Taken::TooLong => &[],
        }
    }
}

#[cfg(test)]
mod tests;

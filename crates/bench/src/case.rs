//! A piece of work with a name.

use std::fmt;
use std::time::{Duration, Instant};

/// Does the work a number of times and says how long that took; what prepares it is not counted.
pub type Runner = Box<dyn FnMut(u64) -> Duration>;

/// A piece of work with a name.
pub struct Case {
    name: String,
    /// Bytes that one turn works on, where a rate says more than a time.
    bytes: Option<u64>,
    /// Turns to count instructions over; `None` where the count is another on another machine.
    counted: Option<u64>,
    prepare: Box<dyn Fn() -> Runner>,
}

impl Case {
    /// A case whose turns are calls of what `prepare` makes.
    pub(crate) fn new<W, P>(name: impl Into<String>, prepare: P) -> Self
    where
        W: FnMut() + 'static,
        P: Fn() -> W + 'static,
    {
        Self::with_runner(name, move || {
            let mut work = prepare();
            Box::new(move |turns| {
                let start = Instant::now();
                for _ in 0..turns {
                    work();
                }
                start.elapsed()
            })
        })
    }

    /// A case that keeps its own time.
    pub(crate) fn with_runner(
        name: impl Into<String>,
        prepare: impl Fn() -> Runner + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            bytes: None,
            counted: None,
            prepare: Box::new(prepare),
        }
    }

    /// With the bytes that one turn works on.
    pub(crate) fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes as u64);
        self
    }

    /// With a stable count of instructions, to be taken over so many turns.
    pub(crate) fn counted(mut self, turns: u64) -> Self {
        self.counted = Some(turns);
        self
    }

    /// What it is called: what is done, to what, and how much of it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes that one turn works on, where a rate says more than a time.
    #[must_use]
    pub const fn bytes_per_turn(&self) -> Option<u64> {
        self.bytes
    }

    /// Turns to count instructions over, if their number is the same on all machines of a kind.
    #[must_use]
    pub const fn turns_to_count(&self) -> Option<u64> {
        self.counted
    }

    /// Makes what one turn needs.
    #[must_use]
    pub fn prepare(&self) -> Runner {
        (self.prepare)()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .field("counted", &self.counted)
            .finish_non_exhaustive()
    }
}

//! The signals that ask a program to end.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Requests to end the program, caught from the moment this is made: one that comes before
/// somebody asks is not lost.
pub(crate) struct EndRequests(Signals);

/// Somebody waits for requests to end, until this is dropped.
pub(crate) struct Watch(Handle);

impl EndRequests {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on.
    pub(crate) fn catch() -> io::Result<Self> {
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map(Self)
    }

    /// Calls `end` on a thread of its own at every request.
    pub(crate) fn watch(mut self, end: impl Fn() + Send + 'static) -> io::Result<Watch> {
        let watch = Watch(self.0.handle());
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || self.0.forever().for_each(|_| end()))?;
        Ok(watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.close();
    }
}

//! The engine, on a thread that says when it has ended.

use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use hushwire_engine::{Engine, Failed, Stopper};

/// A running engine. It is stopped when this is dropped.
pub(super) struct RunningEngine {
    stopper: Stopper,
    ended: Option<JoinHandle<()>>,
}

impl RunningEngine {
    /// Says how the engine ended, be it by itself.
    pub(super) fn new(engine: Engine, end: Sender<Result<(), Failed>>) -> Self {
        let stopper = engine.stopper();
        let ended = thread::spawn(move || {
            let _ = end.send(engine.wait());
        });
        Self {
            stopper,
            ended: Some(ended),
        }
    }
}

impl Drop for RunningEngine {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(ended) = self.ended.take() {
            let _ = ended.join();
        }
    }
}

//! The engine, on a thread that says when it has ended.

use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use hushwire_engine::{Engine, Stopper};

/// A running engine. It is stopped when this is dropped.
pub(super) struct RunningEngine {
    stopper: Stopper,
    ended: Option<JoinHandle<()>>,
}

impl RunningEngine {
    /// Sends a word when the engine ends, be it by itself.
    pub(super) fn new(engine: Engine, end: Sender<()>) -> Self {
        let stopper = engine.stopper();
        let ended = thread::spawn(move || {
            engine.wait();
            let _ = end.send(());
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

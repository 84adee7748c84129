//! The engine, on a thread that says when it has ended.

use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use hushwire_config::uapi::DeviceControl;
use hushwire_config::uapi::session::Session;
use hushwire_config::uapi::{Errno, set};
use hushwire_config::update::DeviceUpdate;
use hushwire_engine::{Engine, Stopper};
use zeroize::Zeroizing;

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

/// Applies a change to a device of this process as if it had come through the control socket.
pub(super) fn apply(device: &mut impl DeviceControl, update: &DeviceUpdate) -> Result<(), Errno> {
    let mut text = Zeroizing::new(Vec::new());
    set::write(&mut *text, update).map_err(|_| Errno::IO)?;
    let lines = text.split(|&byte| byte == b'\n');
    let mut session = Session::new();
    device.begin();
    // Between the line that says "set" and the blank one that ends it.
    let result = lines
        .skip(1)
        .take_while(|line| !line.is_empty())
        .try_for_each(|line| session.line(device, line));
    device.commit();
    result
}

//! Whether the device is under load, taken from the depth of the handshake queue.

use crate::constants::UNDER_LOAD_FOR;
use crate::time::Instant;

/// Under load from the moment that the queue is an eighth full until a second after it last was,
/// as in the kernel driver. Not taken from the source of the messages, which an attacker chooses.
#[derive(Debug, Default)]
pub(super) struct Load {
    until: Option<Instant>,
}

impl Load {
    pub(super) fn report(&mut self, now: Instant, queued: usize, capacity: usize) {
        if queued >= (capacity / 8).max(1) {
            self.until = Some(now + UNDER_LOAD_FOR);
        }
    }

    pub(super) fn is_under_load(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn an_eighth_of_the_queue_is_load_for_a_second() {
        let start = Instant::from_nanos(1);
        let mut load = Load::default();
        load.report(start, 511, 4096);
        assert!(!load.is_under_load(start));
        load.report(start, 512, 4096);
        assert!(load.is_under_load(start + Duration::from_millis(999)));
        assert!(!load.is_under_load(start + Duration::from_secs(1)));
    }
}

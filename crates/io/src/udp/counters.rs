//! What went wrong, counted.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// Events of one family's socket since it was bound. Datagrams unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Not sent: the send buffer or the device's queue stayed full.
    pub send_full: u64,
    /// Not sent: no route, or no way to the address.
    pub send_unreachable: u64,
    /// Not sent: a firewall or a route forbids it.
    pub send_denied: u64,
    /// Not sent: larger than UDP allows.
    pub send_too_large: u64,
    /// Not sent, for another reason.
    pub send_other: u64,
    /// Transmits whose source address was gone.
    pub sources_gone: u64,
    /// Segmented messages that had to be sent one datagram at a time.
    pub gso_fallbacks: u64,
    /// Messages dropped because they did not fit the receive buffer.
    pub receive_truncated: u64,
    /// Messages dropped because the kernel's description of them was not understood.
    pub receive_malformed: u64,
    /// Errors of earlier sends, reported by the network and met while receiving.
    pub receive_errors: u64,
    /// Dropped by the kernel, mostly because the receive buffer was full.
    pub receive_full: u64,
}

/// The live counters behind [`Counters`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) send_full: Count,
    pub(super) send_unreachable: Count,
    pub(super) send_denied: Count,
    pub(super) send_too_large: Count,
    pub(super) send_other: Count,
    pub(super) sources_gone: Count,
    pub(super) gso_fallbacks: Count,
    pub(super) receive_truncated: Count,
    pub(super) receive_malformed: Count,
    pub(super) receive_errors: Count,
}

/// A statistic; relaxed, since no decision hangs on it.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// The counters now, with the kernel's own count of drops.
    pub(super) fn snapshot(&self, receive_full: u64) -> Counters {
        Counters {
            send_full: self.send_full.value(),
            send_unreachable: self.send_unreachable.value(),
            send_denied: self.send_denied.value(),
            send_too_large: self.send_too_large.value(),
            send_other: self.send_other.value(),
            sources_gone: self.sources_gone.value(),
            gso_fallbacks: self.gso_fallbacks.value(),
            receive_truncated: self.receive_truncated.value(),
            receive_malformed: self.receive_malformed.value(),
            receive_errors: self.receive_errors.value(),
            receive_full,
        }
    }
}

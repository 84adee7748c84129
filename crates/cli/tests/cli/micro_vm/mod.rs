//! What stands in for a virtual machine: a host as the guest, and a thread that carries frames, as a VMM does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use hushwire_lab::{Host, Lab};
use hushwire_netlink::Tap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How soon it is noticed that the machine is to stop.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// A guest with an interface `eth0`, whose frames go to and come from a TAP of another host. It stops when dropped.
pub(crate) struct MicroVm {
    pub(crate) guest: Host,
    stop: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

impl MicroVm {
    pub(crate) fn start(lab: &Lab, machine: &Host, tap: &str) -> Self {
        let guest = lab.host("guest").unwrap();
        let inner = guest.run(|| Tap::new("eth0")).unwrap();
        let outer = machine.run(|| Tap::attach(tap)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let carrier = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let readable = |tap| PollFd::new(tap, PollFlags::IN);
                let _ = poll(&mut [readable(&inner), readable(&outer)], Some(&TICK));
                carry(&inner, &outer);
                carry(&outer, &inner);
            }
        });
        Self {
            guest,
            stop,
            carrier: Some(carrier),
        }
    }
}

impl Drop for MicroVm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

/// Carries all frames that are there; a wire loses what the other end cannot take.
fn carry(from: &Tap, to: &Tap) {
    let mut frame = [0; 2048];
    while let Ok(length) = from.receive(&mut frame) {
        let _ = to.send(&frame[..length]);
    }
}

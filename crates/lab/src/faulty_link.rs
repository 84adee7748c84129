use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hushwire_netlink::Tap;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;

use crate::lane::Lane;
use crate::plug::Plug;
use crate::wait::timespec;
use crate::{Error, Faults, Host, LaneCounts, Result};

/// Room for the largest frame: an MTU of 65521 bytes and the Ethernet header.
const LARGEST_FRAME: usize = 65_535;
/// How many frames are taken from one end before the other gets its turn.
const BURST: usize = 64;

/// An Ethernet cable that harms what goes through it. Made by [`crate::Lab::faulty_link`]; when it is dropped, the
/// interfaces at its ends are gone.
///
/// *Forth* is from the first host to the second, *back* the other way.
#[derive(Debug)]
pub struct FaultyLink {
    lanes: Arc<Mutex<[Lane; 2]>>,
    stop: Arc<OwnedFd>,
    carrier: Option<JoinHandle<()>>,
    _plugs: [Plug; 2],
}

impl FaultyLink {
    pub(crate) fn new(
        a: &Host,
        a_interface: &str,
        b: &Host,
        b_interface: &str,
        faults: Faults,
    ) -> Result<Self> {
        let (a_tap, a_plug) = Plug::into(a, a_interface)?;
        let (b_tap, b_plug) = Plug::into(b, b_interface)?;
        let taps = [a_tap, b_tap];
        let lanes = Arc::new(Mutex::new([Lane::new(0, faults), Lane::new(1, faults)]));
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = Arc::new(stop.map_err(|e| Error::system("make an event for a link", e))?);
        let carrier = {
            let (lanes, stop) = (Arc::clone(&lanes), Arc::clone(&stop));
            thread::Builder::new()
                .name("lab-link".to_owned())
                .spawn(move || carry(&taps, &lanes, &stop))
                .map_err(|e| Error::system("start the thread of a link", e))?
        };
        Ok(Self {
            lanes,
            stop,
            carrier: Some(carrier),
            _plugs: [a_plug, b_plug],
        })
    }

    /// Sets the faults of both directions and counts from the start. What is under way arrives as it would have.
    pub fn set(&self, faults: Faults) {
        lock(&self.lanes)
            .iter_mut()
            .for_each(|lane| lane.set_faults(faults));
    }

    /// As [`FaultyLink::set`], for what the first host sends.
    pub fn set_forth(&self, faults: Faults) {
        let [forth, _] = &mut *lock(&self.lanes);
        forth.set_faults(faults);
    }

    /// As [`FaultyLink::set`], for what the second host sends.
    pub fn set_back(&self, faults: Faults) {
        let [_, back] = &mut *lock(&self.lanes);
        back.set_faults(faults);
    }

    /// What became of the packets of the first host since its faults were set.
    #[must_use]
    pub fn forth(&self) -> LaneCounts {
        let [forth, _] = &*lock(&self.lanes);
        forth.counts()
    }

    /// What became of the packets of the second host since its faults were set.
    #[must_use]
    pub fn back(&self) -> LaneCounts {
        let [_, back] = &*lock(&self.lanes);
        back.counts()
    }
}

impl Drop for FaultyLink {
    fn drop(&mut self) {
        // Cannot fail: the event's counter is far from its limit.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

/// The thread of a link: carries frames between its ends until it is told to stop.
fn carry(taps: &[Tap; 2], lanes: &Mutex<[Lane; 2]>, stop: &OwnedFd) {
    let mut buffer = vec![0; LARGEST_FRAME];
    let mut open = [true, true];
    loop {
        let next_event = {
            let mut lanes = lock(lanes);
            for (from, to, lane) in [(0, 1, 0), (1, 0, 1)] {
                if let (Some(from_tap), Some(to_tap), Some(lane), Some(open)) = (
                    taps.get(from),
                    taps.get(to),
                    lanes.get_mut(lane),
                    open.get_mut(from),
                ) {
                    *open = *open && take_in(from_tap, lane, &mut buffer);
                    give_out(to_tap, lane);
                }
            }
            lanes.iter().filter_map(Lane::next_event).min()
        };
        if wait(taps, open, stop, next_event) {
            return;
        }
    }
}

/// Takes what an end has sent; false when the end's interface is gone.
fn take_in(tap: &Tap, lane: &mut Lane, buffer: &mut [u8]) -> bool {
    for _ in 0..BURST {
        match tap.receive(buffer) {
            Ok(length) => lane.accept(
                buffer.get(..length).unwrap_or_default().to_vec(),
                Instant::now(),
            ),
            Err(error) => {
                return matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                );
            }
        }
    }
    true
}

fn give_out(tap: &Tap, lane: &mut Lane) {
    while let Some(frame) = lane.due(Instant::now()) {
        // An interface that is down takes nothing, as a real one; the frame is lost.
        let _ = tap.send(&frame);
    }
}

/// Waits for a frame, the next event, or the word to stop, which is true.
fn wait(taps: &[Tap; 2], open: [bool; 2], stop: &OwnedFd, next_event: Option<Instant>) -> bool {
    let mut descriptors = vec![PollFd::new(stop, PollFlags::IN)];
    let open_taps = taps.iter().zip(open).filter(|(_, open)| *open);
    descriptors.extend(open_taps.map(|(tap, _)| PollFd::new(tap, PollFlags::IN)));
    let limit = next_event.map(|at| timespec(at.saturating_duration_since(Instant::now())));
    let _ = poll(&mut descriptors, limit.as_ref());
    descriptors
        .first()
        .is_some_and(|stop| !stop.revents().is_empty())
}

fn lock(lanes: &Mutex<[Lane; 2]>) -> MutexGuard<'_, [Lane; 2]> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Sending: many messages a system call, and what to do when the kernel refuses one.
//!
//! `sendmmsg` fails with the error of the first message or sends some and stops, so a refusal
//! always concerns the front of what is left. The front is then tried in other ways, each at
//! most once: without its source, and as single datagrams. Only what comes of that tells which
//! of the two the kernel minded, since it says `EINVAL` to both.

#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use super::cmsg::Outgoing;
use super::counters::{Count, Tally};
use super::offload::OffloadCell;
use super::segment::{Cut, cut};
use super::sys::{Piece, Wire};
use super::{Family, Transmit};

/// Working memory of a sending thread (about 12 KiB).
#[derive(Debug)]
pub struct SendScratch {
    pub(super) wire: Box<Wire>,
    troubles: Vec<Trouble>,
}

impl Default for SendScratch {
    fn default() -> Self {
        Self {
            wire: Box::new(Wire::EMPTY),
            troubles: Vec::new(),
        }
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendReport<'s> {
    /// Datagrams sent.
    pub sent: usize,
    /// Datagrams dropped.
    pub dropped: usize,
    /// The transmits that did not simply go out, in order.
    pub troubles: &'s [Trouble],
}

/// What befell one transmit of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its place in the batch.
    pub index: usize,
    /// The kernel refused its source address, and took it without. The source is to be
    /// forgotten until the peer is heard from again.
    pub source_gone: bool,
    /// How many of its datagrams were dropped.
    pub dropped: usize,
    /// How many bytes of its contents were dropped.
    pub dropped_bytes: usize,
    /// Why datagrams were dropped, if any were; the last reason of several.
    pub error: Option<Errno>,
}

/// What sending needs of a socket.
pub(super) trait Outlet {
    fn family(&self) -> Family;
    fn gso(&self) -> &OffloadCell;
    fn tally(&self) -> &Tally;
    /// Hands as many of `pieces` as it can to the kernel, and returns how many, at least 1;
    /// or why not even the first could be.
    fn submit<'a>(
        &self,
        pieces: impl Iterator<Item = Piece<'a>>,
        wire: &mut Wire,
    ) -> Result<usize, Errno>;
    /// Waits about a millisecond for the condition behind `errno` to pass.
    fn wait(&self, errno: Errno);
    /// The MTU towards `to`, if it can be found out.
    fn path_mtu(&self, to: SocketAddr) -> Option<u32>;
}

/// How often in one call to wait for room in the send buffer: a few milliseconds in all, what
/// a fast link needs to drain some of it, and not so long that a tunnel stands still.
const WAITS: u32 = 5;

/// A call in progress.
#[derive(Debug)]
pub(super) struct Job<'s> {
    wire: &'s mut Wire,
    troubles: &'s mut Vec<Trouble>,
    sent: usize,
    dropped: usize,
    waits_left: u32,
}

impl<'s> Job<'s> {
    pub(super) fn new(scratch: &'s mut SendScratch) -> Self {
        scratch.troubles.clear();
        Self {
            wire: &mut scratch.wire,
            troubles: &mut scratch.troubles,
            sent: 0,
            dropped: 0,
            waits_left: WAITS,
        }
    }

    /// Sends `batch`, which is all of the outlet's family and begins at `base` in the
    /// caller's batch.
    pub(super) fn send(&mut self, outlet: &impl Outlet, batch: &[Transmit<'_>], base: usize) {
        let mut plan = Plan::new(outlet.family(), batch);
        loop {
            plan.gso = outlet.gso().is_on();
            let index = base + plan.next;
            let Some(front) = plan.clone().next() else {
                return;
            };
            match outlet.submit(plan.clone(), self.wire) {
                Ok(count) => {
                    self.learn(outlet, index, &front, &mut plan.way);
                    self.sent += plan
                        .by_ref()
                        .take(count)
                        .map(|p| datagrams(&p))
                        .sum::<usize>();
                }
                Err(errno) => self.react(outlet, index, &front, &mut plan, errno),
            }
        }
    }

    /// Drops a batch for which there is no socket.
    pub(super) fn refuse(&mut self, family: Family, batch: &[Transmit<'_>], base: usize) {
        let mut plan = Plan::new(family, batch);
        loop {
            let index = base + plan.next;
            let Some(piece) = plan.next() else { return };
            self.lose(index, &piece, Errno::AFNOSUPPORT);
        }
    }

    pub(super) fn finish(self) -> SendReport<'s> {
        SendReport {
            sent: self.sent,
            dropped: self.dropped,
            troubles: self.troubles,
        }
    }

    /// The front went out: draws the conclusions from the way in which it did.
    fn learn(&mut self, outlet: &impl Outlet, index: usize, front: &Piece<'_>, way: &mut Way) {
        if way.without_source {
            let trouble = self.trouble(index);
            if !trouble.source_gone {
                trouble.source_gone = true;
                outlet.tally().sources_gone.add(1);
            }
        }
        if let Some(errno) = way.suspect.take() {
            outlet.tally().gso_fallbacks.add(1);
            if segmentation_is_to_blame(outlet, front.transmit, errno) {
                outlet.gso().refuse(errno);
            }
        }
    }

    /// The front was refused: tries it in another way, waits, or drops it.
    fn react(
        &mut self,
        outlet: &impl Outlet,
        index: usize,
        front: &Piece<'_>,
        plan: &mut Plan<'_>,
        errno: Errno,
    ) {
        match reaction(plan.way, &front.control, errno) {
            Reaction::Again => {}
            Reaction::Wait if self.waits_left > 0 => {
                self.waits_left -= 1;
                outlet.wait(errno);
            }
            Reaction::Try(way) => plan.way = way,
            Reaction::Wait | Reaction::Drop => {
                // As many as went into the message, or all that are left of the transmit.
                let transmit = plan.next;
                let whole = concerns_the_way_there(errno);
                while let Some(piece) = plan.next() {
                    outlet_counter(outlet.tally(), errno).add(datagrams(&piece));
                    self.lose(index, &piece, errno);
                    if !whole || plan.next != transmit {
                        break;
                    }
                }
            }
        }
    }

    fn lose(&mut self, index: usize, piece: &Piece<'_>, errno: Errno) {
        let count = datagrams(piece);
        self.dropped += count;
        let trouble = self.trouble(index);
        trouble.dropped += count;
        trouble.dropped_bytes += piece.contents.len();
        trouble.error = Some(errno);
    }

    /// The entry of the transmit at `index`, which is the last one or yet to be made.
    fn trouble(&mut self, index: usize) -> &mut Trouble {
        if self.troubles.last().is_none_or(|last| last.index != index) {
            self.troubles.push(Trouble {
                index,
                source_gone: false,
                dropped: 0,
                dropped_bytes: 0,
                error: None,
            });
        }
        let last = self.troubles.len() - 1;
        &mut self.troubles[last]
    }
}

/// The pieces that a batch is sent in, from the first that is not sent yet.
#[derive(Clone, Debug)]
struct Plan<'a> {
    family: Family,
    gso: bool,
    batch: &'a [Transmit<'a>],
    /// The transmit under way,
    next: usize,
    /// how much of it is done,
    offset: usize,
    /// and how the rest is to be sent.
    way: Way,
}

/// How to send the rest of one transmit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    without_source: bool,
    singly: bool,
    /// The error that led to sending singly, until it is known what it meant.
    suspect: Option<Errno>,
}

impl<'a> Plan<'a> {
    fn new(family: Family, batch: &'a [Transmit<'a>]) -> Self {
        Self {
            family,
            gso: false,
            batch,
            next: 0,
            offset: 0,
            way: Way::default(),
        }
    }
}

impl<'a> Iterator for Plan<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let transmit = self.batch.get(self.next)?;
        let rest = transmit.contents.get(self.offset..).unwrap_or_default();
        let gso = self.gso && !self.way.singly;
        let Cut { len, segment } = cut(rest.len(), transmit.segment_size, self.family, gso);
        let (contents, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        let usable = |ip| match self.family {
            Family::V4 => matches!(ip, IpAddr::V4(_)),
            Family::V6 => matches!(ip, IpAddr::V6(_)),
        };
        let from = transmit
            .from
            .filter(|from| !self.way.without_source && usable(from.ip));
        if rest.is_empty() {
            self.next += 1;
            self.offset = 0;
            self.way = Way::default();
        } else {
            self.offset += len;
        }
        Some(Piece {
            transmit,
            control: Outgoing {
                from,
                tos: transmit.tos,
                segment,
            },
            contents,
        })
    }
}

/// What to do about a refused message.
#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    Again,
    Wait,
    Try(Way),
    Drop,
}

/// Every [`Reaction::Try`] leads further along: with the source, without it, singly with it,
/// singly without it. So it ends.
fn reaction(way: Way, message: &Outgoing, errno: Errno) -> Reaction {
    let without_source = Way {
        without_source: true,
        ..way
    };
    let singly = Way {
        without_source: false,
        singly: true,
        suspect: Some(errno),
    };
    let has_source = message.from.is_some();
    let segmented = message.segment.is_some();
    match errno {
        Errno::INTR => Reaction::Again,
        Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => Reaction::Wait,
        Errno::IO | Errno::MSGSIZE if segmented => Reaction::Try(singly),
        _ if has_source && concerns_the_way_there(errno) => Reaction::Try(without_source),
        Errno::INVAL if segmented => Reaction::Try(singly),
        _ => Reaction::Drop,
    }
}

/// Errors of route and source address: no datagram of the transmit will fare better.
/// `EINVAL` is the answer to a source that is not ours, and to a blackhole route.
fn concerns_the_way_there(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::INVAL
            | Errno::ADDRNOTAVAIL
            | Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NODEV
            | Errno::ACCESS
    )
}

/// Whether datagrams that went out singly after `errno` show that segmentation is out of
/// order, rather than that these were too large for it: a segment must fit the path's MTU, for
/// which the kernel says `EMSGSIZE`, but `EINVAL` before Linux 6.14.
fn segmentation_is_to_blame(outlet: &impl Outlet, transmit: &Transmit<'_>, errno: Errno) -> bool {
    let headers = match outlet.family() {
        Family::V4 => 20 + 8,
        Family::V6 => 40 + 8,
    };
    let size = transmit
        .segment_size
        .map_or(0, |size| u32::from(size.get()));
    match errno {
        Errno::IO => true,
        Errno::INVAL => outlet
            .path_mtu(transmit.to)
            .is_none_or(|mtu| size + headers <= mtu),
        _ => false,
    }
}

fn datagrams(piece: &Piece<'_>) -> usize {
    piece.control.segment.map_or(1, |size| {
        piece.contents.len().div_ceil(usize::from(size.get()))
    })
}

fn outlet_counter(tally: &Tally, errno: Errno) -> &Count {
    match errno {
        Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => &tally.send_full,
        Errno::PERM | Errno::ACCESS => &tally.send_denied,
        Errno::MSGSIZE => &tally.send_too_large,
        Errno::ADDRNOTAVAIL
        | Errno::NETUNREACH
        | Errno::HOSTUNREACH
        | Errno::NETDOWN
        | Errno::NODEV => &tally.send_unreachable,
        _ => &tally.send_other,
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;

//! The sending loop against a kernel of our own making, which refuses on purpose.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU16;

use proptest::prelude::*;

use super::super::{Local, OffReason, OffloadState};
use super::*;

/// A datagram as it left: from where, and its bytes.
type Datagram = (Option<IpAddr>, Vec<u8>);

/// Decides about a message: the number of the submission and the message.
type Verdict<'k> = Box<dyn Fn(usize, &Piece<'_>) -> Result<(), Errno> + 'k>;

struct Kernel<'k> {
    verdict: Verdict<'k>,
    /// Messages it takes in one call.
    at_once: usize,
    mtu: Option<u32>,
    gso: OffloadCell,
    tally: Tally,
    calls: Cell<usize>,
    waits: Cell<usize>,
    messages: Cell<usize>,
    left: RefCell<Vec<Datagram>>,
}

impl<'k> Kernel<'k> {
    fn new(verdict: impl Fn(usize, &Piece<'_>) -> Result<(), Errno> + 'k) -> Self {
        Self {
            verdict: Box::new(verdict),
            at_once: usize::MAX,
            mtu: Some(1500),
            gso: OffloadCell::new(OffloadState::On),
            tally: Tally::default(),
            calls: Cell::new(0),
            waits: Cell::new(0),
            messages: Cell::new(0),
            left: RefCell::new(Vec::new()),
        }
    }

    /// Sends a batch; returns datagrams sent, dropped, and the troubles.
    fn send(&self, batch: &[Transmit<'_>]) -> (usize, usize, Vec<Trouble>) {
        let mut scratch = SendScratch::default();
        let mut job = Job::new(&mut scratch);
        job.send(self, batch, 0);
        let report = job.finish();
        (report.sent, report.dropped, report.troubles.to_vec())
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        let left = self.left.borrow();
        left.iter().map(|(_, payload)| payload.clone()).collect()
    }

    fn sources(&self) -> Vec<Option<IpAddr>> {
        self.left.borrow().iter().map(|&(from, _)| from).collect()
    }
}

impl Outlet for Kernel<'_> {
    fn family(&self) -> Family {
        Family::V4
    }

    fn gso(&self) -> &OffloadCell {
        &self.gso
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn submit<'a>(
        &self,
        pieces: impl Iterator<Item = Piece<'a>>,
        _: &mut Wire,
    ) -> Result<usize, Errno> {
        let call = self.calls.replace(self.calls.get() + 1);
        assert!(call < 10_000, "the sending loop does not end");
        let mut taken = 0;
        for piece in pieces.take(self.at_once) {
            match (self.verdict)(call, &piece) {
                Ok(()) => taken += 1,
                Err(errno) if taken == 0 => return Err(errno),
                Err(_) => break,
            }
            let size = piece.control.segment.map_or(usize::MAX, |s| s.get().into());
            assert!(size == usize::MAX || size < piece.contents.len());
            let mut left = self.left.borrow_mut();
            let from = piece.control.from.map(|from| from.ip);
            if piece.contents.is_empty() {
                left.push((from, Vec::new()));
            }
            left.extend(piece.contents.chunks(size).map(|c| (from, c.to_vec())));
        }
        self.messages.set(self.messages.get() + taken);
        Ok(taken)
    }

    fn wait(&self, _: Errno) {
        self.waits.set(self.waits.get() + 1);
    }

    fn path_mtu(&self, _: SocketAddr) -> Option<u32> {
        self.mtu
    }
}

fn accept(_: usize, _: &Piece<'_>) -> Result<(), Errno> {
    Ok(())
}

/// Refuses every segmented message.
fn no_gso(errno: Errno) -> impl Fn(usize, &Piece<'_>) -> Result<(), Errno> {
    move |_, piece| piece.control.segment.map_or(Ok(()), |_| Err(errno))
}

/// Refuses every message with a source.
fn no_source(errno: Errno) -> impl Fn(usize, &Piece<'_>) -> Result<(), Errno> {
    move |_, piece| piece.control.from.map_or(Ok(()), |_| Err(errno))
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 10) as u8).collect()
}

fn single(contents: &[u8]) -> Transmit<'_> {
    Transmit {
        to: "192.0.2.1:51820".parse().expect("an address"),
        from: None,
        tos: 0,
        contents,
        segment_size: None,
    }
}

fn run(contents: &[u8], size: u16) -> Transmit<'_> {
    Transmit {
        segment_size: NonZeroU16::new(size),
        ..single(contents)
    }
}

fn source() -> Option<Local> {
    let ip = IpAddr::from([10, 0, 0, 1]);
    Some(Local { ip, ifindex: 2 })
}

fn chunks(contents: &[u8], size: usize) -> Vec<Vec<u8>> {
    contents.chunks(size).map(<[u8]>::to_vec).collect()
}

const IS_REFUSED: fn(Errno) -> OffloadState = |errno| OffloadState::Off(OffReason::Refused(errno));

#[test]
fn a_batch_is_one_call() {
    let kernel = Kernel::new(accept);
    let contents = bytes(95);
    let batch = [run(&contents, 10), single(b"x"), single(b"")];
    assert_eq!(kernel.send(&batch), (12, 0, vec![]));
    assert_eq!(kernel.calls.get(), 1);
    assert_eq!(kernel.messages.get(), 3);
}

#[test]
fn an_empty_batch_is_no_call() {
    let kernel = Kernel::new(accept);
    assert_eq!(kernel.send(&[]), (0, 0, vec![]));
    assert_eq!(kernel.calls.get(), 0);
}

#[test]
fn a_run_longer_than_a_message_is_cut() {
    let kernel = Kernel::new(accept);
    let contents = bytes(1005);
    assert_eq!(kernel.send(&[run(&contents, 10)]), (101, 0, vec![]));
    assert_eq!(kernel.messages.get(), 2);
    assert_eq!(kernel.payloads(), chunks(&contents, 10));
}

#[test]
fn a_partial_send_goes_on_where_it_stopped() {
    let mut kernel = Kernel::new(accept);
    kernel.at_once = 2;
    let contents: Vec<_> = (0u8..7).map(|n| [n; 3]).collect();
    let batch: Vec<_> = contents.iter().map(|c| single(c)).collect();
    assert_eq!(kernel.send(&batch), (7, 0, vec![]));
    assert_eq!(kernel.calls.get(), 4);
    assert_eq!(kernel.payloads(), contents);
}

#[test]
fn eio_and_einval_switch_segmentation_off_and_lose_nothing() {
    for errno in [Errno::IO, Errno::INVAL] {
        let kernel = Kernel::new(no_gso(errno));
        let contents = bytes(95);
        let batch = [run(&contents, 10), run(&contents, 20)];
        assert_eq!(kernel.send(&batch), (15, 0, vec![]));
        assert_eq!(kernel.gso.state(), IS_REFUSED(errno));
        let expected = [chunks(&contents, 10), chunks(&contents, 20)].concat();
        assert_eq!(kernel.payloads(), expected);
        // Refused, one datagram to see, the rest.
        assert!(kernel.calls.get() <= 3, "{} calls", kernel.calls.get());
        assert_eq!(kernel.tally.snapshot(0).gso_fallbacks, 1);
    }
}

#[test]
fn what_went_out_before_the_refusal_is_not_sent_again() {
    // The first message of 64 segments passes, the second does not.
    let kernel = Kernel::new(|call, piece| match piece.control.segment {
        Some(_) if call > 0 => Err(Errno::IO),
        _ => Ok(()),
    });
    let kernel = Kernel {
        at_once: 1,
        ..kernel
    };
    let contents = bytes(1005);
    assert_eq!(kernel.send(&[run(&contents, 10)]), (101, 0, vec![]));
    assert_eq!(kernel.payloads(), chunks(&contents, 10));
    assert_eq!(kernel.gso.state(), IS_REFUSED(Errno::IO));
}

#[test]
fn a_source_that_is_gone_is_left_out_and_reported() {
    for errno in [
        Errno::INVAL,
        Errno::NETUNREACH,
        Errno::ADDRNOTAVAIL,
        Errno::HOSTUNREACH,
        Errno::NODEV,
    ] {
        let kernel = Kernel::new(no_source(errno));
        let contents = bytes(95);
        let stuck = Transmit {
            from: source(),
            ..run(&contents, 10)
        };
        let (sent, dropped, troubles) = kernel.send(&[single(b"x"), stuck, single(b"y")]);
        assert_eq!((sent, dropped), (12, 0));
        let expected = Trouble {
            index: 1,
            source_gone: true,
            dropped: 0,
            dropped_bytes: 0,
            error: None,
        };
        assert_eq!(troubles, [expected]);
        assert_eq!(kernel.gso.state(), OffloadState::On, "{errno:?}");
        assert_eq!(kernel.messages.get(), 3, "still segmented");
        assert_eq!(kernel.tally.snapshot(0).sources_gone, 1);
    }
}

#[test]
fn einval_with_a_good_source_is_blamed_on_segmentation_alone() {
    let kernel = Kernel::new(no_gso(Errno::INVAL));
    let contents = bytes(95);
    let transmit = Transmit {
        from: source(),
        ..run(&contents, 10)
    };
    assert_eq!(kernel.send(&[transmit]), (10, 0, vec![]));
    assert_eq!(kernel.gso.state(), IS_REFUSED(Errno::INVAL));
    assert_eq!(kernel.sources(), vec![source().map(|s| s.ip); 10]);
}

#[test]
fn a_source_gone_and_no_segmentation_are_told_apart_from_one() {
    let kernel = Kernel::new(|_, piece| match piece.control {
        Outgoing { from: Some(_), .. } => Err(Errno::INVAL),
        Outgoing {
            segment: Some(_), ..
        } => Err(Errno::INVAL),
        _ => Ok(()),
    });
    let contents = bytes(95);
    let transmit = Transmit {
        from: source(),
        ..run(&contents, 10)
    };
    let (sent, dropped, troubles) = kernel.send(&[transmit]);
    assert_eq!((sent, dropped), (10, 0));
    assert!(troubles[0].source_gone);
    assert_eq!(kernel.gso.state(), IS_REFUSED(Errno::INVAL));
    assert_eq!(kernel.sources(), vec![None; 10]);
}

#[test]
fn a_source_of_the_other_family_is_not_passed_on() {
    let kernel = Kernel::new(accept);
    let ip = "::1".parse().expect("an address");
    let transmit = Transmit {
        from: Some(Local { ip, ifindex: 1 }),
        ..single(b"x")
    };
    assert_eq!(kernel.send(&[transmit]), (1, 0, vec![]));
    assert_eq!(kernel.sources(), [None]);
}

#[test]
fn segments_too_large_for_the_path_go_singly_and_leave_segmentation_on() {
    // EMSGSIZE as newer kernels say; EINVAL as older ones do.
    for errno in [Errno::MSGSIZE, Errno::INVAL] {
        let kernel = Kernel::new(|_, piece: &Piece<'_>| match piece.control.segment {
            Some(size) if size.get() > 1472 => Err(errno),
            _ => Ok(()),
        });
        let contents = bytes(6000);
        let batch = [run(&contents, 2000), run(&contents, 1000)];
        assert_eq!(kernel.send(&batch), (9, 0, vec![]));
        assert_eq!(kernel.gso.state(), OffloadState::On);
        assert_eq!(kernel.messages.get(), 4);
    }
}

#[test]
fn a_segment_of_exactly_the_path_mtu_is_not_too_large() {
    for (size, state) in [(1472, IS_REFUSED(Errno::INVAL)), (1473, OffloadState::On)] {
        let kernel = Kernel::new(no_gso(Errno::INVAL));
        let contents = bytes(6000);
        assert_eq!(kernel.send(&[run(&contents, size)]).1, 0);
        assert_eq!(kernel.gso.state(), state);
    }
}

#[test]
fn a_blackhole_says_nothing_about_segmentation() {
    let kernel = Kernel::new(|_, _| Err(Errno::INVAL));
    let contents = bytes(95);
    let transmit = Transmit {
        from: source(),
        ..run(&contents, 10)
    };
    let (sent, dropped, troubles) = kernel.send(&[transmit, single(b"x")]);
    assert_eq!((sent, dropped), (0, 11));
    let expected = Trouble {
        index: 0,
        source_gone: false,
        dropped: 10,
        dropped_bytes: 95,
        error: Some(Errno::INVAL),
    };
    assert_eq!(troubles[0], expected);
    assert_eq!(kernel.gso.state(), OffloadState::On);
    assert!(kernel.calls.get() <= 5, "{} calls", kernel.calls.get());
}

#[test]
fn an_unreachable_peer_does_not_hold_up_the_others() {
    let nowhere: SocketAddr = "203.0.113.1:1".parse().expect("an address");
    let kernel = Kernel::new(|_, piece: &Piece<'_>| {
        if piece.transmit.to == nowhere {
            Err(Errno::NETUNREACH)
        } else {
            Ok(())
        }
    });
    let contents = bytes(10_000);
    let lost = Transmit {
        to: nowhere,
        ..run(&contents, 10)
    };
    let (sent, dropped, troubles) = kernel.send(&[single(b"a"), lost, single(b"b")]);
    assert_eq!((sent, dropped), (2, 1000));
    assert_eq!(troubles.len(), 1);
    assert_eq!(kernel.tally.snapshot(0).send_unreachable, 1000);
    assert_eq!(kernel.calls.get(), 3);
}

#[test]
fn what_a_firewall_refuses_is_counted_and_not_tried_again() {
    for errno in [Errno::PERM, Errno::CONNREFUSED] {
        let kernel = Kernel::new(|_, _| Err(errno));
        let contents = bytes(95);
        let (sent, dropped, troubles) = kernel.send(&[run(&contents, 10), single(b"x")]);
        assert_eq!((sent, dropped), (0, 11));
        assert!(troubles.iter().all(|t| t.error == Some(errno)));
        assert_eq!(kernel.calls.get(), 2);
        let counters = kernel.tally.snapshot(0);
        assert_eq!(counters.send_denied + counters.send_other, 11);
    }
}

#[test]
fn a_full_buffer_is_waited_for() {
    for errno in [Errno::AGAIN, Errno::NOBUFS] {
        let kernel = Kernel::new(|call, _| if call < 3 { Err(errno) } else { Ok(()) });
        assert_eq!(kernel.send(&[single(b"x")]), (1, 0, vec![]));
        assert_eq!(kernel.waits.get(), 3);
    }
}

#[test]
fn a_buffer_that_stays_full_is_not_waited_for_for_ever() {
    let kernel = Kernel::new(|_, _| Err(Errno::AGAIN));
    let batch = [single(b"x"); 20];
    let (sent, dropped, troubles) = kernel.send(&batch);
    assert_eq!((sent, dropped, troubles.len()), (0, 20, 20));
    assert_eq!(kernel.waits.get(), 5, "for the whole batch");
    assert_eq!(kernel.tally.snapshot(0).send_full, 20);
}

#[test]
fn an_interrupted_call_is_repeated() {
    let kernel = Kernel::new(|call, _| if call < 2 { Err(Errno::INTR) } else { Ok(()) });
    assert_eq!(kernel.send(&[single(b"x")]), (1, 0, vec![]));
    assert_eq!(kernel.waits.get(), 0);
}

#[test]
fn without_a_socket_of_the_family_all_is_reported_dropped() {
    let mut scratch = SendScratch::default();
    let mut job = Job::new(&mut scratch);
    let contents = bytes(95);
    job.refuse(Family::V4, &[run(&contents, 10), single(b"")], 3);
    let report = job.finish();
    assert_eq!((report.sent, report.dropped), (0, 11));
    let indices: Vec<_> = report.troubles.iter().map(|t| t.index).collect();
    assert_eq!(indices, [3, 4]);
    assert_eq!(report.troubles[0].error, Some(Errno::AFNOSUPPORT));
}

#[test]
fn reports_do_not_carry_over_to_the_next_call() {
    let mut scratch = SendScratch::default();
    Job::new(&mut scratch).refuse(Family::V4, &[single(b"x")], 0);
    let report = Job::new(&mut scratch).finish();
    assert!(report.troubles.is_empty());
}

fn any_errno() -> impl Strategy<Value = Option<Errno>> {
    prop_oneof![
        3 => Just(None),
        1 => prop::sample::select(vec![
            Errno::INVAL, Errno::IO, Errno::MSGSIZE, Errno::NETUNREACH, Errno::AGAIN,
            Errno::NOBUFS, Errno::PERM, Errno::INTR, Errno::CONNREFUSED, Errno::NODEV,
        ]).prop_map(Some),
    ]
}

proptest! {
    /// Whatever the kernel says: all is accounted for, in order, and nothing is sent twice.
    #[test]
    fn no_datagram_is_repeated_reordered_or_forgotten(
        sizes in prop::collection::vec((0usize..1500, 1u16..200, any::<bool>()), 0..6),
        errors in prop::collection::vec(any_errno(), 1..12),
        at_once in 1usize..4,
    ) {
        let contents: Vec<Vec<u8>> = sizes.iter().enumerate()
            .map(|(n, &(len, ..))| (0..len).map(|i| (i ^ (n * 37)) as u8).collect())
            .collect();
        let batch: Vec<_> = sizes.iter().zip(&contents)
            .map(|(&(_, size, stuck), c)| Transmit { from: source().filter(|_| stuck), ..run(c, size) })
            .collect();
        let all: Vec<Vec<u8>> = sizes.iter().zip(&contents)
            .flat_map(|(&(_, size, _), c)| {
                if c.is_empty() { vec![vec![]] } else { chunks(c, size.into()) }
            })
            .collect();
        let mut kernel = Kernel::new(|call, _| errors[call % errors.len()].map_or(Ok(()), Err));
        kernel.at_once = at_once;
        // A kernel that only ever interrupts is waited for, as it must be.
        prop_assume!(errors.iter().any(|e| *e != Some(Errno::INTR)));
        let (sent, dropped, troubles) = kernel.send(&batch);
        let left = kernel.payloads();
        prop_assert_eq!(sent, left.len());
        prop_assert_eq!(sent + dropped, all.len());
        prop_assert_eq!(dropped, troubles.iter().map(|t| t.dropped).sum::<usize>());
        prop_assert!(troubles.is_sorted_by(|a, b| a.index < b.index));
        let mut rest = all.iter();
        for datagram in &left {
            prop_assert!(rest.any(|d| d == datagram), "not sent in order");
        }
    }
}

//! The session is renewed after two minutes (REKEY_AFTER_TIME of the paper, section 6.1) and nobody inside notices. It
//! takes those minutes, so both directions wait for it at the same time, and the other checks run meanwhile.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use hushwire_lab::Process;
use hushwire_lab::vm::Check;
use rustix::process::Signal;

use crate::two_ends::{End, Kind, Make, SOON, TwoEnds};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "rekey::by_the_kernel",
        patient: true,
        run: || renewed_without_loss(Make::Kernel, Make::Hushwired),
    },
    Check {
        name: "rekey::by_hushwired",
        patient: true,
        run: || renewed_without_loss(Make::Hushwired, Make::Kernel),
    },
];

/// A session is renewed when it is so old, in seconds; less what the way of the messages and rounding take.
const AGE: std::ops::RangeInclusive<u64> = 118..=135;
/// Where the processor had no time for a whole while, the ends shake hands before it is due: then the next renewal
/// counts, or the one after it.
const LIMIT: Duration = Duration::from_secs(420);
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(3);

fn renewed_without_loss(left: Make, right: Make) {
    let kind = Kind {
        outer_v6: false,
        preshared_key: true,
    };
    let ends = TwoEnds::new(left, right, kind);
    // The left end begins the session, so it has to renew it.
    let ping = ping(&ends);
    let mut seen = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while !is_renewed(&seen) {
        assert!(Instant::now() < deadline, "shook hands at {seen:?}");
        thread::sleep(INTERVAL);
        let now = [&ends.left, &ends.right].map(handshake);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    ping.signal(Signal::INT).unwrap();
    let lost = unanswered(&ping.finish(SOON).unwrap().stdout);
    assert!(lost.is_empty(), "no answer to {lost:?}");
}

fn handshake(end: &End) -> u64 {
    end.peers("latest-handshakes").parse().expect("a time")
}

/// Whether both ends have seen a session for as long as it may be used, and then another.
fn is_renewed(seen: &[[u64; 2]]) -> bool {
    [0, 1].into_iter().all(|side| {
        let mut times: Vec<u64> = seen.iter().map(|times| times[side]).collect();
        times.retain(|time| *time > 0);
        times.dedup();
        times
            .windows(2)
            .any(|pair| AGE.contains(&(pair[1] - pair[0])))
    })
}

/// One ping a second, without an end.
fn ping(ends: &TwoEnds) -> Process {
    let host = &ends.left.host;
    let words = ["ping", "-n", "-i", "1", ends.right.ipv4];
    host.spawn(host.command(&words)).unwrap()
}

/// The numbers of the pings before the last answered one that were not.
fn unanswered(text: &str) -> Vec<u32> {
    let answered: BTreeSet<u32> = text
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("icmp_seq=")?;
            rest.split(' ').next()?.parse().ok()
        })
        .collect();
    let last = answered.last().copied().unwrap_or_default();
    assert!(last > 100, "only {last} answers: {text}");
    (1..last)
        .filter(|number| !answered.contains(number))
        .collect()
}

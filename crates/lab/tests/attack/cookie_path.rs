//! Who has something to say gets through to a device under attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hushwire_bench::hostile::{Attacker, Kind};
use hushwire_lab::{Datagram, Host, UdpQueue, Wire, wait_until};

use crate::peer::{Answer, Peer};
use crate::siege::{PORT, SOON, Siege, VICTIM};

/// Initiations of one wave: more than an eighth of the device's queue, and so few that no socket overflows.
const WAVE: usize = 250;
/// Waves at most, so that a test that hangs does not flood for ever.
const WAVES_MAX: u64 = 100_000;
/// How long a wave may have no answers.
const UNANSWERED: Duration = Duration::from_secs(2);
/// What the paper allows between an initiation and the next (REKEY_TIMEOUT and its jitter).
pub(crate) const RETRY: Duration = Duration::from_millis(5_334);

/// Frames with initiations whose first MAC is right, from spoofed places.
fn initiations(siege: &mut Siege, kind: Kind, v6: bool) -> Vec<Vec<u8>> {
    let mut attacker = Attacker::new(11, siege.live_index());
    (0..4 * WAVE)
        .map(|_| {
            let datagram = Datagram {
                from: siege.next_source(v6),
                to: VICTIM[usize::from(v6)],
                payload: attacker.datagram(kind),
            };
            let packet = datagram.packets(1500, 0).unwrap().remove(0);
            siege.wire.frame(&packet).unwrap()
        })
        .collect()
}

/// Sends wave after wave until it is told to stop, each when the device has read the one before and has answered half of
/// it: so many more than it has under way never wait in its queue, however slow the machine is, and it stays under load.
fn waves(siege: (&Host, &Wire), frames: &[Vec<u8>], stop: &AtomicBool, sent: &AtomicU64) {
    let (victim, wire) = siege;
    let said = || {
        victim
            .netlink()
            .link("eth0")
            .unwrap()
            .unwrap()
            .counters
            .sent_packets
    };
    for wave in frames.chunks(WAVE).cycle().take(WAVES_MAX as usize) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let before = said();
        for frame in wave {
            wire.send_frame(frame).unwrap();
        }
        sent.fetch_add(1, Ordering::Relaxed);
        // The first wave finds a device that is not under load yet and has less to say.
        let _ = wait_until(UNANSWERED, "cookies", || {
            UdpQueue::of_port(PORT).waiting == 0 && said() >= before + WAVE as u64 / 2
        });
    }
}

/// Runs `work` while waves of initiations come in, the device under load.
pub(crate) fn under_flood(
    siege: &mut Siege,
    kind: Kind,
    v6: bool,
    work: impl FnOnce(&mut Siege) + Send,
) {
    let frames = initiations(siege, kind, v6);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    // The wire is shared: the flood writes to it, the test reads and writes.
    thread::scope(|scope| {
        let stopper = Stopper(&stop);
        let (wire, victim) = (Arc::clone(&siege.wire), Arc::clone(&siege.victim));
        let (frames, stop, sent) = (&frames, &stop, &sent);
        let flood = scope.spawn(move || victim.run(|| waves((&victim, &wire), frames, stop, sent)));
        work(siege);
        drop(stopper);
        flood.join().unwrap();
    });
    assert!(sent.load(Ordering::Relaxed) > 0);
}

/// Stops a flood however the test ends.
struct Stopper<'a>(&'a AtomicBool);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A peer that has never spoken is asked for a cookie, and gets in with its second initiation: by the clock of the
/// protocol 5.3 seconds after the first, and the limit is ten.
pub(crate) fn get_in_by_a_cookie(siege: &mut Siege, place: SocketAddr) {
    let mut newcomer = Peer::new(1, place);
    let mut others = Vec::new();
    newcomer.ask(&siege.wire);
    let first = newcomer.answer(&siege.wire, &mut others);
    assert_eq!(first, Some(Answer::Cookie));
    newcomer.skip(&siege.wire, RETRY);
    let second = newcomer.answer(&siege.wire, &mut others);
    assert_eq!(second, Some(Answer::Response));
    newcomer.ping(&siege.wire, &mut others);
    siege.friend.ping(&siege.wire, &mut others);
}

fn newcomer_gets_in(kind: Kind, place: &str) {
    let mut siege = Siege::new();
    let place: SocketAddr = place.parse().unwrap();
    under_flood(&mut siege, kind, place.is_ipv6(), |siege| {
        wait_until(SOON, "cookies: the device is under load", || {
            !siege.wire.heard().is_empty()
        })
        .unwrap();
        get_in_by_a_cookie(siege, place);
    });
}

#[test]
fn a_newcomer_gets_in_by_a_cookie_while_garbage_with_a_right_mac1_floods_in() {
    newcomer_gets_in(Kind::Mac1, "203.0.113.1:1111");
}

#[test]
fn a_newcomer_gets_in_by_a_cookie_while_strangers_flood_in() {
    newcomer_gets_in(Kind::Stranger, "203.0.113.1:1111");
}

#[test]
fn a_newcomer_gets_in_by_a_cookie_over_ipv6() {
    newcomer_gets_in(Kind::Mac1, "[2001:db8:77::1]:1111");
}

#[test]
fn the_status_tells_of_the_load() {
    let mut siege = Siege::new();
    under_flood(&mut siege, Kind::Mac1, false, |siege| {
        wait_until(SOON, "the status to tell of the load", || {
            let told = siege.victim.uapi("wg0", "status=1\n\n").unwrap();
            told.contains("\nunder_load=true\n") && !told.contains("=cookie-sent 0\n")
        })
        .unwrap();
    });
}

//! However bad the network was: when it is well again, so is the tunnel, within one REKEY_TIMEOUT of the fault's end.

use std::time::Duration;

use crate::harness::paper::{JITTER_MAX, REKEY_TIMEOUT};
use crate::harness::random::Seeded;
use crate::harness::{A, B, Fate, Net, each_style};

/// Different histories of each fault.
const HISTORIES: u64 = 20;
/// How long a fault lasts at most: through two rekeys.
const FAULT_MAX: u64 = 400;

/// Traffic in both directions at odd moments.
fn chatter(net: &mut Net, random: &mut Seeded, time: Duration) {
    let end = net.now() + time;
    while net.now() < end {
        for (from, to) in [(A, B), (B, A)] {
            if random.below(3) == 0 {
                net.send(from, to);
            }
        }
        net.advance(Duration::from_millis(1 + random.below(3_000)));
    }
    net.take_delivered(A);
    net.take_delivered(B);
}

/// Both have something to say when the fault ends. An initiation is then at most REKEY_TIMEOUT and its jitter away, and
/// whatever is sent after that arrives.
///
/// The very first packet may not: when one end has renewed the session twice and the other has heard nothing of it, the
/// other still seals with keys that are gone, until it hears from the first.
fn recovers(what: &str, faulty: impl Fn(u64) -> Box<dyn FnMut() -> Fate>) {
    each_style(|style| {
        for history in 0..HISTORIES {
            let mut random = Seeded::new(history);
            let mut net = Net::connected(style);
            let mut fate = faulty(history);
            net.filter(move |_| fate());
            let time = Duration::from_secs(1 + random.below(FAULT_MAX));
            chatter(&mut net, &mut random, time);
            net.heal();
            net.send(A, B);
            net.send(B, A);
            net.advance(REKEY_TIMEOUT + JITTER_MAX + 4 * net.latency);
            net.take_delivered(A);
            net.take_delivered(B);
            let sent = [net.send(A, B), net.send(B, A)];
            net.advance(2 * net.latency);
            let arrived = [net.take_delivered(B), net.take_delivered(A)];
            for ((sent, arrived), way) in sent.iter().zip(&arrived).zip(["forth", "back"]) {
                assert!(arrived.contains(sent), "{what}, history {history}, {way}");
            }
        }
    });
}

#[test]
fn from_loss_of_any_share() {
    for percent in [5, 10, 20, 30, 40, 50, 75, 100] {
        recovers(&format!("{percent} % lost"), |history| {
            let mut random = Seeded::new(1_000 * percent + history);
            Box::new(move || {
                if random.percent(percent) {
                    Fate::Drop
                } else {
                    Fate::Deliver
                }
            })
        });
    }
}

#[test]
fn from_delay_and_disorder() {
    recovers("disorder", |history| {
        let mut random = Seeded::new(2_000_000 + history);
        Box::new(move || match random.below(3) {
            0 => Fate::Deliver,
            1 => Fate::Delay(Duration::from_millis(random.below(2_000))),
            _ => Fate::Twice(Duration::from_millis(random.below(2_000))),
        })
    });
}

#[test]
fn from_loss_and_disorder_together() {
    recovers("everything", |history| {
        let mut random = Seeded::new(3_000_000 + history);
        Box::new(move || match random.below(4) {
            0 => Fate::Deliver,
            1 => Fate::Drop,
            2 => Fate::Delay(Duration::from_millis(random.below(8_000))),
            _ => Fate::Twice(Duration::from_millis(random.below(8_000))),
        })
    });
}

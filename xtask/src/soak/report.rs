//! What came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::census::Census;
use super::scene::{Place, Scene};
use crate::error::{Error, Result};

/// Sessions are renewed after two minutes (REKEY_AFTER_TIME); a tunnel that is used all the time has so many handshakes
/// at least, one in this time.
const RENEWED: u64 = 180;

/// What was counted, by all threads.
#[derive(Debug, Default)]
pub(super) struct Report {
    bytes: AtomicU64,
    streams: AtomicU64,
    events: AtomicU64,
    restarts: AtomicU64,
    /// What went wrong, in words.
    lost: Mutex<Vec<String>>,
    stalls: Mutex<Vec<String>>,
    /// By interface, the last handshake and how many there were.
    handshakes: Mutex<BTreeMap<String, (u64, u64)>>,
}

impl Report {
    pub(super) fn arrived(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn happened(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Other bytes arrived than were sent.
    pub(super) fn differs(&self, place: &str, error: &hushwire_lab::Error) {
        note(&self.lost, format!("{place}: {error}"));
    }

    /// Something did not come through in time.
    pub(super) fn stalled(&self, place: &str, error: &hushwire_lab::Error) {
        note(&self.stalls, format!("{place}: {error}"));
    }

    /// Nothing could be tried.
    pub(super) fn broken(&self, place: &str, why: &str) {
        note(&self.stalls, format!("{place}: {why}"));
    }

    /// Sees which tunnels have shaken hands since the last look.
    pub(super) fn look_at_handshakes(&self, scene: &Scene) -> Result<()> {
        for (host, end) in scene.places().into_iter().flat_map(Place::ends) {
            let answer = host.uapi(&end.interface, "get=1\n\n")?;
            let times = answer
                .lines()
                .filter_map(|line| line.strip_prefix("last_handshake_time_sec="));
            let last = times.filter_map(|time| time.parse().ok()).max();
            let mut handshakes = lock(&self.handshakes);
            let known = handshakes.entry(end.interface.clone()).or_default();
            if let Some(last) = last.filter(|last| *last > known.0) {
                *known = (last, known.1 + 1);
            }
        }
        Ok(())
    }

    /// How it goes, on one line.
    pub(super) fn line(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let handshakes: u64 = lock(&self.handshakes)
            .values()
            .map(|(_, count)| count)
            .sum();
        format!(
            "{} streams, {} MB, {} events, {handshakes} handshakes seen, {} restarts, {} lost, {} stalls",
            count(&self.streams),
            count(&self.bytes) / 1_000_000,
            count(&self.events),
            count(&self.restarts),
            lock(&self.lost).len(),
            lock(&self.stalls).len()
        )
    }

    pub(super) fn table(&self, time: Duration, census: &Census) -> String {
        let mut text = format!("{} s: {}\n", time.as_secs(), self.line());
        let _ = writeln!(
            text,
            "{:<8}{:>11}{:>12}{:>12}{:>12}{:>14}{:>10}",
            "device",
            "handshakes",
            "MB at first",
            "MB at most",
            "MB at end",
            "descriptors",
            "threads"
        );
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        for life in &census.lives {
            let handshakes = lock(&self.handshakes);
            let (_, count) = handshakes.get(&life.interface).copied().unwrap_or_default();
            let _ = writeln!(
                text,
                "{:<8}{count:>11}{:>12.2}{:>12.2}{:>12.2}{:>14}{:>10}",
                life.interface,
                megabytes(life.most_at_first.memory),
                megabytes(life.most.memory),
                megabytes(life.end.memory),
                format!(
                    "{} -> {}",
                    life.most_at_first.descriptors, life.end.descriptors
                ),
                format!("{} -> {}", life.most_at_first.threads, life.end.threads),
            );
        }
        for (what, notes) in [("lost", &self.lost), ("stalled", &self.stalls)] {
            for note in lock(notes).iter() {
                let _ = writeln!(text, "{what}: {note}");
            }
        }
        text
    }

    /// Whether nothing was lost, stuck, leaked or grown old.
    pub(super) fn verdict(&self, census: &Census) -> Result<()> {
        let mut failed: Vec<String> = Vec::new();
        failed.extend(lock(&self.lost).iter().cloned());
        failed.extend(lock(&self.stalls).iter().cloned());
        failed.extend(census.lives.iter().filter_map(super::census::Life::leaks));
        if self.streams.load(Ordering::Relaxed) == 0 {
            failed.push("no stream came through".to_owned());
        }
        if failed.is_empty() {
            println!("clean");
            Ok(())
        } else {
            Err(Error::Tests { failed })
        }
    }

    /// Adds tunnels whose sessions were not renewed to what went wrong.
    pub(super) fn expect_renewals(&self, time: Duration) {
        let expected = time.as_secs() / RENEWED;
        for (interface, (_, count)) in lock(&self.handshakes).iter() {
            if *count < expected {
                let text = format!("{interface}: {count} handshakes, {expected} expected at least");
                note(&self.stalls, text);
            }
        }
    }
}

fn note(notes: &Mutex<Vec<String>>, text: String) {
    eprintln!("{text}");
    lock(notes).push(text);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_fails_the_soak() {
        let report = Report::default();
        assert!(
            report.verdict(&Census::default()).is_err(),
            "nothing was tried"
        );
        report.arrived(5);
        assert!(report.verdict(&Census::default()).is_ok());
        report.broken("somewhere", "why");
        assert!(report.verdict(&Census::default()).is_err());
        assert!(report.line().contains("1 streams") && report.line().contains("1 stalls"));
    }

    #[test]
    fn a_tunnel_whose_session_grows_old_is_stuck() {
        let report = Report::default();
        report.arrived(1);
        lock(&report.handshakes).insert("wg1".to_owned(), (1, 2));
        report.expect_renewals(Duration::from_secs(400));
        assert!(report.verdict(&Census::default()).is_ok());
        report.expect_renewals(Duration::from_secs(600));
        assert!(report.verdict(&Census::default()).is_err());
    }
}

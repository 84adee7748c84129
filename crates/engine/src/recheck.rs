//! Whose source address is looked at when, after the routes have changed.
//!
//! A look takes system calls, and a change of any route puts the addresses of all peers in question.
//! On a router they change all the time, so the peers have their turns, a few at a time between the
//! handshakes.

use std::time::{Duration, Instant};

/// Routes change in bursts; the sources of peers are looked at once afterwards.
const SETTLE: Duration = Duration::from_millis(50);
/// Peers that are looked at in one turn, in about a millisecond.
const AT_ONCE: usize = 32;

/// The peers that are still to be looked at.
pub(crate) struct Recheck<P> {
    /// When the routes have settled that changed last.
    at: Option<Instant>,
    /// Those in question because of earlier changes.
    waiting: Vec<P>,
}

impl<P> Recheck<P> {
    pub(crate) const fn new() -> Self {
        Self {
            at: None,
            waiting: Vec::new(),
        }
    }

    /// The routes have changed.
    pub(crate) fn routes_changed(&mut self, now: Instant) {
        self.at.get_or_insert_with(|| now + SETTLE);
    }

    /// Whom to look at now. `all` tells who there is: it is asked once for each round, and a round
    /// does not begin before the last one has ended.
    pub(crate) fn next(&mut self, now: Instant, all: impl FnOnce() -> Vec<P>) -> Vec<P> {
        if self.waiting.is_empty() && self.at.is_some_and(|at| at <= now) {
            self.at = None;
            self.waiting = all();
        }
        match self.waiting.len().checked_sub(AT_ONCE) {
            Some(rest @ 1..) => self.waiting.split_off(rest),
            _ => std::mem::take(&mut self.waiting),
        }
    }

    /// How long there is nobody to look at, if there will be.
    pub(crate) fn timeout(&self, now: Instant) -> Option<Duration> {
        match self.waiting.is_empty() {
            true => self.at.map(|at| at.saturating_duration_since(now)),
            false => Some(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nobody_is_looked_at_before_the_routes_have_settled() {
        let start = Instant::now();
        let mut recheck = Recheck::new();
        assert_eq!(recheck.timeout(start), None);
        recheck.routes_changed(start);
        recheck.routes_changed(start + SETTLE / 2);
        assert_eq!(recheck.timeout(start), Some(SETTLE));
        assert!(recheck.next(start, || vec![1]).is_empty());
        assert_eq!(recheck.timeout(start + SETTLE), Some(Duration::ZERO));
        assert_eq!(recheck.next(start + SETTLE, || vec![1]), [1]);
        assert_eq!(recheck.timeout(start + SETTLE), None);
    }

    #[test]
    fn many_are_looked_at_bit_by_bit_and_a_round_is_ended_first() {
        const COUNT: usize = 10 * AT_ONCE + 1;
        let mut now = Instant::now();
        let mut recheck = Recheck::new();
        recheck.routes_changed(now);
        now += SETTLE;
        for round in 0..2 {
            let mut seen = BTreeSet::new();
            while seen.len() < COUNT {
                assert_eq!(recheck.timeout(now), Some(Duration::ZERO));
                let some = recheck.next(now, || (0..COUNT).collect());
                assert!((1..=AT_ONCE).contains(&some.len()));
                seen.extend(some);
                // Meanwhile they change and change.
                if round == 0 {
                    recheck.routes_changed(now);
                    now += SETTLE;
                }
            }
        }
        assert_eq!(recheck.timeout(now), None);
    }
}

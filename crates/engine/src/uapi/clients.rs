//! The places for control clients, and who must give up his.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wait;

/// Clients served at a time.
const CLIENTS_MAX: usize = 64;
/// How long a client keeps its place that has begun a question and does not end it.
const QUESTION_PAUSE_MAX: Duration = Duration::from_secs(10);

/// All clients.
#[derive(Default)]
pub(super) struct Clients(Mutex<Places>);

#[derive(Default)]
struct Places {
    /// How many there have been.
    count: u64,
    taken: Vec<Taken>,
}

struct Taken {
    number: u64,
    stream: Arc<UnixStream>,
    /// None while something is done for the client.
    rest: Option<Rest>,
}

/// A client that is waited for.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    /// Since when.
    pub(super) since: Instant,
    /// Whether it has begun a question.
    pub(super) has_begun: bool,
}

impl Rest {
    fn may_end(self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        !self.has_begun || passed >= QUESTION_PAUSE_MAX
    }
}

impl Clients {
    /// A place for a client. If there is none, the one that has been at rest for longest loses its
    /// own; none if nobody is at rest.
    pub(super) fn admit(self: &Arc<Self>, stream: &Arc<UnixStream>) -> Option<Place> {
        let mut places = self.lock();
        if places.taken.len() >= CLIENTS_MAX {
            places.free_one(Instant::now())?;
        }
        places.count = places.count.wrapping_add(1);
        let number = places.count;
        places.taken.push(Taken {
            number,
            stream: Arc::clone(stream),
            rest: None,
        });
        Some(Place {
            clients: Arc::clone(self),
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn free_one(&mut self, now: Instant) -> Option<()> {
        let resting = |taken: &Taken| taken.rest.filter(|rest| rest.may_end(now));
        let (index, _) = self
            .taken
            .iter()
            .enumerate()
            .filter_map(|(index, taken)| Some((index, resting(taken)?.since)))
            .filter(|(index, _)| !self.taken.get(*index).is_some_and(Taken::has_spoken))
            .min_by_key(|(_, since)| *since)?;
        let gone = self.taken.swap_remove(index);
        // Its thread wakes up and ends. What the client may have said since then is answered.
        let _ = gone.stream.shutdown(Shutdown::Read);
        Some(())
    }
}

impl Taken {
    /// Whether there is something to read that its thread has not got round to.
    fn has_spoken(&self) -> bool {
        let readable = wait::wait([self.stream.as_fd()], Some(Duration::ZERO));
        readable.is_ok_and(|[readable]| readable)
    }
}

/// One of the places, as long as this is there.
pub(super) struct Place {
    clients: Arc<Clients>,
    number: u64,
}

impl Place {
    /// From now on the client is waited for.
    pub(super) fn rest(&self, rest: Rest) {
        self.update(Some(rest));
    }

    /// From now on something is done for the client.
    pub(super) fn work(&self) {
        self.update(None);
    }

    /// Whether another client has the place now.
    pub(super) fn is_lost(&self) -> bool {
        let places = self.clients.lock();
        !places.taken.iter().any(|taken| taken.number == self.number)
    }

    fn update(&self, rest: Option<Rest>) {
        let mut places = self.clients.lock();
        let mut taken = places.taken.iter_mut();
        if let Some(own) = taken.find(|taken| taken.number == self.number) {
            own.rest = rest;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.clients.lock();
        places.taken.retain(|taken| taken.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    struct Client {
        own: UnixStream,
        ours: Arc<UnixStream>,
        place: Place,
    }

    impl Client {
        fn is_cut_off(&self) -> bool {
            self.ours.set_nonblocking(true).unwrap();
            matches!((&*self.ours).read(&mut [0; 8]), Ok(0))
        }
    }

    fn connect(clients: &Arc<Clients>) -> Option<Client> {
        let (own, ours) = UnixStream::pair().unwrap();
        let ours = Arc::new(ours);
        let place = clients.admit(&ours)?;
        Some(Client { own, ours, place })
    }

    /// All places, of clients for whom something is done.
    fn all_busy() -> (Arc<Clients>, Vec<Client>) {
        let clients = Arc::<Clients>::default();
        let all = (0..CLIENTS_MAX).map(|_| connect(&clients).unwrap());
        let all = all.collect();
        (clients, all)
    }

    fn rest(client: &Client, since: Instant, has_begun: bool) {
        client.place.rest(Rest { since, has_begun });
    }

    #[test]
    fn the_one_at_rest_for_longest_loses_its_place() {
        let (clients, all) = all_busy();
        let start = Instant::now();
        for (index, after) in [(5, 3), (9, 1), (17, 2)] {
            rest(&all[index], start + Duration::from_nanos(after), false);
        }
        let mut newcomers = Vec::new();
        for index in [9, 17, 5] {
            assert!(!all[index].is_cut_off() && !all[index].place.is_lost());
            newcomers.extend(connect(&clients));
            assert!(all[index].is_cut_off() && all[index].place.is_lost());
        }
        assert_eq!(newcomers.len(), 3);
        assert!(connect(&clients).is_none());
        let cut_off = all.iter().filter(|client| client.is_cut_off()).count();
        assert_eq!(cut_off, 3);
    }

    #[test]
    fn nobody_is_cut_off_for_whom_something_is_done() {
        let (clients, all) = all_busy();
        rest(&all[3], Instant::now(), false);
        all[3].place.work();
        assert!(connect(&clients).is_none());
        // Who has spoken is not at rest any more, even if nobody has heard it yet.
        rest(&all[3], Instant::now(), false);
        (&all[3].own).write_all(b"g").unwrap();
        assert!(connect(&clients).is_none());
        assert!(!all[3].place.is_lost());
    }

    #[test]
    fn who_has_begun_a_question_has_a_while_to_end_it() {
        let (clients, all) = all_busy();
        let now = Instant::now();
        rest(&all[3], now, true);
        let mut places = clients.lock();
        assert!(places.free_one(now).is_none());
        assert!(places.free_one(now + QUESTION_PAUSE_MAX / 2).is_none());
        assert!(places.free_one(now + QUESTION_PAUSE_MAX).is_some());
        drop(places);
        assert!(all[3].is_cut_off());
    }

    #[test]
    fn who_goes_leaves_a_place() {
        let (clients, mut all) = all_busy();
        assert!(connect(&clients).is_none());
        drop(all.remove(40));
        assert!(connect(&clients).is_some());
        // A place that was lost is not given up twice.
        let newcomer = connect(&clients).unwrap();
        rest(&all[0], Instant::now(), false);
        let second = connect(&clients).unwrap();
        drop(all.remove(0));
        assert!(connect(&clients).is_none());
        drop((newcomer, second));
    }
}

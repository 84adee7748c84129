//! What one device must do about one peer (the paper, section 6).

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::paper::{
    COOKIE_LIFETIME, INITIATION_INTERVAL_MIN, KEEPALIVE_TIMEOUT, NO_ANSWER, OVERHEAD,
    REJECT_AFTER_TIME, REKEY_AFTER_TIME, REKEY_ATTEMPT_TIME, REKEY_ON_RECEIVE, REKEY_TIMEOUT,
    STAGED_MAX, WINDOW,
};

use super::message::{Body, Cookie, Expected, Message, Stamp};

const ZERO_KEYS: Duration = Duration::from_secs(3 * 180);
const MTU: usize = 1420;
/// A keypair is asked to be renewed once in this time at most.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// What all share.
pub(super) struct Clock {
    pub(super) now: Duration,
    jitter: Duration,
    serial: u64,
}

impl Clock {
    pub(super) const fn new(jitter: Duration) -> Self {
        Self {
            now: Duration::ZERO,
            jitter,
            serial: 0,
        }
    }

    pub(super) const fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// Timers in the order in which those due together are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    ZeroKeys,
    Retransmit,
    PassiveKeepalive,
    NoAnswer,
    PersistentKeepalive,
}

/// One side of a session.
struct Key {
    session: u64,
    initiator: bool,
    created: Duration,
    remote: u32,
    next_counter: u64,
    newest: Option<u64>,
    seen: BTreeSet<u64>,
    asked: Option<Duration>,
}

impl Key {
    fn new(session: u64, initiator: bool, created: Duration, remote: u32) -> Self {
        Self {
            session,
            initiator,
            created,
            remote,
            next_counter: 0,
            newest: None,
            seen: BTreeSet::new(),
            asked: None,
        }
    }

    fn is_alive(&self, now: Duration) -> bool {
        now - self.created < REJECT_AFTER_TIME
    }

    /// A set of all that was ever seen.
    fn is_new(&mut self, counter: u64) -> bool {
        let newest = self.newest.unwrap_or(0);
        let new = counter + WINDOW >= newest && self.seen.insert(counter);
        if new {
            self.newest = Some(newest.max(counter));
        }
        new
    }

    /// Whether its initiator makes a new handshake when the keypair is `age` old, and has not just
    /// begun to.
    fn asks(&mut self, now: Duration, age: Duration) -> bool {
        let asks = self.initiator
            && now - self.created >= age
            && self.asked.is_none_or(|asked| now >= asked + ASK_INTERVAL);
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

pub(super) struct Relation {
    endpoint: SocketAddr,
    pub(super) psk: u8,
    /// What is added to the wall clock, in seconds.
    pub(super) wall_offset: i64,
    keepalive: Option<Duration>,
    keepalive_base: Duration,
    previous: Option<Key>,
    current: Option<Key>,
    next: Option<Key>,
    /// The serial number of our initiation that has no response yet.
    offer: Option<u64>,
    wanted_since: Option<Duration>,
    last_handshake_message: Option<Duration>,
    retransmit: Option<Duration>,
    /// The newest initiation of the peer that was answered, and when.
    accepted: Option<(Stamp, Duration)>,
    /// The timestamp in our last initiation.
    stamp: Option<Stamp>,
    waiting: VecDeque<(u64, usize)>,
    last_traversal: Duration,
    unanswered_sent: Option<Duration>,
    unanswered_received: Option<Duration>,
    zero_keys: Option<Duration>,
    /// The last handshake message, until a cookie came for it: its number, and the session that it
    /// made, if it did.
    uncookied: Option<(u64, Option<u64>)>,
    cookie: Option<(Cookie, Duration)>,
    /// What must be sent now.
    pub(super) expected: VecDeque<Expected>,
}

impl Relation {
    pub(super) const fn new(endpoint: SocketAddr) -> Self {
        Self {
            endpoint,
            psk: 0,
            wall_offset: 0,
            keepalive: None,
            keepalive_base: Duration::ZERO,
            previous: None,
            current: None,
            next: None,
            offer: None,
            wanted_since: None,
            last_handshake_message: None,
            retransmit: None,
            accepted: None,
            stamp: None,
            waiting: VecDeque::new(),
            last_traversal: Duration::ZERO,
            unanswered_sent: None,
            unanswered_received: None,
            zero_keys: None,
            uncookied: None,
            cookie: None,
            expected: VecDeque::new(),
        }
    }

    pub(super) fn can_send(&self, now: Duration) -> bool {
        self.current.as_ref().is_some_and(|key| key.is_alive(now))
    }

    // Configuration.

    pub(super) fn set_endpoint(&mut self, clock: &mut Clock, endpoint: SocketAddr) {
        self.endpoint = endpoint;
        if !self.waiting.is_empty() && !self.can_send(clock.now) {
            self.want_handshake(clock);
        }
    }

    pub(super) fn set_keepalive(&mut self, clock: &mut Clock, seconds: u16) {
        let was_on = self.keepalive.is_some();
        self.keepalive = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        if !was_on && self.keepalive.is_some() {
            self.keepalive_base = clock.now;
            self.send_keepalive(clock);
        }
    }

    pub(super) fn bounce(&mut self, clock: &mut Clock) {
        (self.previous, self.current, self.next) = (None, None, None);
        (self.offer, self.wanted_since, self.retransmit) = (None, None, None);
        (self.last_handshake_message, self.zero_keys) = (None, None);
        (self.unanswered_sent, self.unanswered_received) = (None, None);
        self.waiting.clear();
        if self.keepalive.is_some() {
            self.keepalive_base = clock.now;
            self.send_keepalive(clock);
        }
    }

    // Packets out.

    pub(super) fn plaintext(&mut self, clock: &mut Clock, id: u64, len: usize) {
        if self.can_send(clock.now) {
            return self.send_data(clock, Some((id, len)));
        }
        if self.waiting.len() == STAGED_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((id, len));
        self.want_handshake(clock);
    }

    /// What waits, or an empty packet, or the handshake that either needs.
    fn send_keepalive(&mut self, clock: &mut Clock) {
        if !self.can_send(clock.now) {
            self.want_handshake(clock);
        } else if self.waiting.is_empty() {
            self.send_data(clock, None);
        } else {
            self.send_waiting(clock);
        }
    }

    fn send_waiting(&mut self, clock: &mut Clock) {
        while self.can_send(clock.now) {
            let Some(packet) = self.waiting.pop_front() else {
                break;
            };
            self.send_data(clock, Some(packet));
        }
    }

    fn send_data(&mut self, clock: &mut Clock, packet: Option<(u64, usize)>) {
        let now = clock.now;
        let key = self.current.as_mut().expect("a key");
        let counter = key.next_counter;
        key.next_counter += 1;
        let padded = packet.map_or(0, |(_, len)| len.next_multiple_of(16).min(MTU));
        let body = Body::Data {
            session: key.session,
            counter,
            plaintext: packet.map(|(id, _)| id),
        };
        let (receiver, renew) = (key.remote, key.asks(now, REKEY_AFTER_TIME));
        self.expect(clock, Some(receiver), body);
        if let Some(last) = self.expected.back_mut() {
            last.len = Some(padded + OVERHEAD);
        }
        if packet.is_some() {
            self.unanswered_sent.get_or_insert(now);
        }
        if renew {
            self.want_handshake(clock);
        }
    }

    // Handshakes out.

    fn want_handshake(&mut self, clock: &mut Clock) {
        self.wanted_since = Some(clock.now);
        self.initiate(clock);
    }

    fn initiate(&mut self, clock: &mut Clock) {
        let earliest = self.last_handshake_message.map(|last| last + REKEY_TIMEOUT);
        if let Some(earliest) = earliest.filter(|earliest| clock.now < *earliest) {
            self.retransmit.get_or_insert(earliest + clock.jitter);
            return;
        }
        let wall = Stamp::of(clock.now, self.wall_offset);
        let stamp = self.stamp.map_or(wall, |last| wall.max(last.successor()));
        self.stamp = Some(stamp);
        let serial = self.expect(clock, None, Body::Initiation(stamp));
        self.handshake_message(clock.now, serial, None);
        self.offer = Some(serial);
        self.retransmit = Some(clock.now + REKEY_TIMEOUT + clock.jitter);
    }

    fn handshake_message(&mut self, now: Duration, serial: u64, session: Option<u64>) {
        self.last_handshake_message = Some(now);
        self.uncookied = Some((serial, session));
        let fresh = |(_, received): &(Cookie, Duration)| now < *received + COOKIE_LIFETIME;
        self.cookie = self.cookie.filter(fresh);
        if let Some(last) = self.expected.back_mut() {
            last.cookie = self.cookie.map(|(cookie, _)| cookie);
        }
    }

    /// Everything that is authenticated and sent.
    fn expect(&mut self, clock: &mut Clock, receiver: Option<u32>, body: Body) -> u64 {
        let serial = clock.serial();
        self.expected.push_back(Expected {
            serial,
            at: clock.now,
            to: self.endpoint,
            receiver,
            len: None,
            body,
            cookie: None,
        });
        self.last_traversal = clock.now;
        self.unanswered_received = None;
        serial
    }

    // Messages in.

    /// Everything that is authentic.
    fn received(&mut self, now: Duration, from: SocketAddr) {
        self.endpoint = from;
        self.last_traversal = now;
        self.unanswered_sent = None;
    }

    pub(super) fn initiation(
        &mut self,
        clock: &mut Clock,
        message: &Message,
        stamp: Stamp,
        from: SocketAddr,
    ) {
        let now = clock.now;
        let stale = |(newest, at)| stamp <= newest || now < at + INITIATION_INTERVAL_MIN;
        if self.accepted.is_some_and(stale) {
            return;
        }
        self.accepted = Some((stamp, now));
        self.received(now, from);
        let session = clock.serial();
        self.next = Some(Key::new(session, false, now, message.index));
        self.previous = None;
        self.zero_keys = Some(now + ZERO_KEYS);
        let body = Body::Response {
            answers: message.serial,
            session,
            psk: self.psk,
        };
        let serial = self.expect(clock, Some(message.index), body);
        self.handshake_message(now, serial, Some(session));
    }

    pub(super) fn response(
        &mut self,
        clock: &mut Clock,
        message: &Message,
        answers: u64,
        psk: u8,
        from: SocketAddr,
    ) {
        let Body::Response { session, .. } = message.body else {
            return;
        };
        if self.offer != Some(answers) || psk != self.psk {
            return;
        }
        self.received(clock.now, from);
        self.handshake_completed();
        // The session goes by the index of the initiation, so a late cookie still finds its way.
        if let Some((serial, made)) = &mut self.uncookied
            && *serial == answers
        {
            *made = Some(session);
        }
        let key = Key::new(session, true, clock.now, message.index);
        let current = self.current.replace(key);
        self.previous = self.next.take().or(current);
        self.zero_keys = Some(clock.now + ZERO_KEYS);
        self.send_keepalive(clock);
    }

    fn handshake_completed(&mut self) {
        (self.offer, self.wanted_since, self.retransmit) = (None, None, None);
    }

    pub(super) fn cookie(&mut self, clock: &Clock, answers: u64, cookie: Cookie) {
        let Some((_, session)) = self.uncookied.filter(|(serial, _)| *serial == answers) else {
            return;
        };
        let known = match session {
            Some(session) => self.holds(session),
            None => self.offer == Some(answers),
        };
        if known {
            self.uncookied = None;
            self.cookie = Some((cookie, clock.now));
        }
    }

    fn holds(&self, session: u64) -> bool {
        [&self.previous, &self.current, &self.next]
            .into_iter()
            .flatten()
            .any(|key| key.session == session)
    }

    /// Says whether the packet was taken.
    pub(super) fn data(
        &mut self,
        clock: &mut Clock,
        session: u64,
        counter: u64,
        is_data: bool,
        from: SocketAddr,
    ) -> bool {
        let now = clock.now;
        let key = [&mut self.previous, &mut self.current, &mut self.next]
            .into_iter()
            .flatten()
            .find(|key| key.session == session);
        if !key.is_some_and(|key| key.is_alive(now) && key.is_new(counter)) {
            return false;
        }
        self.received(now, from);
        if is_data {
            self.unanswered_received.get_or_insert(now);
        }
        if self
            .next
            .as_ref()
            .is_some_and(|next| next.session == session)
        {
            self.previous = std::mem::replace(&mut self.current, self.next.take());
            self.handshake_completed();
            self.send_waiting(clock);
        }
        let renew = self
            .current
            .as_mut()
            .filter(|key| key.session == session)
            .is_some_and(|key| key.asks(now, REKEY_ON_RECEIVE));
        if renew {
            self.want_handshake(clock);
        }
        true
    }

    // Timers.

    fn timers(&self, clock: &Clock) -> [(Timer, Option<Duration>); 5] {
        let no_answer = NO_ANSWER + clock.jitter;
        let base = self.keepalive_base.max(self.last_traversal);
        [
            (Timer::ZeroKeys, self.zero_keys),
            (Timer::Retransmit, self.retransmit),
            (
                Timer::PassiveKeepalive,
                self.unanswered_received.map(|at| at + KEEPALIVE_TIMEOUT),
            ),
            (
                Timer::NoAnswer,
                self.unanswered_sent.map(|at| at + no_answer),
            ),
            (
                Timer::PersistentKeepalive,
                self.keepalive.map(|interval| base + interval),
            ),
        ]
    }

    pub(super) fn deadline(&self, clock: &Clock) -> Option<Duration> {
        self.timers(clock)
            .into_iter()
            .filter_map(|(_, at)| at)
            .min()
    }

    /// Serves what is due.
    pub(super) fn serve(&mut self, clock: &mut Clock) {
        loop {
            let due = self
                .timers(clock)
                .into_iter()
                .filter(|(_, at)| at.is_some_and(|at| at <= clock.now))
                .map(|(timer, _)| timer)
                .min();
            let Some(timer) = due else { break };
            self.fire(clock, timer);
        }
    }

    fn fire(&mut self, clock: &mut Clock, timer: Timer) {
        match timer {
            Timer::ZeroKeys => {
                self.zero_keys = None;
                (self.previous, self.current, self.next) = (None, None, None);
                if self.retransmit.is_none() {
                    self.offer = None;
                }
            }
            Timer::Retransmit => self.retransmit_or_give_up(clock),
            Timer::PassiveKeepalive => {
                self.unanswered_received = None;
                self.send_keepalive(clock);
            }
            Timer::NoAnswer => {
                self.unanswered_sent = None;
                self.want_handshake(clock);
            }
            Timer::PersistentKeepalive => {
                self.keepalive_base = clock.now;
                self.send_keepalive(clock);
            }
        }
    }

    fn retransmit_or_give_up(&mut self, clock: &mut Clock) {
        self.retransmit = None;
        let since = *self.wanted_since.get_or_insert(clock.now);
        if clock.now - since < REKEY_ATTEMPT_TIME {
            return self.initiate(clock);
        }
        self.wanted_since = None;
        self.waiting.clear();
        self.unanswered_received = None;
        self.zero_keys.get_or_insert(clock.now + ZERO_KEYS);
    }
}

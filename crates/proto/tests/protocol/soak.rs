//! Days of traffic over bad networks: nothing panics, nothing arrives twice or altered, and once
//! the network is well again, everything gets through.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::harness::paper::{JITTER_MAX, NO_ANSWER, REKEY_TIMEOUT};
use crate::harness::random::Seeded;
use crate::harness::{Datagram, Fate, Net, Style, fields};

/// How late a datagram may come.
const DELAY_MAX: Duration = Duration::from_secs(20);

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    /// One host sends another some packets.
    Send { from: usize, to: usize, count: u8 },
    /// Nothing, for this many milliseconds.
    Wait(u32),
    /// Hours in which the tunnel is idle.
    Idle(u32),
    /// The machine sleeps for this many seconds: no timer is served.
    Sleep(u32),
    /// From now on the network is like that.
    Weather(Weather),
    /// A host has another address.
    Move(usize),
    /// A program starts anew.
    Restart(usize),
    /// The wall clock of a host is set by this many seconds.
    SetClock(usize, i16),
    /// The interface of a host goes down and comes up.
    Bounce(usize),
    /// The persistent keepalive of a host is set.
    Keepalive(usize, u8),
    /// A host is under load for a second.
    Load(usize),
}

#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    loss: u8,
    duplicates: u8,
    delays: u8,
    delay_max: u16,
}

impl Weather {
    fn fate(self, random: &mut Seeded) -> Fate {
        if random.percent(self.loss.into()) {
            return Fate::Drop;
        }
        let delay = Duration::from_millis(random.below(u64::from(self.delay_max) + 1));
        if random.percent(self.duplicates.into()) {
            return Fate::Twice(delay);
        }
        match random.percent(self.delays.into()) {
            true => Fate::Delay(delay),
            false => Fate::Deliver,
        }
    }
}

fn step(hosts: usize) -> impl Strategy<Value = Step> {
    let host = move || 0..hosts;
    let weather = (
        0..=100_u8,
        0..50_u8,
        0..100_u8,
        0..DELAY_MAX.as_millis() as u16,
    )
        .prop_map(|(loss, duplicates, delays, delay_max)| {
            Step::Weather(Weather {
                loss,
                duplicates,
                delays,
                delay_max,
            })
        });
    let send = (host(), 1..hosts, 1..200_u8).prop_map(move |(from, by, count)| Step::Send {
        from,
        to: (from + by) % hosts,
        count,
    });
    prop_oneof![
        12 => send,
        12 => (0..30_000_u32).prop_map(Step::Wait),
        3 => (0..20_000_u32).prop_map(Step::Idle),
        1 => (0..10_000_u32).prop_map(Step::Sleep),
        4 => weather,
        2 => Just(Step::Weather(Weather::default())),
        2 => host().prop_map(Step::Move),
        1 => host().prop_map(Step::Restart),
        1 => (host(), any::<i16>()).prop_map(|(host, by)| Step::SetClock(host, by)),
        1 => host().prop_map(Step::Bounce),
        2 => (host(), 0..40_u8).prop_map(|(host, secs)| Step::Keepalive(host, secs)),
        2 => host().prop_map(Step::Load),
    ]
}

/// Runs a schedule and keeps count of what went in and came out.
struct Soak {
    net: Net,
    hosts: usize,
    random: Seeded,
    moves: u16,
    /// The greatest offset that the wall clock of each host has had.
    latest_clock: Vec<i64>,
    sent: BTreeMap<u64, Vec<u8>>,
    arrived: BTreeSet<u64>,
}

impl Soak {
    fn new(style: Style, hosts: usize, seed: u64) -> Self {
        Self {
            net: Net::mesh(style, hosts),
            hosts,
            random: Seeded::new(seed),
            moves: 0,
            latest_clock: vec![0; hosts],
            sent: BTreeMap::new(),
            arrived: BTreeSet::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Send { from, to, count } => {
                for _ in 0..count {
                    self.send(from, to);
                }
            }
            Step::Wait(millis) => self.advance(Duration::from_millis(millis.into())),
            Step::Idle(seconds) => self.advance(Duration::from_secs(seconds.into())),
            Step::Sleep(seconds) => self.net.suspend(Duration::from_secs(seconds.into())),
            Step::Weather(weather) => {
                let mut random = Seeded::new(self.random.next());
                self.net
                    .filter(move |_: &Datagram| weather.fate(&mut random));
            }
            Step::Move(host) => {
                self.moves += 1;
                let port = 1024 + self.moves;
                self.net
                    .move_host(host, &format!("198.51.100.{}:{port}", host + 1));
            }
            Step::Restart(host) => {
                // A program that does not remember its last timestamp must not start with a clock
                // that is behind it: the others would take its initiations for replays.
                self.net.hosts[host].wall_offset = self.latest_clock[host];
                self.net.restart(host);
            }
            Step::SetClock(host, by) => {
                let offset = &mut self.net.hosts[host].wall_offset;
                *offset += i64::from(by);
                self.latest_clock[host] = self.latest_clock[host].max(*offset);
            }
            Step::Bounce(host) => {
                self.net.set_up(host, false);
                self.net.set_up(host, true);
            }
            Step::Keepalive(host, seconds) => {
                let other = (host + 1) % self.hosts;
                self.net.set_keepalive(host, other, seconds.into());
            }
            Step::Load(host) => self.net.load(host),
        }
        self.count();
        // The log is for tests that read it; days of it are too much.
        self.net.log.clear();
    }

    fn advance(&mut self, time: Duration) {
        self.net.advance(time);
    }

    fn send(&mut self, from: usize, to: usize) -> u64 {
        let len = 48 + self.random.below(1300) as usize;
        let packet = self.net.packet(from, to, len);
        let id = fields::id(&packet);
        self.net.send_packet(from, &packet).expect("a peer");
        self.sent.insert(id, packet);
        id
    }

    /// Looks at what came out of the tunnels.
    fn count(&mut self) {
        for host in 0..self.hosts {
            for packet in self.net.take_delivered(host) {
                let id = fields::id(&packet);
                assert_eq!(
                    self.sent.get(&id),
                    Some(&packet),
                    "what was sent, unaltered"
                );
                assert!(self.arrived.insert(id), "{id} arrived twice");
            }
        }
    }

    /// A well network, on which the hosts know where the others are.
    fn heal(&mut self) {
        self.net.heal();
        // What is still on its way from where a host was before would take its endpoint back.
        self.advance(DELAY_MAX);
        for host in 0..self.hosts {
            for other in (0..self.hosts).filter(|other| *other != host) {
                let (now, id) = (self.net.now_of(host), self.net.peer(host, other));
                let endpoint = self.net.hosts[other].address;
                self.net.hosts[host].device.set_endpoint(now, id, endpoint);
            }
        }
    }

    /// Everybody sends to everybody: every packet of the end arrives.
    fn gets_through(&mut self) {
        self.heal();
        // What an owner sees: one host sends on a session that the other has forgotten. The
        // silence is noticed, and two attempts are enough, as they may cross with others; and a
        // responder may be under load for its last second, which takes one attempt more.
        let long_enough = NO_ANSWER + JITTER_MAX + 3 * (REKEY_TIMEOUT + JITTER_MAX);
        for from in 0..self.hosts {
            for to in (0..self.hosts).filter(|to| *to != from) {
                self.send(from, to);
            }
        }
        self.advance(long_enough);
        for from in 0..self.hosts {
            for to in (0..self.hosts).filter(|to| *to != from) {
                let id = self.send(from, to);
                self.net.drive();
                self.count();
                assert!(self.arrived.contains(&id), "{from} to {to}");
            }
        }
    }
}

fn soak(style: Style, hosts: usize, seed: u64, steps: &[Step]) {
    let mut soak = Soak::new(style, hosts, seed);
    for step in steps {
        soak.take(step);
    }
    soak.gets_through();
}

/// The same cases each time, whatever is asked for of other tests (`PROPTEST_CASES`): each is days of
/// a network's life.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x5ea),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn two_embedders(seed: u64, steps in proptest::collection::vec(step(2), 1..80)) {
        soak(Style::Embedder, 2, seed, &steps);
    }

    #[test]
    fn two_data_paths(seed: u64, steps in proptest::collection::vec(step(2), 1..80)) {
        soak(Style::DataPath, 2, seed, &steps);
    }

    #[test]
    fn three_embedders(seed: u64, steps in proptest::collection::vec(step(3), 1..80)) {
        soak(Style::Embedder, 3, seed, &steps);
    }

    #[test]
    fn three_data_paths(seed: u64, steps in proptest::collection::vec(step(3), 1..80)) {
        soak(Style::DataPath, 3, seed, &steps);
    }
}

#[test]
fn a_week_of_a_busy_tunnel_over_a_mediocre_network() {
    let mut soak = Soak::new(Style::DataPath, 2, 1);
    soak.take(&Step::Weather(Weather {
        loss: 2,
        duplicates: 1,
        delays: 20,
        delay_max: 300,
    }));
    for minute in 0..7 * 24 * 60_usize {
        for _ in 0..3 {
            soak.send(minute % 2, (minute + 1) % 2);
            soak.advance(Duration::from_secs(20));
        }
        soak.count();
        soak.net.log.clear();
    }
    let (sent, arrived) = (soak.sent.len(), soak.arrived.len());
    assert!(arrived * 100 > sent * 95, "{arrived} of {sent}");
    soak.gets_through();
}

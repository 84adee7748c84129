//! Days of everything that happens to a tunnel, on virtual time, held against [`crate::reference`]:
//! every datagram that a device sends, when, to whom and under which key, and every packet that it
//! delivers, is the one that the paper asks for, and none is missing.
//!
//! A case is a seed. One that fails is run again with ever fewer of its steps, and what is left is
//! printed. `HUSHWIRE_SIMULATION_CASES` has another number of cases run.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::harness::paper::{JITTER_MAX, REKEY_TIMEOUT};
use crate::harness::random::Seeded;
use crate::harness::trace::Event;
use crate::harness::{A, B, Datagram, Fate, Net, Style, fields, net::PING_SIZE};
use crate::reference::Reference;

/// What may happen next. Hosts are numbers modulo their count.
#[derive(Clone, Debug)]
enum Step {
    Send {
        from: usize,
        to: usize,
        count: u64,
    },
    /// A packet whose inner source is not the sender's.
    Spoof {
        from: usize,
        to: usize,
    },
    Wait {
        millis: u64,
    },
    /// Both ends talk, a packet each way a second.
    Talk {
        from: usize,
        to: usize,
        seconds: u64,
    },
    /// A host is told where another is.
    Find {
        host: usize,
        other: usize,
    },
    /// The machines sleep: nothing runs, what is in flight is lost.
    Sleep {
        seconds: u64,
    },
    Weather(Weather),
    Move {
        host: usize,
    },
    Restart {
        host: usize,
    },
    Bounce {
        host: usize,
    },
    SetClock {
        host: usize,
        by: i64,
    },
    Keepalive {
        host: usize,
        other: usize,
        seconds: u16,
    },
    Psk {
        host: usize,
        other: usize,
        psk: u8,
        both: bool,
    },
    Load {
        host: usize,
    },
    /// Somebody sends datagrams once more that were on the wire.
    Replay {
        count: u64,
    },
    /// Somebody sends something that nobody sealed.
    Noise {
        to: usize,
        kind: u8,
        len: u64,
    },
}

/// What the network does, in percent and milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    loss: u64,
    duplicates: u64,
    delays: u64,
    corruption: u64,
    delay_max: u64,
}

impl Weather {
    fn fate(self, random: &mut Seeded) -> Fate {
        let delay = Duration::from_millis(random.below(self.delay_max + 1));
        if random.percent(self.loss) {
            Fate::Drop
        } else if random.percent(self.corruption) {
            Fate::Corrupt {
                at: random.below(1 << 16) as usize,
                bits: 1 + random.below(255) as u8,
            }
        } else if random.percent(self.duplicates) {
            Fate::Twice(delay)
        } else if random.percent(self.delays) {
            Fate::Delay(delay)
        } else {
            Fate::Deliver
        }
    }
}

fn step(random: &mut Seeded, hosts: usize) -> Step {
    let host = random.below(hosts as u64) as usize;
    let other = (host + 1 + random.below(hosts as u64 - 1) as usize) % hosts;
    let (from, to) = (host, other);
    match random.below(100) {
        0..25 => {
            let count = [1, 1, 1, 2, 5, 140][random.below(6) as usize];
            Step::Send { from, to, count }
        }
        25..27 => Step::Spoof { from, to },
        27..50 => {
            // Mostly about as long as the timers, whole seconds among them.
            let millis = match random.below(4) {
                0 => random.below(1000),
                1 => 1000 * (1 + random.below(20)),
                2 => random.below(30_000),
                _ => random.below(400_000),
            };
            Step::Wait { millis }
        }
        50..62 => {
            let seconds = 1 + random.below(300);
            Step::Talk { from, to, seconds }
        }
        62..63 => Step::Wait {
            millis: 3_600_000 * (1 + random.below(24)),
        },
        63..65 => Step::Sleep {
            seconds: random.below(7200),
        },
        65..75 => Step::Weather(Weather {
            loss: [0, 5, 30, 60, 100][random.below(5) as usize],
            duplicates: random.below(30),
            delays: random.below(60),
            corruption: random.below(15),
            delay_max: [20, 500, 20_000][random.below(3) as usize],
        }),
        75..79 => Step::Weather(Weather::default()),
        79..81 => Step::Move { host },
        81..82 => Step::Find { host, other },
        82..84 => Step::Restart { host },
        84..85 => Step::Bounce { host },
        85..86 => Step::SetClock {
            host,
            by: random.below(200_000) as i64 - 100_000,
        },
        86..89 => {
            let seconds = [0, 1, 10, 25, 3600][random.below(5) as usize];
            Step::Keepalive {
                host,
                other,
                seconds,
            }
        }
        89..91 => Step::Psk {
            host,
            other,
            psk: random.below(3) as u8,
            both: random.percent(80),
        },
        91..95 => Step::Load { host },
        95..98 => Step::Replay {
            count: 1 + random.below(20),
        },
        _ => Step::Noise {
            to,
            kind: random.below(6) as u8,
            len: [16, 31, 32, 64, 92, 148, 1400][random.below(7) as usize],
        },
    }
}

struct Simulation {
    net: Net,
    reference: Reference,
    random: Seeded,
    hosts: usize,
    moves: u16,
    latest_clock: Vec<i64>,
    psks: Vec<Vec<u8>>,
    /// Some of what was on the wire.
    seen: VecDeque<Datagram>,
}

impl Simulation {
    fn new(style: Style, hosts: usize, seed: u64) -> Self {
        let mut random = Seeded::new(seed);
        let jitter = match random.below(3) {
            0 => Duration::ZERO,
            1 => JITTER_MAX,
            _ => Duration::from_nanos(random.below(JITTER_MAX.as_nanos() as u64)),
        };
        let net = Net::traced_mesh(style, hosts, jitter);
        let addresses: Vec<_> = net.hosts.iter().map(|host| host.address).collect();
        Self {
            net,
            reference: Reference::new(&addresses, jitter),
            random,
            hosts,
            moves: 0,
            latest_clock: vec![0; hosts],
            psks: vec![vec![0; hosts]; hosts],
            seen: VecDeque::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Send { from, to, count } => {
                for _ in 0..count {
                    self.send(from, to);
                }
            }
            Step::Spoof { from, to } => self.spoof(from, to),
            Step::Wait { millis } => self.advance(Duration::from_millis(millis)),
            Step::Talk { from, to, seconds } => {
                for _ in 0..seconds {
                    self.send(from, to);
                    self.send(to, from);
                    self.advance(Duration::from_secs(1));
                }
            }
            Step::Sleep { seconds } => self.sleep(Duration::from_secs(seconds)),
            Step::Weather(weather) => {
                let mut random = Seeded::new(self.random.next());
                self.net.filter(move |_| weather.fate(&mut random));
            }
            Step::Move { host } => {
                self.moves += 1;
                let address = format!("198.51.100.{}:{}", host + 1, 1024 + self.moves);
                self.reference.move_host(host, address.parse().unwrap());
                self.net.move_host(host, &address);
            }
            Step::Find { host, other } => self.find(host, other),
            Step::Restart { host } => self.restart(host),
            Step::Bounce { host } => {
                self.reference.bounce(host);
                self.net.bounce(host);
            }
            Step::SetClock { host, by } => {
                let offset = &mut self.net.hosts[host].wall_offset;
                *offset += by;
                self.latest_clock[host] = self.latest_clock[host].max(*offset);
                self.reference.set_wall_offset(host, *offset);
            }
            Step::Keepalive {
                host,
                other,
                seconds,
            } => {
                self.reference.set_keepalive(host, other, seconds);
                self.net.set_keepalive(host, other, seconds);
            }
            Step::Psk {
                host,
                other,
                psk,
                both,
            } => {
                self.set_psk(host, other, psk);
                if both {
                    self.set_psk(other, host, psk);
                }
            }
            Step::Load { host } => {
                self.reference.load(host);
                self.net.load(host);
            }
            Step::Replay { count } => self.replay(count),
            Step::Noise { to, kind, len } => {
                let mut bytes = self.random.bytes(len as usize);
                bytes[..4].copy_from_slice(&[kind, 0, 0, 0]);
                self.net
                    .inject(to, "203.0.113.9:9".parse().unwrap(), &bytes);
            }
        }
        self.judge();
    }

    /// Tells the reference what happened.
    fn judge(&mut self) {
        for event in self.net.take_trace() {
            self.reference.observe(&event);
        }
        let at = self.net.now();
        self.reference.observe(&Event::Settled { at });
        for datagram in self.net.log.drain(..) {
            if self.seen.len() == 200 {
                self.seen.pop_front();
            }
            self.seen.push_back(datagram);
        }
        for host in &mut self.net.hosts {
            host.delivered.clear();
            host.dropped.clear();
        }
    }

    fn advance(&mut self, time: Duration) {
        self.net.advance(time);
        self.judge();
    }

    fn send(&mut self, from: usize, to: usize) {
        let len = 48 + self.random.below(1372) as usize;
        let packet = self.net.packet(from, to, len);
        let id = fields::id(&packet);
        self.reference.plaintext(from, to, id, len, false);
        self.net.send_packet(from, &packet).expect("a peer");
        self.judge();
    }

    fn spoof(&mut self, from: usize, to: usize) {
        let packet = self.net.packet(to, to, PING_SIZE);
        let id = fields::id(&packet);
        self.reference.plaintext(from, to, id, PING_SIZE, true);
        self.net.send_packet(from, &packet).expect("a peer");
    }

    fn find(&mut self, host: usize, other: usize) {
        let endpoint = self.net.hosts[other].address;
        self.reference.set_endpoint(host, other, endpoint);
        let (now, id) = (self.net.now_of(host), self.net.peer(host, other));
        self.net.hosts[host].device.set_endpoint(now, id, endpoint);
        self.net.settle();
    }

    fn sleep(&mut self, time: Duration) {
        self.reference.sleep(self.net.now() + time);
        self.net.suspend(time);
    }

    fn restart(&mut self, host: usize) {
        // With a clock behind the timestamps of its last run, a program would be silent: the others
        // would take its initiations for replays.
        self.net.hosts[host].wall_offset = self.latest_clock[host];
        let addresses: Vec<_> = self.net.hosts.iter().map(|host| host.address).collect();
        self.reference.restart(host, &addresses);
        self.reference
            .set_wall_offset(host, self.latest_clock[host]);
        self.net.restart(host);
        for other in (0..self.hosts).filter(|other| *other != host) {
            self.set_psk(host, other, self.psks[host][other]);
        }
    }

    fn set_psk(&mut self, host: usize, other: usize, psk: u8) {
        self.psks[host][other] = psk;
        self.reference.set_psk(host, other, psk);
        self.net.set_psk(host, other, psk);
    }

    fn replay(&mut self, count: u64) {
        for _ in 0..count.min(self.seen.len() as u64) {
            let which = self.random.below(self.seen.len() as u64) as usize;
            let datagram = self.seen[which].clone();
            let owner = self.reference.owner(datagram.to);
            self.net.replay(owner, &datagram);
        }
    }
}

impl Net {
    fn bounce(&mut self, host: usize) {
        let now = self.now_of(host);
        let device = &mut self.hosts[host].device;
        device.set_up(now, false);
        device.set_up(now, true);
        self.settle();
    }
}

/// Runs a case; returns how many datagrams were foretold and how much time passed.
fn run(style: Style, hosts: usize, seed: u64, steps: &[Step]) -> (u64, Duration) {
    let mut simulation = Simulation::new(style, hosts, seed);
    for step in steps {
        simulation.take(step);
    }
    simulation.advance(Duration::from_secs(1));
    (simulation.reference.confirmed(), simulation.net.now())
}

/// Runs the cases of a style. Of the steps of a case that fails, ever smaller parts are left out as
/// long as it goes on failing.
fn run_all(style: Style, hosts: usize, first_seed: u64) {
    let (mut datagrams, mut time) = (0, Duration::ZERO);
    for seed in first_seed..first_seed + cases() {
        let mut random = Seeded::new(seed);
        let steps: Vec<Step> = (0..120).map(|_| step(&mut random, hosts)).collect();
        match attempt(style, hosts, seed, &steps) {
            Ok((confirmed, passed)) => {
                datagrams += confirmed;
                time += passed;
            }
            Err(_) => {
                let steps = shrink(style, hosts, seed, steps);
                eprintln!(
                    "{style:?}, {hosts} hosts, seed {seed}, the steps that matter: {steps:#?}"
                );
                run(style, hosts, seed, &steps);
                panic!("a failure that does not repeat itself");
            }
        }
    }
    eprintln!("{style:?}, {hosts} hosts: {datagrams} datagrams as foretold in {time:?}");
    assert!(time > Duration::from_secs(24 * 3600), "days, not {time:?}");
    assert!(datagrams > 10_000, "{datagrams} datagrams");
}

fn cases() -> u64 {
    std::env::var("HUSHWIRE_SIMULATION_CASES").map_or(8, |cases| {
        cases.parse().expect("HUSHWIRE_SIMULATION_CASES: a number")
    })
}

fn attempt(style: Style, hosts: usize, seed: u64, steps: &[Step]) -> Result<(u64, Duration), ()> {
    catch_unwind(AssertUnwindSafe(|| run(style, hosts, seed, steps))).map_err(|_| ())
}

fn shrink(style: Style, hosts: usize, seed: u64, mut steps: Vec<Step>) -> Vec<Step> {
    let mut chunk = steps.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + chunk).min(fewer.len()));
            if attempt(style, hosts, seed, &fewer).is_err() {
                steps = fewer;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    steps
}

#[test]
fn two_embedders_do_what_the_paper_says() {
    run_all(Style::Embedder, 2, 0);
}

#[test]
fn two_data_paths_do_what_the_paper_says() {
    run_all(Style::DataPath, 2, 1000);
}

/// Each has two peers.
#[test]
fn three_embedders_do_what_the_paper_says() {
    run_all(Style::Embedder, 3, 2000);
}

/// One has three peers, as the others.
#[test]
fn four_data_paths_do_what_the_paper_says() {
    run_all(Style::DataPath, 4, 3000);
}

/// However long and however bad: with both ends talking, what is sent REKEY_TIMEOUT after the end
/// of an outage arrives.
#[test]
fn after_an_outage_traffic_flows_within_a_rekey_timeout() {
    for seed in 0..40 {
        let mut simulation = Simulation::new(Style::DataPath, 2, seed);
        let talk = |seconds| Step::Talk {
            from: A,
            to: B,
            seconds,
        };
        simulation.take(&talk(1 + seed * 7 % 250));
        let loss = [100, 100, 95, 60][seed as usize % 4];
        simulation.take(&Step::Weather(Weather {
            loss,
            ..Weather::default()
        }));
        let outage = [3, 17, 90, 200, 700, 4000][seed as usize % 6];
        simulation.take(&talk(outage));
        simulation.net.heal();
        simulation.take(&talk(REKEY_TIMEOUT.as_secs() + 1));
        let (now, latency) = (simulation.net.now(), simulation.net.latency);
        assert!(JITTER_MAX + 3 * latency < Duration::from_secs(1));
        for (from, to) in [(A, B), (B, A)] {
            assert!(
                simulation.reference.can_send(from, to),
                "{from} at {now:?}, {seed}"
            );
            let packet = simulation.net.packet(from, to, PING_SIZE);
            let id = fields::id(&packet);
            simulation
                .reference
                .plaintext(from, to, id, PING_SIZE, false);
            simulation.net.send_packet(from, &packet).unwrap();
            simulation.net.drive();
            let arrived = simulation.net.take_delivered(to);
            assert!(arrived.contains(&packet), "{from} to {to}, seed {seed}");
            simulation.judge();
        }
    }
}

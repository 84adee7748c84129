//! The network: hosts, datagrams in flight, a clock, and somebody who writes everything down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hushwire_proto::device::{PeerView, PlaintextError};
use hushwire_proto::key::PresharedKey;
use hushwire_proto::peer::PeerId;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::time::{Instant, Now};

use super::host::{Host, Peer, Style, inner_v4, inner_v6, prefix};
use super::trace::Event;
use super::wire::{Datagram, Fate, Kind};
use super::{fields, packets};

/// The hosts of a network by number.
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;

/// The packet that `ping` sends by default, in bytes.
pub(crate) const PING_SIZE: usize = 84;

/// Each device is asked for its deadlines this often at one instant before the test fails.
const SERVICES_MAX: usize = 64;

type Filter = Box<dyn FnMut(&Datagram) -> Fate>;

pub(crate) struct Net {
    now: Duration,
    pub(crate) hosts: Vec<Host>,
    /// Every datagram that was sent, whether it arrived or not.
    pub(crate) log: Vec<Datagram>,
    /// How long a datagram is on its way.
    pub(crate) latency: Duration,
    /// Whether routers on the way mark congestion on whatever can carry the mark.
    pub(crate) congested: bool,
    /// Everything that happens, if somebody wants to know.
    trace: Option<Vec<Event>>,
    filter: Option<Filter>,
    flying: BTreeMap<(Duration, u64), Datagram>,
    sequence: u64,
    next_id: u64,
}

impl Net {
    /// Hosts that are not yet peers of each other.
    pub(crate) fn strangers(style: Style, hosts: usize) -> Self {
        Self {
            now: Duration::ZERO,
            hosts: (0..hosts).map(|number| Host::new(number, style)).collect(),
            log: Vec::new(),
            latency: Duration::from_millis(5),
            congested: false,
            trace: None,
            filter: None,
            flying: BTreeMap::new(),
            sequence: 0,
            next_id: 0,
        }
    }

    /// Hosts that are all peers of each other, each with the others' endpoints.
    pub(crate) fn mesh(style: Style, hosts: usize) -> Self {
        let mut net = Self::strangers(style, hosts);
        for from in 0..hosts {
            net.befriend_all(from);
        }
        net
    }

    /// The same, with every jitter fixed and everything that happens traced.
    pub(crate) fn traced_mesh(style: Style, hosts: usize, jitter: Duration) -> Self {
        let mut net = Self::strangers(style, hosts);
        for host in 0..hosts {
            let now = net.now_of(host);
            net.hosts[host].jitter = Some(jitter);
            net.hosts[host].restart(now, 100 + host as u64);
        }
        for from in 0..hosts {
            net.befriend_all(from);
        }
        net.trace = Some(Vec::new());
        net
    }

    /// What happened since the last call.
    pub(crate) fn take_trace(&mut self) -> Vec<Event> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(trace) = &mut self.trace {
            trace.push(event());
        }
    }

    /// Two hosts, each with the other's endpoint.
    pub(crate) fn pair(style: Style) -> Self {
        Self::mesh(style, 2)
    }

    /// Two hosts with a session that A initiated, long enough ago that nothing is due.
    pub(crate) fn connected(style: Style) -> Self {
        let mut net = Self::pair(style);
        net.connect(A, B);
        net
    }

    /// Makes all others peers of `host`.
    pub(crate) fn befriend_all(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            if other != host {
                self.befriend(host, other);
            }
        }
    }

    /// Makes `other` a peer of `host`, with its endpoint and its addresses.
    pub(crate) fn befriend(&mut self, host: usize, other: usize) -> PeerId {
        let now = self.now_of(host);
        let key = self.hosts[other].public_key();
        let endpoint = self.hosts[other].address;
        let device = &mut self.hosts[host].device;
        let id = device.add_peer(now, key).expect("a peer");
        device.set_endpoint(now, id, endpoint);
        device.add_allowed_ip(id, prefix(&format!("{}/32", inner_v4(other))));
        device.add_allowed_ip(id, prefix(&format!("{}/128", inner_v6(other))));
        self.settle();
        id
    }

    /// Starts the program of `host` anew, with all others as its peers.
    pub(crate) fn restart(&mut self, host: usize) {
        let now = self.now_of(host);
        let seed = 7_000 + self.sequence + host as u64;
        self.hosts[host].restart(now, seed);
        self.befriend_all(host);
    }

    pub(crate) const fn now(&self) -> Duration {
        self.now
    }

    /// Both clocks of a host.
    pub(crate) fn now_of(&self, host: usize) -> Now {
        self.hosts[host].now(self.now)
    }

    pub(crate) fn monotonic(&self) -> Instant {
        self.now_of(A).monotonic
    }

    /// What `host` knows of `other`.
    pub(crate) fn view(&self, host: usize, other: usize) -> PeerView<'_, DefaultCrypto> {
        let id = self.peer(host, other);
        self.hosts[host].device.view(id).expect("a peer")
    }

    pub(crate) fn peer(&self, host: usize, other: usize) -> PeerId {
        let key = self.hosts[other].public_key();
        self.hosts[host].device.peer(&key).expect("a peer")
    }

    pub(crate) fn shared(&self, host: usize, other: usize) -> Arc<Peer> {
        Arc::clone(self.view(host, other).shared())
    }

    /// Bytes that `host` has sent to and received from `other`.
    pub(crate) fn counters(&self, host: usize, other: usize) -> (u64, u64) {
        let peer = self.shared(host, other);
        (peer.tx_bytes(), peer.rx_bytes())
    }

    /// Whether `host` has a keypair that it may send to `other` with.
    pub(crate) fn can_send(&self, host: usize, other: usize) -> bool {
        self.shared(host, other)
            .reserve(self.now_of(host).monotonic, 1)
            .is_some()
    }

    /// Lets time pass until the current keypair of `host` with `other` has this age.
    pub(crate) fn advance_to_age(&mut self, host: usize, other: usize, age: Duration) {
        let current = self.shared(host, other).current().expect("a keypair");
        let has = self
            .now_of(host)
            .monotonic
            .saturating_since(current.created());
        self.advance(age.checked_sub(has).expect("an age in the future"));
    }

    /// Has every datagram from now on judged by `filter`.
    pub(crate) fn filter(&mut self, filter: impl FnMut(&Datagram) -> Fate + 'static) {
        self.filter = Some(Box::new(filter));
    }

    /// Drops what `lost` says.
    pub(crate) fn lose(&mut self, mut lost: impl FnMut(&Datagram) -> bool + 'static) {
        self.filter(move |datagram| match lost(datagram) {
            true => Fate::Drop,
            false => Fate::Deliver,
        });
    }

    /// Drops everything, what is in flight included.
    pub(crate) fn cut(&mut self) {
        self.flying.clear();
        self.lose(|_| true);
    }

    /// Delivers everything again.
    pub(crate) fn heal(&mut self) {
        self.filter = None;
    }

    /// A packet that no other is equal to.
    pub(crate) fn packet(&mut self, from: usize, to: usize, len: usize) -> Vec<u8> {
        self.next_id += 1;
        packets::ip(inner_v4(from), inner_v4(to), self.next_id, len)
    }

    pub(crate) fn packet_v6(&mut self, from: usize, to: usize, len: usize) -> Vec<u8> {
        self.next_id += 1;
        packets::ip(inner_v6(from), inner_v6(to), self.next_id, len)
    }

    /// Sends a packet of the usual size through the tunnel and returns it.
    pub(crate) fn send(&mut self, from: usize, to: usize) -> Vec<u8> {
        let packet = self.packet(from, to, PING_SIZE);
        self.send_packet(from, &packet).expect("to be sent");
        packet
    }

    pub(crate) fn send_packet(&mut self, from: usize, packet: &[u8]) -> Result<(), PlaintextError> {
        let sent = self.hosts[from].send(self.now, packet);
        self.settle();
        sent
    }

    /// Sends a packet and has it arrive, and nothing else.
    pub(crate) fn deliver(&mut self, from: usize, to: usize) {
        self.hosts[to].delivered.clear();
        let packet = self.send(from, to);
        self.drive();
        assert_eq!(self.hosts[to].delivered, [packet], "{from} to {to}");
        self.hosts[to].delivered.clear();
    }

    /// A packet there and one back.
    pub(crate) fn ping(&mut self, from: usize, to: usize) {
        self.deliver(from, to);
        self.deliver(to, from);
    }

    /// Makes a session with one ping and forgets what was on the wire.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        self.ping(from, to);
        self.log.clear();
    }

    /// Whether a packet that is sent now arrives.
    pub(crate) fn reaches(&mut self, from: usize, to: usize) -> bool {
        let packet = self.send(from, to);
        self.drive();
        self.take_delivered(to).contains(&packet)
    }

    pub(crate) fn take_delivered(&mut self, host: usize) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.hosts[host].delivered)
    }

    /// What `host` put on the wire of this kind.
    pub(crate) fn sent(&self, host: usize, kind: Kind) -> Vec<Datagram> {
        let of_host = |datagram: &&Datagram| datagram.host == host && datagram.kind() == kind;
        self.log.iter().filter(of_host).cloned().collect()
    }

    /// When `host` sent something of this kind.
    pub(crate) fn times(&self, host: usize, kind: Kind) -> Vec<Duration> {
        self.sent(host, kind).iter().map(|sent| sent.at).collect()
    }

    pub(crate) fn count(&self, host: usize, kind: Kind) -> usize {
        self.sent(host, kind).len()
    }

    pub(crate) fn last(&self, host: usize, kind: Kind) -> Datagram {
        self.sent(host, kind).pop().expect("a datagram")
    }

    /// Hands a datagram to a host as if the network had brought it from `from`.
    pub(crate) fn inject(&mut self, to: usize, from: SocketAddr, bytes: &[u8]) {
        self.hand_in(to, from, 0, bytes);
        self.settle();
    }

    fn hand_in(&mut self, to: usize, from: SocketAddr, tos: u8, bytes: &[u8]) {
        let at = self.now;
        self.note(|| Event::Arrived {
            at,
            host: to,
            from,
            bytes: bytes.to_vec(),
        });
        let host = &mut self.hosts[to];
        let before = host.delivered.len();
        host.receive(at, from, tos, bytes);
        let ids: Vec<u64> = host.delivered[before..]
            .iter()
            .map(|packet| fields::id(packet))
            .collect();
        for id in ids {
            self.note(|| Event::Delivered { host: to, id });
        }
    }

    /// Hands a datagram that was on the wire to a host once more.
    pub(crate) fn replay(&mut self, to: usize, datagram: &Datagram) {
        self.inject(to, datagram.from, &datagram.bytes);
    }

    /// Lets time pass until the wire is empty. Timers that are due in the meantime fire, but
    /// nobody waits for one.
    pub(crate) fn drive(&mut self) {
        self.settle();
        while let Some(((arrival, _), _)) = self.flying.first_key_value() {
            self.run_until(*arrival);
        }
    }

    /// Lets time pass, with every deadline served at the nanosecond.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// The same, to a point in time.
    pub(crate) fn run_until(&mut self, end: Duration) {
        self.settle();
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.arrive();
            self.settle();
        }
        self.now = self.now.max(end);
    }

    /// Lets time pass in which no program runs: a suspended machine. What is in flight is lost.
    pub(crate) fn suspend(&mut self, time: Duration) {
        self.flying.clear();
        self.now += time;
        self.settle();
    }

    fn next_event(&self) -> Option<Duration> {
        let deadlines = self.hosts.iter().filter_map(Host::deadline);
        let arrival = self.flying.keys().next().map(|(arrival, _)| *arrival);
        deadlines.chain(arrival).min()
    }

    /// Delivers what has arrived by now.
    fn arrive(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                return;
            }
            let mut datagram = entry.remove();
            if self.congested && datagram.tos & 3 != 0 {
                datagram.tos |= 3;
            }
            let receiver = self
                .hosts
                .iter()
                .position(|host| host.address == datagram.to);
            if let Some(host) = receiver {
                self.hand_in(host, datagram.from, datagram.tos, &datagram.bytes);
            }
            self.settle();
        }
    }

    /// Serves what is due now and puts on the wire what the hosts have to send.
    pub(crate) fn settle(&mut self) {
        for host in 0..self.hosts.len() {
            if self.hosts[host].style == Style::DataPath {
                self.hosts[host].device.publish();
            }
            let mut services = 0;
            while self.hosts[host].deadline().is_some_and(|at| at <= self.now) {
                services += 1;
                assert!(services < SERVICES_MAX, "a deadline that does not go away");
                self.hosts[host].serve(self.now);
            }
            for outgoing in self.hosts[host].take_outgoing() {
                let from = self.hosts[host].address;
                let source_is_own = outgoing.from.is_none_or(|source| source == from.ip());
                assert!(source_is_own, "an address that the host has");
                self.transmit(Datagram {
                    at: self.now,
                    host,
                    from,
                    to: outgoing.to,
                    tos: outgoing.tos,
                    bytes: outgoing.bytes,
                });
            }
        }
        let at = self.now;
        self.note(|| Event::Settled { at });
    }

    fn transmit(&mut self, mut datagram: Datagram) {
        self.log.push(datagram.clone());
        self.note(|| Event::Sent(datagram.clone()));
        let fate = match &mut self.filter {
            Some(filter) => filter(&datagram),
            None => Fate::Deliver,
        };
        let arrival = self.now + self.latency;
        match fate {
            Fate::Deliver => self.fly(arrival, datagram),
            Fate::Delay(delay) => self.fly(arrival + delay, datagram),
            Fate::Drop => {}
            Fate::Twice(delay) => {
                self.fly(arrival, datagram.clone());
                self.fly(arrival + delay, datagram);
            }
            Fate::Corrupt { at, bits } => {
                let at = at % datagram.bytes.len();
                datagram.bytes[at] ^= bits;
                self.fly(arrival, datagram);
            }
        }
    }

    fn fly(&mut self, arrival: Duration, datagram: Datagram) {
        self.sequence += 1;
        self.flying.insert((arrival, self.sequence), datagram);
    }
}

/// What tests configure most.
impl Net {
    pub(crate) fn set_psk(&mut self, host: usize, other: usize, byte: u8) {
        let id = self.peer(host, other);
        let device = &mut self.hosts[host].device;
        device.set_preshared_key(id, PresharedKey::new([byte; 32]));
    }

    pub(crate) fn set_keepalive(&mut self, host: usize, other: usize, seconds: u16) {
        let (now, id) = (self.now_of(host), self.peer(host, other));
        let device = &mut self.hosts[host].device;
        device.set_persistent_keepalive(now, id, seconds);
        self.settle();
    }

    pub(crate) fn set_up(&mut self, host: usize, up: bool) {
        let now = self.now_of(host);
        self.hosts[host].device.set_up(now, up);
        self.settle();
    }

    pub(crate) fn allow(&mut self, host: usize, other: usize, text: &str) {
        let id = self.peer(host, other);
        self.hosts[host].device.add_allowed_ip(id, prefix(text));
    }

    /// Puts a host under load for a second, as a full handshake queue does.
    pub(crate) fn load(&mut self, host: usize) {
        let now = self.now_of(host);
        self.hosts[host].device.report_load(now, 512, 4096);
    }

    /// The host has another address from now on, and its system says so.
    pub(crate) fn move_host(&mut self, host: usize, address: &str) {
        self.hosts[host].move_to(address.parse().unwrap());
    }
}

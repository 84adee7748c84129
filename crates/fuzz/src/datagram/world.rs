//! The device under attack, two honest peers of it, the network between them, and what must hold.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::constants::STAGED_PACKETS_MAX;
use hushwire_proto::messages::parse_data;
use hushwire_proto::peer::PeerId;

use super::harness::host::{Host, Outgoing, Peer, Style, inner_v4, inner_v6, prefix};
use super::harness::packets;

/// The device under attack, and how many hosts there are with it.
pub(super) const VICTIM: usize = 0;
pub(super) const HOSTS: usize = 3;

const INITIATION: usize = 148;
const RESPONSE: usize = 92;
const COOKIE_REPLY: usize = 64;
const KEEPALIVE: usize = 32;

/// What one datagram, or one moment, may make a device send at the most: all that was staged for
/// each peer, a handshake message and a keepalive.
const BURST_MAX: usize = (HOSTS - 1) * (STAGED_PACKETS_MAX + 4);

/// A peer has the keypair before, the current and the next one.
const KEYPAIRS_MAX: usize = 3;

/// Datagrams that are kept for the attacker.
const TAPE_MAX: usize = 40;

/// Each device is asked for its deadlines this often at most before the run fails.
const SERVICES_MAX: usize = 10_000;

/// After this much silence every tunnel works: 15 s until the lack of an answer is noticed, and
/// three attempts of 5 s, each with its jitter (see the soak test of the protocol).
const RECOVERY: Duration = Duration::from_millis(15_333 + 3 * 5_333);

/// How often that long. Who took over a session in a peer's name has left it behind; and while that
/// peer still sends what it had to say on the session before, nobody misses an answer.
const ROUNDS: usize = 3;

/// Counters of a living session that the attacker may have spent, one in each step. Who has the
/// keys can take a packet's place, but no more than one at a time.
const SPENT_MAX: usize = super::STEPS_MAX;

/// What becomes of honest datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Up,
    /// They are lost.
    Down,
    /// The attacker has them and may deliver them.
    Held,
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    /// What was sent last, and by whom.
    pub(super) tape: VecDeque<(usize, Vec<u8>)>,
    /// What the victim has sent since the attacker looked.
    pub(super) unseen: Vec<Vec<u8>>,
    /// Receiver index and counter of all that the victim has sealed, and of all that it has taken.
    sealed: BTreeSet<(u32, u64)>,
    accepted: BTreeSet<(u32, u64)>,
    /// What the victim has ever wanted to be called.
    pub(super) indices: BTreeSet<u32>,
    next_id: u64,
}

impl World {
    pub(super) fn new(style: Style) -> Self {
        let styles = [style, Style::Embedder, Style::DataPath];
        let hosts = styles.iter().enumerate();
        let mut world = Self {
            now: Duration::ZERO,
            hosts: hosts
                .map(|(number, &style)| Host::new(number, style))
                .collect(),
            network: Network::Up,
            tape: VecDeque::new(),
            unseen: Vec::new(),
            sealed: BTreeSet::new(),
            accepted: BTreeSet::new(),
            indices: BTreeSet::new(),
            next_id: 0,
        };
        for peer in 1..HOSTS {
            world.befriend(VICTIM, peer);
            world.befriend(peer, VICTIM);
        }
        // A wide prefix of one peer with a narrower one of the other in it.
        let [first, second] = [1, 2].map(|peer| world.peer(VICTIM, peer));
        let device = &mut world.hosts[VICTIM].device;
        for (id, text) in WIDE
            .into_iter()
            .map(|(host, text)| ([first, second][host - 1], text))
        {
            device.add_allowed_ip(id, prefix(text));
        }
        world
    }

    fn befriend(&mut self, host: usize, other: usize) {
        let (now, key) = (
            self.hosts[host].now(self.now),
            self.hosts[other].public_key(),
        );
        let endpoint = self.hosts[other].address;
        let device = &mut self.hosts[host].device;
        let id = device.add_peer(now, key).expect("a peer");
        device.set_endpoint(now, id, endpoint);
        device.add_allowed_ip(id, prefix(&format!("{}/32", inner_v4(other))));
        device.add_allowed_ip(id, prefix(&format!("{}/128", inner_v6(other))));
    }

    pub(super) fn peer(&self, host: usize, other: usize) -> PeerId {
        let key = self.hosts[other].public_key();
        self.hosts[host].device.peer(&key).expect("no peer goes")
    }

    pub(super) fn shared(&self, host: usize, other: usize) -> &Peer {
        let id = self.peer(host, other);
        self.hosts[host].device.view(id).expect("a peer").shared()
    }

    /// A packet there and one back.
    pub(super) fn ping(&mut self, from: usize, to: usize) {
        for (from, to) in [(from, to), (to, from)] {
            assert!(self.reaches(from, to), "{from} to {to}");
        }
    }

    fn reaches(&mut self, from: usize, to: usize) -> bool {
        self.hosts[to].delivered.clear();
        let packet = self.packet(from, to, 100);
        let sent = self.hosts[from].send(self.now, &packet);
        assert_eq!(sent, Ok(()), "{from} to {to}");
        self.serve_all();
        self.hosts[to].delivered.contains(&packet)
    }

    fn packet(&mut self, from: usize, to: usize, len: usize) -> Vec<u8> {
        self.next_id += 1;
        packets::ip(inner_v4(from), inner_v4(to), self.next_id, len)
    }

    pub(super) fn send(&mut self, from: usize, to: usize, len: usize) {
        let packet = self.packet(from, to, 28 + len);
        // Without an endpoint, or down, it is refused.
        let _refused = self.hosts[from].send(self.now, &packet);
        self.serve_all();
    }

    /// Whatever comes from the victim's own TUN device.
    pub(super) fn plaintext(&mut self, packet: &[u8]) {
        let _refused = self.hosts[VICTIM].send(self.now, packet);
        self.serve_all();
    }

    /// A datagram for the victim, with all that must hold of it.
    pub(super) fn attack(&mut self, from: SocketAddr, tos: u8, bytes: &[u8]) {
        self.collect_all();
        let before = self.snapshot();
        let victim = &mut self.hosts[VICTIM];
        victim.delivered.clear();
        victim.receive(self.now, from, tos, bytes);
        let delivered = std::mem::take(&mut victim.delivered);
        let after = self.snapshot();

        let heard: Vec<usize> = (1..HOSTS)
            .filter(|&peer| before[peer - 1].0 != after[peer - 1].0)
            .collect();
        assert!(heard.len() <= 1, "one datagram is of one peer");
        for peer in 1..HOSTS {
            let (was, is) = (before[peer - 1].1, after[peer - 1].1);
            assert!(
                was == is || heard == [peer] && is == Some(from),
                "roamed to {is:?}"
            );
        }
        let transport = parse_data(bytes);
        match (transport, heard.as_slice()) {
            (Some(name), [_]) => assert!(self.accepted.insert(name), "{name:?} was taken twice"),
            (None, []) | (Some(_), []) | (None, [_]) => {}
            (_, more) => panic!("{more:?}"),
        }
        for packet in &delivered {
            assert!(transport.is_some() && heard.len() == 1);
            check_source(packet, heard[0]);
        }
        let answers = self.hosts[VICTIM].take_outgoing();
        check_answers(&answers, from, bytes, heard.len() == 1);
        self.sent(VICTIM, answers);
        self.serve_all();
    }

    /// Bytes received from, and endpoint of, each peer.
    fn snapshot(&self) -> Vec<(u64, Option<SocketAddr>)> {
        let peers = (1..HOSTS).map(|peer| self.shared(VICTIM, peer));
        peers
            .map(|peer| (peer.rx_bytes(), peer.path().map(|path| path.remote)))
            .collect()
    }

    /// What the devices want to send now, and what comes of it, until all is quiet.
    fn serve_all(&mut self) {
        for _ in 0..SERVICES_MAX {
            let due = |host: &Host| host.deadline().is_some_and(|deadline| deadline <= self.now);
            let Some(host) = self.hosts.iter().position(due) else {
                if self.collect_all() == 0 {
                    return;
                }
                continue;
            };
            self.hosts[host].serve(self.now);
            self.collect_all();
        }
        panic!("a device is never done");
    }

    /// Puts on the way what the devices have for it. Tells how many datagrams that were.
    fn collect_all(&mut self) -> usize {
        let mut count = 0;
        for host in 0..HOSTS {
            let outgoing = self.hosts[host].take_outgoing();
            count += outgoing.len();
            self.sent(host, outgoing);
        }
        count
    }

    fn sent(&mut self, host: usize, outgoing: Vec<Outgoing>) {
        assert!(
            outgoing.len() <= BURST_MAX.max(150),
            "{} at once",
            outgoing.len()
        );
        for datagram in outgoing {
            if host == VICTIM {
                self.check_sent(&datagram.bytes);
                self.unseen.push(datagram.bytes.clone());
            }
            self.tape.push_back((host, datagram.bytes.clone()));
            if self.tape.len() > TAPE_MAX {
                self.tape.pop_front();
            }
            if self.network == Network::Up {
                self.deliver(host, &datagram);
            }
        }
    }

    fn deliver(&mut self, host: usize, datagram: &Outgoing) {
        let to = self
            .hosts
            .iter()
            .position(|host| host.address == datagram.to);
        let Some(to) = to else { return };
        let from = self.hosts[host].address;
        let source_is_own = datagram.from.is_none_or(|source| source == from.ip());
        assert!(source_is_own, "an address that the host does not have");
        if to == VICTIM {
            self.deliver_honestly(from, datagram);
        } else {
            self.hosts[to].receive(self.now, from, datagram.tos, &datagram.bytes);
        }
    }

    /// As [`Self::attack`], from within a delivery.
    fn deliver_honestly(&mut self, from: SocketAddr, datagram: &Outgoing) {
        let before = self.snapshot();
        self.hosts[VICTIM].receive(self.now, from, datagram.tos, &datagram.bytes);
        let heard = before
            .iter()
            .zip(self.snapshot())
            .any(|(before, after)| before.0 != after.0);
        if let Some(name) = parse_data(&datagram.bytes).filter(|_| heard) {
            assert!(self.accepted.insert(name), "{name:?} was taken twice");
        }
    }

    fn check_sent(&mut self, bytes: &[u8]) {
        let index_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        match (bytes[0], bytes.len()) {
            (1, INITIATION) | (2, RESPONSE) => {
                self.indices.insert(index_at(4));
            }
            (3, COOKIE_REPLY) => {}
            (4, len) => {
                let name = parse_data(bytes).expect("a counter");
                assert!(self.sealed.insert(name), "{name:?} was sealed twice");
                assert!(len >= KEEPALIVE, "{len} bytes");
            }
            (kind, len) => panic!("{len} bytes of kind {kind}"),
        }
        let live = self.indices.iter();
        let live =
            live.filter(|&&index| self.hosts[VICTIM].device.tables().session(index).is_some());
        assert!(
            live.count() <= (HOSTS - 1) * KEYPAIRS_MAX,
            "keypairs are never dropped"
        );
    }

    /// Lets time pass, with all timers served.
    pub(super) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..SERVICES_MAX {
            self.serve_all();
            let next = self.hosts.iter().filter_map(Host::deadline).min();
            match next.filter(|&next| next <= end) {
                Some(next) => self.now = self.now.max(next),
                None => {
                    self.now = end;
                    return self.serve_all();
                }
            }
        }
        panic!("time stands still");
    }

    /// The machines sleep: no timer is served.
    pub(super) fn suspend(&mut self, time: Duration) {
        self.now += time;
        self.serve_all();
    }

    pub(super) fn load(&mut self) {
        let now = self.hosts[VICTIM].now(self.now);
        self.hosts[VICTIM].device.report_load(now, 512, 4096);
    }

    pub(super) fn set_up(&mut self, up: bool) {
        let now = self.hosts[VICTIM].now(self.now);
        self.hosts[VICTIM].device.set_up(now, up);
        self.serve_all();
    }

    pub(super) fn set_keepalive(&mut self, peer: usize, seconds: u8) {
        let (now, id) = (self.hosts[VICTIM].now(self.now), self.peer(VICTIM, peer));
        let device = &mut self.hosts[VICTIM].device;
        device.set_persistent_keepalive(now, id, seconds.into());
        self.serve_all();
    }

    /// The owner says where a peer is.
    pub(super) fn set_endpoint(&mut self, peer: usize) {
        let (now, id) = (self.hosts[VICTIM].now(self.now), self.peer(VICTIM, peer));
        let endpoint = self.hosts[peer].address;
        self.hosts[VICTIM].device.set_endpoint(now, id, endpoint);
        self.serve_all();
    }

    pub(super) fn move_host(&mut self, peer: usize, number: u8) {
        let place = SocketAddr::from(([198, 51, 100, number], 1000 + peer as u16));
        self.hosts[peer].move_to(place);
    }

    /// Left alone on a good network, the victim reaches every peer, and is reached.
    pub(super) fn recover(&mut self) {
        self.network = Network::Up;
        self.set_up(true);
        for peer in 1..HOSTS {
            self.set_keepalive(peer, 0);
            self.set_endpoint(peer);
        }
        let recovered = (0..ROUNDS).any(|_| {
            for peer in 1..HOSTS {
                let _may_be_lost = self.reaches(VICTIM, peer);
            }
            self.advance(RECOVERY);
            (1..HOSTS).all(|peer| {
                let ways = [(VICTIM, peer), (peer, VICTIM)];
                ways.iter()
                    .all(|&(from, to)| (0..=SPENT_MAX).any(|_| self.reaches(from, to)))
            })
        });
        assert!(recovered, "somebody does not reach somebody");
        assert_eq!(self.hosts[VICTIM].device.peers().count(), HOSTS - 1);
    }
}

/// Allowed IPs beside those of [`inner_v4`] and [`inner_v6`], by the host that has them.
const WIDE: [(usize, &str); 3] = [(1, "10.1.0.0/16"), (2, "10.1.2.0/24"), (2, "fd01::/16")];

/// A packet that came out of the tunnel has a source of its peer's, by all prefixes in turn.
fn check_source(packet: &[u8], peer: usize) {
    let source = hushwire_proto::packet::source(packet).expect("an IP packet");
    let own = (1..HOSTS).flat_map(|host| {
        let [v4, v6] = [
            format!("{}/32", inner_v4(host)),
            format!("{}/128", inner_v6(host)),
        ];
        [(host, prefix(&v4)), (host, prefix(&v6))]
    });
    let all = own.chain(WIDE.map(|(host, text)| (host, prefix(text))));
    let owner = all
        .filter(|(_, prefix): &(usize, Prefix)| prefix.contains(source))
        .max_by_key(|(_, prefix)| prefix.length());
    let owner = owner.map(|(host, _)| host);
    assert_eq!(owner, Some(peer), "{source} is not its own");
}

/// Silence, but for what the protocol demands.
fn check_answers(answers: &[Outgoing], from: SocketAddr, bytes: &[u8], authentic: bool) {
    let is_handshake = matches!(bytes.first(), Some(1 | 2));
    let cookies = answers.iter().filter(|answer| answer.bytes[0] == 3);
    if !authentic {
        assert!(
            answers.len() <= usize::from(is_handshake),
            "an answer to {bytes:x?}"
        );
        assert_eq!(cookies.count(), answers.len(), "an answer to {bytes:x?}");
        let amplified = answers
            .iter()
            .any(|answer| answer.bytes.len() > bytes.len());
        assert!(!amplified && answers.iter().all(|answer| answer.to == from));
        return;
    }
    assert_eq!(cookies.count(), 0, "a cookie for who authenticates");
    if bytes[0] == 1 {
        let mut responses = answers.iter().filter(|answer| answer.bytes[0] == 2);
        let response = responses
            .next()
            .expect("an authentic initiation is answered");
        assert_eq!(response.to, from);
        assert!(responses.next().is_none(), "two responses");
    }
}

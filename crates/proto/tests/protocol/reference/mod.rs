//! The paper's sections 5 and 6 once more, as a program that knows no cryptography and no code of
//! the crate: it is told what goes into devices and when, and says what must come out, datagram for
//! datagram and to the nanosecond. What it cannot know (indices, ciphertexts) it reads off the
//! datagram that it was waiting for.
//!
//! It goes beyond the paper where the kernel driver does: a response counts for the interval
//! between handshake messages, an initiator that only receives makes a new handshake at 165 s, one
//! initiation of a peer in 20 ms is answered. Timers that are due at one instant are served in the
//! order of [`relation::Timer`].

mod admission;
mod message;
mod relation;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::harness::trace::Event;
use crate::harness::{Datagram, Kind};

use admission::Gate;
use message::{Body, Expected, Message, key_of};
use relation::{Clock, Relation};

/// One host's program.
struct Program {
    /// What it knows of the others, by their number.
    relations: Vec<Relation>,
    gate: Gate,
    /// What must come out of the tunnel next.
    deliveries: VecDeque<u64>,
}

/// What all devices on a network must do.
pub(crate) struct Reference {
    clock: Clock,
    programs: Vec<Program>,
    /// Every address that a host has ever had.
    owners: BTreeMap<SocketAddr, usize>,
    /// Everything that was ever sent, by its bytes without the second MAC.
    messages: BTreeMap<Vec<u8>, Rc<Message>>,
    /// Packets that no peer may deliver: their inner source is not their sender's.
    spoofed: Vec<u64>,
    /// Datagrams that were foretold and came.
    confirmed: u64,
}

impl Reference {
    /// Programs that have just started on these addresses, each a peer of all others. Every jitter
    /// is `jitter`.
    pub(crate) fn new(addresses: &[SocketAddr], jitter: Duration) -> Self {
        let mut reference = Self {
            clock: Clock::new(jitter),
            programs: Vec::new(),
            owners: BTreeMap::new(),
            messages: BTreeMap::new(),
            spoofed: Vec::new(),
            confirmed: 0,
        };
        for (host, address) in addresses.iter().enumerate() {
            reference.owners.insert(*address, host);
            reference.programs.push(Program::new(addresses));
        }
        reference
    }

    pub(crate) const fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Whether a packet that is sent now leaves at once.
    pub(crate) fn can_send(&self, from: usize, to: usize) -> bool {
        self.programs[from].relations[to].can_send(self.clock.now)
    }

    /// The host that has or had this address.
    pub(crate) fn owner(&self, address: SocketAddr) -> usize {
        self.owners[&address]
    }

    // What is done to a host, to be told before it is done.

    pub(crate) fn plaintext(&mut self, from: usize, to: usize, id: u64, len: usize, spoofed: bool) {
        if spoofed {
            self.spoofed.push(id);
        }
        self.programs[from].relations[to].plaintext(&mut self.clock, id, len);
    }

    pub(crate) fn set_endpoint(&mut self, host: usize, other: usize, endpoint: SocketAddr) {
        self.programs[host].relations[other].set_endpoint(&mut self.clock, endpoint);
    }

    pub(crate) fn set_keepalive(&mut self, host: usize, other: usize, seconds: u16) {
        self.programs[host].relations[other].set_keepalive(&mut self.clock, seconds);
    }

    pub(crate) fn set_psk(&mut self, host: usize, other: usize, psk: u8) {
        self.programs[host].relations[other].psk = psk;
    }

    pub(crate) fn set_wall_offset(&mut self, host: usize, offset: i64) {
        for relation in &mut self.programs[host].relations {
            relation.wall_offset = offset;
        }
    }

    pub(crate) fn load(&mut self, host: usize) {
        self.programs[host].gate.load(self.clock.now);
    }

    pub(crate) fn move_host(&mut self, host: usize, address: SocketAddr) {
        let before = self.owners.insert(address, host);
        assert_eq!(before, None, "addresses have one owner for ever");
    }

    /// The program starts anew; the others are where they are now.
    pub(crate) fn restart(&mut self, host: usize, addresses: &[SocketAddr]) {
        self.programs[host] = Program::new(addresses);
    }

    /// Down and up again.
    pub(crate) fn bounce(&mut self, host: usize) {
        for relation in &mut self.programs[host].relations {
            relation.bounce(&mut self.clock);
        }
    }

    /// Nothing runs until then.
    pub(crate) fn sleep(&mut self, until: Duration) {
        self.settled(self.clock.now);
        self.clock.now = until;
    }

    // What happened.

    pub(crate) fn observe(&mut self, event: &Event) {
        match event {
            Event::Arrived {
                at,
                host,
                from,
                bytes,
            } => {
                self.pass_time_before(*at);
                self.arrived(*host, *from, bytes);
            }
            Event::Delivered { host, id } => {
                let expected = self.programs[*host].deliveries.pop_front();
                assert_eq!(expected, Some(*id), "delivered by {host}");
            }
            Event::Sent(datagram) => self.sent(datagram),
            Event::Settled { at } => self.settled(*at),
        }
    }

    fn arrived(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        let Some(message) = self.messages.get(key_of(bytes)).map(Rc::clone) else {
            return;
        };
        assert_eq!(message.to, host, "the network brings it to whom it is for");
        let intact = bytes.ends_with(&message.mac2);
        let program = &mut self.programs[host];
        let relation = &mut program.relations[message.from];
        if message.is_handshake() {
            let cookie = message.cookie.filter(|_| intact);
            if let Err(refusal) = program.gate.admit(&mut self.clock, &message, cookie, from) {
                relation.expected.push_back(*refusal);
                return;
            }
        }
        match message.body {
            Body::Initiation(stamp) => {
                relation.initiation(&mut self.clock, &message, stamp, from);
            }
            Body::Response { answers, psk, .. } => {
                relation.response(&mut self.clock, &message, answers, psk, from);
            }
            Body::Cookie { answers, cookie } => relation.cookie(&self.clock, answers, cookie),
            Body::Data {
                session,
                counter,
                plaintext,
            } => {
                let is_data = plaintext.is_some();
                let taken = relation.data(&mut self.clock, session, counter, is_data, from);
                let deliverable = plaintext.filter(|id| taken && !self.spoofed.contains(id));
                program.deliveries.extend(deliverable);
            }
        }
    }

    fn sent(&mut self, datagram: &Datagram) {
        let host = datagram.host;
        let peer = self.owners[&datagram.to];
        self.pass_time_before(datagram.at);
        if self.programs[host].relations[peer].expected.is_empty() {
            self.serve(host, datagram.at);
        }
        let Some(expected) = self.programs[host].relations[peer].expected.pop_front() else {
            panic!(
                "{:?} at {:?} without a reason",
                datagram.kind(),
                datagram.at
            );
        };
        let message = expected.matched(host, peer, datagram);
        let before = self
            .messages
            .insert(key_of(&datagram.bytes).to_vec(), Rc::new(message));
        assert!(before.is_none(), "no datagram is like another");
        self.confirmed += 1;
    }

    /// Everything that is due at this instant was served and sent.
    fn settled(&mut self, at: Duration) {
        self.pass_time_before(at);
        for host in 0..self.programs.len() {
            self.serve(host, at);
            let program = &self.programs[host];
            for (peer, relation) in program.relations.iter().enumerate() {
                let missing: Option<&Expected> = relation.expected.front();
                assert!(
                    missing.is_none(),
                    "{host} to {peer} did not send {missing:?}"
                );
            }
            let undelivered = program.deliveries.front();
            assert_eq!(undelivered, None, "{host} did not deliver");
        }
    }

    /// Serves every timer before `end` at its own instant.
    fn pass_time_before(&mut self, end: Duration) {
        loop {
            let next = self
                .programs
                .iter()
                .flat_map(|program| &program.relations)
                .filter_map(|relation| relation.deadline(&self.clock))
                .min()
                .filter(|next| *next < end);
            let Some(next) = next else { break };
            self.clock.now = self.clock.now.max(next);
            for host in 0..self.programs.len() {
                self.serve(host, next);
            }
        }
        self.clock.now = self.clock.now.max(end);
    }

    fn serve(&mut self, host: usize, at: Duration) {
        self.clock.now = self.clock.now.max(at);
        for relation in &mut self.programs[host].relations {
            relation.serve(&mut self.clock);
        }
    }
}

impl Program {
    fn new(addresses: &[SocketAddr]) -> Self {
        Self {
            relations: addresses.iter().copied().map(Relation::new).collect(),
            gate: Gate::default(),
            deliveries: VecDeque::new(),
        }
    }
}

/// What kind of datagram a body makes.
const fn kind_of(body: &Body) -> Kind {
    match body {
        Body::Initiation(_) => Kind::Initiation,
        Body::Response { .. } => Kind::Response,
        Body::Cookie { .. } => Kind::Cookie,
        Body::Data {
            plaintext: None, ..
        } => Kind::Keepalive,
        Body::Data { .. } => Kind::Data,
    }
}

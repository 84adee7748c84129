//! A host with hushwired whose only way out is in the test's hands.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hushwire_bench::crowd;
use hushwire_lab::{
    Daemon, Datagram, Host, Implementation, Lab, UdpQueue, Wire, require_tools, wait_until,
};

use crate::peer::Peer;

/// Longer than anything takes that comes about at all; only a failing test waits so long.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// The port of the device.
pub(crate) const PORT: u16 = 51820;
/// Where the device is, outside.
pub(crate) const VICTIM: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), PORT),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1)),
        PORT,
    ),
];
/// Where it is, inside.
pub(crate) const INSIDE: Ipv4Addr = Ipv4Addr::new(172, 31, 255, 1);
/// Whom the device knows.
const PEERS: u32 = 8;
/// The largest MTU of the interface to the outside.
pub(crate) const MTU_MAX: u32 = 65_521;
/// So much of it may wait at the sockets without any being lost.
const ROOM: u64 = 64 * 1024;

/// The host, and a peer whose session the attacks must not harm.
pub(crate) struct Siege {
    pub(crate) victim: Arc<Host>,
    pub(crate) daemon: Daemon,
    pub(crate) wire: Arc<Wire>,
    pub(crate) friend: Peer,
    /// What the host has said.
    heard: Vec<Vec<u8>>,
    /// Where those were who had a right to an answer.
    witnesses: BTreeSet<SocketAddr>,
    number: u32,
    _lab: Lab,
}

impl Siege {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self::start(&[])
    }

    /// As [`Siege::new`], the daemon with these environment variables.
    #[track_caller]
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        require_tools(&["ip"]).unwrap();
        let lab = Lab::new().unwrap();
        let victim = Arc::new(lab.host("victim").unwrap());
        let wire = Arc::new(lab.wire(&victim, "eth0").unwrap());
        victim.address("eth0", "198.51.100.1/32").unwrap();
        victim.address("eth0", "2001:db8:ff::1/128").unwrap();
        let daemon = Implementation::Hushwired
            .start_with(&victim, "wg0", environment)
            .unwrap();
        victim.address("wg0", "172.31.255.1/12").unwrap();
        victim.up("wg0").unwrap();
        let settings = format!(
            "set=1\n{}{}\n",
            crowd::server_lines(PORT),
            crowd::peer_lines(PEERS)
        );
        let answer = victim.uapi("wg0", &settings).unwrap();
        assert!(answer.contains("errno=0"), "{answer}");
        let mut siege = Self {
            friend: Peer::new(8, "203.0.113.8:8888".parse().unwrap()),
            victim,
            daemon,
            wire,
            heard: Vec::new(),
            witnesses: BTreeSet::new(),
            number: 0,
            _lab: lab,
        };
        siege.witnesses.insert(siege.friend.place);
        siege.ping();
        siege
    }

    /// The receiver index of the friend's session.
    pub(crate) fn live_index(&self) -> u32 {
        self.friend.index.expect("a session")
    }

    /// Sends datagrams to the device, each from another place than all before, so many at a time that none is lost on
    /// the way. Says from where.
    #[track_caller]
    pub(crate) fn send(&mut self, payloads: &[Vec<u8>], v6: bool) -> Vec<SocketAddr> {
        self.send_over(payloads, v6, 1500)
    }

    /// As [`Siege::send`], over a link of another MTU.
    #[track_caller]
    pub(crate) fn send_over(
        &mut self,
        payloads: &[Vec<u8>],
        v6: bool,
        mtu: usize,
    ) -> Vec<SocketAddr> {
        let datagrams: Vec<Datagram> = payloads
            .iter()
            .map(|payload| Datagram {
                from: self.next_source(v6),
                to: VICTIM[usize::from(v6)],
                payload: payload.clone(),
            })
            .collect();
        self.victim.run(|| {
            let mut under_way = 0;
            for (number, datagram) in (0..).zip(&datagrams) {
                // A datagram takes up more than its bytes: about half of a page beside them.
                under_way += datagram.payload.len() as u64 + 2048;
                if under_way > ROOM {
                    under_way = datagram.payload.len() as u64;
                    drained();
                }
                for packet in datagram.packets(mtu, number).unwrap() {
                    self.wire.send(&packet).unwrap();
                }
            }
            drained();
        });
        datagrams.iter().map(|datagram| datagram.from).collect()
    }

    /// Another place each time, all over the Internet.
    pub(crate) fn next_source(&mut self, v6: bool) -> SocketAddr {
        self.number += 1;
        let scattered = self.number.wrapping_mul(0x9e37_79b1);
        let [a, b, c, d] = scattered.to_be_bytes();
        let port = 1024 + (self.number % 60_000) as u16;
        let ip = if v6 {
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 1).into()
        } else {
            Ipv4Addr::new(11 + a % 80, b, c, d).into()
        };
        SocketAddr::new(ip, port)
    }

    /// Waits until the device has dealt with all that was sent: what came in last is answered, and by then everything
    /// before it was. Both of the device's threads are asked, the one for data and the one for handshakes.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.ping();
        let place = self.next_source(false);
        self.witnesses.insert(place);
        let mut witness = Peer::new(7, place);
        let mut asked = std::time::Instant::now();
        witness.ask(&self.wire);
        wait_until(SOON, "an answer to the last initiation", || {
            if asked.elapsed() > Duration::from_millis(500) {
                asked = std::time::Instant::now();
                witness.skip(&self.wire, Duration::from_secs(6));
            }
            witness.listen(&self.wire, &mut self.heard);
            witness.responses + witness.cookies > 0
        })
        .unwrap();
    }

    /// The friend's session works.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        self.friend.ping(&self.wire, &mut self.heard);
    }

    /// What the host has said since the last time to anybody who had no right to an answer.
    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        self.heard.extend(self.wire.heard());
        self.heard.retain(|packet| {
            !Datagram::read(packet).is_some_and(|datagram| self.witnesses.contains(&datagram.to))
        });
        std::mem::take(&mut self.heard)
    }

    /// A number of the device's status.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        let status = self.victim.uapi("wg0", "status=1\n\n").unwrap();
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let value = value.unwrap_or_else(|| panic!("no {name}: {status}"));
        value.parse().unwrap()
    }

    /// Bytes that the daemon has resident.
    pub(crate) fn memory(&self) -> u64 {
        self.daemon.process().usage().unwrap().memory
    }

    /// Datagrams that the device's sockets had no room for.
    pub(crate) fn lost(&self) -> u64 {
        self.victim.run(|| UdpQueue::of_port(PORT)).dropped
    }
}

/// Waits until the device has taken all that waits at its sockets.
#[track_caller]
fn drained() {
    let start = Instant::now();
    while UdpQueue::of_port(PORT).waiting > 0 {
        assert!(
            start.elapsed() < SOON,
            "the device does not read its sockets"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
}

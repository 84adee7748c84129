//! Once a session stands no packet makes the engine allocate, and no datagram of a stranger does.
//!
//! Alone in its program because the allocator counts for all threads. Needs root: the devices are
//! in a network namespace of their own.

mod common;

use std::alloc::System;
use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::{TestDevice, in_a_namespace};
use hushwire_io::udp::{DatagramSocket, SendScratch, Sockets, Transmit, UdpOptions};
use hushwire_netlink::{DuplicateDetection, Netlink};
use hushwire_proto::crypto::Crypto;
use hushwire_proto::provider::DefaultCrypto;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Packets each way, and datagrams of each hostile kind.
const COUNT: usize = 20_000;
/// Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Allocations that may happen beside the packets: timers and the like, none per packet.
const BESIDE: usize = 100;

/// One test at a time: what the other allocates would count.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn nothing_is_allocated_for_a_packet() {
    let _turn = TURN.lock();
    in_a_namespace(|| {
        let pair = Pair::start();
        pair.exchange(1_000);
        let before = pair.received();
        let region = Region::new(ALLOCATOR);
        pair.exchange(COUNT);
        let allocations = region.change().allocations;
        assert!(
            allocations < BESIDE,
            "{allocations} for {COUNT} packets each way"
        );
        for (before, after) in before.into_iter().zip(pair.received()) {
            let packets = (after - before) / 132;
            assert!(
                packets > COUNT / 4,
                "only {packets} arrived: no steady state"
            );
        }
    });
}

/// Nor when helpers seal and open: buffers go round.
#[test]
fn nothing_is_allocated_for_what_is_handed_over() {
    let _turn = TURN.lock();
    in_a_namespace(|| {
        let pair = Pair::start_with(3);
        pair.exchange(100);
        let mut bulk = Bulk::new();
        let until_helped = |bulk: &mut Bulk, buffers| {
            let start = Instant::now();
            let before = pair.helped();
            while pair.helped() < before + buffers {
                (0..100).for_each(|_| bulk.send(&pair.one));
                assert!(start.elapsed() < PATIENCE, "nobody helps");
            }
        };
        until_helped(&mut bulk, 20);
        let region = Region::new(ALLOCATOR);
        (0..2_000).for_each(|_| bulk.send(&pair.one));
        std::thread::sleep(Duration::from_millis(200));
        let allocations = region.change().allocations;
        assert!(allocations < BESIDE, "{allocations} for 80,000 packets");
        // And it goes on.
        until_helped(&mut bulk, 1);
    });
}

#[test]
fn nothing_is_allocated_for_a_strangers_datagram() {
    let _turn = TURN.lock();
    in_a_namespace(|| {
        let pair = Pair::start();
        pair.exchange(100);
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.connect(("127.0.0.1", pair.one.port())).unwrap();
        for (what, datagram) in hostile() {
            let send = |count| {
                paced(count, || drop(stranger.send(&datagram)));
                std::thread::sleep(Duration::from_millis(50));
            };
            send(100);
            let region = Region::new(ALLOCATOR);
            send(COUNT);
            let allocations = region.change().allocations;
            assert!(allocations < BESIDE, "{allocations} for {COUNT} of {what}");
        }
    });
}

/// What anyone on the internet can send.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let of_kind = |kind: u8, length: usize| {
        let mut datagram: Vec<u8> = (0..length).map(|index| (index * 37) as u8).collect();
        datagram[..4].copy_from_slice(&[kind, 0, 0, 0]);
        datagram
    };
    vec![
        ("nothing", Vec::new()),
        ("noise", of_kind(77, 600)),
        ("initiations without a MAC1", of_kind(1, 148)),
        ("responses without a MAC1", of_kind(2, 92)),
        ("cookie replies that nobody asked for", of_kind(3, 64)),
        ("data for no session", of_kind(4, 1_452)),
        ("short data", of_kind(4, 31)),
    ]
}

/// Two devices that are peers over the loopback interface.
struct Pair {
    one: Side,
    other: Side,
}

struct Side {
    device: TestDevice,
    /// A socket on the address of the device, and where packets from it go into the tunnel.
    socket: UdpSocket,
    far: Ipv4Addr,
}

impl Pair {
    fn start() -> Self {
        Self::start_with(0)
    }

    fn start_with(helpers: usize) -> Self {
        let mut netlink = Netlink::open().unwrap();
        let loopback = netlink.index_of("lo").unwrap();
        netlink.set_up(loopback).unwrap();
        let [one, other] = [1, 2].map(|number| Side::start(&mut netlink, number, helpers));
        one.meet(1, &other, 2);
        other.meet(2, &one, 1);
        Self { one, other }
    }

    /// Sends packets both ways and lets them arrive.
    fn exchange(&self, count: usize) {
        let payload = [7; 64];
        paced(count, || {
            for side in [&self.one, &self.other] {
                let _ = side.socket.send_to(&payload, (side.far, 9));
            }
        });
        std::thread::sleep(Duration::from_millis(200));
    }

    /// Buffers that helpers have sealed or opened.
    fn helped(&self) -> usize {
        let helped = |side: &Side| side.number("status=1\n\n", "helped");
        helped(&self.one).unwrap() + helped(&self.other).unwrap()
    }

    fn received(&self) -> [usize; 2] {
        [&self.one, &self.other].map(|side| side.value("rx_bytes").expect("a peer's counter"))
    }
}

impl Side {
    fn start(netlink: &mut Netlink, number: u8, helpers: usize) -> Self {
        let device = TestDevice::start(helpers);
        let set = format!(
            "set=1\nprivate_key={}\nlisten_port=0\n\n",
            hex(&private_key(number))
        );
        assert_eq!(device.ask(&set), "errno=0\n\n");
        let index = netlink.index_of(&device.name).unwrap();
        let prefix = format!("10.77.{number}.1/24").parse().unwrap();
        netlink
            .add_address(index, prefix, DuplicateDetection::Skip)
            .unwrap();
        netlink.set_up(index).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::new(10, 77, number, 1), 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let far = Ipv4Addr::new(10, 77, number, 99);
        Self {
            device,
            socket,
            far,
        }
    }

    /// Makes the other side a peer: its own address may come from it, and this side's network goes
    /// there.
    fn meet(&self, number: u8, other: &Self, other_number: u8) {
        let public = DefaultCrypto::public_key(&private_key(other_number));
        let set = format!(
            "set=1\npublic_key={}\nendpoint=127.0.0.1:{}\nallowed_ip=10.77.{number}.0/24\nallowed_ip=10.77.{other_number}.1/32\n\n",
            hex(&public),
            other.port(),
        );
        assert_eq!(self.device.ask(&set), "errno=0\n\n");
    }

    fn port(&self) -> u16 {
        let port = self.value("listen_port").expect("a bound port");
        port.try_into().unwrap()
    }

    /// A value that the control socket shows.
    fn value(&self, key: &str) -> Option<usize> {
        self.number("get=1\n\n", key)
    }

    fn number(&self, question: &str, key: &str) -> Option<usize> {
        let state = self.device.ask(question);
        let mut lines = state.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| *name == key)?.1.parse().ok()
    }
}

/// Super-packets, faster than they can be sealed one by one.
struct Bulk {
    sockets: Sockets,
    scratch: SendScratch,
    payload: Vec<u8>,
}

/// Bytes of each of their packets.
const PACKET: u16 = 1_372;

impl Bulk {
    fn new() -> Self {
        Self {
            sockets: Sockets::bind(&UdpOptions::default()).unwrap(),
            scratch: SendScratch::default(),
            payload: vec![7; 40 * usize::from(PACKET)],
        }
    }

    fn send(&mut self, side: &Side) {
        let transmit = Transmit {
            to: (side.far, 9).into(),
            from: None,
            tos: 0,
            contents: &self.payload,
            segment_size: NonZeroU16::new(PACKET),
        };
        self.sockets.send(&[transmit], &mut self.scratch);
    }
}

fn private_key(number: u8) -> [u8; 32] {
    let mut key = [number; 32];
    key[0] &= 248;
    key[31] = (key[31] & 127) | 64;
    key
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Acts so often, with pauses in which the threads of the device get their turn.
fn paced(count: usize, mut act: impl FnMut()) {
    let start = Instant::now();
    for index in 0..count {
        act();
        if index % 32 == 31 && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

//! Two WireGuard endpoints in one program, with a vector for a network: where to start when you
//! embed a tunnel in a program of your own.
//!
//! `cargo run -p hushwire-proto --example two_endpoints`
//!
//! A [`Device`] does nothing by itself. Whoever owns it
//!
//! 1. hands it packets that are to go through the tunnel ([`Device::handle_plaintext`]) and
//!    datagrams that came from the network ([`Device::handle_datagram`]),
//! 2. after each of these, and after each timeout, sends what [`Device::poll_transmit`] has,
//! 3. calls [`Device::handle_timeout`] when the clock reaches [`Device::poll_timeout`].
//!
//! That is all: the loop around a UDP socket and a TUN device looks just like [`Network::run`].

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::crypto::Random;
use hushwire_proto::device::Received;
use hushwire_proto::ecn::Ecn;
use hushwire_proto::key::{PresharedKey, PrivateKey};
use hushwire_proto::path::Path;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::time::{Instant, Now, UnixTime};

type Device = hushwire_proto::Device<DefaultCrypto>;

const ALICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BOB: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn main() -> Result<(), Box<dyn Error>> {
    let clock = TwoClocks::start();
    let mut network = Network {
        clock,
        endpoints: vec![
            Endpoint::new("alice", "192.0.2.1:51820", clock)?,
            Endpoint::new("bob", "192.0.2.2:51820", clock)?,
        ],
    };
    network.introduce(0, 1, BOB)?;
    network.introduce(1, 0, ALICE)?;

    println!("alice pings bob; the first packet waits for the handshake");
    network.endpoints[0].send(clock.now(), &echo_request(ALICE, BOB, 1))?;
    network.run();

    println!("bob answers; the session is there");
    network.endpoints[1].send(clock.now(), &echo_request(BOB, ALICE, 1))?;
    network.run();

    println!("ten seconds later, on a clock set forward: alice says that she got it");
    network.clock.skip(Duration::from_secs(10));
    network.run();

    for endpoint in &network.endpoints {
        endpoint.print_statistics();
    }
    Ok(())
}

/// Carries datagrams from one endpoint to the other until nobody has anything to say.
struct Network {
    clock: TwoClocks,
    endpoints: Vec<Endpoint>,
}

impl Network {
    /// Makes `other` a peer of `own`, who reaches it inside the tunnel at `address`.
    fn introduce(
        &mut self,
        own: usize,
        other: usize,
        address: Ipv4Addr,
    ) -> Result<(), Box<dyn Error>> {
        let now = self.clock.now();
        let key = *self.endpoints[other]
            .device
            .public_key()
            .ok_or("no private key")?;
        let endpoint = self.endpoints[other].address;
        let device = &mut self.endpoints[own].device;
        let peer = device.add_peer(now, key)?;
        device.set_preshared_key(peer, PresharedKey::new([7; 32]));
        device.set_endpoint(now, peer, endpoint);
        device.add_allowed_ip(
            peer,
            Prefix::new(address.into(), 32).ok_or("no such prefix")?,
        );
        Ok(())
    }

    fn run(&mut self) {
        let mut datagram = Vec::new();
        loop {
            let mut idle = true;
            for sender in 0..self.endpoints.len() {
                let now = self.clock.now();
                let device = &mut self.endpoints[sender].device;
                // A program that waits would sleep until then, or until a packet comes.
                if device.poll_timeout().is_some_and(|at| at <= now.monotonic) {
                    device.handle_timeout(now);
                }
                while let Some(transmit) =
                    self.endpoints[sender].device.poll_transmit(&mut datagram)
                {
                    idle = false;
                    let from = self.endpoints[sender].address;
                    self.carry(from, transmit.path.remote, transmit.tos, &mut datagram);
                }
            }
            if idle {
                return;
            }
        }
    }

    /// What `sendmsg` and `recvmsg` would do.
    fn carry(&mut self, from: SocketAddr, to: SocketAddr, tos: u8, datagram: &mut [u8]) {
        let now = self.clock.now();
        if let Some(receiver) = self.endpoints.iter_mut().find(|other| other.address == to) {
            receiver.receive(now, Path::to(from), Ecn::from_tos(tos), datagram);
        }
    }
}

/// A device, with a name and an address for people.
struct Endpoint {
    name: &'static str,
    address: SocketAddr,
    device: Device,
}

impl Endpoint {
    fn new(name: &'static str, address: &str, clock: TwoClocks) -> Result<Self, Box<dyn Error>> {
        let mut device = Device::new(Box::new(SystemRandom));
        device.set_private_key(clock.now(), Some(PrivateKey::generate(&mut SystemRandom)));
        device.set_up(clock.now(), true);
        Ok(Self {
            name,
            address: address.parse()?,
            device,
        })
    }

    fn send(&mut self, now: Now, packet: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(self.device.handle_plaintext(now, packet)?)
    }

    fn receive(&mut self, now: Now, path: Path, ecn: Ecn, datagram: &mut [u8]) {
        let what = match datagram.first() {
            Some(1) => "handshake initiation",
            Some(2) => "handshake response",
            Some(3) => "cookie reply",
            Some(4) => "transport data",
            _ => "noise",
        };
        println!("  {:>5} <- {what}, {} bytes", self.name, datagram.len());
        match self.device.handle_datagram(now, path, ecn, datagram) {
            Ok(Received::Control) => {}
            // Here a real program writes the packet to its TUN device.
            Ok(Received::Packet { peer, packet }) => println!(
                "  {:>5} == a packet of {} bytes from {:?}",
                self.name,
                packet.len(),
                peer.public_key()
            ),
            Err(reason) => println!("  {:>5} -- dropped: {reason}", self.name),
        }
    }

    fn print_statistics(&self) {
        for peer in self.device.peers() {
            println!(
                "{}: {:?} at {:?}, {} bytes sent, {} bytes received",
                self.name,
                peer.public_key(),
                peer.endpoint(),
                peer.shared().tx_bytes(),
                peer.shared().rx_bytes(),
            );
        }
    }
}

/// The two clocks that the protocol wants. On Linux, `CLOCK_BOOTTIME` is the better monotonic
/// clock, because it goes on while the machine sleeps.
#[derive(Clone, Copy)]
struct TwoClocks {
    start: Clock,
    skipped: Duration,
}

impl TwoClocks {
    fn start() -> Self {
        Self {
            start: Clock::now(),
            skipped: Duration::ZERO,
        }
    }

    /// Sets the clock forward, so that nobody has to wait for this example.
    fn skip(&mut self, time: Duration) {
        self.skipped += time;
    }

    fn now(&self) -> Now {
        // Not from zero, which the protocol takes for "never".
        let monotonic = self.start.elapsed() + self.skipped + Duration::from_secs(1);
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            monotonic: Instant::from_nanos(monotonic.as_nanos() as u64),
            unix: UnixTime {
                secs: unix.as_secs(),
                nanos: unix.subsec_nanos(),
            },
        }
    }
}

/// The operating system's randomness.
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system has randomness");
    }
}

/// An ICMP echo request of 84 bytes, which is what `ping` sends.
fn echo_request(from: Ipv4Addr, to: Ipv4Addr, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0; 84];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&84_u16.to_be_bytes());
    packet[8] = 64;
    packet[9] = 1;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    let header = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    packet[20] = 8;
    packet[26..28].copy_from_slice(&sequence.to_be_bytes());
    let body = checksum(&packet[20..]);
    packet[22..24].copy_from_slice(&body.to_be_bytes());
    packet
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

//! A host: a device, its address, and one of the two ways to own a device.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hushwire_proto::allowed_ips::Prefix;
use hushwire_proto::crypto::{Packet, Random};
use hushwire_proto::decapsulate::decapsulate;
use hushwire_proto::device::{Dropped, PlaintextError, Received};
use hushwire_proto::ecn::Ecn;
use hushwire_proto::key::{PrivateKey, PublicKey};
use hushwire_proto::messages::{DATA_HEADER_SIZE, TAG_SIZE, parse_data, write_data_header};
use hushwire_proto::packet;
use hushwire_proto::path::{Local, Path};
use hushwire_proto::peer::Reservation;
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::time::{Instant, Now, UnixTime};

use super::random::{FixedJitter, Seeded};

pub(crate) type Device = hushwire_proto::Device<DefaultCrypto>;
pub(crate) type Peer = hushwire_proto::Peer<DefaultCrypto>;

/// The monotonic clock of a new network: anything but zero, which is "never".
const MONOTONIC_START: Duration = Duration::from_secs(1000);
/// The wall clock of a new network.
const UNIX_START: Duration = Duration::from_secs(1_700_000_000);

/// How a host uses its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Everything through the device.
    Embedder,
    /// Data through the shared tables, peers and keypairs, as threads of a data path would.
    DataPath,
}

/// A datagram that a host wants to send.
pub(crate) struct Outgoing {
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    pub(crate) tos: u8,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Host {
    pub(crate) device: Device,
    pub(crate) style: Style,
    pub(crate) address: SocketAddr,
    pub(crate) private_key: PrivateKey,
    /// Added to this host's wall clock, in seconds.
    pub(crate) wall_offset: i64,
    /// What every jitter of this host is; random if not set.
    pub(crate) jitter: Option<Duration>,
    /// Packets that came out of the tunnel.
    pub(crate) delivered: Vec<Vec<u8>>,
    /// Why datagrams were dropped. A data path of its own keeps no record of bad data.
    pub(crate) dropped: Vec<Dropped>,
    outgoing: Vec<Outgoing>,
    mtu: usize,
}

impl Host {
    pub(crate) fn new(number: usize, style: Style) -> Self {
        let private_key = PrivateKey::generate(&mut Seeded::new(0x5eed + number as u64));
        let mut host = Self {
            device: Device::new(Box::new(Seeded::new(1))),
            style,
            address: outer_v4(number),
            private_key,
            wall_offset: 0,
            jitter: None,
            delivered: Vec::new(),
            dropped: Vec::new(),
            outgoing: Vec::new(),
            mtu: 1420,
        };
        host.restart(now(Duration::ZERO, 0), 100 + number as u64);
        host
    }

    /// Starts the program anew: a device with nothing but its private key, and up.
    pub(crate) fn restart(&mut self, now: Now, seed: u64) {
        let random = Seeded::new(seed);
        let random: Box<dyn Random> = match self.jitter {
            Some(jitter) => Box::new(FixedJitter {
                random,
                jitter: u64::try_from(jitter.as_nanos()).unwrap(),
            }),
            None => Box::new(random),
        };
        self.device = Device::new(random);
        self.device
            .set_private_key(now, Some(self.private_key.clone()));
        self.device.set_up(now, true);
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.private_key.public_key::<DefaultCrypto>()
    }

    pub(crate) fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu;
        self.device.set_mtu(mtu);
    }

    /// Both clocks of this host.
    pub(crate) fn now(&self, at: Duration) -> Now {
        now(at, self.wall_offset)
    }

    /// Takes a packet that is to go through the tunnel.
    pub(crate) fn send(&mut self, at: Duration, packet: &[u8]) -> Result<(), PlaintextError> {
        let now = self.now(at);
        match self.style {
            Style::Embedder => self.device.handle_plaintext(now, packet),
            Style::DataPath => self.send_batch(at, &[packet]),
        }
    }

    /// Takes packets to one peer as one run. The data path seals them in one buffer.
    pub(crate) fn send_batch(
        &mut self,
        at: Duration,
        packets: &[&[u8]],
    ) -> Result<(), PlaintextError> {
        let now = self.now(at);
        if self.style == Style::Embedder {
            return packets
                .iter()
                .try_for_each(|packet| self.device.handle_plaintext(now, packet));
        }
        self.device.publish();
        if !self.device.is_up() {
            return Err(PlaintextError::Down);
        }
        let tables = Arc::clone(self.device.tables());
        let first = packets.first().copied().unwrap_or_default();
        let destination = packet::destination(first).ok_or(PlaintextError::NotIp)?;
        let peer = tables.route(destination).ok_or(PlaintextError::NoPeer)?;
        let path = peer.path().ok_or(PlaintextError::NoEndpoint)?;
        let Some(reservation) = peer.reserve(now.monotonic, packets.len() as u64) else {
            packets
                .iter()
                .for_each(|packet| peer.stage(packet.to_vec()));
            let _ = tables.request_service(&peer);
            return Ok(());
        };
        let bytes = self.seal(&reservation, path, packets);
        if peer.sent_data(now.monotonic, &reservation.keypair, bytes) {
            let _ = tables.request_service(&peer);
        }
        Ok(())
    }

    /// Seals packets in one buffer and puts them on the way; returns what they add up to.
    fn seal(
        &mut self,
        reservation: &Reservation<DefaultCrypto>,
        path: Path,
        packets: &[&[u8]],
    ) -> u64 {
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        for (packet, counter) in packets.iter().zip(reservation.first..) {
            let header = buffer.len();
            let len = packet::padded_length(packet.len(), self.mtu);
            let start = header + DATA_HEADER_SIZE;
            buffer.resize(start, 0);
            let remote = reservation.keypair.remote_index();
            write_data_header(&mut buffer[header..], remote, counter);
            buffer.extend_from_slice(packet);
            buffer.resize(start + len + TAG_SIZE, 0);
            places.push(Packet {
                start,
                len,
                counter,
            });
        }
        reservation
            .keypair
            .seal_batch(&mut buffer, &places)
            .expect("the layout is right");
        for (packet, place) in packets.iter().zip(&places) {
            let range = place.start - DATA_HEADER_SIZE..place.start + place.len + TAG_SIZE;
            self.outgoing.push(Outgoing {
                to: path.remote,
                from: path.local.map(|local| local.ip),
                tos: packet::ecn(packet).bits(),
                bytes: buffer[range].to_vec(),
            });
        }
        buffer.len() as u64
    }

    /// Takes a datagram from the network.
    pub(crate) fn receive(&mut self, at: Duration, from: SocketAddr, tos: u8, bytes: &[u8]) {
        let path = Path {
            remote: from,
            local: Some(Local {
                ip: self.address.ip(),
                interface: 2,
            }),
        };
        let ecn = Ecn::from_tos(tos);
        let mut datagram = bytes.to_vec();
        let now = self.now(at);
        match (self.style, parse_data(&datagram)) {
            (Style::DataPath, Some((index, counter))) => {
                self.open(now, path, ecn, &mut datagram, index, counter);
            }
            _ => match self.device.handle_datagram(now, path, ecn, &mut datagram) {
                Ok(Received::Packet { packet, .. }) => self.delivered.push(packet.to_vec()),
                Ok(Received::Control) => {}
                Err(reason) => self.dropped.push(reason),
            },
        }
    }

    /// What a thread of a data path does with transport data.
    fn open(
        &mut self,
        now: Now,
        path: Path,
        ecn: Ecn,
        datagram: &mut [u8],
        index: u32,
        counter: u64,
    ) {
        let tables = Arc::clone(self.device.tables());
        let Some(session) = tables.session(index) else {
            return;
        };
        let sealed = Packet {
            start: DATA_HEADER_SIZE,
            len: datagram.len() - DATA_HEADER_SIZE,
            counter,
        };
        let (peer, keypair) = (session.peer, session.keypair);
        let mut verdicts = [false];
        keypair.open_batch(now.monotonic, datagram, &[sealed], &mut verdicts);
        if verdicts != [true] {
            return;
        }
        let end = datagram.len() - TAG_SIZE;
        let data = end > DATA_HEADER_SIZE;
        let bytes = datagram.len() as u64;
        if peer.received_data(now.monotonic, &tables, &keypair, path, bytes, data) {
            let _ = tables.request_service(&peer);
        }
        let plaintext = &mut datagram[DATA_HEADER_SIZE..end];
        match decapsulate(&tables.routes(), &peer, ecn, plaintext) {
            Ok(length) => self.delivered.push(plaintext[..length].to_vec()),
            Err(reason) if data => self.dropped.push(Dropped::Packet(reason)),
            Err(_) => {}
        }
    }

    /// The host has another address from now on, and its system says so.
    pub(crate) fn move_to(&mut self, address: SocketAddr) {
        self.address = address;
        for peer in self.device.peers() {
            if let Some(path) = peer.shared().path() {
                peer.shared().forget_source(path);
            }
        }
    }

    /// What the host wants to send now.
    pub(crate) fn take_outgoing(&mut self) -> Vec<Outgoing> {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        let mut buffer = Vec::new();
        while let Some(transmit) = self.device.poll_transmit(&mut buffer) {
            outgoing.push(Outgoing {
                to: transmit.path.remote,
                from: transmit.path.local.map(|local| local.ip),
                tos: transmit.tos,
                bytes: buffer.clone(),
            });
        }
        outgoing
    }

    /// The next deadline, on the clock of the network.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let at = self.device.poll_timeout()?;
        Some(Duration::from_nanos(at.as_nanos()).saturating_sub(MONOTONIC_START))
    }

    pub(crate) fn serve(&mut self, at: Duration) {
        let now = self.now(at);
        self.device.handle_timeout(now);
    }
}

fn now(at: Duration, wall_offset: i64) -> Now {
    let monotonic = u64::try_from((MONOTONIC_START + at).as_nanos()).unwrap();
    let unix = UNIX_START + at;
    Now {
        monotonic: Instant::from_nanos(monotonic),
        unix: UnixTime {
            secs: unix.as_secs().saturating_add_signed(wall_offset),
            nanos: unix.subsec_nanos(),
        },
    }
}

/// The address of a host on the network.
pub(crate) fn outer_v4(number: usize) -> SocketAddr {
    let ip = Ipv4Addr::new(192, 0, 2, 1 + number as u8);
    SocketAddr::new(ip.into(), 51820 + number as u16)
}

/// The address of a host inside the tunnel.
pub(crate) fn inner_v4(number: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, 1 + number as u8).into()
}

pub(crate) fn inner_v6(number: usize) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1 + number as u16).into()
}

/// A prefix from its usual form.
pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("address/length");
    Prefix::new(address.parse().unwrap(), length.parse().unwrap()).expect("a length that fits")
}

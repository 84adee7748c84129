//! Devices of the size that the standard test suites try.

use std::io::{self, Read, Write};

use hushwire_config::device::SnapshotSink;
use hushwire_config::uapi::{DeviceControl, Errno, get, reply, serve, set};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};
use hushwire_config::{AllowedIp, Device, PresharedKey, PrivateKey, PublicKey};
use std::net::{Ipv4Addr, SocketAddr};

const COUNT: u32 = 130_561;

fn prefix(number: u32) -> AllowedIp {
    AllowedIp::new(Ipv4Addr::from(0x0a00_0000 + number).into(), 32).unwrap()
}

/// A stream that has everything to read at once, and keeps what is written.
struct Script<'a> {
    input: &'a [u8],
    output: Vec<u8>,
}

impl Read for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A device with one peer that only adds prefixes: the other one, which keeps them apart by
/// looking at all, would take minutes.
#[derive(Default)]
struct Heap(Device);

impl DeviceControl for Heap {
    fn begin(&mut self) {}
    fn set_private_key(&mut self, _key: Option<PrivateKey>) {}
    fn set_listen_port(&mut self, _port: u16) -> Result<(), Errno> {
        Ok(())
    }
    fn set_fwmark(&mut self, _mark: u32) -> Result<(), Errno> {
        Ok(())
    }
    fn remove_all_peers(&mut self) {
        self.0.peers.clear();
    }
    fn is_own_key(&self, _key: &PublicKey) -> bool {
        false
    }
    fn add_peer(&mut self, key: &PublicKey) -> Result<bool, Errno> {
        self.0.peers.push(hushwire_config::device::Peer::new(*key));
        Ok(true)
    }
    fn remove_peer(&mut self, _key: &PublicKey) {}
    fn set_preshared_key(&mut self, _peer: &PublicKey, _key: Option<PresharedKey>) {}
    fn set_endpoint(&mut self, _peer: &PublicKey, _endpoint: SocketAddr) {}
    fn set_persistent_keepalive(&mut self, _peer: &PublicKey, _seconds: u16) {}
    fn clear_allowed_ips(&mut self, _peer: &PublicKey) {}
    fn insert_allowed_ip(&mut self, _peer: &PublicKey, prefix: AllowedIp) -> Result<(), Errno> {
        self.0.allowed_ip(prefix);
        Ok(())
    }
    fn remove_allowed_ip(&mut self, _peer: &PublicKey, _prefix: AllowedIp) {}
    fn commit(&mut self) {}
    fn snapshot(&mut self, sink: &mut dyn SnapshotSink) -> Result<(), Errno> {
        self.0.describe(sink);
        Ok(())
    }
}

#[test]
fn one_peer_with_all_the_prefixes_of_the_script() {
    let settings = PeerSettings {
        replace_allowed_ips: true,
        allowed_ips: (0..COUNT).map(|number| prefix(number).into()).collect(),
        ..PeerSettings::default()
    };
    let public_key = PublicKey::new([1; 32]);
    let peers = vec![PeerUpdate {
        public_key,
        action: PeerAction::Set(settings),
    }];
    let update = DeviceUpdate {
        replace_peers: true,
        peers,
        ..DeviceUpdate::default()
    };
    let mut request = Vec::new();
    set::write(&mut request, &update).unwrap();
    request.extend_from_slice(get::REQUEST);

    let mut device = Heap::default();
    let mut stream = Script {
        input: &request,
        output: Vec::new(),
    };
    serve(&mut stream, &mut device).unwrap();

    let mut replies = &stream.output[..];
    reply::set(&mut replies).unwrap();
    let state = reply::get(&mut replies).unwrap();
    assert!(replies.is_empty());
    assert_eq!(state, device.0);
    assert!(
        state.peers[0]
            .allowed_ips
            .iter()
            .copied()
            .eq((0..COUNT).map(|number| prefix(number).into()))
    );
}

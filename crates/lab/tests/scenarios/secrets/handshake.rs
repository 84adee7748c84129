//! A peer played by the test, so that it knows the keys of the session.

use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hushwire_bench::crowd;
use hushwire_lab::wait_until;
use hushwire_proto::cookie::CookieGenerator;
use hushwire_proto::crypto::Crypto;
use hushwire_proto::handshake::{RemoteStatic, initiate};
use hushwire_proto::key::{PresharedKey, PrivateKey};
use hushwire_proto::messages::{DATA_SIZE_MIN, Message, write_data_header};
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::{Instant, UnixTime};

use super::traces::Secret;
use crate::common::SOON;

/// Where the daemon listens.
pub(crate) const PORT: u16 = 51999;

/// The keys of a session.
pub(crate) struct Session {
    /// The peer's own for sending, and for receiving.
    pub(crate) keys: [Secret; 2],
    socket: UdpSocket,
    /// What the daemon calls the session.
    index: u32,
}

impl Session {
    /// Sends a packet with nothing in it, which confirms the session, and waits for data from the daemon.
    pub(crate) fn exchange(&self) {
        let mut packet = [0; DATA_SIZE_MIN];
        write_data_header(&mut packet, self.index, 0);
        let tag = DefaultCrypto::seal(&self.keys[0].0, 0, &[], &mut []);
        packet[DATA_SIZE_MIN - tag.len()..].copy_from_slice(&tag);
        self.socket.send_to(&packet, ("127.0.0.1", PORT)).unwrap();
        let mut answer = [0; 2048];
        wait_until(SOON, "data", || {
            self.socket.recv(&mut answer).is_ok() && answer[0] == 4
        })
        .unwrap();
    }
}

/// How long to wait for a response before the next try: the daemon takes one initiation at a time, each later than the
/// one before.
const PATIENCE: Duration = Duration::from_millis(200);

/// Shakes hands as the first of the crowd. The daemon has its keys when this returns, whether it has the same
/// pre-shared key or not; if not, nobody else has them.
pub(crate) fn shake_hands(psk: [u8; 32]) -> Option<Session> {
    let mut session = None;
    wait_until(SOON, "a response", || {
        session = attempt(psk);
        session.is_some()
    })
    .unwrap();
    session.flatten()
}

/// None if there is no response, nothing in it if it cannot be opened.
fn attempt(psk: [u8; 32]) -> Option<Option<Session>> {
    let local = crowd::peer(1);
    let server = *crowd::server().public_key();
    let mut remote = RemoteStatic::new(server);
    remote.set_preshared_key(PresharedKey::new(psk));
    let mut ephemeral = [0; 32];
    getrandom(&mut ephemeral);
    let ephemeral = PrivateKey::new(ephemeral);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let timestamp = Tai64n::from_unix(UnixTime {
        secs: since.as_secs(),
        nanos: since.subsec_nanos(),
    });
    let (mut message, state) = initiate(&local, &remote, 7, &ephemeral, timestamp).unwrap();
    let mut macs = CookieGenerator::new::<DefaultCrypto>(&server);
    macs.add_macs::<DefaultCrypto>(Instant::from_nanos(1), &mut message);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&message, ("127.0.0.1", PORT)).unwrap();
    let mut answer = [0; 256];
    let length = socket.recv(&mut answer).ok()?;
    let Ok(Message::Response(response)) = Message::parse(&answer[..length]) else {
        panic!("no response");
    };
    let keys = state.receive_response(&local, &remote, &response);
    Some(keys.map(|keys| Session {
        keys: [Secret(*keys.send), Secret(*keys.recv)],
        index: keys.remote_index,
        socket,
    }))
}

fn getrandom(bytes: &mut [u8]) {
    use std::io::Read;
    let mut source = std::fs::File::open("/dev/urandom").unwrap();
    source.read_exact(bytes).unwrap();
}

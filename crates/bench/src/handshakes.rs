//! A crowd of initiators against one responder: how many handshakes a second does it answer?
//!
//! All initiations are made before the clock starts, so that the responder is never kept waiting,
//! and a fixed number of them is under way at a time, so that its queue stays too short for it to
//! think itself under load and ask for cookies.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use hushwire_proto::cookie::CookieGenerator;
use hushwire_proto::handshake::{InitiatorState, LocalIdentity, RemoteStatic, initiate};
use hushwire_proto::key::PrivateKey;
use hushwire_proto::messages::{INITIATION_SIZE, Message};
use hushwire_proto::provider::DefaultCrypto;
use hushwire_proto::tai64n::Tai64n;
use hushwire_proto::time::{Instant, UnixTime};

use crate::crowd;
use crate::random::Repeatable;

/// The time between two initiations of a peer by their timestamps: more than the granularity of
/// timestamps, and no clock is asked whether it has passed.
const TIMESTAMP_STEP: Duration = Duration::from_millis(50);

/// Who is asked, by how many, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the server of the crowd is.
    pub server: SocketAddr,
    /// Peers that take turns. A responder drops what one peer sends within 20 ms of its last.
    pub peers: u32,
    /// Handshakes in all.
    pub count: u32,
    /// Handshakes under way at a time.
    pub window: u32,
    /// How long there may be no answer before all that are under way count as lost.
    pub patience: Duration,
}

/// What became of the handshakes.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Answers that came.
    pub answered: u32,
    /// Initiations that drew none in time.
    pub lost: u32,
    /// From the first initiation to the last answer.
    pub time: Duration,
}

impl Outcome {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        f64::from(self.answered) / self.time.as_secs_f64()
    }
}

/// Why nothing was measured.
#[derive(Debug)]
pub enum Error {
    /// The network said no.
    Socket(io::Error),
    /// The server answered something else than a handshake, such as a cookie.
    Answer(&'static str),
    /// The plan makes no sense.
    Plan(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "cannot reach the server: {error}"),
            Self::Answer(what) => write!(f, "the server's answer is {what}"),
            Self::Plan(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// Makes all initiations, then sends them and counts the answers.
///
/// # Errors
///
/// When the socket fails, and when an answer is not authentic or none at all.
pub fn measure(plan: &Plan) -> Result<Outcome, Error> {
    if plan.peers == 0 || plan.window == 0 || plan.count < plan.window {
        return Err(Error::Plan(
            "there must be peers, a window, and at least that many handshakes",
        ));
    }
    let crowd = Crowd::new(plan);
    let unspecified = match plan.server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(unspecified)?;
    socket.connect(plan.server)?;
    socket.set_read_timeout(Some(plan.patience))?;
    crowd.run(&socket, plan.window)
}

/// The initiations, in the order in which they are sent; their number is their sender index.
struct Crowd {
    initiations: Vec<[u8; INITIATION_SIZE]>,
    /// Of the very first, to see that the server does a handshake and not something like it.
    first: Probe,
}

struct Probe {
    local: LocalIdentity<DefaultCrypto>,
    remote: RemoteStatic,
    state: Option<InitiatorState<DefaultCrypto>>,
}

impl Crowd {
    fn new(plan: &Plan) -> Self {
        let server = *crowd::server().public_key();
        let mut macs = CookieGenerator::new::<DefaultCrypto>(&server);
        let mut random = Repeatable::new(u64::MAX);
        let mut members: Vec<Probe> = (1..=plan.peers)
            .map(|number| Probe {
                local: crowd::peer(number),
                remote: RemoteStatic::new(server),
                state: None,
            })
            .collect();
        let start = SystemTime::now();
        let start = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut initiations = Vec::with_capacity(plan.count as usize);
        for index in 0..plan.count {
            let member = &mut members[(index % plan.peers) as usize];
            let time = start + TIMESTAMP_STEP * (index / plan.peers);
            let timestamp = Tai64n::from_unix(UnixTime {
                secs: time.as_secs(),
                nanos: time.subsec_nanos(),
            });
            let ephemeral = PrivateKey::generate(&mut random);
            let (local, remote) = (&member.local, &member.remote);
            let (mut message, state) = initiate(local, remote, index, &ephemeral, timestamp)
                .expect("the server's key is a good one");
            macs.add_macs::<DefaultCrypto>(Instant::from_nanos(1), &mut message);
            if index == 0 {
                member.state = Some(state);
            }
            initiations.push(message);
        }
        Self {
            initiations,
            first: members.swap_remove(0),
        }
    }

    fn run(&self, socket: &UdpSocket, window: u32) -> Result<Outcome, Error> {
        let mut waiting = self.initiations.iter();
        let mut open = vec![false; self.initiations.len()];
        let mut send = |open: &mut Vec<bool>| -> Result<u32, Error> {
            let index = self.initiations.len() - waiting.len();
            let Some(message) = waiting.next() else {
                return Ok(0);
            };
            socket.send(message)?;
            open[index] = true;
            Ok(1)
        };
        let start = Clock::now();
        let (mut under_way, mut answered, mut lost) = (0, 0, 0);
        let mut last = start;
        for _ in 0..window {
            under_way += send(&mut open)?;
        }
        let mut datagram = [0; 2048];
        while under_way > 0 {
            match socket.recv(&mut datagram) {
                Ok(len) => {
                    if !self.takes(&datagram[..len], &mut open)? {
                        continue;
                    }
                    answered += 1;
                    under_way -= 1;
                    last = Clock::now();
                    under_way += send(&mut open)?;
                }
                Err(error) if is_timeout(&error) => {
                    lost += under_way;
                    open.fill(false);
                    under_way = 0;
                    for _ in 0..window {
                        under_way += send(&mut open)?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Outcome {
            answered,
            lost,
            time: last - start,
        })
    }

    /// Whether a datagram answers an initiation that waits for it; the first one must be authentic.
    fn takes(&self, datagram: &[u8], open: &mut [bool]) -> Result<bool, Error> {
        let response = match Message::parse(datagram) {
            Ok(Message::Response(response)) => response,
            Ok(Message::CookieReply(_)) => {
                return Err(Error::Answer("a cookie: it is under load"));
            }
            // It greets whom it knows from before.
            Ok(Message::Data(_) | Message::Initiation(_)) => return Ok(false),
            Err(_) => return Err(Error::Answer("no message of the protocol")),
        };
        let waiting = usize::try_from(response.receiver)
            .ok()
            .and_then(|index| open.get_mut(index));
        let is_new = waiting.is_some_and(std::mem::take);
        if response.receiver == 0 && is_new {
            let Probe { local, remote, .. } = &self.first;
            let state = self.first.state.as_ref();
            state
                .and_then(|state| state.receive_response(local, remote, &response))
                .ok_or(Error::Answer("not authentic"))?;
        }
        Ok(is_new)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use std::thread;

    use hushwire_proto::Device;
    use hushwire_proto::ecn::Ecn;
    use hushwire_proto::path::Path;
    use hushwire_proto::time::Now;

    use super::*;

    const COUNT: u32 = 40;

    /// A device on a socket of its own that knows so many of the crowd.
    fn serve(socket: &UdpSocket, peers: u32) {
        let mut device: Device<DefaultCrypto> = Device::new(Box::new(Repeatable::new(99)));
        // Initiations of a peer must be 20 ms apart; this clock makes them so.
        let mut now = Now {
            monotonic: Instant::from_nanos(1),
            unix: UnixTime { secs: 1, nanos: 0 },
        };
        device.set_private_key(now, Some(crowd::server().private_key().clone()));
        device.set_up(now, true);
        for number in 1..=peers {
            let key = *crowd::peer(number).public_key();
            device.add_peer(now, key).expect("a new peer");
        }
        let (mut datagram, mut out) = ([0; 2048], Vec::new());
        for _ in 0..COUNT {
            let (len, from) = socket.recv_from(&mut datagram).expect("an initiation");
            now.monotonic = now.monotonic + Duration::from_millis(30);
            let path = Path::to(from);
            let _ = device.handle_datagram(now, path, Ecn::from_tos(0), &mut datagram[..len]);
            while let Some(transmit) = device.poll_transmit(&mut out) {
                let sent = socket.send_to(&out, transmit.path.remote);
                sent.expect("the crowd listens");
            }
        }
    }

    fn against(known: u32, patience: Duration) -> Outcome {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let server = socket.local_addr().expect("an address");
        let thread = thread::spawn(move || serve(&socket, known));
        let plan = Plan {
            server,
            peers: 4,
            count: COUNT,
            window: 4,
            patience,
        };
        let outcome = measure(&plan).expect("a responder");
        thread.join().expect("the responder stayed well");
        outcome
    }

    #[test]
    fn every_handshake_of_every_peer_is_answered() {
        let outcome = against(4, Duration::from_secs(60));
        assert_eq!((outcome.answered, outcome.lost), (COUNT, 0));
        assert!(outcome.rate() > 0.0);
    }

    #[test]
    fn what_draws_no_answer_is_lost() {
        let outcome = against(3, Duration::from_millis(100));
        assert_eq!(outcome.answered + outcome.lost, COUNT);
        // Perhaps more: on a machine that is busy enough an answer may come too late.
        assert!(outcome.lost >= COUNT / 4);
    }

    #[test]
    fn a_plan_without_peers_is_refused() {
        let plan = Plan {
            server: "127.0.0.1:1".parse().expect("an address"),
            peers: 0,
            count: 1,
            window: 1,
            patience: Duration::from_secs(1),
        };
        assert!(matches!(measure(&plan), Err(Error::Plan(_))));
    }
}

//! Keys are in the memory of a daemon where they are needed and nowhere else, nowhere at all when they have gone, and
//! never in its log. Root may read that memory, as a core dump would show it.

mod handshake;
mod traces;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use hushwire_bench::crowd;
use hushwire_lab::{Daemon, Implementation, wait_until};

use crate::common::{SOON, World, eventually};
use handshake::{PORT, Session, shake_hands};
use traces::{NOWHERE, Secret, Traces, whole};

/// A pre-shared key.
const PSK: Secret = Secret(*b"a pre-shared key, easy to find!!");
/// Another.
const OTHER_PSK: Secret = Secret(*b"MORE SECRETS FOR THE SAME PEER..");

/// A daemon that tells all that it can tell, and a client that stays.
struct Rig {
    daemon: Daemon,
    client: UnixStream,
    world: World,
}

impl Rig {
    fn new() -> Self {
        let world = World::empty();
        world.middle.up("lo").unwrap();
        let environment = [("LOG_LEVEL", "verbose"), ("HUSHWIRE_SANDBOX", "strict")];
        let daemon = Implementation::Hushwired
            .start_with(&world.middle, "wg0", &environment)
            .unwrap();
        world.middle.address("wg0", "10.9.0.1/24").unwrap();
        world.middle.up("wg0").unwrap();
        let connect = || UnixStream::connect("/run/wireguard/wg0.sock").unwrap();
        let client = world.middle.run(connect);
        Self {
            daemon,
            client,
            world,
        }
    }

    /// Asks by way of the client that stays, and gives the answer.
    fn ask(&mut self, request: &str) -> String {
        self.client.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\n\n") {
            let mut byte = [0; 256];
            let length = self.client.read(&mut byte).unwrap();
            assert!(length > 0, "the answer has no end");
            answer.extend_from_slice(&byte[..length]);
        }
        String::from_utf8(answer).unwrap()
    }

    /// Packets both ways.
    fn exchange(&self, session: &Session) {
        let words = ["ping", "-n", "-q", "-i", "0.1", "10.9.0.2"];
        let mut pings = self
            .world
            .middle
            .spawn(self.world.middle.command(&words))
            .unwrap();
        session.exchange();
        pings.kill();
    }

    #[track_caller]
    fn set(&mut self, lines: &str) {
        let answer = self.ask(&format!("set=1\n{lines}\n"));
        assert_eq!(answer, "errno=0\n\n", "{lines}");
    }

    /// The device with its key, and a peer with a pre-shared key and an endpoint.
    fn configure(&mut self) {
        let server = private_key().hex();
        self.set(&format!("private_key={server}\nlisten_port={PORT}\n"));
        self.set(&format!(
            "{}preshared_key={}\nendpoint=127.0.0.1:9\nallowed_ip=10.9.0.2/32\n",
            peer_line(),
            PSK.hex()
        ));
    }

    fn shake_hands(&self, psk: Secret) -> Option<Session> {
        self.world.middle.run(|| shake_hands(psk.0))
    }

    /// Looks until all is as expected: a client has its answer before the thread that gave it has cleaned up.
    #[track_caller]
    fn assert_traces(&self, what: &str, secret: Secret, expected: Traces) {
        let look = || secret.in_memory(self.daemon.process().pid());
        let _ = wait_until(SOON, what, || look() == expected);
        assert_eq!(look(), expected, "{what}");
    }
}

fn private_key() -> Secret {
    Secret(*crowd::server().private_key().as_bytes())
}

fn peer_line() -> String {
    let key = Secret(*crowd::peer(1).public_key().as_bytes());
    format!("public_key={}\n", key.hex())
}

/// The private key is there twice: as what the device tells who asks, and within the library that computes with it.
const PRIVATE: Traces = whole(2);

/// So are those of a session: one for batches, one for single packets.
const SESSION: Traces = whole(2);

#[test]
fn keys_are_where_they_are_needed_and_nowhere_when_they_have_gone() {
    let mut rig = Rig::new();
    rig.configure();
    rig.assert_traces("the private key, set", private_key(), PRIVATE);
    rig.assert_traces("the pre-shared key, set", PSK, whole(1));

    let told = rig.ask("get=1\n\n");
    assert!(told.contains(&PSK.hex()), "it is told");
    rig.assert_traces("the private key, told", private_key(), PRIVATE);
    rig.assert_traces("the pre-shared key, told", PSK, whole(1));

    let session = rig.shake_hands(PSK).expect("the same pre-shared key");
    rig.exchange(&session);
    rig.assert_traces("the private key, used", private_key(), PRIVATE);
    rig.assert_traces("the pre-shared key, used", PSK, whole(1));
    for key in session.keys {
        rig.assert_traces("a session's key", key, SESSION);
    }

    let line = format!("{}preshared_key={}\n", peer_line(), OTHER_PSK.hex());
    rig.set(&line);
    rig.assert_traces("the pre-shared key, changed", PSK, NOWHERE);
    rig.assert_traces("the other pre-shared key", OTHER_PSK, whole(1));

    let other = rig.shake_hands(OTHER_PSK).expect("the same pre-shared key");
    rig.exchange(&other);
    rig.set(&format!("{}remove=true\n", peer_line()));
    rig.assert_traces(
        "the pre-shared key of a peer that has gone",
        OTHER_PSK,
        NOWHERE,
    );
    for key in session.keys.into_iter().chain(other.keys) {
        rig.assert_traces("a session's key, the peer gone", key, NOWHERE);
    }

    rig.set(&format!("private_key={:064}\n", 0));
    rig.assert_traces("the private key, gone", private_key(), NOWHERE);
    assert!(rig.daemon.is_running());
}

#[test]
fn no_key_is_in_the_log_whatever_happens() {
    let mut rig = Rig::new();
    rig.configure();
    let session = rig.shake_hands(PSK).expect("the same pre-shared key");
    // A line that is nearly a key, a key in the wrong place, a peer with another pre-shared key.
    for line in [
        format!("private_key={}\n", &private_key().hex()[1..]),
        format!("private_key={}g\n", &private_key().hex()[1..]),
        format!("{}preshared_key=0x{}\n", peer_line(), PSK.hex()),
        format!("{}endpoint={}:1\n", peer_line(), PSK.hex()),
        format!("{}=1\n", private_key().hex()),
    ] {
        let answer = rig
            .world
            .middle
            .uapi("wg0", &format!("set=1\n{line}\n"))
            .unwrap();
        assert_ne!(answer, "errno=0\n\n", "{line}");
    }
    assert!(
        rig.shake_hands(OTHER_PSK).is_none(),
        "another pre-shared key"
    );
    rig.set(&format!("{}remove=true\n", peer_line()));
    rig.set(&format!("private_key={:064}\n", 0));
    rig.world.middle.down("wg0").unwrap();
    rig.world.middle.up("wg0").unwrap();
    rig.world.middle.delete("wg0").unwrap();
    rig.daemon.wait(SOON).unwrap();
    let output = rig.daemon.process().output();
    assert!(output.stdout.contains("DEBUG: (wg0)"), "{output:?}");
    let keys = [private_key(), PSK, OTHER_PSK];
    for key in keys.into_iter().chain(session.keys) {
        for text in [&output.stdout, &output.stderr] {
            assert_eq!(key.in_text(text), NOWHERE, "{text}");
        }
    }
}

/// A daemon that is killed by a fault of its own leaves no core, though it is allowed to.
#[test]
fn no_core_is_dumped() {
    let world = World::empty();
    let dumps = |words: &[&str]| {
        let script = format!(
            "cd $(mktemp -d) && ulimit -c unlimited && exec {}",
            words.join(" ")
        );
        let mut process = world
            .middle
            .spawn(world.middle.command(&["bash", "-c", &script]))
            .unwrap();
        let pid = process.pid();
        eventually("the program to run", || {
            let command =
                std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            !command.starts_with("bash") && is_ready(&world, words)
        });
        process.signal(rustix::process::Signal::ABORT).unwrap();
        let status = process.wait(SOON).unwrap();
        std::os::unix::process::ExitStatusExt::core_dumped(&status)
    };
    assert!(
        dumps(&["sleep", "1000"]),
        "this system dumps no cores at all"
    );
    let binary = Implementation::Hushwired.binary().unwrap();
    let binary = binary.to_string_lossy();
    assert!(!dumps(&[&binary, "-f", "wg0"]));
}

/// Whether a daemon answers; what is no daemon is ready at once.
fn is_ready(world: &World, words: &[&str]) -> bool {
    words.len() < 3 || world.middle.uapi("wg0", "get=1\n\n").is_ok()
}

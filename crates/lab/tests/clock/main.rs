//! A wall clock that jumps. Initiations carry the time of day, and a responder takes none that is not later than all
//! before (the paper, section 5.1): whose clock was set back must not be locked out. The clock is that of a virtual
//! machine ([`hushwire_lab::vm`]), which no other test looks at. Needs what `cargo xtask install-peers` installs.

use std::fs;
use std::process::ExitCode;

use hushwire_lab::vm::{self, Check};
use hushwire_lab::{Host, Implementation, KeyPair, Lab};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

fn main() -> ExitCode {
    let checks = [
        check("set_back_an_hour", || set_back(HOUR)),
        check("set_back_for_years", || set_back(20 * YEAR)),
        check("set_forward_and_back", set_forward_and_back),
    ];
    vm::main(&checks)
}

const fn check(name: &'static str, run: fn()) -> Check {
    Check {
        name,
        patient: false,
        run,
    }
}

/// A tunnel from hushwired to the kernel's WireGuard, which is strict about timestamps and keeps them for as long as it
/// has the peer.
struct Tunnel {
    left: Host,
    right: Host,
    _daemon: hushwire_lab::Daemon,
    _lab: Lab,
}

impl Tunnel {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let (left, right) = (lab.host("left").unwrap(), lab.host("right").unwrap());
        lab.link(&left, "eth0", &right, "eth0").unwrap();
        left.address("eth0", "10.9.0.1/24").unwrap();
        right.address("eth0", "10.9.0.2/24").unwrap();
        let daemon = Implementation::Hushwired.start(&left, "wg1").unwrap();
        right.netlink().create_wireguard("wg2").unwrap();
        let keys = [&left, &right].map(|host| KeyPair::generate(host).unwrap());
        let ends = [
            (&left, "wg1", "10.7.0.1", "endpoint 10.9.0.2:20000", 10_000),
            (&right, "wg2", "10.7.0.2", "persistent-keepalive 0", 20_000),
        ];
        for (side, (host, interface, address, more, port)) in ends.into_iter().enumerate() {
            let file = format!("/run/{interface}.key");
            host.run(|| fs::write(&file, keys[side].private_base64()))
                .unwrap();
            let other = keys[1 - side].public_base64();
            let words = format!(
                "wg set {interface} private-key {file} listen-port {port} \
                 peer {other} allowed-ips 10.7.0.0/24 {more}"
            );
            host.output(&words.split(' ').collect::<Vec<_>>()).unwrap();
            host.address(interface, &format!("{address}/24")).unwrap();
            host.up(interface).unwrap();
        }
        let tunnel = Self {
            left,
            right,
            _daemon: daemon,
            _lab: lab,
        };
        tunnel.left.ping("10.7.0.2").unwrap();
        tunnel
    }

    /// Forgets the session of the left end, so that it has to shake hands.
    fn forget(&self) {
        self.left.down("wg1").unwrap();
        self.left.up("wg1").unwrap();
    }

    /// When the right end has last shaken hands, by the clock of that moment.
    fn handshake(&self) -> i64 {
        let words = ["wg", "show", "wg2", "latest-handshakes"];
        let text = self.right.output(&words).unwrap().stdout;
        let (_, time) = text.trim_end().split_once('\t').unwrap();
        time.parse().unwrap()
    }
}

/// Moves the clock by so many seconds.
fn step(seconds: i64) {
    let now = clock_gettime(ClockId::Realtime);
    let then = Timespec {
        tv_sec: now.tv_sec + seconds,
        ..now
    };
    clock_settime(ClockId::Realtime, then).unwrap();
}

fn set_back(seconds: i64) {
    let tunnel = Tunnel::new();
    let before = tunnel.handshake();
    step(-seconds);
    for _ in 0..3 {
        tunnel.forget();
        tunnel.left.ping("10.7.0.2").unwrap();
        tunnel.right.ping("10.7.0.1").unwrap();
    }
    let after = tunnel.handshake();
    step(seconds);
    assert!(
        after != 0 && after < before - seconds / 2,
        "{before}, {after}"
    );
}

/// Sessions age by a clock that nobody sets: after a jump forward they go on. A handshake then has a timestamp of the
/// future, and those after it, the clock being right again, must come after that.
fn set_forward_and_back() {
    let tunnel = Tunnel::new();
    let before = tunnel.handshake();
    step(YEAR);
    tunnel.left.ping("10.7.0.2").unwrap();
    assert_eq!(tunnel.handshake(), before, "the session was given up");
    tunnel.forget();
    tunnel.left.ping("10.7.0.2").unwrap();
    let future = tunnel.handshake();
    step(-YEAR);
    tunnel.forget();
    tunnel.left.ping("10.7.0.2").unwrap();
    let after = tunnel.handshake();
    assert!(
        future > before + YEAR / 2 && after < future,
        "{before}, {future}, {after}"
    );
}

//! A tunnel between the kernel and hushwired. Both ends are set up with our `wg`.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use hushwire_lab::{Daemon, Host, Implementation, KeyPair, Lab, send_and_compare, wait_until};

use crate::answer::{Tool, tell};
use crate::config;

/// Longer than anything takes that comes about at all, on an emulated processor.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Who makes an end's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Kernel,
    Hushwired,
}

/// One end.
pub(crate) struct End {
    pub(crate) host: Host,
    pub(crate) interface: &'static str,
    pub(crate) keys: KeyPair,
    /// Inside of the tunnel.
    pub(crate) ipv4: &'static str,
    pub(crate) ipv6: &'static str,
    daemon: Option<Daemon>,
}

/// Two ends on a cable. The left one knows where the right one is, and not the other way round: so the left one has to
/// speak first.
pub(crate) struct TwoEnds {
    pub(crate) left: End,
    pub(crate) right: End,
    _lab: Lab,
}

/// What a tunnel is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Whether the ends meet over IPv6.
    pub(crate) outer_v6: bool,
    pub(crate) preshared_key: bool,
}

impl TwoEnds {
    pub(crate) fn new(left: Make, right: Make, kind: Kind) -> Self {
        let lab = Lab::new().unwrap();
        let hosts = ["left", "right"].map(|name| lab.host(name).unwrap());
        let [left_host, right_host] = &hosts;
        lab.link(left_host, "eth0", right_host, "eth0").unwrap();
        for (host, side) in hosts.iter().zip(["1", "2"]) {
            host.address("eth0", &format!("10.9.0.{side}/24")).unwrap();
            host.address("eth0", &format!("fd00:9::{side}/64")).unwrap();
        }
        let [left_host, right_host] = hosts;
        let ends = Self {
            left: End::new(left, left_host, "wg1", ["192.168.241.1", "fd00::1"]),
            right: End::new(right, right_host, "wg2", ["192.168.241.2", "fd00::2"]),
            _lab: lab,
        };
        ends.introduce(kind);
        ends
    }

    fn introduce(&self, kind: Kind) {
        let Self { left, right, .. } = self;
        let psk = left.file("psk", &config::key(77));
        let (one, two) = (left.keys.public_base64(), right.keys.public_base64());
        let endpoint = if kind.outer_v6 {
            "[fd00:9::2]:20000"
        } else {
            "10.9.0.2:20000"
        };
        left.set(&format!("listen-port 10000 peer {two} endpoint {endpoint}"));
        right.set(&format!("listen-port 20000 peer {one}"));
        for (end, other, key) in [(left, right, &two), (right, left, &one)] {
            end.set(&format!(
                "peer {key} allowed-ips {}/32,{}/128",
                other.ipv4, other.ipv6
            ));
            if kind.preshared_key {
                end.set(&format!("peer {key} preshared-key {psk}"));
            }
        }
    }

    /// One ping from the left end, and one from the right, in each family.
    #[track_caller]
    pub(crate) fn ping_both_ways(&self) {
        let Self { left, right, .. } = self;
        for (end, other) in [(left, right), (right, left)] {
            for address in [other.ipv4, other.ipv6] {
                end.host.ping(address).unwrap();
            }
        }
    }

    /// A TCP stream each way, one in each family.
    #[track_caller]
    pub(crate) fn streams_both_ways(&self, bytes: usize) {
        let Self { left, right, .. } = self;
        for (from, to, address) in [(left, right, right.ipv6), (right, left, left.ipv4)] {
            let address: IpAddr = address.parse().unwrap();
            send_and_compare(&from.host, &to.host, address, bytes, SOON).unwrap();
        }
    }
}

impl End {
    fn new(make: Make, host: Host, interface: &'static str, inside: [&'static str; 2]) -> Self {
        let daemon = match make {
            Make::Kernel => {
                host.netlink().create_wireguard(interface).unwrap();
                None
            }
            Make::Hushwired => Some(Implementation::Hushwired.start(&host, interface).unwrap()),
        };
        let [ipv4, ipv6] = inside;
        host.mtu(interface, 1420).unwrap();
        host.address(interface, &format!("{ipv4}/24")).unwrap();
        host.address(interface, &format!("{ipv6}/64")).unwrap();
        host.up(interface).unwrap();
        let end = Self {
            keys: KeyPair::generate(&host).unwrap(),
            host,
            interface,
            ipv4,
            ipv6,
            daemon,
        };
        let private = end.file("private", &end.keys.private_base64());
        end.set(&format!("private-key {private}"));
        end
    }

    /// Whether the kernel makes its interface.
    pub(crate) fn is_the_kernels(&self) -> bool {
        self.daemon.is_none()
    }

    /// Changes the interface by the words of `wg set`.
    #[track_caller]
    pub(crate) fn set(&self, words: &str) {
        let mut line = vec!["set", self.interface];
        line.extend(words.split_whitespace());
        assert_eq!(tell(&self.host, Tool::Ours, &line), "");
    }

    /// Gives the interface a fresh private key, and tells its public key.
    pub(crate) fn new_key(&self) -> String {
        let keys = KeyPair::generate(&self.host).unwrap();
        let private = self.file("private", &keys.private_base64());
        self.set(&format!("private-key {private}"));
        keys.public_base64()
    }

    /// What follows the peer's key in a selector's answer.
    #[track_caller]
    pub(crate) fn peers(&self, selector: &str) -> String {
        let text = tell(&self.host, Tool::Ours, &["show", self.interface, selector]);
        let (_, rest) = text.trim_end().split_once('\t').expect("one peer");
        rest.to_owned()
    }

    /// Waits until a selector answers this.
    #[track_caller]
    pub(crate) fn comes_to(&self, selector: &str, expected: &str) {
        let what = format!("{} {selector} to be {expected}", self.interface);
        wait_until(SOON, &what, || self.peers(selector) == expected).unwrap();
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = format!("/run/{}.{name}", self.interface);
        self.host.run(|| fs::write(&path, text)).unwrap();
        path
    }
}

//! Devices with very many peers, through our own tool and our own daemon. Need root.

use std::fmt::Write as _;
use std::time::Duration;

use crate::common::{Directory, HUSHWIRE, HUSHWIRED, PRIVATE_KEY, PUBLIC_KEY};
use hushwire_config::key::PublicKey;
use hushwire_lab::{Daemon, Host, Implementation, Lab};

/// A build for tests on a busy machine may take a while; how long tells nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a daemon with 20,000 peers may keep in memory, in bytes.
const MEMORY_LIMIT: u64 = 64_000_000;

struct Scene {
    daemon: Daemon,
    host: Host,
    directory: Directory,
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.host("many").unwrap();
        let command = host.command(&[HUSHWIRED, "-f", "wg0"]);
        let daemon = Implementation::Hushwired
            .start_command(&host, "wg0", command)
            .unwrap();
        Self {
            daemon,
            host,
            directory: Directory::new(),
            _lab: lab,
        }
    }

    fn wg(&self, words: &[&str]) -> String {
        let words = [&[HUSHWIRE][..], words].concat();
        let output = self.host.output_within(PATIENCE, &words).unwrap();
        assert_eq!(output.stderr, "", "{words:?}");
        output.stdout
    }

    /// Applies a configuration with the peers of these numbers.
    fn apply(&self, verb: &str, numbers: impl Iterator<Item = u32>) {
        let file = self.directory.write("wg0.conf", &configuration(numbers));
        self.wg(&[verb, "--timeout", "300", "wg0", file.to_str().unwrap()]);
    }

    fn dump(&self) -> String {
        self.wg(&["show", "--timeout", "300", "wg0", "dump"])
    }
}

fn configuration(numbers: impl Iterator<Item = u32>) -> String {
    let mut text = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nListenPort = 51820\n");
    for number in numbers {
        let (key, ip) = (key(number), ip(number));
        let _ = writeln!(text, "[Peer]\nPublicKey = {key}\nAllowedIPs = {ip}");
    }
    text
}

/// The key of a peer: its number, and nothing that anybody has a private key for.
fn key(number: u32) -> String {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PublicKey::new(bytes).to_base64().as_str().to_owned()
}

fn ip(number: u32) -> String {
    let [top, a, b, c] = number.to_be_bytes();
    assert_eq!(top, 0, "a number too large");
    format!("10.{a}.{b}.{c}/32")
}

/// The dump of a device on which nothing has happened.
fn expected(numbers: impl Iterator<Item = u32>) -> String {
    let mut text = format!("{PRIVATE_KEY}\t{PUBLIC_KEY}\t51820\toff\n");
    for number in numbers {
        let (key, ip) = (key(number), ip(number));
        let _ = writeln!(text, "{key}\t(none)\t(none)\t{ip}\t0\t0\t0\toff");
    }
    text
}

fn assert_same(got: &str, expected: &str) {
    let differing = got.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert_eq!(differing, None);
    assert_eq!(got.lines().count(), expected.lines().count());
}

#[test]
fn a_hundred_thousand_peers_come_and_go() {
    const COUNT: u32 = 100_000;
    let scene = Scene::new();
    scene.apply("setconf", 0..COUNT);
    assert_same(&scene.dump(), &expected(0..COUNT));

    // Half of them go, as many others come, and those that stay are where they were.
    scene.apply("syncconf", (0..2 * COUNT).step_by(2));
    let stayed = (0..COUNT).step_by(2);
    let came = (COUNT..2 * COUNT).step_by(2);
    assert_same(&scene.dump(), &expected(stayed.chain(came)));

    let json = scene.wg(&["show", "--json", "--timeout", "300", "wg0"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let peers = value["interfaces"][0]["peers"].as_array().map(Vec::len);
    assert_eq!(peers, usize::try_from(COUNT).ok());

    scene.apply("setconf", 7..8);
    assert_same(&scene.dump(), &expected(7..8));
}

#[test]
fn twenty_thousand_peers_are_small() {
    let scene = Scene::new();
    scene.host.up("wg0").unwrap();
    scene.apply("setconf", 0..20_000);
    scene.dump();
    let bytes = scene.daemon.process().usage().unwrap().memory;
    assert!(bytes < MEMORY_LIMIT, "{bytes} bytes");
}

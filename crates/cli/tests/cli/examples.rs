//! The examples of `examples/`, brought up in the laboratory and pinged across. Needs root.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{Directory, HUSHWIRE, LIMIT, run_as};
use crate::compose::Compose;
use crate::micro_vm::MicroVm;
use hushwire_lab::{Host, Lab, Nat, Process, require_tools, wait_until};
use rustix::process::Signal;

/// An example.
struct Example {
    name: &'static str,
    /// The hosts with their addresses in the world.
    hosts: &'static [(&'static str, &'static str)],
    /// Further addresses.
    own: &'static [(&'static str, &'static str)],
    /// Hosts behind a NAT, whose address in the world is that of the NAT.
    hidden: &'static [&'static str],
    /// Who pings whom.
    pings: &'static [(&'static str, &'static str)],
    /// Who must not reach whom.
    apart: &'static [(&'static str, &'static str)],
    /// What is to be done first.
    before: fn(&Stage),
    /// What else is true while all of it is up.
    check: fn(&Stage),
}

impl Example {
    /// Puts addresses in the places of hosts' names, for which Docker has a name server.
    fn with_addresses(&self, text: String) -> String {
        self.hosts.iter().fold(text, |text, (name, address)| {
            text.replace(&format!(" {name}:"), &format!(" {address}:"))
        })
    }
}

const PLAIN: Example = Example {
    name: "",
    hosts: &[],
    own: &[],
    hidden: &[],
    pings: &[],
    apart: &[],
    before: |_| (),
    check: |_| (),
};

static EXAMPLES: [Example; 11] = [
    Example {
        name: "two-servers",
        hosts: &[("alice", "192.0.2.1"), ("bob", "198.51.100.1")],
        pings: &[("alice", "10.0.0.2"), ("bob", "fd00::1")],
        ..PLAIN
    },
    Example {
        name: "hub-and-spokes",
        hosts: &[
            ("hub", "192.0.2.1"),
            ("north", "198.51.100.1"),
            ("south", "203.0.113.1"),
        ],
        pings: &[
            ("north", "10.0.0.1"),
            ("south", "10.0.0.1"),
            ("north", "10.0.0.3"),
        ],
        ..PLAIN
    },
    Example {
        name: "full-mesh",
        hosts: &[
            ("ams", "192.0.2.1"),
            ("ber", "198.51.100.1"),
            ("cph", "203.0.113.1"),
        ],
        pings: &[
            ("ams", "10.0.0.2"),
            ("ber", "10.0.0.3"),
            ("cph", "10.0.0.1"),
        ],
        ..PLAIN
    },
    Example {
        name: "road-warrior",
        hosts: &[
            ("server", "192.0.2.1"),
            ("full", "198.51.100.1"),
            ("split", "203.0.113.1"),
        ],
        // The way out of somebody else's network, which only the server's address leads back from.
        pings: &[
            ("full", "10.0.0.1"),
            ("full", "203.0.113.254"),
            ("split", "10.0.0.1"),
        ],
        ..PLAIN
    },
    Example {
        name: "site-to-site",
        hosts: &[("east", "192.0.2.1"), ("west", "198.51.100.1")],
        own: &[("east", "192.168.1.1/24"), ("west", "192.168.2.1/24")],
        pings: &[("east", "192.168.2.1"), ("west", "192.168.1.1")],
        ..PLAIN
    },
    Example {
        name: "two-planes",
        hosts: &[("alice", "192.0.2.1"), ("bob", "198.51.100.1")],
        pings: &[("alice", "10.1.0.2"), ("bob", "10.2.0.1")],
        ..PLAIN
    },
    Example {
        name: "relay",
        hosts: &[
            ("relay", "192.0.2.1"),
            ("home", "198.51.100.1"),
            ("office", "203.0.113.1"),
        ],
        hidden: &["home", "office"],
        pings: &[
            ("home", "10.0.0.1"),
            ("office", "10.0.0.1"),
            ("home", "10.1.0.2"),
            ("office", "10.1.0.1"),
        ],
        apart: &[("home", "10.0.0.3"), ("office", "10.0.0.2")],
        ..PLAIN
    },
    Example {
        name: "network-namespace",
        hosts: &[("server", "192.0.2.1"), ("client", "198.51.100.1")],
        before: make_namespace,
        check: check_namespace,
        ..PLAIN
    },
    Example {
        name: "keys-elsewhere",
        hosts: &[("alice", "192.0.2.1"), ("bob", "198.51.100.1")],
        pings: &[("alice", "10.0.0.2")],
        ..PLAIN
    },
    Example {
        name: "docker-compose",
        hosts: &[
            ("relay", "192.0.2.1"),
            ("client", "198.51.100.1"),
            ("laptop", "203.0.113.1"),
        ],
        pings: &[("client", "10.0.0.1"), ("laptop", "10.0.0.2")],
        before: make_containers,
        ..PLAIN
    },
    Example {
        name: "micro-vm",
        hosts: &[("server", "192.0.2.1"), ("machine", "198.51.100.1")],
        pings: &[("machine", "10.0.1.1"), ("machine", "192.0.2.1")],
        check: check_micro_vm,
        ..PLAIN
    },
];

/// How a container starts `hushwire`.
const FOREGROUND: [&str; 2] = ["run", "--container"];

/// The ports that a NAT of the laboratory gives.
const NAT_PORTS: RangeInclusive<u16> = 20_000..=20_099;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Puts keys in the places of the texts in parentheses.
struct Keys(BTreeMap<String, [String; 2]>);

impl Keys {
    fn fill_in(&mut self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('(') {
            let (words, after) = after.split_once(')').expect("the end of a text");
            let (kind, who) = words.split_once(" key of ").expect("whose key");
            let pair = self.0.entry(who.to_owned()).or_insert_with(key_pair);
            filled.push_str(before);
            filled.push_str(&pair[usize::from(kind == "public")]);
            rest = after;
        }
        filled + rest
    }
}

fn key_pair() -> [String; 2] {
    let run = |word: &str, input: &str| {
        let outcome = run_as(HUSHWIRE, "hushwire", &[word], input);
        outcome.stdout.trim().to_owned()
    };
    let private = run("genkey", "");
    let public = run("pubkey", &private);
    [private, public]
}

/// Copies a folder of keys into that of a host.
fn copy_keys(source: &Path, host: &Path, keys: &mut Keys) {
    let folder = host.join(source.file_name().unwrap());
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let source = entry.unwrap().path();
        let text = keys.fill_in(&fs::read_to_string(&source).unwrap());
        let path = folder.join(source.file_name().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A world in which everybody has a network of its own, and a router is in all of them.
fn world(lab: &Lab, example: &Example) -> Vec<Host> {
    let router = lab.host("router").unwrap();
    router.forward().unwrap();
    let mut hosts = Vec::new();
    for (index, (name, address)) in example.hosts.iter().enumerate() {
        let host = lab.host(name).unwrap();
        let interface = format!("eth{index}");
        if example.hidden.contains(name) {
            let nat = lab.host(&format!("NAT of {name}")).unwrap();
            join(lab, &nat, address, &router, &interface);
            lab.link(&host, "eth0", &nat, "inside").unwrap();
            host.address("eth0", "192.168.0.2/24").unwrap();
            nat.address("inside", "192.168.0.1/24").unwrap();
            host.route_via("0.0.0.0/0", "192.168.0.1").unwrap();
            Nat::new(&nat, "eth0").unwrap();
            hosts.push(nat);
        } else {
            join(lab, &host, address, &router, &interface);
        }
        for (_, own) in example.own.iter().filter(|(owner, _)| owner == name) {
            host.address("lo", own).unwrap();
        }
        hosts.push(host);
    }
    hosts.push(router);
    hosts
}

/// Gives a host its address in the world and the way there.
fn join(lab: &Lab, host: &Host, address: &str, router: &Host, interface: &str) {
    let (network, _) = address.rsplit_once('.').unwrap();
    let gateway = format!("{network}.254");
    lab.link(host, "eth0", router, interface).unwrap();
    host.address("eth0", &format!("{address}/24")).unwrap();
    router.address(interface, &format!("{gateway}/24")).unwrap();
    host.route_via("0.0.0.0/0", &gateway).unwrap();
}

/// An example in a laboratory: its hosts, and its files with keys in them.
struct Stage {
    example: &'static Example,
    hosts: Vec<Host>,
    files: Vec<(&'static str, PathBuf)>,
    lab: Lab,
    _directory: Directory,
}

impl Stage {
    fn new(example: &'static Example) -> Self {
        let lab = Lab::new().unwrap();
        let hosts = world(&lab, example);
        let directory = Directory::new();
        let mut keys = Keys(BTreeMap::new());
        let mut files = Vec::new();
        for (number, (name, _)) in example.hosts.iter().enumerate() {
            let folder = examples().join(example.name).join(name);
            fs::create_dir(directory.path().join(name)).unwrap();
            for entry in fs::read_dir(&folder).unwrap() {
                let source = entry.unwrap().path();
                if source.is_dir() {
                    copy_keys(&source, &directory.path().join(name), &mut keys);
                    continue;
                }
                let interface = source.file_stem().unwrap().to_string_lossy();
                // The hosts of a laboratory share the folder of control sockets.
                let file = format!("{interface}-{number}.conf");
                let text = keys.fill_in(&fs::read_to_string(&source).unwrap());
                let text = example.with_addresses(text);
                let path = directory.write(&format!("{name}/{file}"), &text);
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                files.push((*name, path));
            }
        }
        assert!(!files.is_empty(), "{} has no files", example.name);
        Self {
            example,
            hosts,
            files,
            lab,
            _directory: directory,
        }
    }

    fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|host| host.name() == name).unwrap()
    }

    /// Does the same with every file.
    fn run(&self, verb: &str) {
        for (name, path) in &self.files {
            let path = path.to_string_lossy();
            let output = self.host(name).output(&[HUSHWIRE, verb, &path]).unwrap();
            let strange = output.stderr.lines().find(|line| line.contains(".conf:"));
            assert_eq!(strange, None, "{}", self.example.name);
        }
    }

    /// `hushwire run` with every file, as in containers.
    fn run_in_the_foreground(&self) -> Vec<Process> {
        let start = |(name, path): &(&str, PathBuf)| {
            let path = path.to_string_lossy();
            let host = self.host(name);
            let command = host.command(&[&[HUSHWIRE], &FOREGROUND[..], &[&*path]].concat());
            let mut process = host.spawn(command).unwrap();
            wait_until(LIMIT, "the ready line", || {
                process.output().stdout.contains(" is up: ") || !process.is_running()
            })
            .unwrap();
            assert!(process.is_running(), "{:?}", process.output());
            process
        };
        self.files.iter().map(start).collect()
    }

    fn assert_joined(&self) {
        let example = self.example;
        for (from, to) in example.pings {
            let pinged = self.host(from).ping(to);
            pinged.unwrap_or_else(|error| panic!("{}: {from} to {to}: {error}", example.name));
        }
        for (from, to) in example.apart {
            let words = ["ping", "-n", "-c", "1", "-W", "1", to];
            let pinged = self.host(from).output(&words);
            assert!(pinged.is_err(), "{}: {from} to {to}", example.name);
        }
        for name in example.hidden {
            self.assert_hidden(name);
        }
    }

    /// The others know a hidden host by the address of its NAT, and a port that the NAT has chosen.
    fn assert_hidden(&self, name: &str) {
        let (_, address) = self
            .example
            .hosts
            .iter()
            .find(|host| host.0 == name)
            .unwrap();
        // Control sockets are those of the whole laboratory.
        let command = [HUSHWIRE, "show", "all", "endpoints"];
        let endpoints = self.host(name).output(&command).unwrap().stdout;
        let seen = endpoints
            .split_whitespace()
            .filter_map(|word| word.strip_prefix(address)?.strip_prefix(':')?.parse().ok())
            .collect::<Vec<u16>>();
        assert!(
            !seen.is_empty() && seen.iter().all(|port| NAT_PORTS.contains(port)),
            "{name} is not hidden: {endpoints}"
        );
    }

    fn assert_gone(&self) {
        for (name, path) in &self.files {
            let interface = path.file_stem().unwrap().to_string_lossy();
            let link = self.host(name).netlink().link(&interface).unwrap();
            assert!(
                link.is_none(),
                "{}: {interface} of {name}",
                self.example.name
            );
        }
    }
}

fn play(example: &'static Example) {
    let stage = Stage::new(example);
    (example.before)(&stage);
    stage.run("up");
    stage.assert_joined();
    (example.check)(&stage);
    stage.run("down");
    stage.assert_gone();
}

/// What Docker does to the network of a container.
fn make_containers(stage: &Stage) {
    let compose = Compose::read(examples().join(stage.example.name));
    for service in ["relay", "client"] {
        for (name, value) in compose.sysctls(service) {
            stage.host(service).sysctl(&name, &value).unwrap();
        }
    }
}

/// The namespace of the example, as it is made before the tunnel.
fn make_namespace(stage: &Stage) {
    let words = ["ip", "netns", "add", "inside"];
    stage.host("client").output(&words).unwrap();
}

/// Inside there is the tunnel and nothing else, outside all is as before.
fn check_namespace(stage: &Stage) {
    let client = stage.host("client");
    let inside = |words: &[&str]| {
        let enter = ["ip", "netns", "exec", "inside"];
        client.output(&[&enter, words].concat())
    };
    let ping = |address| inside(&["ping", "-n", "-c", "1", "-w", "20", address]);
    ping("10.0.0.1").unwrap();
    // Somebody outside, whom only the server leads to.
    ping("198.51.100.254").unwrap();
    let links = inside(&["ip", "-o", "link"]).unwrap().stdout;
    assert_eq!(links.lines().count(), 2, "{links}");
    assert!(
        links.contains(" lo: ") && links.contains(" wg0-1: "),
        "{links}"
    );
    let outside = client.netlink().links().unwrap();
    assert!(outside.iter().all(|link| link.name != "wg0-1"));
    client.ping("192.0.2.1").unwrap();
    inside(&["ip", "link", "set", "wg0-1", "down"]).unwrap();
    let error = ping("192.0.2.1").unwrap_err().to_string();
    assert!(error.contains("unreachable"), "{error}");
}

#[test]
fn every_example_works() {
    require_tools(&["bash", "ip", "nft", "ping", "sysctl"]).unwrap();
    for example in &EXAMPLES {
        play(example);
    }
}

/// The VM has a way through the tunnel, and none without it.
fn check_micro_vm(stage: &Stage) {
    let machine = stage.host("machine");
    let vm = MicroVm::start(&stage.lab, machine, "tap0");
    vm.guest.address("eth0", "10.0.1.2/24").unwrap();
    vm.guest.up("eth0").unwrap();
    vm.guest.route_via("0.0.0.0/0", "10.0.1.1").unwrap();
    vm.guest.ping("10.0.0.1").unwrap();
    stage.host("server").ping("10.0.1.2").unwrap();
    // The machine's own router, to which the machine itself goes directly.
    vm.guest.ping("198.51.100.254").unwrap();
    machine.down("wg0-1").unwrap();
    machine.ping("198.51.100.254").unwrap();
    let words = ["ping", "-n", "-c", "1", "-W", "20", "198.51.100.254"];
    let error = vm.guest.output(&words).unwrap_err().to_string();
    assert!(error.contains("Packet filtered"), "{error}");
}

fn example(name: &str) -> &'static Example {
    EXAMPLES
        .iter()
        .find(|example| example.name == name)
        .unwrap()
}

/// As [`play`], with `hushwire run`.
fn play_in_the_foreground(name: &str) {
    require_tools(&["bash", "ip", "nft", "ping", "sysctl"]).unwrap();
    let stage = Stage::new(example(name));
    (stage.example.before)(&stage);
    let mut running = stage.run_in_the_foreground();
    stage.assert_joined();
    (stage.example.check)(&stage);
    for process in &mut running {
        process.signal(Signal::INT).unwrap();
        let status = process.wait(LIMIT).unwrap();
        assert_eq!(status.code(), Some(0), "{:?}", process.output());
    }
    stage.assert_gone();
}

#[test]
fn the_namespace_works_in_the_foreground_too() {
    play_in_the_foreground("network-namespace");
}

#[test]
fn the_containers_can_be_made_and_reach_each_other() {
    let compose = Compose::read(examples().join("docker-compose"));
    compose.assert_sound();
    for service in ["relay", "client"] {
        let command = compose.command(service);
        assert_eq!(command[..2], FOREGROUND, "{service}");
    }
    play_in_the_foreground("docker-compose");
}

#[test]
fn no_example_is_forgotten() {
    let folders = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let list = fs::read_to_string(examples().join("README.md")).unwrap();
    for folder in folders.filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            EXAMPLES.iter().any(|example| example.name == name),
            "{name} is not tested"
        );
        assert!(
            list.contains(&format!("({name})")),
            "{name} is not in the list"
        );
        assert!(folder.join("README.md").is_file(), "{name} has no README");
    }
}

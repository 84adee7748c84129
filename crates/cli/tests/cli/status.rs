//! `hushwire status`: what daemons tell of themselves, ours and others. Needs root.

use std::fs;
use std::net::{SocketAddrV6, UdpSocket};
use std::os::unix::fs::symlink;

use crate::common::{HUSHWIRE, HUSHWIRED, LIMIT};
use hushwire_lab::{Error, Host, Implementation, Lab, Output, wait_until};
use serde_json::{Value, json};

fn world() -> (Lab, Host) {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    (lab, host)
}

/// Gives an interface a private key, and what else is said.
fn configure(host: &Host, name: &str, lines: &str) {
    let set = format!("set=1\nprivate_key={}\n{lines}\n", "58".repeat(32));
    assert_eq!(host.uapi(name, &set).unwrap(), "errno=0\n\n");
}

/// A daemon in the background, under the strict sandbox: a call for its answer that is on no list
/// would end it.
fn start(host: &Host, words: &[&str]) {
    let mut command = vec![HUSHWIRED, "--sandbox", "strict"];
    command.extend(words);
    host.output_within(LIMIT, &command).unwrap();
}

fn status(host: &Host, words: &[&str]) -> Output {
    let mut command = vec![HUSHWIRE, "status"];
    command.extend(words);
    host.output_within(LIMIT, &command).unwrap()
}

/// The only interface of the answer.
fn interface(host: &Host, name: &str) -> Value {
    let said = status(host, &["--json", name]).stdout;
    let mut document: Value = serde_json::from_str(&said).unwrap();
    let interfaces = document["interfaces"].as_array_mut().unwrap();
    assert_eq!(interfaces.len(), 1, "{said}");
    interfaces.remove(0)
}

/// The daemon's process as it numbers itself: hosts of the laboratory have numbers of their own.
fn own_number_of_the_daemon(host: &Host) -> u64 {
    let [pid] = host.processes()[..] else {
        panic!("not one process: {:?}", host.processes());
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let numbers = lines.find_map(|line| line.strip_prefix("NSpid:"));
    let own = numbers.and_then(|numbers| numbers.split_whitespace().last());
    own.unwrap().parse().unwrap()
}

fn lines_with<'a>(text: &'a str, part: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(part)).collect()
}

#[test]
fn a_daemon_that_drops_packets_says_why_and_what_to_do() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    host.address("wg0", "10.0.0.1/24").unwrap();
    let keyless = status(&host, &["wg0"]).stdout;
    assert!(keyless.contains("there is no private key"), "{keyless}");
    configure(&host, "wg0", "");
    let down = status(&host, &["wg0"]).stdout;
    assert_eq!(lines_with(&down, "problem").len(), 1, "{down}");
    assert!(down.contains("the interface is down"), "{down}");
    host.up("wg0").unwrap();
    wait_until(LIMIT, "the device to be up", || {
        interface(&host, "wg0")["up"] == true
    })
    .unwrap();
    host.run(|| {
        let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
        for _ in 0..5 {
            let _ = socket.send_to(b"nobody has this address", "10.0.0.2:9");
        }
    });
    wait_until(LIMIT, "the packets to be counted", || {
        interface(&host, "wg0")["dropped"]["no-peer"] == 5
    })
    .unwrap();
    // What is for a group is nobody's mistake: the kernel itself sends such packets.
    host.address("wg0", "fd00::1/64").unwrap();
    let index = host.netlink().index_of("wg0").unwrap();
    host.run(|| {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let all = SocketAddrV6::new("ff02::1".parse().unwrap(), 9, 0, index);
        socket.send_to(b"whoever is there", all).unwrap();
    });
    wait_until(LIMIT, "the group's packet to be counted", || {
        interface(&host, "wg0")["dropped"]["multicast"].as_u64() > Some(0)
    })
    .unwrap();
    let text = status(&host, &["wg0"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "interface: wg0");
    assert!(lines[1].starts_with("  problem:    "), "{text}");
    assert!(
        lines[1].contains("5 packets dropped on the way out: no peer"),
        "{text}"
    );
    assert!(
        text.contains("hushwire set wg0 peer KEY allowed-ips"),
        "{text}"
    );
    assert_eq!(lines_with(&text, "problem:").len(), 1, "{text}");
}

#[test]
fn a_daemon_tells_what_it_makes_use_of() {
    let (_lab, host) = world();
    start(
        &host,
        &[
            "--disable",
            "udp-gso",
            "--queues",
            "2",
            "--memory-limit",
            "48M",
            "wg0",
        ],
    );
    configure(&host, "wg0", "");
    host.mtu("wg0", 1300).unwrap();
    wait_until(LIMIT, "the MTU", || interface(&host, "wg0")["mtu"] == 1300).unwrap();
    let told = interface(&host, "wg0");
    assert_eq!(told["pid"].as_u64(), Some(own_number_of_the_daemon(&host)));
    assert_eq!(told["backend"], "userspace");
    assert_eq!(told["daemon"], "hushwire");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&told["queues"], &told["threads"]), (&json!(2), &json!(6)));
    assert_eq!(told["memory_limit"], 48 << 20);
    let reserved = told["memory_reserved"].as_u64().unwrap();
    let resident = told["memory_resident"].as_u64().unwrap();
    assert!((1 << 20..reserved).contains(&resident), "{told}");
    assert!(reserved < 48 << 20, "{told}");
    for family in ["udp-gso4", "udp-gso6"] {
        let off = json!({"state": "off", "detail": "switched off"});
        assert_eq!(told["offloads"][family], off, "{told}");
    }
    assert_eq!(told["offloads"]["tun-tso4"]["state"], "on");
    for layer in ["capabilities", "no-new-privileges", "landlock", "seccomp"] {
        let state = &told["sandbox"][layer]["state"];
        assert!(*state == "on" || *state == "partial", "{layer}: {told}");
    }
    assert_eq!(told["sandbox"]["user"]["state"], "off");
    let down = "the interface is down";
    assert_eq!(told["problems"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["problems"][0]["problem"], down);
}

#[test]
fn a_peer_that_does_not_answer_is_told() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    host.address("wg0", "10.0.0.1/24").unwrap();
    host.up("lo").unwrap();
    host.up("wg0").unwrap();
    // Nobody listens there. More packets than wait for a session.
    let peer = format!(
        "public_key={}\nendpoint=127.0.0.1:9\nallowed_ip=10.0.0.2/32\n",
        "c5".repeat(32)
    );
    configure(&host, "wg0", &peer);
    host.run(|| {
        let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
        for _ in 0..200 {
            socket.send_to(b"is anybody there?", "10.0.0.2:9").unwrap();
        }
    });
    wait_until(LIMIT, "the handshake and the drops to be told", || {
        let told = interface(&host, "wg0");
        told["unanswered"] == 1 && told["dropped"]["no-session"].as_u64() > Some(0)
    })
    .unwrap();
    let text = status(&host, &["wg0"]).stdout;
    let first = text.lines().nth(1).unwrap();
    assert!(first.contains("1 peer has not answered"), "{text}");
}

#[test]
fn without_its_sandbox_a_daemon_has_a_problem() {
    let (_lab, host) = world();
    host.output_within(LIMIT, &[HUSHWIRED, "--sandbox", "off", "wg0"])
        .unwrap();
    let text = status(&host, &["wg0"]).stdout;
    assert!(
        text.contains("sandbox: seccomp is off: --sandbox off"),
        "{text}"
    );
}

#[test]
fn daemons_of_other_makes_are_named_and_what_is_known_is_told() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    let daemons: Vec<_> = Implementation::OTHERS
        .iter()
        .enumerate()
        .map(|(index, other)| other.start(&host, &format!("other{index}")).unwrap())
        .collect();
    host.mtu("other0", 1234).unwrap();
    let go = status(&host, &["other0"]).stdout;
    assert!(
        go.contains("daemon:     wireguard-go: it tells no status"),
        "{go}"
    );
    assert!(lines_with(&go, "link:")[0].ends_with(", MTU 1234"), "{go}");
    let all = status(&host, &["--json"]).stdout;
    let all: Value = serde_json::from_str(&all).unwrap();
    let of = |name: &str| {
        let interfaces = all["interfaces"].as_array().unwrap();
        let found = interfaces.iter().find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {all}")).clone()
    };
    assert_eq!(of("wg0")["daemon"], "hushwire");
    for (index, program) in ["wireguard-go", "boringtun-cli", "gotatun"]
        .iter()
        .enumerate()
    {
        let other = of(&format!("other{index}"));
        assert_eq!(other["daemon"], *program);
        assert_eq!(
            (&other["version"], &other["pid"]),
            (&Value::Null, &Value::Null)
        );
    }
    drop(daemons);
}

/// The process that listened first has ended then.
#[test]
fn a_daemon_of_another_make_in_the_background_is_named() {
    let (_lab, host) = world();
    let program = Implementation::WireguardGo.binary().unwrap();
    host.output_within(LIMIT, &[program.to_str().unwrap(), "wg0"])
        .unwrap();
    assert_eq!(interface(&host, "wg0")["daemon"], "wireguard-go");
}

#[test]
fn what_cannot_be_read_is_said_and_the_exit_status_tells() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    match host.output_within(LIMIT, &[HUSHWIRE, "status", "nosuch"]) {
        Err(Error::Failed { code, output, .. }) => {
            assert_eq!((code, output.stdout.as_str()), (Some(1), ""));
            let said = output.stderr;
            assert!(
                said.starts_with("Unable to access interface nosuch: "),
                "{said}"
            );
        }
        other => panic!("{other:?}"),
    }
    match host.output_within(LIMIT, &[HUSHWIRE, "status", "wg0", "wg1"]) {
        Err(Error::Failed { code, output, .. }) => {
            assert_eq!(code, Some(1));
            assert!(output.stderr.starts_with("Usage: "), "{output:?}");
        }
        other => panic!("{other:?}"),
    }
    // wg(8) has no such command.
    let link = "/run/wg";
    host.run(|| symlink(HUSHWIRE, link)).unwrap();
    match host.output_within(LIMIT, &[link, "status"]) {
        Err(Error::Failed { code, output, .. }) => {
            assert_eq!(code, Some(1));
            assert!(
                output.stderr.starts_with("Invalid subcommand: `status'"),
                "{output:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

//! What a running daemon has given up, and that it misses nothing of it.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;

use hushwire_lab::{Host, Implementation, Lab, require_tools};

use crate::common::{Shell, World, eventually, implementation, ping, start};

fn alone() -> (Lab, Host) {
    require_tools(&["ip", "wg"]).unwrap();
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    (lab, host)
}

fn ours() -> bool {
    implementation() == Implementation::Hushwired
}

/// A field of /proc/PID/task/TID/status for each thread, with the thread's name.
fn of_each_thread(pid: i32, field: &str) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let value = |status: &str, field: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {field}"))
            .trim()
            .to_owned()
    };
    status
        .map(|status| (value(&status, "Name"), value(&status, field)))
        .collect()
}

#[track_caller]
fn every_thread_has(pid: i32, field: &str, expected: &str) {
    for (thread, value) in of_each_thread(pid, field) {
        assert_eq!(value, expected, "{field} of {thread}");
    }
}

/// In the background, as wg-quick starts it.
fn daemon(host: &Host, options: &[&str]) -> i32 {
    let program = implementation().binary().unwrap().display().to_string();
    let mut words = vec![program.as_str()];
    words.extend(options);
    words.push("wg1");
    host.output(&words).unwrap();
    let [pid] = host.processes()[..] else {
        panic!("one process: {:?}", host.processes())
    };
    pid.try_into().unwrap()
}

/// CAP_NET_ADMIN, capabilities(7).
const NET_ADMIN: &str = "0000000000001000";

#[test]
fn every_thread_is_locked_in() {
    if !ours() {
        return;
    }
    let (_lab, host) = alone();
    let pid = daemon(&host, &[]);
    // Clients have threads of their own.
    let clients: Vec<_> = (0..20)
        .map(|_| host.run(|| UnixStream::connect("/run/wireguard/wg1.sock").unwrap()))
        .collect();
    eventually("a thread for each client", || {
        let threads = of_each_thread(pid, "Name");
        threads
            .iter()
            .filter(|(name, _)| name == "uapi-client")
            .count()
            == 20
    });
    eventually("the clients to be in their own sandbox", || {
        // One filter more than the thread that accepts them.
        let filters = of_each_thread(pid, "Seccomp_filters");
        let of = |name: &str| {
            let mut found = filters.iter().filter(move |(thread, _)| thread == name);
            found.all(|(_, count)| {
                count.parse::<u32>().unwrap() == if name == "uapi" { 4 } else { 5 }
            })
        };
        of("uapi") && of("uapi-client")
    });
    for name in [
        "egress",
        "ingress",
        "control",
        "uapi",
        "hushwired",
        "signals",
    ] {
        let threads = of_each_thread(pid, "Name");
        assert!(
            threads.iter().any(|(thread, _)| thread == name),
            "{name}: {threads:?}"
        );
    }
    every_thread_has(pid, "NoNewPrivs", "1");
    every_thread_has(pid, "Seccomp", "2");
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        every_thread_has(pid, set, NET_ADMIN);
    }
    for set in ["CapInh", "CapAmb"] {
        every_thread_has(pid, set, "0000000000000000");
    }
    drop(clients);
}

#[test]
fn without_a_sandbox_nothing_is_given_up() {
    if !ours() {
        return;
    }
    let (_lab, host) = alone();
    let pid = daemon(&host, &["--sandbox", "off"]);
    every_thread_has(pid, "NoNewPrivs", "0");
    every_thread_has(pid, "Seccomp", "0");
}

#[test]
fn a_user_of_its_own() {
    if !ours() {
        return;
    }
    let (_lab, host) = alone();
    let pid = daemon(&host, &["--sandbox", "strict", "--user", "nobody"]);
    every_thread_has(pid, "CapEff", NET_ADMIN);
    every_thread_has(pid, "Groups", "");
    let nobody = host.sh("id -u nobody");
    let nobody = nobody.trim();
    every_thread_has(pid, "Uid", &[nobody; 4].join("\t"));
    // What takes rights: a mark, a socket, the device down and up.
    host.sh("wg set wg1 fwmark 7 listen-port 5555");
    host.sh("ip link set wg1 up");
    host.sh("ip link set wg1 down");
    host.sh("ip link set wg1 up");
    eventually("its sockets", || {
        host.sh("ss -Hlun sport = :5555").contains("5555")
    });
}

#[test]
fn low_ports_are_for_those_who_ask() {
    if !ours() {
        return;
    }
    let (_lab, host) = alone();
    daemon(&host, &["--sandbox", "strict"]);
    host.sh_fails("wg set wg1 listen-port 443");
    host.delete("wg1").unwrap();
    eventually("the end", || host.processes().is_empty());
    let pid = daemon(&host, &["--sandbox", "strict", "--low-ports"]);
    host.sh("wg set wg1 listen-port 443");
    // CAP_NET_BIND_SERVICE as well.
    every_thread_has(pid, "CapEff", "0000000000001400");
}

/// The sandbox is strict in all scenarios: a call on no list would end the daemon.
#[test]
fn a_life_with_all_turns_misses_nothing() {
    if !ours() {
        return;
    }
    let (lab, host) = alone();
    let other = lab.host("other").unwrap();
    start(&host, "wg1");
    let key = host.sh("wg genkey");
    for _ in 0..2 {
        let set = "wg set wg1 private-key /dev/stdin listen-port 0 fwmark 9";
        host.sh_with_input(set, &key);
        for line in [
            "ip link set wg1 up",
            "ip link set wg1 mtu 1300",
            "wg set wg1 listen-port 4444",
            "wg show wg1",
            "ip link set wg1 down",
            "ip link set wg1 up",
        ] {
            host.sh(line);
        }
    }
    let clients: Vec<UnixStream> = (0..20)
        .map(|_| host.run(|| UnixStream::connect("/run/wireguard/wg1.sock").unwrap()))
        .collect();
    for mut client in &clients {
        client.write_all(b"get=1\n\n").unwrap();
    }
    drop(clients);
    {
        let mut netlink = host.netlink();
        let index = netlink.index_of("wg1").unwrap();
        netlink.move_to_namespace(index, other.namespace()).unwrap();
    }
    for line in [
        "ip link set wg1 up",
        "ip link set wg1 down",
        "ip link set wg1 up",
    ] {
        other.sh(line);
    }
    assert_eq!(host.processes().len(), 1, "the daemon has ended");
    other.delete("wg1").unwrap();
    eventually("the end", || host.processes().is_empty());
}

#[test]
fn a_tunnel_with_traffic_misses_nothing() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    ping(&world.two, "192.168.241.1");
}

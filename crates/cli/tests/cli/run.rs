//! `hushwire run` on hosts of the laboratory: what is up, and that it goes down again. Needs root.

use std::fs;
use std::net::UdpSocket;

use crate::common::{Directory, HUSHWIRE, LIMIT, OTHER_PRIVATE_KEY, PRIVATE_KEY, PUBLIC_KEY};
use hushwire_lab::{Host, Lab, Process, require_tools, wait_until};
use hushwire_netlink::{IpFamily, MAIN_TABLE, Rule};
use rustix::process::Signal;

/// A host with a network of its own.
fn world() -> (Lab, Host) {
    require_tools(&["bash", "nft", "ping", "setpriv"]).unwrap();
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    (lab, host)
}

/// The public key of the other private key, by our own command.
fn other_public_key() -> String {
    let outcome = crate::common::run_as(HUSHWIRE, "wg", &["pubkey"], OTHER_PRIVATE_KEY);
    outcome.stdout.trim().to_owned()
}

fn spawn(host: &Host, file: &std::path::Path) -> Process {
    let mut command = host.command(&[HUSHWIRE, "run", "--container"]);
    command.arg(file).env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
    host.spawn(command).unwrap()
}

/// Brings a configuration up and waits for the line that says so.
fn up(host: &Host, file: &std::path::Path) -> (Process, String) {
    until_ready(spawn(host, file))
}

/// Waits for the line that says that all is up.
fn until_ready(mut process: Process) -> (Process, String) {
    let ready = |process: &Process| {
        let output = process.output().stdout;
        let line = output.lines().find(|line| line.contains(" is up: "));
        line.map(str::to_owned)
    };
    wait_until(LIMIT, "the ready line", || {
        ready(&process).is_some() || !process.is_running()
    })
    .unwrap();
    let line = ready(&process).unwrap_or_else(|| panic!("{:?}", process.output()));
    (process, line)
}

fn down(mut process: Process) {
    process.signal(Signal::INT).unwrap();
    let status = process.wait(LIMIT).unwrap();
    assert_eq!(status.code(), Some(0), "{:?}", process.output());
}

/// Runs a configuration that cannot be brought up, and returns what is said.
fn refused(host: &Host, file: &std::path::Path) -> String {
    let mut process = spawn(host, file);
    let status = process.wait(LIMIT).unwrap();
    let output = process.output();
    assert_ne!(status.code(), Some(0), "{output:?}");
    output.stderr
}

/// Everything about a host's network that a tunnel changes.
#[derive(Debug, PartialEq)]
struct State {
    links: Vec<String>,
    routes: Vec<hushwire_netlink::Route>,
    rules: Vec<Rule>,
    tables: String,
    sockets: usize,
}

fn state(host: &Host) -> State {
    let mut netlink = host.netlink();
    let mut rules = netlink.rules(IpFamily::V4).unwrap();
    rules.extend(netlink.rules(IpFamily::V6).unwrap());
    State {
        links: netlink
            .links()
            .unwrap()
            .into_iter()
            .map(|link| link.name)
            .collect(),
        routes: netlink
            .routes(hushwire_netlink::RouteFilter::default())
            .unwrap(),
        rules,
        tables: host.output(&["nft", "list", "tables"]).unwrap().stdout,
        sockets: host.run(|| fs::read_dir("/run/wireguard").unwrap().count()),
    }
}

#[test]
fn everything_is_up_and_goes_down_again() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let notes = directory.path().join("notes");
    let notes = notes.display();
    let other = other_public_key();
    let file = directory.write(
        "wg0.conf",
        &format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\nListenPort = 51999\nFwMark = 0x77\n\
             Address = 10.7.0.1/24, fd07::1/64\nMTU = 1380\nDNS = 1.1.1.1\n\
             PreUp = echo pre-up %i >> {notes}\nPostUp = echo post-up %i >> {notes}\n\
             PreDown = echo pre-down %i >> {notes}\nPostDown = echo post-down %i >> {notes}\n\
             [Peer]\nPublicKey = {other}\nEndpoint = localhost:999\n\
             AllowedIPs = 10.7.0.2/32, 192.168.77.0/24, 2001:db8:7::/48\n"
        ),
    );
    let before = state(&host);
    let (process, line) = up(&host, &file);
    assert_eq!(
        line,
        "wg0 is up: 10.7.0.1/24, fd07::1/64, listening on 51999, 1 peer"
    );
    let dns = process.output().stderr;
    assert!(
        dns.contains("DNS is not set up: this is a container"),
        "{dns}"
    );

    let link = host.netlink().link("wg0").unwrap().unwrap();
    assert!(link.up);
    assert_eq!(link.mtu, 1380);
    let addresses = host.netlink().addresses(link.index).unwrap();
    let addresses: Vec<String> = addresses.iter().map(|a| a.prefix.to_string()).collect();
    for address in ["10.7.0.1/24", "fd07::1/64"] {
        assert!(addresses.contains(&address.to_owned()), "{addresses:?}");
    }
    let routes: Vec<String> = state(&host)
        .routes
        .iter()
        .filter(|route| route.device == Some(link.index) && route.table == MAIN_TABLE)
        .map(|route| route.destination.to_string())
        .collect();
    for route in ["192.168.77.0/24", "2001:db8:7::/48", "10.7.0.0/24"] {
        assert!(routes.contains(&route.to_owned()), "{routes:?}");
    }
    assert!(
        !routes.contains(&"10.7.0.2/32".to_owned()),
        "the subnet's own route covers it: {routes:?}"
    );
    let device = host.uapi("wg0", "get=1\n\n").unwrap();
    for line in [
        "listen_port=51999\n",
        "fwmark=119\n",
        "allowed_ip=10.7.0.2/32\n",
        ":999\n",
    ] {
        assert!(device.contains(line), "{line}");
    }

    down(process);
    assert_eq!(state(&host), before);
    let notes = fs::read_to_string(directory.path().join("notes")).unwrap();
    assert_eq!(
        notes,
        "pre-up wg0\npost-up wg0\npre-down wg0\npost-down wg0\n"
    );
}

#[test]
fn the_end_of_the_device_is_the_end_of_all() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let other = other_public_key();
    let file = directory.write(
        "wg0.conf",
        &format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n\
             [Peer]\nPublicKey = {other}\nAllowedIPs = 0.0.0.0/0\n"
        ),
    );
    let before = state(&host);
    let (mut process, _) = up(&host, &file);
    host.delete("wg0").unwrap();
    assert_eq!(
        process.wait(LIMIT).unwrap().code(),
        Some(0),
        "{:?}",
        process.output()
    );
    assert_eq!(state(&host), before);
}

/// Two hosts; all traffic of the first goes through a tunnel to the second, though a strict
/// reverse path filter is on. The first one's process has no right but that over its network.
#[test]
fn all_traffic_goes_through_the_tunnel_with_no_right_but_one() {
    let (lab, alice) = world();
    let bob = lab.host("bob").unwrap();
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "192.0.2.1/24").unwrap();
    bob.address("eth0", "192.0.2.2/24").unwrap();
    alice.route_via("0.0.0.0/0", "192.0.2.2").unwrap();
    for (name, value) in [("all", "1"), ("eth0", "1")] {
        alice
            .sysctl(&format!("net.ipv4.conf.{name}.rp_filter"), value)
            .unwrap();
    }
    bob.address("lo", "203.0.113.1/32").unwrap();
    bob.address("lo", "2001:db8::113/128").unwrap();
    let directory = Directory::new();
    let other = other_public_key();
    let files = [
        directory.write(
            "alice.conf",
            &format!(
                "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24, fd07::1/64\n\
                 [Peer]\nPublicKey = {other}\nEndpoint = 192.0.2.2:51820\n\
                 AllowedIPs = 0.0.0.0/0, ::/0\n"
            ),
        ),
        directory.write(
            "bob.conf",
            &format!(
                "[Interface]\nPrivateKey = {OTHER_PRIVATE_KEY}\nListenPort = 51820\n\
                 Address = 10.7.0.2/24, fd07::2/64\n\
                 [Peer]\nPublicKey = {PUBLIC_KEY}\nAllowedIPs = 10.7.0.1/32, fd07::1/128\n"
            ),
        ),
    ];
    let before = state(&alice);
    let (bob_up, _) = up(&bob, &files[1]);
    let mut command = alice.command(&["setpriv", "--inh-caps=-all,+net_admin"]);
    command
        .args(["--bounding-set=-all,+net_admin", HUSHWIRE, "run"])
        .arg(&files[0]);
    let mut process = alice.spawn(command).unwrap();
    wait_until(LIMIT, "the ready line", || {
        !process.output().stdout.is_empty() || !process.is_running()
    })
    .unwrap();
    assert!(process.is_running(), "{:?}", process.output());
    let address = alice.output(&["ping", "-n", "-c", "1", "-W", "10", "203.0.113.1"]);
    address.unwrap_or_else(|error| panic!("{error}; {:?}", process.output()));
    alice.ping("2001:db8::113").unwrap();
    alice.ping("10.7.0.2").unwrap();
    let device = alice.uapi("alice", "get=1\n\n").unwrap();
    assert!(device.contains("fwmark=51820\n"));
    down(process);
    down(bob_up);
    let after = state(&alice);
    assert_eq!(after, before);
}

#[test]
fn one_of_two_tunnels_for_all_traffic_takes_away_its_own_rules_only() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let other = other_public_key();
    let text = format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = 0.0.0.0/0\n"
    );
    let first = directory.write("first.conf", &text);
    let second = directory.write("second.conf", &text);
    let before = state(&host);
    let (first, _) = up(&host, &first);
    let (second, _) = up(&host, &second);
    down(first);
    let rules = host.netlink().rules(IpFamily::V4).unwrap();
    let by_mark: Vec<_> = rules.iter().filter(|rule| rule.inverted).collect();
    let by_length: Vec<_> = rules
        .iter()
        .filter(|rule| rule.suppress_prefix_length == Some(0))
        .collect();
    let ([by_mark], [by_length]) = (&by_mark[..], &by_length[..]) else {
        panic!("{rules:?}");
    };
    assert_eq!(by_mark.table, 51821, "the table of the first was taken");
    assert!(by_length.priority < by_mark.priority, "{rules:?}");
    down(second);
    assert_eq!(state(&host), before);
}

#[test]
fn tables_other_than_the_main_one() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let other = other_public_key();
    for (table, expected) in [("off", None), ("1234", Some(1234)), ("default", Some(253))] {
        let file = directory.write(
            "wg0.conf",
            &format!(
                "[Interface]\nPrivateKey = {PRIVATE_KEY}\nTable = {table}\n[Peer]\n\
                 PublicKey = {other}\nAllowedIPs = 10.9.0.0/16, 0.0.0.0/0\n"
            ),
        );
        let before = state(&host);
        let (process, line) = up(&host, &file);
        assert!(line.contains("no address"), "{line}");
        let routes: Vec<_> = state(&host).routes;
        let tables: Vec<_> = routes
            .iter()
            .filter(|route| route.destination.is_ipv4())
            .map(|route| route.table)
            .collect();
        assert_eq!(
            tables,
            vec![expected; 2].into_iter().flatten().collect::<Vec<_>>()
        );
        assert_eq!(state(&host).rules, before.rules);
        down(process);
    }
    let file = directory.write(
        "wg0.conf",
        &format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nTable = no-such-table\n"),
    );
    let said = refused(&host, &file);
    assert!(
        said.contains("no-such-table") && said.contains("rt_tables"),
        "{said}"
    );
}

#[test]
fn the_mtu_follows_the_smallest_path_to_an_endpoint() {
    let (lab, host) = world();
    let bob = lab.host("bob").unwrap();
    lab.link(&host, "eth0", &bob, "eth0").unwrap();
    lab.link_with_mtu(&host, "eth1", &bob, "eth1", 1400)
        .unwrap();
    host.address("eth0", "192.0.2.1/24").unwrap();
    host.address("eth1", "198.51.100.1/24").unwrap();
    host.route_via("0.0.0.0/0", "192.0.2.2").unwrap();
    let directory = Directory::new();
    let other = other_public_key();
    for (peers, expected) in [
        (String::new(), 1420),
        (
            format!("[Peer]\nPublicKey = {other}\nEndpoint = 198.51.100.2:1\n"),
            1320,
        ),
        (
            format!(
                "[Peer]\nPublicKey = {other}\nEndpoint = 198.51.100.2:1\n\
                 [Peer]\nPublicKey = {PUBLIC_KEY_OF_NOBODY}\nEndpoint = 192.0.2.2:1\n"
            ),
            1320,
        ),
    ] {
        let text = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\n{peers}");
        let (process, _) = up(&host, &directory.write("wg0.conf", &text));
        assert_eq!(host.netlink().link("wg0").unwrap().unwrap().mtu, expected);
        down(process);
    }
}

const PUBLIC_KEY_OF_NOBODY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

#[test]
fn a_failure_on_the_way_leaves_nothing_behind() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let taken = host.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let port = taken.local_addr().unwrap().port();
    let other = other_public_key();
    host.netlink().create_veth("veth0", "veth1", None).unwrap();
    host.up("veth0").unwrap();
    host.route_on("10.66.0.0/16", "veth0").unwrap();
    let interface = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n");
    let peer = format!("[Peer]\nPublicKey = {other}\n");
    let cases = [
        (
            format!("{interface}ListenPort = {port}\n"),
            port.to_string(),
        ),
        (
            format!("{interface}PreUp = exit 5\n"),
            "PreUp command `exit 5`".to_owned(),
        ),
        (
            format!("{interface}PostUp = exit 5\n{peer}AllowedIPs = 0.0.0.0/0\n"),
            "PostUp command `exit 5`".to_owned(),
        ),
        (
            format!("{interface}{peer}AllowedIPs = 0.0.0.0/0, 10.66.0.0/16\n"),
            "10.66.0.0/16".to_owned(),
        ),
    ];
    let before = state(&host);
    for (text, part) in cases {
        let said = refused(&host, &directory.write("wg0.conf", &text));
        assert!(said.contains(&part), "{said}");
        assert_eq!(state(&host), before, "{text}");
    }
    let file = directory.write("veth0.conf", &interface);
    let said = refused(&host, &file);
    assert!(said.contains("`veth0` exists already"), "{said}");
    assert_eq!(state(&host), before);
}

#[test]
fn a_failing_command_on_the_way_down_does_not_stop_it() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let before = state(&host);
    let file = directory.write(
        "wg0.conf",
        &format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nPreDown = exit 3\n"),
    );
    let (mut process, _) = up(&host, &file);
    process.signal(Signal::TERM).unwrap();
    assert_eq!(process.wait(LIMIT).unwrap().code(), Some(3));
    let said = process.output().stderr;
    assert!(said.contains("PreDown command `exit 3`"), "{said}");
    assert_eq!(state(&host), before);
}

#[test]
fn a_host_without_ipv6_does_without() {
    let (_lab, host) = world();
    for name in ["all", "default", "lo"] {
        host.sysctl(&format!("net.ipv6.conf.{name}.disable_ipv6"), "1")
            .unwrap();
    }
    let directory = Directory::new();
    let other = other_public_key();
    let file = directory.write(
        "wg0.conf",
        &format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24, fd07::1/64\n\
             [Peer]\nPublicKey = {other}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
        ),
    );
    let (process, _) = up(&host, &file);
    assert!(
        process.output().stderr.contains("IPv6 is off"),
        "{:?}",
        process.output()
    );
    down(process);
}

#[test]
fn the_service_manager_hears_when_all_is_up() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let file = directory.write(
        "wg0.conf",
        &format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n"),
    );
    let path = directory.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let mut command = host.command(&[HUSHWIRE, "run", "--container"]);
    command.arg(&file).env("NOTIFY_SOCKET", &path);
    let process = host.spawn(command).unwrap();
    let heard = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert!(heard().starts_with("READY=1\nSTATUS=wg0 is up: "));
    assert!(host.netlink().link("wg0").unwrap().unwrap().up);
    down(process);
    assert!(heard().starts_with("STOPPING=1\n"));
}

#[test]
fn what_a_reload_has_made_goes_down_too() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let other = other_public_key();
    let text = format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = 10.8.0.0/16\n"
    );
    let file = directory.write("wg0.conf", &text);
    let before = state(&host);
    let (process, _) = up(&host, &file);
    for prefixes in ["0.0.0.0/0", "::/0", "0.0.0.0/0, ::/0"] {
        directory.write("wg0.conf", &text.replace("10.8.0.0/16", prefixes));
        let path = file.to_string_lossy().into_owned();
        host.output(&[HUSHWIRE, "reload", &path]).unwrap();
    }
    assert_eq!(state(&host).rules.len(), before.rules.len() + 4);
    down(process);
    assert_eq!(state(&host), before);
}

/// A service manager starts anew what ends with a failure; strace(1) makes one, and ends as the program does.
#[test]
fn a_device_that_fails_is_a_failure_and_leaves_nothing() {
    require_tools(&["strace"]).unwrap();
    let (_lab, host) = world();
    let directory = Directory::new();
    let file = directory.write(
        "wg0.conf",
        &format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\nListenPort = 51999\nAddress = 10.7.0.1/24\n"
        ),
    );
    let before = state(&host);
    let inject = [
        "-e",
        "trace=recvmmsg",
        "-e",
        "inject=recvmmsg:error=ENOTSOCK",
    ];
    let mut command = host.command(&["strace", "-f", "-qq", "-o", "/dev/null"]);
    command.args(inject).args([HUSHWIRE, "run", "--container"]);
    command.arg(&file);
    let (mut process, _) = until_ready(host.spawn(command).unwrap());
    host.run(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"x", "127.0.0.1:51999").unwrap();
    });
    let status = process.wait(LIMIT).unwrap();
    let said = process.output().stderr;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("the device has failed"), "{said}");
    assert_eq!(state(&host), before);
}

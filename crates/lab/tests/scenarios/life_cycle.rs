//! How the daemon comes and goes, and what it says when it cannot come.

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::Path;

use hushwire_lab::{Host, Lab, Process, require_tools};

use crate::common::{Key, SOON, Shell, World, eventually, implementation, ping, start};

/// One host.
fn alone() -> (Lab, Host) {
    require_tools(&["ip", "setpriv", "unshare", "wg"]).unwrap();
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    (lab, host)
}

fn program() -> String {
    implementation().binary().unwrap().display().to_string()
}

/// The daemon in the foreground, usable.
fn in_foreground(host: &Host, interface: &str) -> Process {
    let command = host.command(&[&program(), "--sandbox", "strict", "-f", interface]);
    let process = host.spawn(command).unwrap();
    eventually("the device to answer", || {
        host.uapi(interface, "get=1\n\n").is_ok()
    });
    process
}

fn socket_exists(host: &Host, interface: &str) -> bool {
    host.run(|| Path::new(&format!("/run/wireguard/{interface}.sock")).exists())
}

fn link_exists(host: &Host, interface: &str) -> bool {
    host.netlink().link(interface).unwrap().is_some()
}

/// What a daemon leaves when it ends in good order: nothing.
#[track_caller]
fn nothing_is_left(host: &Host, interface: &str) {
    eventually("the device to be gone", || !link_exists(host, interface));
    eventually("the socket to be gone", || !socket_exists(host, interface));
    eventually("the processes to be gone", || host.processes().is_empty());
}

/// The daemon cannot start: one sentence on standard error that has these words in it, exit code 1, nothing left.
#[track_caller]
fn fails_to_start(host: &Host, line: &str, words: &[&str]) {
    let (code, message) = host.sh_fails(line);
    assert_eq!(code, Some(1), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing: {message}");
    }
}

#[test]
fn it_returns_as_soon_as_the_device_is_usable() {
    let (_lab, host) = alone();
    for round in 0..5 {
        let output = host.output(&[&program(), "wg1"]).unwrap();
        assert_eq!(output.stdout, "");
        // No waiting here: that it returned is the promise.
        assert!(link_exists(&host, "wg1"), "round {round}");
        host.sh("wg set wg1 listen-port 0");
        host.sh("ip link set wg1 up");
        host.delete("wg1").unwrap();
        nothing_is_left(&host, "wg1");
    }
}

#[test]
fn the_device_may_be_moved_away_at_once() {
    let (lab, host) = alone();
    let other = lab.host("other").unwrap();
    for _ in 0..5 {
        host.output(&[&program(), "wg1"]).unwrap();
        {
            let mut netlink = host.netlink();
            let index = netlink.index_of("wg1").unwrap();
            netlink.move_to_namespace(index, other.namespace()).unwrap();
        }
        other.up("wg1").unwrap();
        host.sh("wg set wg1 listen-port 0");
        other.delete("wg1").unwrap();
        nothing_is_left(&host, "wg1");
    }
}

#[test]
fn both_signals_end_it_in_good_order() {
    let (_lab, host) = alone();
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut process = in_foreground(&host, "wg1");
        process.signal(signal).unwrap();
        let status = process.wait(SOON).unwrap();
        assert_eq!(status.code(), Some(0));
        nothing_is_left(&host, "wg1");
    }
}

#[test]
fn a_signal_ends_it_in_the_background_too() {
    let (_lab, host) = alone();
    host.output(&[&program(), "wg1"]).unwrap();
    let [daemon] = host.processes()[..] else {
        panic!("one process")
    };
    let daemon = rustix::process::Pid::from_raw(daemon.try_into().unwrap()).unwrap();
    rustix::process::kill_process(daemon, rustix::process::Signal::TERM).unwrap();
    nothing_is_left(&host, "wg1");
}

#[test]
fn it_ends_with_its_socket_file() {
    let (_lab, host) = alone();
    let mut process = in_foreground(&host, "wg1");
    host.run(|| fs::remove_file("/run/wireguard/wg1.sock"))
        .unwrap();
    process.wait(SOON).unwrap();
    nothing_is_left(&host, "wg1");
}

#[test]
fn it_ends_with_its_device_wherever_that_is() {
    let (lab, host) = alone();
    let other = lab.host("other").unwrap();
    let mut process = in_foreground(&host, "wg1");
    {
        let mut netlink = host.netlink();
        let index = netlink.index_of("wg1").unwrap();
        netlink.move_to_namespace(index, other.namespace()).unwrap();
    }
    other.up("wg1").unwrap();
    other.delete("wg1").unwrap();
    process.wait(SOON).unwrap();
    nothing_is_left(&host, "wg1");
}

#[test]
fn names_can_be_used_again_at_once() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    world.one.delete("wg1").unwrap();
    world.two.delete("wg2").unwrap();
    // No waiting here. The daemons that go still hold their sockets for a moment.
    start(&world.middle, "wg1");
    start(&world.middle, "wg2");
    world.move_link("wg1", &world.middle, &world.one);
    world.move_link("wg2", &world.middle, &world.two);
    world.configure();
    world.meet("127.0.0.1", "127.0.0.1");
    ping(&world.one, "192.168.241.2");
    ping(&world.two, "fd00::1");
}

#[test]
fn what_a_killed_one_left_does_not_stand_in_the_way() {
    let (_lab, host) = alone();
    in_foreground(&host, "wg1").kill();
    assert!(
        socket_exists(&host, "wg1"),
        "a killed process removes nothing"
    );
    let mut process = in_foreground(&host, "wg1");
    assert!(process.is_running());
}

#[test]
fn a_taken_name_is_refused_and_the_one_who_has_it_lives_on() {
    let (_lab, host) = alone();
    let mut first = in_foreground(&host, "wg1");
    for line in ["wg1", "-f wg1"] {
        fails_to_start(&host, &format!("{} {line}", program()), &["wg1"]);
    }
    assert!(first.is_running());
    assert!(link_exists(&host, "wg1"));
    host.sh("wg set wg1 listen-port 0");

    // An interface of another kind has the name.
    host.sh("ip link add br0 type bridge");
    fails_to_start(&host, &format!("{} br0", program()), &["br0"]);
    assert!(!socket_exists(&host, "br0"));
}

#[test]
fn a_taken_port_is_refused_and_the_device_lives_on() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    for place in ["0.0.0.0:7777", "[::]:7778"] {
        let port = place.rsplit(':').next().unwrap();
        let foreign = world.middle.run(|| UdpSocket::bind(place)).unwrap();
        let (code, message) = world
            .middle
            .sh_fails(&format!("wg set wg1 listen-port {port}"));
        assert_eq!(code, Some(1));
        assert!(message.contains("Address already in use"), "{message}");
        drop(foreign);
        world.wg(&format!("wg1 listen-port {port}"));
        ping(&world.one, "192.168.241.2");
    }
    // Nor does it share its own.
    let error = world
        .middle
        .run(|| UdpSocket::bind("0.0.0.0:7778"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn two_devices_cannot_have_the_same_port() {
    let world = World::loopback_v4();
    let (code, message) = world.middle.sh_fails("wg set wg1 listen-port 20000");
    assert_eq!(code, Some(1));
    assert!(message.contains("Address already in use"), "{message}");
    world.wg("wg1 listen-port 10000");
    ping(&world.one, "192.168.241.2");
}

#[test]
fn a_name_that_cannot_be_one_is_refused() {
    let (_lab, host) = alone();
    let program = program();
    fails_to_start(
        &host,
        &format!("{program} a-name-far-too-long"),
        &["a-name-far-too-long"],
    );
    fails_to_start(&host, &format!("{program} ../wg1"), &["../wg1"]);
}

#[test]
fn a_wrong_command_line_is_refused_with_a_hint() {
    let (_lab, host) = alone();
    for line in ["", "wg1 wg2", "--no-such-option wg1", "-f"] {
        let (code, message) = host.sh_fails(&format!("{} {line}", program()));
        assert_eq!(code, Some(1), "{line}: {message}");
        assert!(!message.trim().is_empty(), "{line}");
    }
    assert!(!link_exists(&host, "wg1"));
}

#[test]
fn it_says_what_it_is() {
    let (_lab, host) = alone();
    for option in ["-h", "--help", "--version"] {
        assert!(
            host.sh(&format!("{} {option}", program()))
                .contains("hushwired"),
            "{option}"
        );
    }
}

/// An ordinary user, on a system that lets everybody open /dev/net/tun and on one that does not.
#[test]
fn without_the_right_to_it_says_so() {
    let (_lab, host) = alone();
    // A place that an ordinary user reaches, whatever the workspace's is.
    host.run(|| fs::copy(program(), "/run/daemon")).unwrap();
    for mode in ["600", "666"] {
        let script = format!(
            "mount -t tmpfs none /dev/net && mknod -m {mode} /dev/net/tun c 10 200 && exec setpriv \
             --reuid 65534 --regid 65534 --clear-groups --no-new-privs /run/daemon -f wg1"
        );
        let message = refusal(&host, &script);
        assert!(message.contains("root"), "{message}");
        assert!(!link_exists(&host, "wg1"));
        assert!(!socket_exists(&host, "wg1"));
    }
}

/// What the daemon says that a shell starts in a file system of its own; it cannot start.
#[track_caller]
fn refusal(host: &Host, script: &str) -> String {
    let result = host.output(&["unshare", "-m", "sh", "-c", script]);
    let error = result.expect_err("it should not start");
    assert_eq!(error.exit_code(), Some(1), "{error}");
    let message = error.output().unwrap().stderr.trim_end().to_owned();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn without_tun_devices_it_says_so() {
    let (_lab, host) = alone();
    let script = format!("mount -t tmpfs none /dev/net && exec {} -f wg1", program());
    let message = refusal(&host, &script);
    assert!(message.contains("/dev/net/tun"), "{message}");
    assert!(!socket_exists(&host, "wg1"));
}

#[test]
fn it_answers_to_the_name_of_wireguard_go() {
    let (_lab, host) = alone();
    host.run(|| symlink(program(), "/run/wireguard-go"))
        .unwrap();
    host.sh("/run/wireguard-go wg1");
    host.sh("wg show wg1");
    host.delete("wg1").unwrap();
    nothing_is_left(&host, "wg1");
}

#[test]
fn the_name_of_the_device_is_written_where_it_is_asked_for() {
    let (_lab, host) = alone();
    let mut command = host.command(&[&program(), "wg1"]);
    command.env("WG_TUN_NAME_FILE", "/run/name");
    host.spawn(command).unwrap().finish(SOON).unwrap();
    assert_eq!(
        host.run(|| fs::read_to_string("/run/name")).unwrap().trim(),
        "wg1"
    );
}

#[test]
fn a_host_without_ipv6_is_served() {
    let world = World::empty();
    let World { lab, one, two, .. } = &world;
    for host in [one, two] {
        host.sysctl("net.ipv6.conf.all.disable_ipv6", "1").unwrap();
        host.sysctl("net.ipv6.conf.default.disable_ipv6", "1")
            .unwrap();
    }
    lab.link(one, "eth0", two, "eth0").unwrap();
    one.address("eth0", "10.0.0.1/24").unwrap();
    two.address("eth0", "10.0.0.2/24").unwrap();
    for (host, interface, side) in [(one, "wg1", 1), (two, "wg2", 2)] {
        start(host, interface);
        host.address(interface, &format!("192.168.241.{side}/24"))
            .unwrap();
        host.up(interface).unwrap();
    }
    let (key1, key2) = (&world.key1, &world.key2);
    let set = |interface: &str, key: &Key, port: u16, peer: &Key, allowed: &str| {
        world.wg(&format!(
            "{interface} private-key {} listen-port {port} peer {} allowed-ips {allowed}",
            key.file, peer.public
        ));
    };
    set("wg1", key1, 10000, key2, "192.168.241.2/32");
    set("wg2", key2, 20000, key1, "192.168.241.1/32");
    world.endpoint_of_2("10.0.0.2:20000");
    ping(one, "192.168.241.2");
}

#[test]
fn a_device_that_is_down_can_be_set_up_and_speaks_when_it_is_up() {
    let world = World::empty();
    let World {
        lab,
        one,
        two,
        key2,
        ..
    } = &world;
    lab.link(one, "eth0", two, "eth0").unwrap();
    one.address("eth0", "10.0.0.1/24").unwrap();
    two.address("eth0", "10.0.0.2/24").unwrap();
    start(one, "wg1");
    start(two, "wg2");
    world.configure_down();
    two.up("wg2").unwrap();
    world.wg(&format!(
        "wg1 peer {} endpoint 10.0.0.2:20000 persistent-keepalive 1",
        key2.public
    ));
    // The silence is the test: two keepalives long.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(world.latest_handshake("wg1"), 0);
    one.up("wg1").unwrap();
    eventually("the keepalive to start a handshake", || {
        world.latest_handshake("wg1") != 0
    });
    ping(two, "192.168.241.1");

    // Down and up again: the address and its route are back with the link, the keys were never gone.
    one.down("wg1").unwrap();
    one.up("wg1").unwrap();
    // The first packet may overtake the news that the link was down, with which its session ends.
    one.ping("192.168.241.2").unwrap();
}

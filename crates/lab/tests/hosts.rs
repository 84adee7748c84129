//! Hosts, links and programs. Needs root.

use std::time::Duration;

use hushwire_lab::{Lab, require_tools, wait_until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn two_hosts_ping_each_other_over_both_families() {
    require_tools(&["ping"]).unwrap();
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth1").unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    alice.address("eth0", "fd00::1/64").unwrap();
    bob.address("eth1", "10.0.0.2/24").unwrap();
    bob.address("eth1", "fd00::2/64").unwrap();
    alice.ping("10.0.0.2").unwrap();
    alice.ping("fd00::2").unwrap();
    bob.ping("10.0.0.1").unwrap();
    bob.ping("fd00::1").unwrap();
}

#[test]
fn a_route_through_a_third_host() {
    require_tools(&["ping"]).unwrap();
    let lab = Lab::new().unwrap();
    let (alice, router, bob) = (
        lab.host("alice").unwrap(),
        lab.host("router").unwrap(),
        lab.host("bob").unwrap(),
    );
    lab.link_with_mtu(&alice, "eth0", &router, "left", 9000)
        .unwrap();
    lab.link(&bob, "eth0", &router, "right").unwrap();
    alice.address("eth0", "10.1.0.1/24").unwrap();
    router.address("left", "10.1.0.254/24").unwrap();
    router.address("right", "10.2.0.254/24").unwrap();
    bob.address("eth0", "10.2.0.1/24").unwrap();
    alice.route_via("0.0.0.0/0", "10.1.0.254").unwrap();
    bob.route_via("10.1.0.0/24", "10.2.0.254").unwrap();
    assert_eq!(alice.netlink().link("eth0").unwrap().unwrap().mtu, 9000);

    assert!(
        alice
            .output(&["ping", "-n", "-c", "1", "-W", "1", "10.2.0.1"])
            .is_err()
    );
    router.forward().unwrap();
    alice.ping("10.2.0.1").unwrap();
    assert_eq!(router.read_sysctl("net.ipv4.ip_forward").unwrap(), "1");
}

#[test]
fn the_same_addresses_and_names_in_two_labs_do_not_meet() {
    let build = || {
        let lab = Lab::new().unwrap();
        let host = lab.host("alice").unwrap();
        host.netlink().create_veth("wg0", "eth0", None).unwrap();
        host.address("wg0", "10.0.0.1/24").unwrap();
        host.run(|| std::fs::write("/run/wireguard/wg0.sock", "x").unwrap());
        host.run(|| assert!(std::fs::exists("/var/run/wireguard/wg0.sock").unwrap()));
        (lab, host)
    };
    let first = build();
    let second = build();
    first
        .1
        .run(|| std::fs::remove_file("/run/wireguard/wg0.sock").unwrap());
    second
        .1
        .run(|| assert!(std::fs::exists("/run/wireguard/wg0.sock").unwrap()));
    assert!(!std::fs::exists("/run/wireguard/wg0.sock").unwrap());
}

#[test]
fn hosts_of_a_lab_share_the_control_sockets() {
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    alice.run(|| std::fs::write("/run/wireguard/wg1.sock", "x").unwrap());
    assert_eq!(
        bob.output(&["ls", "/var/run/wireguard"]).unwrap().stdout,
        "wg1.sock\n"
    );
}

#[test]
fn threads_of_a_closure_are_on_the_host_too() {
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    bob.address("eth0", "10.0.0.2/24").unwrap();
    let listener = bob.run(|| {
        let bind = || std::net::TcpListener::bind("10.0.0.2:80").unwrap();
        std::thread::spawn(bind).join().unwrap()
    });
    alice.run(|| std::net::TcpStream::connect("10.0.0.2:80").unwrap());
    listener.accept().unwrap();
}

#[test]
fn a_failure_names_the_command_and_what_it_printed() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let error = host
        .output(&["sh", "-c", "echo out; echo err >&2; exit 7"])
        .unwrap_err();
    assert_eq!(error.exit_code(), Some(7));
    assert_eq!(
        error.to_string(),
        "`sh -c echo out; echo err >&2; exit 7` failed with exit code 7; stderr: err; stdout: out"
    );
    let error = host.output(&["no-such-program"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "start `no-such-program`: No such file or directory (os error 2)"
    );
}

#[test]
fn what_takes_too_long_is_killed_and_says_what_it_printed() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let limit = Duration::from_millis(300);
    let error = host
        .output_within(limit, &["sh", "-c", "echo started; sleep 1000"])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh -c echo started; sleep 1000`: not done after 0.3 s; stdout: started"
    );
}

#[test]
fn a_program_reads_its_input_and_is_waited_for() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    assert_eq!(
        host.output_with_input(&["cat"], "hello").unwrap().stdout,
        "hello"
    );
    let mut process = host.spawn(host.command(&["sleep", "1000"])).unwrap();
    assert!(process.is_running());
    assert!(process.wait(Duration::from_millis(1)).is_err());
    assert!(process.usage().unwrap().peak_memory > 0);
    process.kill();
    assert!(!process.is_running());
}

#[test]
fn a_program_in_the_background_is_found_and_killed() {
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    alice
        .output(&["sh", "-c", "setsid sleep 1000 & exit 0"])
        .unwrap();
    let stays = bob.spawn(bob.command(&["sleep", "1000"])).unwrap();
    assert_eq!(alice.processes().len(), 1);
    assert_eq!(bob.processes(), [stays.pid()]);
    alice.kill_processes();
    wait_until(SOON, "the end of the process", || {
        alice.processes().is_empty()
    })
    .unwrap();
    assert_eq!(bob.processes(), [stays.pid()]);
}

#[test]
fn a_panic_on_a_host_is_the_callers() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.run(|| panic!("there"))
    }));
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "there");
}

#[test]
fn a_wrong_text_is_an_error_that_shows_it() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let shows = |outcome: hushwire_lab::Result<()>, text: &str| {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    shows(host.address("lo", "10.0.0.300/8"), "10.0.0.300/8");
    shows(host.route_via("0.0.0.0/0", "here"), "`here`");
    shows(host.sysctl("kernel.hostname", "x"), "kernel.hostname");
    shows(
        host.up("eth9"),
        "alice: look up interface eth9: No such device",
    );
    shows(
        host.route_via("0.0.0.0/0", "10.9.9.9"),
        "alice: add route 0.0.0.0/0 via 10.9.9.9: ",
    );
}

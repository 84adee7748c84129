//! The daemon on a host of the laboratory: how it starts, what it keeps, how it ends. Needs root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::common::{Directory, HUSHWIRE, HUSHWIRED, LIMIT};
use hushwire_lab::{Error, Host, Lab, Output, require_tools, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// A host in a world of its own.
fn world() -> (Lab, Host) {
    require_tools(&["bash", "cat", "setpriv"]).unwrap();
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    (lab, host)
}

/// Runs the daemon as one would type it, until it is in the background.
fn start(host: &Host, words: &[&str]) -> Output {
    let command: Vec<&str> = [HUSHWIRED].iter().chain(words).copied().collect();
    host.output_within(LIMIT, &command).unwrap()
}

/// Runs a shell script that is to fail with exit status 1, and returns what it says.
fn refused(host: &Host, script: &str) -> String {
    let script = format!("hushwired={HUSHWIRED}\n{script}");
    match host.output_within(LIMIT, &["bash", "-c", &script]) {
        Err(Error::Failed { code, output, .. }) => {
            assert_eq!((code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
            output.stderr
        }
        other => panic!("{script}: {other:?}"),
    }
}

fn link_exists(host: &Host, name: &str) -> bool {
    host.netlink().link(name).unwrap().is_some()
}

fn socket_exists(host: &Host, name: &str) -> bool {
    host.run(|| fs::symlink_metadata(format!("/run/wireguard/{name}.sock")).is_ok())
}

/// Waits until nothing of a daemon is left.
fn assert_gone(host: &Host, name: &str) {
    wait_until(LIMIT, "the daemon's end", || host.processes().is_empty()).unwrap();
    assert!(!link_exists(host, name), "the interface is left");
    assert!(!socket_exists(host, name), "the control socket is left");
}

fn daemon_pid(host: &Host) -> u32 {
    let [pid] = host.processes()[..] else {
        panic!("not one process: {:?}", host.processes());
    };
    pid
}

#[test]
fn the_control_socket_is_its_owners_only() {
    let (_lab, host) = world();
    // Whatever the one who starts it lets others do.
    let script = format!("umask 0; {HUSHWIRED} wg0");
    host.output_within(LIMIT, &["bash", "-c", &script]).unwrap();
    let mode = |path: &'static str| {
        host.run(move || fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777)
    };
    assert_eq!(
        mode("/run/wireguard/wg0.sock") & 0o077,
        0,
        "others may connect"
    );
    assert_eq!(
        mode("/run/wireguard") & 0o022,
        0,
        "others may put theirs there"
    );
}

#[test]
fn device_and_socket_are_usable_when_it_returns() {
    let (_lab, host) = world();
    for _ in 0..5 {
        let said = start(&host, &["wg0"]);
        assert_eq!(said, Output::default());
        let answer = host.uapi("wg0", "get=1\n\n").unwrap();
        assert!(answer.ends_with("errno=0\n\n"), "{answer}");
        host.up("wg0").unwrap();
        host.delete("wg0").unwrap();
        assert_gone(&host, "wg0");
    }
}

#[test]
fn it_ends_cleanly_on_signals() {
    let (_lab, host) = world();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        start(&host, &["wg0"]);
        let pid = Pid::from_raw(daemon_pid(&host).try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_gone(&host, "wg0");
    }
}

#[test]
fn it_ends_with_status_zero_in_the_foreground() {
    let (_lab, host) = world();
    let mut process = host.spawn(host.command(&[HUSHWIRED, "-f", "wg0"])).unwrap();
    wait_until(LIMIT, "a control socket", || socket_exists(&host, "wg0")).unwrap();
    process.signal(Signal::TERM).unwrap();
    assert_eq!(process.wait(LIMIT).unwrap().code(), Some(0));
    assert_gone(&host, "wg0");
}

#[test]
fn it_ends_when_its_socket_is_removed() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    host.run(|| fs::remove_file("/run/wireguard/wg0.sock").unwrap());
    assert_gone(&host, "wg0");
}

#[test]
fn it_keeps_nothing_of_its_caller() {
    let (_lab, host) = world();
    // `cat` ends when nobody can write to it any more.
    let script = format!("{{ {HUSHWIRED} wg0 9>&1 8</dev/null >/dev/null; }} | cat");
    host.output_within(LIMIT, &["bash", "-c", &script]).unwrap();
    let pid = daemon_pid(&host);
    let link = |number: u32| fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
    for number in 0..3 {
        assert_eq!(link(number).to_str(), Some("/dev/null"), "{number}");
    }
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let target = fs::read_link(entry.unwrap().path()).unwrap();
        let target = target.to_str().unwrap();
        assert!(!target.starts_with("pipe:"), "{target}");
    }
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = status.rsplit(')').next().unwrap().split_whitespace().nth(3);
    assert_eq!(
        session,
        Some(pid.to_string().as_str()),
        "a session of its own"
    );
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name, "hushwired\n");
}

#[test]
fn it_logs_in_the_background_when_told_to() {
    let (_lab, host) = world();
    let mut command = host.command(&[HUSHWIRED, "wg0"]);
    command.env("LOG_LEVEL", "verbose");
    let mut process = host.spawn(command).unwrap();
    assert_eq!(process.wait(LIMIT).unwrap().code(), Some(0));
    let logged = || process.output().stdout.contains("DEBUG: (wg0) ");
    wait_until(LIMIT, "a line of the log", logged).unwrap();
}

#[test]
fn its_memory_is_its_own() {
    let (_lab, host) = world();
    start(&host, &["wg0"]);
    let pid = daemon_pid(&host);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let soft = cores.unwrap().split_whitespace().nth(4);
    assert_eq!(soft, Some("0"), "{limits}");
    // Whoever has the same user and no more may not look into it.
    let script = format!("setpriv --bounding-set -all --inh-caps -all cat /proc/{pid}/maps");
    let error = host.output(&["bash", "-c", &script]).unwrap_err();
    assert!(error.to_string().contains("Permission denied"), "{error}");
}

#[test]
fn a_template_gets_the_first_free_number() {
    let (_lab, host) = world();
    let directory = Directory::new();
    let file = directory.path().join("name");
    for expected in ["wg0", "wg1"] {
        let _ = fs::remove_file(&file);
        let mut command = host.command(&[HUSHWIRED, "wg%d"]);
        command.env("WG_TUN_NAME_FILE", &file);
        host.spawn(command).unwrap().finish(LIMIT).unwrap();
        assert!(link_exists(&host, expected) && socket_exists(&host, expected));
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{expected}\n"));
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o400);
    }
}

#[test]
fn hushwire_under_the_name_of_wireguard_go_is_the_daemon() {
    let (_lab, host) = world();
    let mut command = host.command(&[HUSHWIRE, "wg0"]);
    command.arg0("/usr/bin/wireguard-go");
    host.spawn(command).unwrap().finish(LIMIT).unwrap();
    host.uapi("wg0", "get=1\n\n").unwrap();
}

#[test]
fn offloads_can_be_switched_off_one_by_one_and_all_at_once() {
    let (_lab, host) = world();
    let offloads = |words: &[&str], variable: &str| {
        let mut command = host.command(&[HUSHWIRED, "-f", "wg0"]);
        command
            .args(words)
            .env("LOG_LEVEL", "verbose")
            .env("HUSHWIRE_DISABLE", variable);
        let mut process = host.spawn(command).unwrap();
        let find = |text: &str| {
            let line = text.lines().find_map(|line| line.split_once("offloads: "));
            line.map(|(_, line)| line.to_owned())
        };
        wait_until(LIMIT, "a line of the log", || {
            find(&process.output().stdout).is_some()
        })
        .unwrap();
        process.signal(Signal::TERM).unwrap();
        process.wait(LIMIT).unwrap();
        find(&process.output().stdout).unwrap()
    };
    let all = offloads(&[], "");
    assert!(!all.contains("switched off"), "{all}");
    let some = offloads(&["--disable=udp-gro"], "tun-tso6");
    assert!(some.contains("tun-tso6 off (switched off)"), "{some}");
    assert!(some.contains("udp-gro4 off (switched off)"), "{some}");
    assert!(!some.contains("udp-gso4 off (switched off)"), "{some}");
    assert!(!some.contains("tun-tso4 off (switched off)"), "{some}");
    let none = offloads(&[], "all");
    assert!(none.split("; ").all(|one| !one.ends_with(" on")), "{none}");
}

#[test]
fn a_taken_name_is_an_error_and_stays_as_it_is() {
    let (_lab, host) = world();
    host.netlink().create_veth("wg0", "veth1", None).unwrap();
    let said = refused(&host, "$hushwired wg0");
    assert!(said.contains("`wg0` exists already"), "{said}");
    assert!(link_exists(&host, "wg0") && !socket_exists(&host, "wg0"));
}

#[test]
fn a_taken_socket_is_an_error_and_stays_as_it_is() {
    let (lab, host) = world();
    start(&host, &["wg0"]);
    // The directory of sockets is one for all hosts.
    let other = lab.host("bob").unwrap();
    let said = refused(&other, "$hushwired wg0");
    assert!(said.contains("unix socket in use"), "{said}");
    assert!(!link_exists(&other, "wg0"));
    host.uapi("wg0", "get=1\n\n").unwrap();
}

#[test]
fn a_socket_that_nobody_answers_on_is_replaced() {
    let (_lab, host) = world();
    host.run(|| drop(std::os::unix::net::UnixListener::bind("/run/wireguard/wg0.sock").unwrap()));
    start(&host, &["wg0"]);
    host.uapi("wg0", "get=1\n\n").unwrap();
}

#[test]
fn want_of_rights_is_said() {
    let (_lab, host) = world();
    let said = refused(
        &host,
        "setpriv --bounding-set -net_admin --inh-caps -net_admin $hushwired wg0",
    );
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");
    assert_gone(&host, "wg0");
}

#[test]
fn a_host_without_the_device_node_is_told_so() {
    require_tools(&["mount", "unshare"]).unwrap();
    let (_lab, host) = world();
    let hide = "mount -t tmpfs none /dev/net && exec $0 wg0";
    let script = format!("unshare --mount sh -c '{hide}' $hushwired");
    let said = refused(&host, &script);
    assert!(
        said.contains("/dev/net/tun") && said.contains("modprobe tun"),
        "{said}"
    );
}

#[test]
fn descriptors_that_are_something_else_are_refused() {
    let (_lab, host) = world();
    let said = refused(&host, "WG_TUN_FD=7 $hushwired wg0 7</dev/null");
    assert!(said.contains("not a usable TUN device"), "{said}");
    let said = refused(&host, "WG_UAPI_FD=7 $hushwired wg0 7</dev/null");
    assert!(said.contains("WG_UAPI_FD=7"), "{said}");
    assert_gone(&host, "wg0");
}

#[test]
fn whatever_it_lacks_it_says_so_and_leaves_nothing_behind() {
    let (_lab, host) = world();
    let mut refusals = 0;
    // With ever more descriptors each of its steps fails once, those in the background too.
    for descriptors in 6..40 {
        let script = format!("ulimit -n {descriptors}; exec {HUSHWIRED} wg0");
        match host.output_within(LIMIT, &["bash", "-c", &script]) {
            Ok(_) => {
                host.uapi("wg0", "get=1\n\n").unwrap();
                host.delete("wg0").unwrap();
            }
            Err(Error::Failed { code, output, .. }) => {
                assert_eq!(code, Some(1), "{descriptors}: {output:?}");
                assert_eq!(
                    output.stderr.lines().count(),
                    1,
                    "{descriptors}: {output:?}"
                );
                assert!(!link_exists(&host, "wg0"), "{descriptors}: {output:?}");
                assert!(!socket_exists(&host, "wg0"), "{descriptors}: {output:?}");
                refusals += 1;
            }
            Err(error) => panic!("{descriptors}: {error}"),
        }
        assert_gone(&host, "wg0");
    }
    assert!(0 < refusals && refusals < 34, "{refusals}");
}

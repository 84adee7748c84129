//! `hushwire demo`, from the beginning to the end and interrupted. Needs root, to become an
//! ordinary user and to look for what is left.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::common::{HUSHWIRE, LIMIT, run};
use hushwire_lab::{require_tools, wait_until};
use rustix::process::{Pid, Signal, geteuid, kill_process};

fn require_root() {
    assert!(geteuid().is_root(), "this test needs root");
}

/// The demonstration, with a word in its environment by which its processes are known.
fn demo(mark: &str) -> Command {
    let mut command = Command::new(HUSHWIRE);
    command.arg("demo").env("HUSHWIRE_TEST_MARK", mark);
    command
}

/// All processes with the mark.
fn processes(mark: &str) -> BTreeSet<u32> {
    let mark = format!("HUSHWIRE_TEST_MARK={mark}");
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|word| word == mark.as_bytes())
    })
    .collect()
}

/// What is left of it outside.
fn traces() -> [BTreeSet<String>; 3] {
    ["/sys/class/net", "/run/netns", "/run/wireguard"].map(|directory| {
        let Ok(entries) = fs::read_dir(directory) else {
            return BTreeSet::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name());
        // Other tests may be at work beside this one.
        names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.starts_with("wg1") || name.starts_with("wg2"))
            .collect()
    })
}

fn assert_complete(stdout: &str) {
    let pings = stdout.lines().filter(|line| line.starts_with("ping "));
    assert_eq!(pings.count(), 4, "{stdout}");
    for line in stdout.lines().filter(|line| line.starts_with("tcp ")) {
        assert!(
            line.ends_with("bit/s") && !line.ends_with(" 0.0 Mbit/s"),
            "{line}"
        );
    }
    for row in [
        "  rate ",
        "  round trip ",
        "  handshake ",
        "  bytes ",
        "  offloads ",
    ] {
        assert!(stdout.contains(row), "no `{row}`: {stdout}");
    }
    assert!(!stdout.contains("never"), "no handshake: {stdout}");
}

#[test]
fn it_shows_a_tunnel_and_leaves_nothing_behind() {
    require_root();
    let mark = format!("whole-{}", std::process::id());
    let before = traces();
    let outcome = run(demo(&mark), "");
    assert_eq!(
        (outcome.code(), outcome.stderr.as_str()),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert_complete(&outcome.stdout);
    assert_eq!(processes(&mark), BTreeSet::new());
    assert_eq!(traces(), before);
}

#[test]
fn it_leaves_nothing_behind_when_it_is_interrupted() {
    require_root();
    for signal in [Signal::INT, Signal::KILL] {
        let mark = format!("cut-{}-{}", signal.as_raw(), std::process::id());
        let before = traces();
        let mut child = demo(&mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // After the pings data flows for seconds.
        let ping = lines
            .by_ref()
            .filter(|line| line.as_ref().unwrap().starts_with("ping "));
        assert_eq!(ping.take(4).count(), 4);
        // The demonstration, two daemons, and the laboratory's own.
        assert!(processes(&mark).len() >= 4, "{:?}", processes(&mark));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(!child.wait().unwrap().success());
        wait_until(LIMIT, "the end of all processes", || {
            processes(&mark).is_empty()
        })
        .unwrap();
        assert_eq!(traces(), before);
    }
}

/// Hides the machine's device node behind one that everybody may open, where nobody else sees it.
const AS_ORDINARY_USER: &str = "
set -e
mount -t tmpfs -o mode=0755 none /mnt
mknod -m 0666 /mnt/tun c 10 200
mount --bind /mnt/tun /dev/net/tun
cp \"$0\" /mnt/hushwire
cd /
exec setpriv --reuid 65534 --regid 65534 --clear-groups /mnt/hushwire demo
";

#[test]
fn it_needs_no_root() {
    require_root();
    require_tools(&["unshare", "mount", "mknod", "setpriv"]).unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        AS_ORDINARY_USER,
        HUSHWIRE,
    ]);
    let outcome = run(command, "");
    assert_eq!(
        (outcome.code(), outcome.stderr.as_str()),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert_complete(&outcome.stdout);
}

#[test]
fn a_machine_without_the_device_node_is_told_so() {
    require_root();
    let hide = "mount -t tmpfs none /dev/net && exec \"$0\" demo";
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        hide,
        HUSHWIRE,
    ]);
    crate::refused::assert_refused(&run(command, ""), &["/dev/net/tun", "modprobe tun"]);
}

//! A daemon that may lock its memory: the kernel of the machine lets root, as that of the tests need not.

use std::fmt::Write;
use std::fs;

use hushwire_lab::vm::Check;
use hushwire_lab::{Daemon, Host, Implementation, Lab, wait_until};

use crate::check;
use crate::two_ends::SOON;

pub(crate) const CHECKS: &[Check] = &[
    check(
        "swap::locked_memory_is_no_more_memory",
        locked_memory_is_no_more_memory,
    ),
    check(
        "swap::a_memory_limit_is_kept_with_locked_memory",
        a_memory_limit_is_kept_with_locked_memory,
    ),
];

/// What a page more or less here and there may come to, in kB.
const MUCH: u64 = 512;

fn locked_memory_is_no_more_memory() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let strict = [("HUSHWIRE_SANDBOX", "strict")];
    let locked = Implementation::Hushwired
        .start_with(&host, "wg0", &strict)
        .unwrap();
    let refused = start_without_right(&host);
    for interface in ["wg0", "wg1"] {
        set(&host, interface, &peers(1..2));
        host.up(interface).unwrap();
    }
    assert_eq!(swap_lock(&host, "wg0"), "on");
    let why = "missing RLIMIT_MEMLOCK is 8388608 bytes; LimitMEMLOCK=infinity lifts it";
    assert_eq!(swap_lock(&host, "wg1"), why);
    let [with, without] = [&locked, &refused].map(|daemon| figure(daemon, "VmRSS:"));
    assert!(figure(&locked, "VmLck:") > with, "all of it is locked");
    assert_eq!(figure(&refused, "VmLck:"), 0);
    assert!(with < without + MUCH, "{with} kB, {without} kB without");
}

/// Memory that is locked is not given back unless somebody sees to it.
fn a_memory_limit_is_kept_with_locked_memory() {
    const LIMIT: u64 = 16 << 10;
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let environment = [
        ("HUSHWIRE_SANDBOX", "strict"),
        ("HUSHWIRE_MEMORY_LIMIT", "16M"),
    ];
    let mut daemon = Implementation::Hushwired
        .start_with(&host, "wg0", &environment)
        .unwrap();
    let mut count = 0;
    while set(&host, "wg0", &peers(count..count + 64)) {
        count += 64;
    }
    assert!(count >= 128, "only {count} peers");
    for _ in 0..20 {
        // The room of the answer before may not have been given back yet.
        wait_until(SOON, "a whole answer", || {
            let answer = host.uapi("wg0", "get=1\n\n").unwrap();
            answer.ends_with("errno=0\n\n")
        })
        .unwrap();
    }
    assert_eq!(swap_lock(&host, "wg0"), "on");
    assert!(figure(&daemon, "VmLck:") > 0, "still locked");
    let peak = figure(&daemon, "VmHWM:");
    assert!(peak <= LIMIT, "{peak} kB with {count} peers");
    assert!(daemon.is_running());
}

/// A daemon that may not lift its limits.
fn start_without_right(host: &Host) -> Daemon {
    let binary = Implementation::Hushwired.binary().unwrap();
    let binary = binary.to_string_lossy();
    let words = [
        "setpriv",
        "--bounding-set=-sys_resource",
        "--inh-caps=-sys_resource",
        &binary,
        "-f",
        "wg1",
    ];
    Implementation::Hushwired
        .start_command(host, "wg1", host.command(&words))
        .unwrap()
}

fn peers(numbers: std::ops::Range<u32>) -> String {
    let mut lines = String::new();
    for number in numbers {
        let [_, a, b, c] = number.to_be_bytes();
        let _ = write!(
            lines,
            "public_key={:064x}\nendpoint=127.0.0.1:9\nallowed_ip=10.{a}.{b}.{c}/32\n",
            number + 1
        );
    }
    lines
}

/// Whether there was room.
fn set(host: &Host, interface: &str, lines: &str) -> bool {
    let answer = host.uapi(interface, &format!("set=1\n{lines}\n")).unwrap();
    match answer.trim() {
        "errno=0" => true,
        "errno=-12" => false,
        other => panic!("{other}"),
    }
}

/// What the status says of the lock.
fn swap_lock(host: &Host, interface: &str) -> String {
    let status = host.uapi(interface, "status=1\n\n").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("sandbox=swap-lock "));
    line.unwrap_or_else(|| panic!("{status}")).to_owned()
}

/// A figure of proc_pid_status(5), in kB.
fn figure(daemon: &Daemon, name: &str) -> u64 {
    let path = format!("/proc/{}/status", daemon.process().pid());
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

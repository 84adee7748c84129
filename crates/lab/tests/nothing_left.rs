//! Whatever happens, a lab leaves nothing behind. Needs root.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use hushwire_lab::{Host, Lab, Process, wait_until};

/// Set in the process that is to be killed, to the argument by which its programs are known.
const VICTIM: &str = "HUSHWIRE_LAB_VICTIM";
const SOON: Duration = Duration::from_secs(30);

/// A world with a program in the foreground, one in the background, an interface and a socket file. The programs carry
/// `mark` among their arguments.
fn furnished(mark: &str) -> (Lab, Host, Host, Process) {
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.run(|| fs::write("/run/wireguard/wg0.sock", "x").unwrap());
    let script = "sleep 1000; :";
    bob.output(&["sh", "-c", "setsid sh -c \"$0\" \"$1\" & :", script, mark])
        .unwrap();
    let process = alice
        .spawn(alice.command(&["sh", "-c", script, mark]))
        .unwrap();
    (lab, alice, bob, process)
}

/// Waits until both programs run; a shell that is just starting another program shows twice.
fn wait_for_programs(mark: &str) {
    wait_until(SOON, "both programs", || processes(mark).len() == 2).unwrap();
}

/// The processes with this argument. Those that have ended and only wait to be buried have no arguments any more.
fn processes(mark: &str) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|argument| argument == mark.as_bytes())
    })
    .collect()
}

/// What the machine outside could see of a lab.
fn traces() -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) {
    let names = |directory: &str| {
        let Ok(entries) = fs::read_dir(directory) else {
            return BTreeSet::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    (
        names("/sys/class/net"),
        names("/run/netns"),
        names("/run/wireguard"),
    )
}

#[test]
fn nothing_is_left_after_the_end() {
    let mark = format!("end-{}", std::process::id());
    let before = traces();
    let world = furnished(&mark);
    wait_for_programs(&mark);
    assert_eq!(traces(), before, "a lab shows outside");
    drop(world);
    assert_eq!(processes(&mark), BTreeSet::new());
    assert_eq!(traces(), before);
}

#[test]
fn nothing_is_left_after_a_panic() {
    let mark = format!("panic-{}", std::process::id());
    let outcome = std::panic::catch_unwind(|| {
        let _world = furnished(&mark);
        wait_for_programs(&mark);
        panic!("as a failing test does");
    });
    assert_eq!(
        *outcome.unwrap_err().downcast::<&str>().unwrap(),
        "as a failing test does"
    );
    assert_eq!(processes(&mark), BTreeSet::new());
}

#[test]
fn nothing_is_left_after_being_killed() {
    if let Ok(mark) = env::var(VICTIM) {
        let _world = furnished(&mark);
        println!("\nready");
        loop {
            thread::park();
        }
    }
    let mark = format!("kill-{}", std::process::id());
    let before = traces();
    let mut victim = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "nothing_is_left_after_being_killed",
            "--nocapture",
        ])
        .env(VICTIM, &mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == "ready"),
        "the victim did not get ready"
    );
    wait_for_programs(&mark);

    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until(SOON, "the end of the victim's programs", || {
        processes(&mark).is_empty()
    })
    .unwrap();
    assert_eq!(traces(), before);
}

#[test]
fn an_orphan_that_ends_is_buried() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let pid = host
        .output(&["sh", "-c", "setsid sleep 1000 >&2 & :"])
        .map(|_| host.processes())
        .unwrap();
    assert_eq!(pid.len(), 1);
    let entry = format!("/proc/{}", pid[0]);
    assert!(fs::exists(&entry).unwrap());
    host.kill_processes();
    wait_until(SOON, "the burial of an orphan", || {
        !fs::exists(&entry).unwrap()
    })
    .unwrap();
}

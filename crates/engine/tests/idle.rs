//! A device without packets costs no processor time: none of its data path threads wakes up, up or
//! down.
//!
//! Alone in its program because it tells the threads by their names. Needs root.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{TestDevice, in_a_namespace};
use hushwire_netlink::Netlink;

const HELPERS: usize = 2;
/// How long the threads are watched. One that looks at something every 20 ms is seen fifteen times.
const WATCHED: Duration = Duration::from_millis(300);
/// For threads to start, and for a busy tunnel to become quiet.
const SETTLED: Duration = Duration::from_secs(10);

#[test]
fn an_idle_device_wakes_nobody_up_or_down() {
    in_a_namespace(|| {
        let device = TestDevice::start(HELPERS);
        assert_sleeps("down");
        let mut netlink = Netlink::open().unwrap();
        let index = netlink.index_of(&device.name).unwrap();
        netlink.set_up(index).unwrap();
        assert_sleeps("up");
        netlink.set_down(index).unwrap();
        assert_sleeps("down again");
        // All of it was there the whole time.
        assert!(device.ask("get=1\n\n").ends_with("errno=0\n\n"));
    });
}

/// Waits for a while in which no thread of the data path ran.
fn assert_sleeps(state: &str) {
    let start = Instant::now();
    loop {
        let before = data_path_switches();
        std::thread::sleep(WATCHED);
        let after = data_path_switches();
        if before.is_some() && before == after {
            return;
        }
        assert!(
            start.elapsed() < SETTLED,
            "{state}: {before:?}, then {after:?} times on a processor"
        );
    }
}

/// How often the threads of the data path have left a processor of their own accord, once they are
/// there: a thread has its name only a moment after its start.
fn data_path_switches() -> Option<u64> {
    let mut names = Vec::new();
    let mut switches = 0;
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = read(&task.path(), "comm")?;
        if !["egress", "ingress", "helper"].contains(&name.trim()) {
            continue;
        }
        let status = read(&task.path(), "status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        switches += line?.trim().parse::<u64>().ok()?;
        names.push(name);
    }
    (names.len() == 2 + HELPERS).then_some(switches)
}

fn read(task: &Path, file: &str) -> Option<String> {
    fs::read_to_string(task.join(file)).ok()
}

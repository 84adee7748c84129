//! A daemon that is started again and again. `cargo xtask soak` does it a thousand times.

use std::fs;

use hushwire_lab::{Host, Tunnel};

use crate::common::{Pair, implementation};

const TIMES: usize = 60;

/// What the right end has open and how many threads it has: the peer that comes and goes must leave nothing there.
fn holdings(pid: u32) -> [usize; 2] {
    ["fd", "task"].map(|what| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count())
}

/// The left end's settings as `get` says them, ready for `set`.
fn settings(left: &Host) -> String {
    let text = left.uapi("wg1", "get=1\n\n").unwrap();
    let is_setting = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default();
        let status = ["errno", "last_handshake", "tx_bytes", "rx_bytes"];
        !line.is_empty() && !status.iter().any(|status| name.starts_with(status))
    };
    let lines: Vec<&str> = text.lines().filter(is_setting).collect();
    format!("set=1\n{}\n\n", lines.join("\n"))
}

#[test]
fn after_each_of_many_restarts_the_tunnel_works() {
    let Pair {
        left,
        tunnel,
        right: _right,
        lab: _lab,
    } = Pair::on_a_cable();
    let Tunnel {
        left: first,
        right: stays,
    } = tunnel;
    let settings = settings(&left);
    let before = holdings(stays.daemon.process().pid());
    let mut daemon = first.daemon;
    let ours = implementation();
    for time in 0..TIMES {
        // Killed, told to end, or its device taken away.
        match time % 3 {
            0 => daemon.kill(),
            1 => daemon.stop().unwrap(),
            _ => left.delete("wg1").unwrap(),
        }
        daemon = ours.start(&left, "wg1").unwrap();
        let answer = left.uapi("wg1", &settings).unwrap();
        assert!(answer.contains("errno=0"), "{time}: {answer}");
        left.address("wg1", "10.241.1.1/24").unwrap();
        left.up("wg1").unwrap();
        left.ping(&stays.ipv4).unwrap();
    }
    assert_eq!(holdings(stays.daemon.process().pid()), before);
}

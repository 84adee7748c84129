//! Devices to show.

use hushwire_config::status::{Count, Feature, Status};

use super::{Report, Runner};

/// One with which several things are wrong.
pub(super) fn troubled() -> Report {
    let status = Status {
        version: "0.1.0".to_owned(),
        up: Some(true),
        has_private_key: Some(true),
        under_load: Some(false),
        pid: Some(4711),
        uptime: Some(3661),
        mtu: Some(1420),
        peers: Some(3),
        unanswered: Some(1),
        allowed_ips: Some(7),
        queues: Some(1),
        threads: Some(5),
        helpers: Some(1),
        helped: Some(1234),
        memory_resident: Some(12_000_000),
        memory_limit: None,
        memory_reserved: None,
        memory_waiting: Some(0),
        sandbox: vec![
            Feature::new("user", "off", "no --user"),
            Feature::new("seccomp", "missing", "not in this kernel"),
        ],
        offloads: vec![
            Feature::new("tun-tso4", "on", ""),
            Feature::new("udp-gso4", "refused", "refused by the kernel: EIO"),
        ],
        buffers: vec![
            Count::new("send4", 425_984),
            Count::new("receive4", 425_984),
        ],
        handshakes: vec![Count::new("accepted", 5), Count::new("unauthentic", 0)],
        dropped: vec![Count::new("no-peer", 12), Count::new("congestion", 0)],
        udp: vec![Count::new("receive-full", 0)],
    };
    Report::new("wg0", Runner::Hushwire, status)
}

/// One of the kernel's.
pub(super) fn of_kernel() -> Report {
    let status = Status {
        up: Some(true),
        mtu: Some(1420),
        ..Status::default()
    };
    Report::new("wg1", Runner::Kernel, status)
}

/// One of another daemon, in another network namespace.
pub(super) fn of_other(program: Option<&str>) -> Report {
    let runner = Runner::Other(program.map(str::to_owned));
    Report::new("wg2", runner, Status::default())
}

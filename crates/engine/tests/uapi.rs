//! Recorded conversations with the control socket of wireguard-go, replayed against a running
//! device, and what clients may do to it.
//!
//! Needs root: each test has a network namespace of its own, in which it makes a TUN device.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{TestDevice, in_a_namespace};
use hushwire_config::status::{Count, Feature, Status};
use hushwire_config::uapi::status;
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    pre: Vec<String>,
    send: Vec<String>,
    half_close_after_last: bool,
    expect_replies: Vec<String>,
    expect_get_after: Option<String>,
    #[serde(default)]
    variants: serde_json::Map<String, serde_json::Value>,
}

const CLOSED: &str = "<CLOSED>";
const BUSY_PORT: &str = "<port bound by another socket>";

#[test]
fn the_recorded_conversations_hold() {
    let text = include_str!("../../config/tests/uapi_cases.json");
    let recording: Recording = serde_json::from_str(text).unwrap();
    assert!(recording.cases.len() > 50, "the recording is not whole");
    for case in recording.cases {
        beside_a_device(|device| replay(&case, device));
    }
}

fn beside_a_device(test: impl FnOnce(&TestDevice) + Send) {
    in_a_namespace(|| test(&TestDevice::start(0)));
}

fn replay(case: &Case, device: &TestDevice) {
    for set in &case.pre {
        assert_eq!(device.ask(set), "errno=0\n\n", "{}: before", case.id);
    }
    let busy = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let busy_port = busy.local_addr().unwrap().port().to_string();
    let newest = case.variants.values().next();
    let replies = match newest {
        Some(variant) => serde_json::from_value(variant["replies"].clone()).unwrap(),
        None => case.expect_replies.clone(),
    };
    let mut stream = device.connect();
    for (index, (send, expected)) in case.send.iter().zip(replies).enumerate() {
        let send = send.replace(BUSY_PORT, &busy_port);
        stream.write_all(send.as_bytes()).unwrap();
        if case.half_close_after_last && index + 1 == case.send.len() {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let reply = read_reply(&mut stream, &expected);
        assert_eq!(hide_port(&reply, &expected), expected, "{}: reply", case.id);
    }
    drop(stream);
    let Some(after) = &case.expect_get_after else {
        return;
    };
    let state = hide_port(&device.ask("get=1\n\n"), after);
    match newest.and_then(|variant| variant["state_after_no"].as_str()) {
        Some(gone) => assert!(!state.contains(gone), "{}: {gone} stays", case.id),
        None => assert_eq!(&state, after, "{}: state", case.id),
    }
}

/// Reads as much as is expected, however long that takes on a busy machine; where nothing is, gives
/// the device a moment to say something.
fn read_reply(stream: &mut UnixStream, expected: &str) -> String {
    let wants_close = expected.ends_with(CLOSED);
    let quiet = Duration::from_millis(if expected.is_empty() { 50 } else { 60_000 });
    stream.set_read_timeout(Some(quiet)).unwrap();
    let mut reply = String::new();
    let mut chunk = [0; 4096];
    loop {
        if !wants_close && !expected.is_empty() && reply.ends_with("\n\n") {
            return reply;
        }
        match stream.read(&mut chunk) {
            Ok(0) => return reply + CLOSED,
            Ok(count) => reply += std::str::from_utf8(&chunk[..count]).unwrap(),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return reply + CLOSED;
            }
            Err(_) => return reply,
        }
    }
}

fn hide_port(reply: &str, expected: &str) -> String {
    if !expected.contains("@PORT@") {
        return reply.to_owned();
    }
    let hide = |line: &str| match line.strip_prefix("listen_port=") {
        Some(port) if port.trim_end().parse::<u16>().is_ok_and(|port| port > 0) => {
            "listen_port=@PORT@\n".to_owned()
        }
        _ => line.to_owned(),
    };
    reply.split_inclusive('\n').map(hide).collect()
}

#[test]
fn pipelined_operations_are_all_answered() {
    beside_a_device(|device| {
        let mut stream = device.connect();
        stream
            .write_all(b"set=1\nfwmark=7\n\nget=1\n\nset=1\nfwmark=0\n\n")
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        assert!(all.starts_with("errno=0\n\nlisten_port="), "{all}");
        assert!(all.ends_with("fwmark=7\nerrno=0\n\nerrno=0\n\n"), "{all}");
    });
}

#[test]
fn a_hundred_and_thirty_thousand_allowed_ips_go_in_and_come_out() {
    beside_a_device(|device| {
        let mut set = format!("set=1\npublic_key={}\n", "c5".repeat(32));
        for high in 0..=254 {
            for low in 0..=255 {
                set += &format!("allowed_ip={high}.{low}.0.0/16\n");
                set += &format!("allowed_ip={high:x}:{low:x}::/32\n");
            }
        }
        set += "allowed_ip=255.0.0.0/8\n\n";
        let start = Instant::now();
        assert_eq!(device.ask(&set), "errno=0\n\n");
        println!("set: {:?}", start.elapsed());
        let start = Instant::now();
        let reply = device.ask("get=1\n\n");
        println!("get: {:?}", start.elapsed());
        assert_eq!(reply.matches("allowed_ip=").count(), 130_561);
    });
}

#[test]
fn a_client_that_hangs_in_a_set_is_cut_off_and_others_go_on() {
    beside_a_device(|device| {
        let mut hanging = device.connect();
        hanging.write_all(b"set=1\nfwmark=1\n").unwrap();
        // Answered only when the hanging client has been given up.
        let mut reply = String::new();
        hanging.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "errno=-5\n\n");
        assert!(device.ask("get=1\n\n").contains("fwmark=1\n"));
    });
}

/// As many as there are places (`engine/src/uapi/clients.rs`).
const CLIENTS_MAX: usize = 64;

/// Asks and reads the answer to its end, on a connection that goes on.
fn ask_on(stream: &mut UnixStream, words: &str) -> std::io::Result<String> {
    stream.write_all(words.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend(byte);
    }
    Ok(String::from_utf8(answer).unwrap())
}

#[test]
fn idle_clients_make_room_for_a_new_one() {
    beside_a_device(|device| {
        let mut idle: Vec<UnixStream> = (0..CLIENTS_MAX).map(|_| device.connect()).collect();
        for stream in &mut idle {
            let answer = ask_on(stream, "status=1\n\n").unwrap();
            assert!(answer.ends_with("errno=0\n\n"), "{answer}");
        }
        let mut newcomer = device.connect();
        let answer = ask_on(&mut newcomer, "get=1\n\n").unwrap();
        assert!(answer.ends_with("errno=0\n\n"), "{answer}");
        // One of them sees its end, and all others are served as before.
        let mut served = 0;
        for stream in &mut idle {
            served += usize::from(ask_on(stream, "status=1\n\n").is_ok());
        }
        assert_eq!(served, CLIENTS_MAX - 1);
    });
}

#[test]
fn a_client_that_is_slow_to_read_its_answer_keeps_its_place() {
    beside_a_device(|device| {
        // An answer that no socket buffer takes as a whole.
        let mut set = format!("set=1\npublic_key={}\n", "c5".repeat(32));
        for high in 0..=255 {
            for low in 0..=255 {
                set += &format!("allowed_ip={high:x}:{low:x}::/32\n");
            }
        }
        set.push('\n');
        assert_eq!(device.ask(&set), "errno=0\n\n");
        let mut slow = device.connect();
        slow.write_all(b"get=1\n\n").unwrap();
        slow.read_exact(&mut [0; 1]).unwrap();
        let mut others: Vec<UnixStream> = (0..2 * CLIENTS_MAX).map(|_| device.connect()).collect();
        // The last of them has been served, and so all before have been let in.
        let last = others.last_mut().unwrap();
        ask_on(last, "status=1\n\n").unwrap();
        slow.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.matches("allowed_ip=").count(), 1 << 16);
        assert!(answer.ends_with("errno=0\n\n"));
    });
}

#[test]
fn a_set_that_ends_with_its_connection_takes_effect_as_far_as_it_came() {
    beside_a_device(|device| {
        let set = format!(
            "set=1\nfwmark=7\npublic_key={}\nallowed_ip=10.1.0.0/16\nallowed_ip=10.2.0.0/16",
            "c5".repeat(32)
        );
        // The last line need not be whole: what there is of it counts as one.
        let cut = set.strip_suffix("6").unwrap();
        assert_eq!(device.ask(cut), "errno=0\n\n");
        let told = device.ask("get=1\n\n");
        for line in ["fwmark=7", "allowed_ip=10.1.0.0/16", "allowed_ip=0.0.0.0/1"] {
            assert!(told.contains(&format!("{line}\n")), "{told}");
        }
    });
}

#[test]
fn a_set_whose_client_is_gone_takes_effect_for_packets_too() {
    beside_a_device(|device| {
        let mut netlink = hushwire_netlink::Netlink::open().unwrap();
        let index = netlink.index_of(&device.name).unwrap();
        let address = "10.0.0.1/8".parse().unwrap();
        netlink.add_bare_address(index, address).unwrap();
        netlink.set_up(index).unwrap();
        // A client that goes without having read what it asked for: the device sees an error.
        let mut gone = device.connect();
        gone.write_all(b"get=1\n\n").unwrap();
        gone.read_exact(&mut [0; 1]).unwrap();
        let set = format!(
            "set=1\npublic_key={}\nallowed_ip=10.1.0.0/16\n",
            "c5".repeat(32)
        );
        gone.write_all(set.as_bytes()).unwrap();
        drop(gone);
        let start = Instant::now();
        while !device.ask("get=1\n\n").contains("allowed_ip=10.1.0.0/16\n") {
            assert!(start.elapsed() < Duration::from_secs(60), "no set");
        }
        let sender = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
        sender.send_to(b"?", "10.1.0.1:9").unwrap();
        // It is the peer's packet, although there is nowhere to send it.
        let told = Count::new("no-endpoint", 1);
        while !status_of(device).dropped.contains(&told) {
            assert!(start.elapsed() < Duration::from_secs(60), "{told:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

fn status_of(device: &TestDevice) -> Status {
    let answer = device.ask("status=1\n\n");
    status::read(&mut answer.as_bytes()).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn a_device_tells_how_it_is_doing() {
    beside_a_device(|device| {
        let set = format!(
            "set=1\nprivate_key={}\npublic_key={}\npreshared_key={}\nallowed_ip=10.0.0.0/8\n\n",
            "a5".repeat(32),
            "c5".repeat(32),
            "b6".repeat(32),
        );
        assert_eq!(device.ask(&set), "errno=0\n\n");
        let answer = device.ask("status=1\n\n");
        for key in ["a5a5", "c5c5", "b6b6"] {
            assert!(!answer.contains(key), "{answer}");
        }
        let status = status_of(device);
        assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(status.pid, Some(std::process::id().into()));
        assert_eq!(status.up, Some(false));
        assert_eq!(status.under_load, Some(false));
        assert_eq!(status.has_private_key, Some(true));
        assert_eq!(status.unanswered, Some(0));
        assert_eq!((status.peers, status.allowed_ips), (Some(1), Some(1)));
        assert_eq!((status.queues, status.threads), (Some(1), Some(4)));
        assert_eq!(status.mtu, Some(1420));
        assert_eq!((status.memory_limit, status.memory_reserved), (None, None));
        assert!(status.memory_resident.is_some_and(|bytes| bytes > 1 << 20));
        let seccomp = Feature::new("seccomp", "on", "");
        assert!(status.sandbox.contains(&seccomp), "{:?}", status.sandbox);
        let udp_gso = |feature: &Feature| feature.name == "udp-gso4";
        assert!(status.offloads.iter().any(udp_gso), "{:?}", status.offloads);
        let receive = |count: &Count| count.name == "receive4" && count.count > 0;
        assert!(status.buffers.iter().any(receive), "{:?}", status.buffers);
        let counters = [&status.handshakes, &status.dropped, &status.udp];
        for counter in counters.into_iter().flatten() {
            assert_eq!(counter.count, 0, "{counter:?}");
        }
    });
}

/// Whether a status is answered while another client is in the middle of a set.
fn status_is_told_within_a_set(device: &TestDevice, key: &str) -> bool {
    let mut hanging = device.connect();
    let begun = format!("set=1\nreplace_peers=true\npublic_key={}\n", key.repeat(32));
    hanging.write_all(begun.as_bytes()).unwrap();
    // The peer is there before the set is over.
    let start = Instant::now();
    while status_of(device).peers != Some(1) {
        assert!(start.elapsed() < Duration::from_secs(60), "no peer");
    }
    // Nobody has been cut off: that would be the answer.
    hanging.set_nonblocking(true).unwrap();
    hanging.read(&mut [0; 1]).is_err()
}

#[test]
fn a_status_does_not_wait_for_a_client_that_hangs_in_a_set() {
    beside_a_device(|device| {
        // A test that is itself stopped for ten seconds sees the client cut off; not each time.
        let keys = ["c5", "c6", "c7"];
        assert!(keys.iter().any(|key| {
            assert_eq!(device.ask("set=1\nreplace_peers=true\n\n"), "errno=0\n\n");
            status_is_told_within_a_set(device, key)
        }));
    });
}

#[test]
fn what_becomes_of_handshakes_is_counted() {
    beside_a_device(|device| {
        let set = format!("set=1\nprivate_key={}\n\n", "a5".repeat(32));
        assert_eq!(device.ask(&set), "errno=0\n\n");
        let state = device.ask("get=1\n\n");
        let port = state.split("listen_port=").nth(1);
        let port = port.and_then(|rest| rest.split('\n').next());
        let port: u16 = port.and_then(|port| port.parse().ok()).expect("a port");
        let mut netlink = hushwire_netlink::Netlink::open().unwrap();
        let loopback = netlink.index_of("lo").unwrap();
        netlink.set_up(loopback).unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // The device is down, and has sockets since it has never been up.
        for _ in 0..3 {
            let mut initiation = [0; 148];
            initiation[0] = 1;
            sender.send_to(&initiation, ("127.0.0.1", port)).unwrap();
        }
        let told = Count::new("down", 3);
        let start = Instant::now();
        while !status_of(device).handshakes.contains(&told) {
            assert!(start.elapsed() < Duration::from_secs(20), "{told:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn garbage_of_any_length_closes_the_connection_and_nothing_else() {
    beside_a_device(|device| {
        for length in [1, 100, 70_000, 1 << 20] {
            let mut stream = device.connect();
            let garbage: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8 | 0x80).collect();
            // The device may hang up before it has read everything.
            let _ = stream.write_all(&garbage);
            let _ = stream.shutdown(Shutdown::Write);
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
        assert!(device.ask("get=1\n\n").ends_with("errno=0\n\n"));
    });
}

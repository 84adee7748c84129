//! Control clients that behave badly while the device is busy. Only root reaches the control socket; a broken program of
//! root's must not harm the tunnel, either.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::unix::net::UnixStream;
use std::thread;

use hushwire_lab::Host;

use crate::common::{SOON, World, bytes_arrive_unchanged, eventually, one_at_a_time, ping};

/// The most that are served at a time (`engine/src/uapi`).
const CLIENTS_MAX: usize = 64;
const MEGABYTE: usize = 1 << 20;
/// Bytes that a daemon may have more after all of it.
const SLACK: u64 = 1 << 20;

fn client(host: &Host, interface: &str) -> UnixStream {
    let path = format!("/run/wireguard/{interface}.sock");
    let stream = host.run(|| UnixStream::connect(path)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// Says something, and that there is no more to come, and takes the answer.
fn say_and_end(host: &Host, words: &[u8]) -> Vec<u8> {
    let mut stream = client(host, "wg1");
    let _ = stream.write_all(words);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // Who is cut off in the middle of what he says gets an error instead of an end.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn clients_that_hang_half_close_or_never_end_a_line_harm_nobody() {
    let _alone = one_at_a_time();
    let world = World::loopback_v4();
    let World {
        middle, one, two, ..
    } = &world;
    ping(one, "192.168.241.2");
    let to: IpAddr = "192.168.241.2".parse().unwrap();
    thread::scope(|scope| {
        let transfer = scope.spawn(|| bytes_arrive_unchanged(one, two, to, 24 << 20));
        half_closed(middle);
        a_megabyte_without_a_newline(middle);
        hanging(middle);
        transfer.join().unwrap();
    });
    ping(one, "192.168.241.2");
}

fn half_closed(host: &Host) {
    let answer = String::from_utf8(say_and_end(host, b"get=1\n\n")).unwrap();
    assert!(answer.ends_with("errno=0\n\n"), "{answer}");
    // What breaks off is an end, too.
    for words in ["get=1", "get=1\n", "set=1", "set=1\n", "s", "\n", ""] {
        say_and_end(host, words.as_bytes());
    }
    let device = host.uapi("wg1", "get=1\n\n").unwrap();
    assert!(device.contains("listen_port=10000\n"), "{device}");
}

fn a_megabyte_without_a_newline(host: &Host) {
    let [daemon, ..] = host.processes()[..] else {
        panic!("no daemon");
    };
    let memory = || hushwire_lab::Usage::of(daemon).unwrap().memory;
    say_and_end(host, &vec![b'a'; MEGABYTE]);
    let before = memory();
    for start in ["", "set=1\nprivate_key=", "get=1\n"] {
        for _ in 0..8 {
            let mut words = start.as_bytes().to_vec();
            words.resize(MEGABYTE, b'a');
            let answer = say_and_end(host, &words);
            assert!(!answer.ends_with(b"errno=0\n\n"), "{start}");
        }
    }
    let after = memory();
    assert!(
        after <= before + SLACK,
        "{before} bytes before, {after} after"
    );
}

/// As many as there are places say nothing, or stop in the middle. When they have gone, their places are free.
fn hanging(host: &Host) {
    let mut hanging: Vec<UnixStream> = (0..2 * CLIENTS_MAX).map(|_| client(host, "wg1")).collect();
    for (number, stream) in hanging.iter_mut().enumerate() {
        let words = ["", "get=1\n", "g", "set=2\n"][number % 4];
        // Whoever is idle gives its place up for a later one.
        let _ = stream.write_all(words.as_bytes());
    }
    drop(hanging);
    eventually("the places to be free", || {
        host.uapi("wg1", "get=1\n\n")
            .is_ok_and(|answer| answer.contains("errno=0"))
    });
}

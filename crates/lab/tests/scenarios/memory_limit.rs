//! A daemon that must not take more than so much memory.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixStream;

use hushwire_lab::{Daemon, Implementation};
use rustix::net::{RecvFlags, recv};

use crate::common::{SOON, World, eventually};

const LIMIT: u64 = 24 << 20;
const LIMITED: &[(&str, &str)] = &[("HUSHWIRE_MEMORY_LIMIT", "24M")];

/// A daemon with as many peers as it took, each with an endpoint that never answers and 10.A.B.C of
/// its own, and how many those are.
fn full(world: &World) -> (Daemon, u32) {
    let daemon = Implementation::Hushwired
        .start_with(&world.middle, "wg0", LIMITED)
        .unwrap();
    let key = &world.key1.file;
    world.wg(&format!("wg0 private-key {key}"));
    world.middle.up("lo").unwrap();
    world.middle.up("wg0").unwrap();
    world.middle.address("wg0", "10.255.0.1/8").unwrap();
    let mut count = 0_u32;
    loop {
        let mut request = "set=1\n".to_owned();
        for number in count..count + 64 {
            let [_, a, b, c] = number.to_be_bytes();
            let _ = write!(
                request,
                "public_key={number:064x}\nendpoint=127.0.0.1:9\nallowed_ip=10.{a}.{b}.{c}/32\n"
            );
        }
        let answer = world.middle.uapi("wg0", &(request + "\n")).unwrap();
        match answer.trim() {
            "errno=0" => count += 64,
            "errno=-12" => return (daemon, count),
            other => panic!("{other}"),
        }
    }
}

#[track_caller]
fn assert_within_limit(daemon: &Daemon) {
    let usage = daemon.process().usage().unwrap();
    assert!(usage.peak_memory <= LIMIT, "{usage:?}");
}

#[test]
fn what_would_not_fit_is_refused_and_the_rest_works() {
    let world = World::empty();
    let (mut daemon, count) = full(&world);
    let shown = world.middle.uapi("wg0", "get=1\n\n").unwrap();
    let shown = shown.matches("public_key=").count();
    // Those of the refused request that did fit are there too.
    assert!(
        (count..count + 64).contains(&(shown as u32)),
        "{shown} of {count}"
    );
    // Less than 2 KiB for the peer and 5 KiB for its sessions, of two thirds of the limit.
    assert!(count > 1_500, "only {count} peers");
    // More allowed IPs are peers' memory too.
    let mut request = format!("set=1\npublic_key={:064x}\n", 1);
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let _ = writeln!(request, "allowed_ip=11.{a}.{b}.{c}/32");
    }
    let answer = world.middle.uapi("wg0", &(request + "\n")).unwrap();
    assert_eq!(answer.trim(), "errno=-12");
    assert_within_limit(&daemon);
    // Peers that are there can be changed and removed, and there is room for others then.
    for change in ["persistent_keepalive_interval=0", "remove=true"] {
        let request = format!("set=1\npublic_key={:064x}\n{change}\n\n", 2);
        let answer = world.middle.uapi("wg0", &request).unwrap();
        assert_eq!(answer.trim(), "errno=0", "{change}");
    }
    assert!(daemon.is_running());
}

#[test]
fn packets_for_peers_that_do_not_answer_do_not_fill_the_memory() {
    let world = World::empty();
    let (mut daemon, count) = full(&world);
    world.middle.mtu("wg0", 65_000).unwrap();
    world.middle.run(|| {
        let socket = UdpSocket::bind("10.255.0.1:0").unwrap();
        let packet = vec![7; 60_000];
        // 90 MB: far more than there is. Some are lost on the way in, which is as good.
        for number in 0..count.min(1_500) {
            let [_, a, b, c] = number.to_be_bytes();
            let _ = socket.send_to(&packet, (Ipv4Addr::new(10, a, b, c), 9));
        }
    });
    assert_within_limit(&daemon);
    assert!(daemon.is_running());
}

#[test]
fn clients_that_do_not_read_their_answers_do_not_fill_the_memory() {
    let world = World::empty();
    let (mut daemon, _) = full(&world);
    let clients: Vec<UnixStream> = (0..60)
        .map(|_| {
            let connect = || UnixStream::connect("/run/wireguard/wg0.sock").unwrap();
            let mut client = world.middle.run(connect);
            client.write_all(b"get=1\n\n").unwrap();
            client
        })
        .collect();
    // Whether the answer that has begun is a refusal.
    let refused = |client: &UnixStream| {
        let mut text = [0; 8];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let (length, _) = recv(client, &mut text[..], flags).ok()?;
        (length > 0).then(|| &text[..length] == b"errno=12")
    };
    eventually("an answer to begin for each", || {
        clients.iter().all(|client| refused(client).is_some())
    });
    let (refused, answered): (Vec<_>, Vec<_>) = clients
        .iter()
        .partition(|client| refused(client) == Some(true));
    assert!(
        !refused.is_empty(),
        "sixty answers at once fit into the limit"
    );
    assert_within_limit(&daemon);
    // Whoever reads has a whole answer.
    let mut first = *answered.first().expect("an answer");
    first.set_read_timeout(Some(SOON)).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"errno=0\n\n") {
        let mut chunk = [0; 4096];
        let length = first.read(&mut chunk).unwrap();
        assert!(length > 0, "the answer has no end");
        answer.extend_from_slice(&chunk[..length]);
    }
    // Nor does what they left behind.
    drop(clients);
    for _ in 0..10 {
        eventually("a whole answer", || {
            let answer = world.middle.uapi("wg0", "get=1\n\n").unwrap();
            answer.ends_with("errno=0\n\n")
        });
    }
    assert_within_limit(&daemon);
    assert!(daemon.is_running());
}

#[test]
fn a_limit_that_nothing_fits_into_is_refused_at_the_start() {
    let world = World::empty();
    let error = Implementation::Hushwired
        .start_with(&world.middle, "wg0", &[("HUSHWIRE_MEMORY_LIMIT", "1M")])
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a memory limit of 1048576 bytes is too low"),
        "{error}"
    );
}

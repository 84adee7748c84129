//! A reload under traffic.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use hushwire_lab::Lab;

use crate::common::{Directory, HUSHWIRE, OTHER_PRIVATE_KEY, PRIVATE_KEY, PUBLIC_KEY};
use crate::state::other_public_key;

const NOBODY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const CHUNK: usize = 64 * 1024;
/// Chunks sent before each reload, and after the last.
const CHUNKS: usize = 40;

fn handshake(device: &str) -> Vec<&str> {
    let lines = device.lines();
    lines
        .filter(|line| line.starts_with("last_handshake_time"))
        .take(2)
        .collect()
}

#[test]
fn a_stream_through_an_unchanged_peer_loses_nothing() {
    hushwire_lab::require_tools(&["bash"]).unwrap();
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "192.0.2.1/24").unwrap();
    bob.address("eth0", "192.0.2.2/24").unwrap();
    let directory = Directory::new();
    let other = other_public_key();
    let file = format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\nListenPort = 51820\n\
         [Peer]\nPublicKey = {other}\nEndpoint = 192.0.2.2:51820\nAllowedIPs = 10.7.0.2/32\n"
    );
    let path = directory.write("wga.conf", &file);
    let far = directory.write(
        "wgb.conf",
        &format!(
            "[Interface]\nPrivateKey = {OTHER_PRIVATE_KEY}\nAddress = 10.7.0.2/24\n\
             ListenPort = 51820\n[Peer]\nPublicKey = {PUBLIC_KEY}\nAllowedIPs = 10.7.0.1/32\n"
        ),
    );
    let shown = |path: &std::path::Path| path.to_string_lossy().into_owned();
    alice.output(&[HUSHWIRE, "up", &shown(&path)]).unwrap();
    bob.output(&[HUSHWIRE, "up", &shown(&far)]).unwrap();

    let listener = bob.run(|| TcpListener::bind("10.7.0.2:7").unwrap());
    let receiver = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    let mut stream = alice.run(|| TcpStream::connect("10.7.0.2:7").unwrap());
    let get = || alice.uapi("wga", "get=1\n\n").unwrap();
    let first = get();
    let first = handshake(&first);
    let mut number = 0_u8;
    let mut sent = Vec::new();
    let mut send = |stream: &mut TcpStream| {
        for _ in 0..CHUNKS {
            number = number.wrapping_add(1);
            let chunk = [number; CHUNK];
            stream.write_all(&chunk).unwrap();
            sent.push(number);
        }
    };
    let peer = format!("[Peer]\nPublicKey = {NOBODY}\nAllowedIPs = 10.9.0.0/16, 10.7.0.0/24\n");
    for text in [
        format!("{file}{peer}"),
        file.replace("10.7.0.1/24", "10.7.0.1/24, 10.66.0.1/24"),
        file.replace("ListenPort", "MTU = 1400\nListenPort"),
        format!("{file}{peer}").replace("10.7.0.2/32", "10.7.0.2/32, 0.0.0.0/0"),
        file.clone(),
    ] {
        send(&mut stream);
        directory.write("wga.conf", &text);
        let output = alice.output(&[HUSHWIRE, "reload", &shown(&path)]).unwrap();
        assert!(output.stderr.contains("[#] "), "{output:?}");
    }
    send(&mut stream);
    drop(stream);
    let received = receiver.join().unwrap();
    assert_eq!(received.len(), sent.len() * CHUNK);
    let intact = received
        .chunks(CHUNK)
        .zip(&sent)
        .all(|(chunk, number)| chunk.iter().all(|byte| byte == number));
    assert!(intact, "bytes out of order");
    let last = get();
    assert_eq!(handshake(&last), first, "the session was kept");
    let output = alice.output(&[HUSHWIRE, "reload", &shown(&path)]).unwrap();
    assert!(
        output.stderr.contains("wga is what its file says"),
        "{output:?}"
    );
    alice.output(&[HUSHWIRE, "down", &shown(&path)]).unwrap();
    bob.output(&[HUSHWIRE, "down", &shown(&far)]).unwrap();
}

//! A host that hides others. Needs root.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hushwire_lab::{Host, Lab, Nat, require_tools};

const PATIENCE: Duration = Duration::from_secs(20);

/// `inside` (10.1.0.1) behind `router` (192.0.2.1), and `outside` (192.0.2.2) in front of it.
fn network() -> (Lab, Host, Host, Host) {
    require_tools(&["nft"]).unwrap();
    let lab = Lab::new().unwrap();
    let (inside, router, outside) = (
        lab.host("inside").unwrap(),
        lab.host("router").unwrap(),
        lab.host("outside").unwrap(),
    );
    lab.link(&inside, "eth0", &router, "lan").unwrap();
    lab.link(&outside, "eth0", &router, "wan").unwrap();
    inside.address("eth0", "10.1.0.1/24").unwrap();
    router.address("lan", "10.1.0.254/24").unwrap();
    router.address("wan", "192.0.2.1/24").unwrap();
    outside.address("eth0", "192.0.2.2/24").unwrap();
    inside.route_via("0.0.0.0/0", "10.1.0.254").unwrap();
    (lab, inside, router, outside)
}

fn socket(host: &Host, address: &str) -> UdpSocket {
    let socket = host.run(|| UdpSocket::bind(address).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Who a datagram comes from, as seen outside.
fn source_seen(from: &UdpSocket, by: &UdpSocket) -> SocketAddr {
    from.send_to(b"hello", "192.0.2.2:7").unwrap();
    by.recv_from(&mut [0; 16]).unwrap().1
}

#[test]
fn the_source_is_the_routers_and_answers_come_in() {
    let (_lab, inside, router, outside) = network();
    let nat = Nat::new(&router, "wan").unwrap();
    let (client, server) = (
        socket(&inside, "10.1.0.1:5000"),
        socket(&outside, "192.0.2.2:7"),
    );
    let source = source_seen(&client, &server);
    assert_eq!(source.ip().to_string(), "192.0.2.1");
    assert!(nat.ports().contains(&source.port()), "{source}");
    assert_eq!(
        source_seen(&client, &server),
        source,
        "a flow keeps its port"
    );
    server.send_to(b"answer", source).unwrap();
    assert_eq!(client.recv_from(&mut [0; 16]).unwrap().0, 6);
}

#[test]
fn rebinding_changes_the_port_and_shuts_out_answers_to_the_old_one() {
    let (_lab, inside, router, outside) = network();
    let nat = Nat::new(&router, "wan").unwrap();
    let (client, server) = (
        socket(&inside, "10.1.0.1:5000"),
        socket(&outside, "192.0.2.2:7"),
    );
    let before = source_seen(&client, &server);
    nat.rebind().unwrap();
    server.send_to(b"to the old port", before).unwrap();
    let after = source_seen(&client, &server);
    assert_eq!(before.ip(), after.ip());
    assert_ne!(before.port(), after.port());
    assert!(nat.ports().contains(&after.port()));
    server.send_to(b"new", after).unwrap();
    assert_eq!(
        client.recv_from(&mut [0; 32]).unwrap().0,
        3,
        "what went to the old port came in"
    );
}

#[test]
fn what_was_forgotten_is_shut_out_until_the_inside_speaks_again() {
    let (_lab, inside, router, outside) = network();
    let nat = Nat::new(&router, "wan").unwrap();
    let (client, server) = (
        socket(&inside, "10.1.0.1:5000"),
        socket(&outside, "192.0.2.2:7"),
    );
    let source = source_seen(&client, &server);
    nat.forget().unwrap();
    server.send_to(b"too early", source).unwrap();
    let source = source_seen(&client, &server);
    server.send_to(b"now", source).unwrap();
    assert_eq!(client.recv_from(&mut [0; 32]).unwrap().0, 3);
}

#[test]
fn timeouts_are_set_on_the_router_only() {
    let (_lab, inside, router, _outside) = network();
    let nat = Nat::new(&router, "wan").unwrap();
    nat.set_udp_timeouts(3, 7).unwrap();
    let read = |host: &Host, name: &str| {
        host.read_sysctl(&format!("net.netfilter.nf_conntrack_udp_{name}"))
            .unwrap()
    };
    assert_eq!(
        (read(&router, "timeout"), read(&router, "timeout_stream")),
        ("3".into(), "7".into())
    );
    assert_ne!(read(&inside, "timeout"), "3");
}

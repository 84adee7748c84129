//! Endpoints follow the peer (the paper, section 2.1), but only on proof.

use std::net::SocketAddr;
use std::time::Duration;

use hushwire_proto::path::{Local, Path};

use crate::harness::host::outer_v4;
use crate::harness::paper::REKEY_AFTER_TIME;
use crate::harness::{A, B, C, Fate, Kind, Net, Style, each_style};

const ELSEWHERE: &str = "203.0.113.77:65535";

fn elsewhere() -> SocketAddr {
    ELSEWHERE.parse().unwrap()
}

fn endpoint(net: &Net) -> Option<SocketAddr> {
    net.view(B, A).endpoint()
}

#[test]
fn an_initiation_moves_the_endpoint() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.move_host(A, ELSEWHERE);
        net.lose(|sent| sent.host == B);
        net.send(A, B);
        net.drive();
        assert_eq!(endpoint(&net), Some(elsewhere()));
        assert_eq!(net.last(B, Kind::Response).to, elsewhere());
    });
}

#[test]
fn a_response_moves_the_endpoint() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.latency = Duration::from_millis(500);
        net.send(B, A);
        net.advance(Duration::from_millis(499));
        assert_eq!(endpoint(&net), Some(outer_v4(A)));
        // A's answer leaves from an address that B has not heard of.
        net.advance(Duration::from_millis(1));
        let response = net.last(A, Kind::Response);
        net.cut();
        net.inject(B, elsewhere(), &response.bytes);
        assert_eq!(endpoint(&net), Some(elsewhere()));
        assert_eq!(net.last(B, Kind::Data).to, elsewhere());
    });
}

#[test]
fn data_moves_the_endpoint_and_the_next_packet_goes_there() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.move_host(A, ELSEWHERE);
        net.deliver(A, B);
        assert_eq!(endpoint(&net), Some(elsewhere()));
        net.deliver(B, A);
        assert_eq!(net.last(B, Kind::Data).to, elsewhere());
    });
}

#[test]
fn a_keepalive_moves_the_endpoint() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance(Duration::from_secs(30));
        net.move_host(A, ELSEWHERE);
        net.set_keepalive(A, B, 25);
        net.drive();
        assert_eq!(endpoint(&net), Some(elsewhere()));
    });
}

#[test]
fn data_that_may_not_be_delivered_moves_the_endpoint_all_the_same() {
    each_style(|style| {
        let mut net = Net::mesh(style, 3);
        net.connect(A, B);
        net.allow(B, C, "10.0.0.1/32");
        net.move_host(A, ELSEWHERE);
        assert!(!net.reaches(A, B));
        assert_eq!(endpoint(&net), Some(elsewhere()));
    });
}

#[test]
fn a_cookie_reply_does_not_move_the_endpoint() {
    let mut net = Net::pair(Style::Embedder);
    net.load(B);
    net.filter(|sent| match sent.kind() {
        Kind::Cookie => Fate::Drop,
        _ => Fate::Deliver,
    });
    net.send(A, B);
    net.drive();
    let cookie = net.last(B, Kind::Cookie);
    let before = net.counters(A, B);
    net.inject(A, elsewhere(), &cookie.bytes);
    assert_eq!(net.hosts[A].dropped, []);
    assert_eq!(net.view(A, B).endpoint(), Some(outer_v4(B)));
    assert_eq!(net.counters(A, B), before);
}

#[test]
fn what_does_not_authenticate_does_not_move_the_endpoint() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.ping(A, B);
        net.ping(B, A);
        let authentic = net.log.clone();
        for datagram in authentic.iter().filter(|sent| sent.host == A) {
            for flipped in 0..datagram.bytes.len() {
                let mut forged = datagram.bytes.clone();
                forged[flipped] ^= 0x40;
                net.inject(B, elsewhere(), &forged);
                assert_eq!(endpoint(&net), Some(outer_v4(A)), "{:?}", datagram.kind());
            }
        }
    });
}

#[test]
fn what_was_there_before_does_not_move_the_endpoint() {
    each_style(|style| {
        let mut net = Net::pair(style);
        net.ping(A, B);
        net.advance(Duration::from_secs(1));
        for datagram in net.log.clone().iter().filter(|sent| sent.host == A) {
            net.inject(B, elsewhere(), &datagram.bytes);
            assert_eq!(endpoint(&net), Some(outer_v4(A)), "{:?}", datagram.kind());
        }
    });
}

#[test]
fn a_packet_of_an_expired_keypair_does_not_move_the_endpoint() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.lose(|sent| sent.is_transport());
        net.send(A, B);
        let data = net.last(A, Kind::Data);
        net.advance(Duration::from_secs(181));
        net.inject(B, elsewhere(), &data.bytes);
        assert_eq!(endpoint(&net), Some(outer_v4(A)));
    });
}

#[test]
fn both_ends_may_move_one_after_the_other() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.move_host(A, "198.51.100.1:1");
        net.deliver(A, B);
        net.move_host(B, "[2001:db8::2]:51820");
        net.deliver(B, A);
        net.move_host(A, "[2001:db8::1]:65535");
        net.deliver(A, B);
        net.ping(B, A);
    });
}

#[test]
fn both_ends_moving_at_once_find_each_other_if_one_is_told() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.move_host(A, "198.51.100.1:1");
        net.move_host(B, "198.51.100.2:2");
        assert!(!net.reaches(A, B) && !net.reaches(B, A));
        let (now, id) = (net.now_of(A), net.peer(A, B));
        let endpoint = net.hosts[B].address;
        net.hosts[A].device.set_endpoint(now, id, endpoint);
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn a_peer_without_an_endpoint_is_reached_once_it_has_spoken() {
    each_style(|style| {
        let mut net = Net::strangers(style, 2);
        net.befriend(A, B);
        let now = net.now_of(B);
        let key = net.hosts[A].public_key();
        let id = net.hosts[B].device.add_peer(now, key).unwrap();
        net.allow(B, A, "10.0.0.1/32");
        let packet = net.packet(B, A, 84);
        assert!(net.send_packet(B, &packet).is_err());
        assert!(net.hosts[B].device.view(id).unwrap().endpoint().is_none());
        net.ping(A, B);
        net.ping(B, A);
    });
}

#[test]
fn the_answer_leaves_from_the_address_that_was_spoken_to() {
    each_style(|style| {
        let mut net = Net::connected(style);
        let local = net.shared(B, A).path().unwrap().local;
        let expected = Local {
            ip: outer_v4(B).ip(),
            interface: 2,
        };
        assert_eq!(local, Some(expected));
        net.deliver(B, A);
    });
}

#[test]
fn a_source_address_is_given_up_when_there_is_no_answer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(14));
        assert!(net.shared(A, B).path().unwrap().local.is_some());
        net.advance(Duration::from_secs(2));
        assert_eq!(net.shared(A, B).path(), Some(Path::to(outer_v4(B))));
    });
}

#[test]
fn a_source_address_is_given_up_when_an_initiation_has_no_answer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_AFTER_TIME + Duration::from_secs(60));
        net.cut();
        net.send(A, B);
        net.advance(Duration::from_secs(4));
        assert!(net.shared(A, B).path().unwrap().local.is_some());
        net.advance(Duration::from_secs(2));
        assert_eq!(net.shared(A, B).path(), Some(Path::to(outer_v4(B))));
    });
}

#[test]
fn a_source_address_that_is_gone_is_forgotten_unless_the_path_has_changed() {
    let mut net = Net::connected(Style::Embedder);
    let peer = net.shared(B, A);
    let old = peer.path().unwrap();
    net.move_host(A, ELSEWHERE);
    net.deliver(A, B);
    peer.forget_source(old);
    assert!(peer.path().unwrap().local.is_some(), "another path by now");
    peer.forget_source(peer.path().unwrap());
    assert_eq!(peer.path(), Some(Path::to(elsewhere())));
}

/// As in the kernel driver: whoever sets an endpoint has the routes choose the source anew.
#[test]
fn an_endpoint_that_is_set_forgets_its_source_address() {
    let mut net = Net::connected(Style::Embedder);
    let (now, id) = (net.now_of(B), net.peer(B, A));
    for endpoint in [outer_v4(A), elsewhere()] {
        net.hosts[B].device.set_endpoint(now, id, endpoint);
        assert_eq!(net.shared(B, A).path(), Some(Path::to(endpoint)));
    }
}

#[test]
fn a_peer_that_speaks_to_another_address_of_ours_is_reported_once() {
    let mut net = Net::connected(Style::Embedder);
    while net.hosts[B].device.poll_new_source().is_some() {}
    net.deliver(A, B);
    assert!(net.hosts[B].device.poll_new_source().is_none(), "as before");
    net.shared(B, A).clear_source();
    net.deliver(A, B);
    net.deliver(A, B);
    let reported = net.hosts[B].device.poll_new_source().expect("a report");
    assert_eq!(reported.id(), net.shared(B, A).id());
    assert!(net.hosts[B].device.poll_new_source().is_none(), "once");
}

#[test]
fn a_move_in_the_middle_of_a_rekey_does_not_lose_the_peer() {
    each_style(|style| {
        let mut net = Net::connected(style);
        net.advance_to_age(A, B, REKEY_AFTER_TIME);
        net.send(A, B);
        net.move_host(A, ELSEWHERE);
        net.drive();
        assert_eq!(net.count(A, Kind::Initiation), 1);
        net.advance(Duration::from_secs(6));
        net.ping(A, B);
        net.ping(B, A);
        assert_eq!(endpoint(&net), Some(elsewhere()));
    });
}

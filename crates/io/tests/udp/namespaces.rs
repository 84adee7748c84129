//! Routes, marks and addresses that come and go, each test in a namespace of its own.

use std::fs;
use std::net::SocketAddr;

use hushwire_io::udp::{
    Action, DatagramSocket, Errno, Family, Local, RouteMonitor, Sockets, Transmit, UdpOptions,
    path_mtu, source_still_routes,
};

use crate::support::{
    BOTH, End, Outcome, add_ipv6, bytes, chunks, datagrams, eventually, ifindex, in_namespace, ip,
    local, run, single,
};

/// Two interfaces that swallow what they are given (a virtual cable with nobody at the far end,
/// whom nobody asks for by ARP), each with an address of both families, and a route to the
/// documentation networks through the first.
fn two_ways() {
    for (n, name) in ["way0", "way1"].iter().enumerate() {
        ip(&format!("link add {name} type veth peer name {name}-end"));
        ip(&format!("link set {name} arp off up"));
        ip(&format!("link set {name}-end up"));
        ip(&format!("addr add 10.0.{n}.1/24 dev {name}"));
        add_ipv6(&format!("fd00:{n}::1/64"), name);
    }
    ip("route add 192.0.2.0/24 dev way0");
    ip("route add 2001:db8::/32 dev way0");
}

fn peer(family: Family) -> SocketAddr {
    let peer = match family {
        Family::V4 => "192.0.2.7:51820",
        Family::V6 => "[2001:db8::7]:51820",
    };
    peer.parse().expect("an address")
}

/// The address of `way0` as a peer's datagram would have taught it.
fn learnt(family: Family) -> Local {
    let ip = match family {
        Family::V4 => "10.0.0.1",
        Family::V6 => "fd00:0::1",
    };
    local(ip, ifindex("way0"))
}

fn routes(family: Family, mark: u32) -> bool {
    source_still_routes(peer(family), &learnt(family), mark).expect("an answer of the kernel")
}

/// Packets that left through an interface.
fn packets_out(name: &str) -> u64 {
    let table = fs::read_to_string("/proc/thread-self/net/dev").expect("/proc");
    let line = table.lines().find_map(|line| {
        let (interface, counters) = line.split_once(':')?;
        (interface.trim() == name).then_some(counters)
    });
    let field = line.and_then(|counters| counters.split_whitespace().nth(9));
    field.and_then(|n| n.parse().ok()).expect("a counter")
}

#[test]
fn a_source_is_given_up_when_the_address_goes() {
    in_namespace(|| {
        two_ways();
        ip("addr add 10.0.0.10/24 dev way0");
        let (mut a, mut b) = (End::new(), End::new());
        for (family, target, gone) in [
            (Family::V4, "10.0.0.10", "10.0.0.1/24"),
            (Family::V6, "fd00:1::1", "fd00:0::1/64"),
        ] {
            let to = SocketAddr::new(target.parse().expect("an address"), b.sockets.port());
            let transmit = Transmit {
                from: Some(learnt(family)),
                ..single(to, b"x")
            };
            assert_eq!(a.send(&[transmit]), Outcome::sent(1));
            assert_eq!(b.receive(family, 1)[0].from.ip(), learnt(family).ip);
            // Secondary addresses take over rather than go with the first.
            fs::write("/proc/sys/net/ipv4/conf/way0/promote_secondaries", "1").expect("/proc");
            ip(&format!("addr del {gone} dev way0"));
            let outcome = a.send(&[transmit]);
            assert_eq!((outcome.sent, outcome.dropped), (1, 0));
            assert!(outcome.troubles[0].source_gone);
            assert_ne!(b.receive(family, 1)[0].from.ip(), learnt(family).ip);
        }
    });
}

#[test]
fn a_source_does_not_pin_the_interface_that_it_was_learnt_on() {
    in_namespace(|| {
        two_ways();
        let mut a = End::new();
        for family in BOTH {
            let transmit = Transmit {
                from: Some(learnt(family)),
                ..single(peer(family), b"x")
            };
            // Many, since the system itself may send a few.
            let before = packets_out("way0");
            assert_eq!(a.send(&[transmit; 100]), Outcome::sent(100));
            assert!(packets_out("way0") >= before + 100);
            match family {
                Family::V4 => ip("route replace 192.0.2.0/24 dev way1"),
                Family::V6 => ip("route replace 2001:db8::/32 dev way1"),
            };
            let before = (packets_out("way0"), packets_out("way1"));
            assert_eq!(a.send(&[transmit; 100]), Outcome::sent(100));
            assert!(packets_out("way0") < before.0 + 100);
            assert!(packets_out("way1") >= before.1 + 100);
        }
    });
}

#[test]
fn a_source_routes_until_a_preferred_route_goes_elsewhere() {
    in_namespace(|| {
        two_ways();
        for family in BOTH {
            assert!(routes(family, 0));
            // An address that the routes would not choose by themselves is as good.
            match family {
                Family::V4 => ip("addr add 10.0.0.9/24 dev way0"),
                Family::V6 => ip("addr add fd00:0::9/64 dev way0 nodad"),
            };
            let other = match family {
                Family::V4 => local("10.0.0.9", ifindex("way0")),
                Family::V6 => local("fd00::9", ifindex("way0")),
            };
            assert!(source_still_routes(peer(family), &other, 0).expect("an answer"));
            match family {
                Family::V4 => ip("route add 192.0.2.7/32 dev way1"),
                Family::V6 => ip("route add 2001:db8::7/128 dev way1"),
            };
            assert!(!routes(family, 0));
            let anywhere = Local {
                ifindex: 0,
                ..learnt(family)
            };
            assert!(source_still_routes(peer(family), &anywhere, 0).expect("an answer"));
        }
    });
}

#[test]
fn a_source_whose_address_is_gone_does_not_route() {
    in_namespace(|| {
        two_ways();
        ip("addr del 10.0.0.1/24 dev way0");
        ip("route replace 192.0.2.0/24 dev way0");
        ip("addr del fd00:0::1/64 dev way0");
        for family in BOTH {
            assert!(!routes(family, 0));
        }
    });
}

#[test]
fn a_source_of_the_other_family_does_not_route() {
    in_namespace(|| {
        two_ways();
        let crossed = source_still_routes(peer(Family::V4), &learnt(Family::V6), 0);
        assert!(!crossed.expect("an answer"));
    });
}

#[test]
fn without_any_route_the_source_is_not_at_fault() {
    in_namespace(|| {
        two_ways();
        ip("route del 192.0.2.0/24");
        ip("route del 2001:db8::/32");
        for family in BOTH {
            assert!(routes(family, 0));
        }
    });
}

#[test]
fn the_mark_decides_which_routes_count() {
    in_namespace(|| {
        two_ways();
        for (family, network) in [("-4", "192.0.2.0/24"), ("-6", "2001:db8::/32")] {
            ip(&format!("{family} route add {network} dev way1 table 77"));
            ip(&format!("{family} rule add fwmark 7 table 77"));
        }
        for family in BOTH {
            assert!(routes(family, 0));
            assert!(routes(family, 6));
            assert!(!routes(family, 7));
        }
    });
}

/// Each in a namespace with nothing but loopback, where nothing happens by itself.
#[test]
fn changes_of_routes_addresses_rules_and_links_are_heard_of() {
    for change in [
        "route add 198.51.100.0/24 dev lo",
        "-6 route add 3fff::/20 dev lo",
        "addr add 10.0.9.1/24 dev lo",
        "addr add fd00:9::1/64 dev lo nodad",
        "rule add fwmark 7 table 77",
        "-6 rule add fwmark 7 table 77",
        "link set lo down",
    ] {
        in_namespace(move || {
            let monitor = RouteMonitor::open().expect("a monitor");
            assert!(!monitor.drain().expect("a live monitor"), "before {change}");
            ip(change);
            assert!(monitor.drain().expect("a live monitor"), "{change}");
        });
    }
}

#[test]
fn more_changes_than_the_monitor_can_hold_are_a_change() {
    in_namespace(|| {
        two_ways();
        let monitor = RouteMonitor::open().expect("a monitor");
        rustix::net::sockopt::set_socket_recv_buffer_size(&monitor, 0).expect("a buffer");
        let batch: String = (0..200)
            .map(|n| format!("route add 198.51.100.{n}/32 dev way1\n"))
            .collect();
        let file = std::env::temp_dir().join(format!("hushwire-routes-{}", std::process::id()));
        fs::write(&file, batch).expect("a file");
        ip(&format!("-batch {}", file.display()));
        fs::remove_file(&file).expect("the file");
        assert!(monitor.drain().expect("a live monitor"));
        ip("route add 198.51.100.0/24 dev way1");
        assert!(monitor.drain().expect("a monitor that recovered"));
    });
}

#[test]
fn the_mark_is_set_at_the_start_and_changed_on_the_way() {
    in_namespace(|| {
        two_ways();
        for family in ["-4", "-6"] {
            ip(&format!("{family} rule add fwmark 0x80000001 unreachable"));
        }
        let mut a = End::with(&UdpOptions {
            fwmark: 0x8000_0001,
            ..UdpOptions::default()
        });
        for family in BOTH {
            let transmit = single(peer(family), b"x");
            a.sockets.set_fwmark(0x8000_0001).expect("CAP_NET_ADMIN");
            let outcome = a.send(&[transmit]);
            assert_eq!((outcome.sent, outcome.dropped), (0, 1));
            a.sockets.set_fwmark(0).expect("CAP_NET_ADMIN");
            assert_eq!(a.send(&[transmit]), Outcome::sent(1));
        }
        // The port is where it was.
        assert_ne!(a.sockets.port(), 0);
    });
}

#[test]
fn without_the_privilege_a_mark_is_refused_with_the_way_out() {
    in_namespace(|| {
        drop_all_capabilities();
        let sockets = Sockets::bind(&UdpOptions::default()).expect("sockets without privilege");
        let errors = [
            sockets.set_fwmark(5).expect_err("a mark"),
            Sockets::bind(&UdpOptions {
                fwmark: 5,
                ..UdpOptions::default()
            })
            .expect_err("marked sockets"),
        ];
        for error in errors {
            assert_eq!(error.action(), Action::SetFwmark(5));
            assert_eq!(error.errno(), Errno::PERM);
            assert!(error.to_string().contains("CAP_NET_ADMIN"));
        }
    });
}

/// Of the calling thread only.
fn drop_all_capabilities() {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).expect("fewer capabilities");
}

#[test]
fn segments_larger_than_the_path_are_fragmented_and_segmentation_stays() {
    in_namespace(|| {
        ip("link set lo mtu 1500");
        for family in BOTH {
            let (mut a, mut b) = (End::new(), End::new());
            let to = b.address(family);
            assert_eq!(path_mtu(to, 0).expect("a route"), 1500);
            let large = bytes(10_000);
            let small = bytes(5_000);
            let outcome = a.send(&[run(to, &large, 3000), run(to, &small, 1000)]);
            assert_eq!(outcome, Outcome::sent(9));
            let expected = [chunks(&large, 3000), chunks(&small, 1000)].concat();
            let messages = b.receive(family, 9);
            assert_eq!(datagrams(&messages), expected);
            assert_eq!(messages.len(), 5, "four fragmented, one run");
            // A single datagram larger than the path as well.
            let jumbo = bytes(65_472);
            assert_eq!(a.send(&[single(to, &jumbo)]), Outcome::sent(1));
            assert_eq!(datagrams(&b.receive(family, 1)), [jumbo]);
            let status = a.sockets.status();
            for status in [status.v4, status.v6].into_iter().flatten() {
                assert!(status.gso.is_on());
            }
        }
    });
}

#[test]
fn routes_that_refuse_are_not_blamed_on_segmentation() {
    in_namespace(|| {
        two_ways();
        ip("addr add 10.0.0.9/24 dev way0");
        for (kind, errno) in [
            ("blackhole", Errno::INVAL),
            ("unreachable", Errno::HOSTUNREACH),
            ("prohibit", Errno::ACCESS),
        ] {
            ip(&format!("route replace {kind} 192.0.2.7/32"));
            ip(&format!("route replace {kind} 2001:db8::7/128"));
            let (mut a, mut b) = (End::new(), End::new());
            for family in BOTH {
                let contents = bytes(5000);
                let stuck = Transmit {
                    from: Some(learnt(family)),
                    ..run(peer(family), &contents, 1000)
                };
                let outcome = a.send(&[stuck, single(b.address(family), b"x")]);
                assert_eq!((outcome.sent, outcome.dropped), (1, 5), "{kind}");
                assert_eq!(outcome.troubles.len(), 1);
                assert!(!outcome.troubles[0].source_gone);
                if family == Family::V4 {
                    assert_eq!(outcome.troubles[0].error, Some(errno));
                }
                assert_eq!(datagrams(&b.receive(family, 1)), [b"x"]);
            }
            let status = a.sockets.status();
            assert!(status.v4.expect("IPv4").gso.is_on());
            assert!(status.v6.expect("IPv6").gso.is_on());
        }
    });
}

#[test]
fn no_route_at_all_is_no_obstacle_to_the_next_datagram() {
    in_namespace(|| {
        let (mut a, mut b) = (End::new(), End::new());
        for family in BOTH {
            let outcome = a.send(&[single(peer(family), b"x"), single(b.address(family), b"y")]);
            assert_eq!((outcome.sent, outcome.dropped), (1, 1));
            assert_eq!(outcome.troubles[0].error, Some(Errno::NETUNREACH));
            assert_eq!(datagrams(&b.receive(family, 1)), [b"y"]);
        }
        let status = a.sockets.status().v4.expect("IPv4");
        assert_eq!(status.counters.send_unreachable, 1);
    });
}

#[test]
fn link_local_peers_are_told_apart_by_interface_and_answered() {
    in_namespace(|| {
        ip("link add left type veth peer name right");
        ip("link set left addrgenmode none");
        ip("link set right addrgenmode none");
        ip("link set left up");
        ip("link set right up");
        add_ipv6("fe80::1/64", "left");
        add_ipv6("fe80::2/64", "right");
        let (mut a, mut b) = (End::new(), End::new());
        let to = format!("[fe80::2%{}]:{}", ifindex("left"), b.sockets.port());
        let to = to.parse().expect("an address");
        assert_eq!(a.send(&[single(to, b"hello")]), Outcome::sent(1));
        let hello = b.receive(Family::V6, 1).remove(0);
        let from = format!("[fe80::1%{}]:{}", ifindex("right"), a.sockets.port());
        assert_eq!(hello.from, from.parse().expect("an address"));
        let here = local("fe80::2", ifindex("right"));
        assert_eq!(hello.local, Some(here));
        assert!(source_still_routes(hello.from, &here, 0).expect("an answer"));
        let contents = bytes(3000);
        let reply = Transmit {
            from: hello.local,
            ..run(hello.from, &contents, 1000)
        };
        assert_eq!(b.send(&[reply]), Outcome::sent(3));
        let messages = a.receive(Family::V6, 3);
        assert_eq!(datagrams(&messages), chunks(&contents, 1000));
        assert!(messages.iter().all(|m| m.from == to));
    });
}

#[test]
fn the_last_port_is_a_port() {
    in_namespace(|| {
        let options = UdpOptions {
            port: 65_535,
            ..UdpOptions::default()
        };
        let (mut a, mut b) = (End::with(&options), End::new());
        for family in BOTH {
            assert_eq!(a.sockets.port(), 65_535);
            a.send(&[single(b.address(family), b"ping")]);
            let from = b.receive(family, 1)[0].from;
            assert_eq!(from.port(), 65_535);
            b.send(&[single(from, b"pong")]);
            assert_eq!(datagrams(&a.receive(family, 1)), [b"pong"]);
        }
    });
}

#[test]
fn the_port_is_exclusive_while_held_and_free_after() {
    in_namespace(|| {
        let end = End::new();
        let options = UdpOptions {
            port: end.sockets.port(),
            ..UdpOptions::default()
        };
        let error = Sockets::bind(&options).expect_err("a second pair on the port");
        assert_eq!(error.errno(), Errno::ADDRINUSE);
        drop(end);
        // Another test may be starting a program: its child has all descriptors of this
        // process until it becomes that program.
        eventually("the port again", || Sockets::bind(&options).is_ok());
    });
}

#[test]
fn a_closed_port_disturbs_nobody() {
    in_namespace(|| {
        let (mut a, mut b) = (End::new(), End::new());
        for family in BOTH {
            let closed = End::new().address(family);
            assert_eq!(a.send(&[single(closed, b"x")]), Outcome::sent(1));
            a.assert_nothing_waits(family);
            assert_eq!(a.send(&[single(closed, b"x")]), Outcome::sent(1));
            b.send(&[single(a.address(family), b"y")]);
            assert_eq!(datagrams(&a.receive(family, 1)), [b"y"]);
        }
    });
}

/// Between addresses of one host, the interface on the way in is not that on the way out.
#[test]
fn a_source_learnt_from_a_neighbour_on_the_same_host_routes() {
    in_namespace(|| {
        two_ways();
        let (mut a, mut b) = (End::new(), End::new());
        for (family, target) in [(Family::V4, "10.0.1.1"), (Family::V6, "fd00:1::1")] {
            let to = SocketAddr::new(target.parse().expect("an address"), b.sockets.port());
            let hello = Transmit {
                from: Some(learnt(family)),
                ..single(to, b"x")
            };
            a.send(&[hello]);
            let message = b.receive(family, 1).remove(0);
            let here = message.local.expect("a local address");
            assert_eq!((here.ip, message.from.ip()), (to.ip(), learnt(family).ip));
            assert!(
                source_still_routes(message.from, &here, 0).expect("an answer"),
                "{here:?}"
            );
        }
    });
}

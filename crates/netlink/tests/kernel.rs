//! The client against the running kernel, in namespaces of its own. Needs root.

use std::net::IpAddr;

use hushwire_netlink::{
    DuplicateDetection, Error, IpFamily, MountNamespace, Namespace, Netlink, Prefix,
    ProcessNamespace, Route, RouteFilter, Rule, Tap, mount,
};

/// Runs a test in a fresh network namespace with its loopback interface up.
fn in_fresh_namespace(test: impl FnOnce(&mut Netlink) + Send) {
    let namespace =
        Namespace::new().expect("these tests make network namespaces: run them as root");
    namespace
        .run(|| {
            let mut netlink = Netlink::open().unwrap();
            let loopback = netlink.index_of("lo").unwrap();
            netlink.set_up(loopback).unwrap();
            test(&mut netlink);
        })
        .unwrap();
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pair of interfaces `a` and `b`, both up; returns their indexes.
fn pair(netlink: &mut Netlink) -> (u32, u32) {
    netlink.create_veth("a", "b", None).unwrap();
    let pair = (
        netlink.index_of("a").unwrap(),
        netlink.index_of("b").unwrap(),
    );
    netlink.set_up(pair.0).unwrap();
    netlink.set_up(pair.1).unwrap();
    pair
}

#[test]
fn a_new_namespace_is_empty_and_another() {
    let namespace = Namespace::new().unwrap();
    assert_ne!(
        namespace.id().unwrap(),
        Namespace::current().unwrap().id().unwrap()
    );
    let names = namespace.run(|| {
        let links = Netlink::open().unwrap().links().unwrap();
        links
            .into_iter()
            .map(|link| (link.name, link.up))
            .collect::<Vec<_>>()
    });
    assert_eq!(names.unwrap(), [("lo".to_owned(), false)]);
}

#[test]
fn running_in_a_namespace_leaves_the_caller_where_it_was() {
    let before = Namespace::current().unwrap().id().unwrap();
    let namespace = Namespace::new().unwrap();
    let inside = namespace
        .run(|| Namespace::current().unwrap().id().unwrap())
        .unwrap();
    assert_eq!(inside, namespace.id().unwrap());
    assert_eq!(Namespace::current().unwrap().id().unwrap(), before);
}

#[test]
fn a_client_keeps_speaking_for_the_namespace_it_was_opened_in() {
    let namespace = Namespace::new().unwrap();
    let mut netlink = namespace.run(|| Netlink::open().unwrap()).unwrap();
    netlink.create_veth("only-there", "peer", None).unwrap();
    assert!(netlink.link("only-there").unwrap().is_some());
    assert!(
        Netlink::open()
            .unwrap()
            .link("only-there")
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_panic_inside_goes_on_outside() {
    let namespace = Namespace::new().unwrap();
    let outcome = std::panic::catch_unwind(|| namespace.run(|| panic!("from inside")));
    assert_eq!(
        *outcome.unwrap_err().downcast::<&str>().unwrap(),
        "from inside"
    );
}

#[test]
fn a_link_is_made_changed_and_deleted() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        netlink.set_mtu(a, 1280).unwrap();
        netlink.set_transmit_queue(a, 77).unwrap();
        netlink.set_gso_max_segments(a, 1).unwrap();
        let link = netlink.link("a").unwrap().unwrap();
        assert_eq!((link.index, link.mtu, link.transmit_queue), (a, 1280, 77));
        assert_eq!(link.kind.as_deref(), Some("veth"));
        assert!(link.up && link.carrier);
        assert_eq!(link.hardware_address.len(), 6);

        netlink.set_down(a).unwrap();
        netlink.rename(a, "renamed").unwrap();
        let link = netlink.link_by_index(a).unwrap().unwrap();
        assert_eq!((link.name.as_str(), link.up), ("renamed", false));

        netlink.delete(a).unwrap();
        assert!(netlink.link("renamed").unwrap().is_none());
        assert!(
            netlink.link("b").unwrap().is_none(),
            "the other end of a pair goes with it"
        );
        assert!(netlink.delete(a).unwrap_err().is_missing());
    });
}

#[test]
fn a_pair_may_span_two_namespaces_and_a_link_may_move() {
    let there = Namespace::new().unwrap();
    let mut other = there.run(|| Netlink::open().unwrap()).unwrap();
    in_fresh_namespace(|netlink| {
        netlink.create_veth("here", "there", Some(&there)).unwrap();
        assert!(netlink.link("there").unwrap().is_none());
        assert!(other.link("there").unwrap().is_some());

        let here = netlink.index_of("here").unwrap();
        netlink.move_to_namespace(here, &there).unwrap();
        assert!(netlink.link("here").unwrap().is_none());
        assert!(other.link("here").unwrap().is_some());
    });
}

#[test]
fn addresses_of_both_families_come_and_go() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        for text in ["10.1.2.3/24", "10.9.9.9/32", "fd00::1/64"] {
            netlink
                .add_address(a, prefix(text), DuplicateDetection::Skip)
                .unwrap();
        }
        let list = |netlink: &mut Netlink| {
            let addresses = netlink.addresses(a).unwrap().into_iter();
            let global = addresses.filter(|a| !a.prefix.to_string().starts_with("fe80"));
            global
                .map(|a| (a.prefix.to_string(), a.tentative))
                .collect::<Vec<_>>()
        };
        let expected =
            ["10.1.2.3/24", "10.9.9.9/32", "fd00::1/64"].map(|text| (text.to_owned(), false));
        assert_eq!(list(netlink), expected);

        let again = netlink.add_address(a, prefix("10.1.2.3/24"), DuplicateDetection::Skip);
        let error = again.unwrap_err();
        assert!(error.is_already_there());
        assert!(
            error
                .to_string()
                .starts_with("add address 10.1.2.3/24 to a: File exists (os error 17)"),
            "{error}"
        );

        netlink.delete_address(a, prefix("10.1.2.3/24")).unwrap();
        assert!(
            netlink
                .delete_address(a, prefix("10.1.2.3/24"))
                .unwrap_err()
                .is_missing()
        );
        assert_eq!(list(netlink), expected[1..]);
    });
}

#[test]
fn an_address_without_skipping_is_checked_for_duplicates() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        netlink
            .add_address(a, prefix("fd00::1/64"), DuplicateDetection::Default)
            .unwrap();
        let addresses = netlink.addresses(a).unwrap();
        let ours = addresses
            .iter()
            .find(|a| a.prefix == prefix("fd00::1/64"))
            .unwrap();
        assert!(ours.tentative);
    });
}

#[test]
fn routes_of_both_families_come_and_go() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        netlink
            .add_address(a, prefix("10.1.2.3/24"), DuplicateDetection::Skip)
            .unwrap();
        netlink
            .add_address(a, prefix("fd00::1/64"), DuplicateDetection::Skip)
            .unwrap();
        let routes = [
            Route::to(prefix("192.0.2.0/24"))
                .via(address("10.1.2.1"))
                .on(a)
                .metric(7)
                .mtu(1300),
            Route::to(Prefix::ALL_V4).on(a).table(51820),
            Route::to(prefix("2001:db8::/32"))
                .via(address("fd00::2"))
                .on(a)
                .metric(9),
            Route::to(prefix("198.51.100.7/32"))
                .on(a)
                .table(200)
                .source(address("10.1.2.3")),
        ];
        for route in &routes {
            netlink.add_route(route).unwrap();
            let filter = RouteFilter {
                table: Some(route.table),
                device: Some(a),
            };
            assert!(netlink.routes(filter).unwrap().contains(route), "{route:?}");
        }
        for route in &routes {
            netlink.delete_route(route).unwrap();
            assert!(netlink.delete_route(route).unwrap_err().is_missing());
        }
        assert!(
            netlink
                .routes(RouteFilter {
                    table: Some(51820),
                    device: None
                })
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn host_bits_of_a_route_are_ignored() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        netlink
            .add_route(&Route::to(prefix("10.77.1.2/16")).on(a))
            .unwrap();
        let routes = netlink
            .routes(RouteFilter {
                device: Some(a),
                ..RouteFilter::default()
            })
            .unwrap();
        assert!(
            routes
                .iter()
                .any(|route| route.destination == prefix("10.77.0.0/16"))
        );
    });
}

#[test]
fn a_second_route_is_refused_and_a_replacement_is_not() {
    in_fresh_namespace(|netlink| {
        let (a, b) = pair(netlink);
        netlink
            .add_route(&Route::to(prefix("10.5.0.0/16")).on(a))
            .unwrap();
        let error = netlink
            .add_route(&Route::to(prefix("10.5.0.0/16")).on(a))
            .unwrap_err();
        assert!(error.is_already_there());
        assert!(
            error
                .to_string()
                .starts_with("add route 10.5.0.0/16 dev a: File exists (os error 17)"),
            "{error}"
        );

        netlink
            .replace_route(&Route::to(prefix("10.5.0.0/16")).on(b))
            .unwrap();
        let routes = netlink.routes(RouteFilter::default()).unwrap();
        let found = routes
            .iter()
            .filter(|route| route.destination == prefix("10.5.0.0/16"));
        assert_eq!(
            found.map(|route| route.device).collect::<Vec<_>>(),
            [Some(b)]
        );
    });
}

#[test]
fn rules_of_both_families_come_and_go() {
    in_fresh_namespace(|netlink| {
        let rules = [
            Rule::ask(IpFamily::V4, 51820)
                .unless_mark(51820)
                .priority(100),
            Rule::ask(IpFamily::V4, 254)
                .suppress_prefix_length(0)
                .priority(99),
            Rule::ask(IpFamily::V4, 70_000)
                .source(prefix("10.1.0.0/16"))
                .mark(7)
                .priority(5),
            Rule::ask(IpFamily::V6, 51820)
                .unless_mark(51820)
                .priority(100),
            Rule::ask(IpFamily::V6, 200)
                .source(prefix("fd00::/8"))
                .priority(4),
        ];
        for rule in &rules {
            netlink.add_rule(rule).unwrap();
            assert!(netlink.rules(rule.family).unwrap().contains(rule), "{rule}");
            assert!(
                netlink.add_rule(rule).unwrap_err().is_already_there(),
                "{rule}"
            );
        }
        for rule in &rules {
            netlink.delete_rule(rule).unwrap();
            let error = netlink.delete_rule(rule).unwrap_err();
            assert!(error.is_missing(), "{error}");
        }
        let left = netlink.rules(IpFamily::V4).unwrap();
        assert_eq!(
            left.iter().map(|rule| rule.table).collect::<Vec<_>>(),
            [255, 254, 253]
        );
    });
}

#[test]
fn the_way_of_a_packet_has_a_device_and_perhaps_an_mtu() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        netlink.add_bare_address(a, prefix("10.0.0.1/24")).unwrap();
        let narrow = Route::to(prefix("192.0.2.0/24"))
            .via(address("10.0.0.2"))
            .on(a)
            .mtu(1300);
        netlink.add_route(&narrow).unwrap();
        let mut path = |to: &str| netlink.path_to(address(to)).unwrap();
        let near = path("10.0.0.9").unwrap();
        assert_eq!((near.device, near.mtu), (a, None));
        assert_eq!(path("192.0.2.1").unwrap().mtu, Some(1300));
        assert_eq!(path("198.51.100.1"), None);
        assert_eq!(path("2001:db8::1"), None);
    });
}

#[test]
fn a_bare_address_has_no_broadcast_and_a_table_with_a_route_is_used() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        assert!(!netlink.used_tables().unwrap().contains(&51820));
        netlink.add_bare_address(a, prefix("10.0.0.1/24")).unwrap();
        let again = netlink.add_bare_address(a, prefix("10.0.0.1/24"));
        assert!(again.unwrap_err().is_already_there());
        let found = netlink.addresses(a).unwrap();
        let found = found.iter().find(|found| found.prefix.is_ipv4()).unwrap();
        assert_eq!((found.prefix, found.peer), (prefix("10.0.0.1/24"), None));
        let route = Route::to(prefix("10.9.0.0/16")).on(a).table(51820);
        netlink.add_route(&route).unwrap();
        let used = netlink.used_tables().unwrap();
        assert!(used.contains(&51820) && used.contains(&254), "{used:?}");
    });
}

#[test]
fn an_error_carries_the_kernels_own_sentence() {
    in_fresh_namespace(|netlink| {
        let (a, _) = pair(netlink);
        let unreachable = Route::to(prefix("192.0.2.0/24"))
            .via(address("203.0.113.1"))
            .on(a);
        let Error::Refused {
            detail: Some(detail),
            ..
        } = netlink.add_route(&unreachable).unwrap_err()
        else {
            panic!("no sentence of the kernel");
        };
        assert_eq!(detail, "Nexthop has invalid gateway");
    });
}

#[test]
fn a_client_works_on_after_an_error() {
    in_fresh_namespace(|netlink| {
        assert!(
            netlink
                .create_veth("a-name-that-is-too-long", "b", None)
                .is_err()
        );
        assert!(netlink.set_up(4_000_000).unwrap_err().is_missing());
        assert!(netlink.link("lo").unwrap().is_some());
    });
}

#[test]
fn more_links_than_one_datagram_holds_are_listed() {
    in_fresh_namespace(|netlink| {
        for i in 0..60 {
            netlink
                .create_veth(&format!("a{i}"), &format!("b{i}"), None)
                .unwrap();
        }
        assert_eq!(netlink.links().unwrap().len(), 121);
    });
}

#[test]
fn frames_go_through_a_tap() {
    in_fresh_namespace(|netlink| {
        let tap = Tap::new("tap0").unwrap();
        assert!(Tap::new("tap0").is_err(), "a taken name");
        let index = netlink.index_of(tap.name()).unwrap();
        netlink.set_up(index).unwrap();
        let frame = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x08, 0x06], &[0; 46]].concat();
        tap.send(&frame).unwrap();
        let link = netlink.link("tap0").unwrap().unwrap();
        assert_eq!(link.kind.as_deref(), Some("tun"));
        assert_eq!(link.counters.received_packets, 1);
        drop(tap);
        assert!(netlink.link("tap0").unwrap().is_none());
    });
}

#[test]
fn a_persistent_tap_outlives_its_other_end() {
    in_fresh_namespace(|netlink| {
        let words = ["tuntap", "add", "dev", "tap0", "mode", "tap"];
        let made = std::process::Command::new("ip").args(words).status();
        assert!(made.expect("apt-get install iproute2").success());
        let tap = Tap::attach("tap0").unwrap();
        assert!(Tap::attach("tap0").is_err(), "it has its other end");
        let index = netlink.index_of("tap0").unwrap();
        netlink.set_up(index).unwrap();
        tap.send(&[0xff; 60]).unwrap();
        let link = netlink.link("tap0").unwrap().unwrap();
        assert_eq!(link.counters.received_packets, 1);
        drop(tap);
        assert!(netlink.link("tap0").unwrap().is_some());
        pair(netlink);
        assert!(Tap::attach("a").is_err(), "another kind");
    });
}

#[test]
fn what_is_mounted_in_a_mount_namespace_is_seen_only_there() {
    let directory = tempfile_directory();
    let namespace = MountNamespace::new(|| {
        mount::mount_tmpfs(&directory, 0o700)?;
        std::fs::write(directory.join("inside"), "x").unwrap();
        Ok(())
    })
    .unwrap();
    assert!(!directory.join("inside").exists());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let before = std::env::current_dir().unwrap();
            namespace.enter().unwrap();
            assert_eq!(std::env::current_dir().unwrap(), before);
            assert!(directory.join("inside").exists());
        });
    });
    assert!(!directory.join("inside").exists());
    drop(namespace);
    std::fs::remove_dir(directory).unwrap();
}

fn tempfile_directory() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("hushwire-netlink-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
fn a_process_namespace_dies_with_its_first_process() {
    use std::process::{Command, Stdio};

    let start = || {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        Ok((child.id(), child))
    };
    let (namespace, mut first) = ProcessNamespace::new(start).unwrap();
    let mut second = std::thread::scope(|scope| {
        let spawn = || {
            namespace.enter_for_children().unwrap();
            Command::new("sleep").arg("1000").spawn().unwrap()
        };
        scope.spawn(spawn).join().unwrap()
    });
    assert!(second.try_wait().unwrap().is_none());
    drop(first.stdin.take());
    assert!(!second.wait().unwrap().success());
    first.wait().unwrap();
}

#[test]
fn connections_are_forgotten_in_this_namespace_only() {
    in_fresh_namespace(|_| hushwire_netlink::conntrack::flush().unwrap());
}

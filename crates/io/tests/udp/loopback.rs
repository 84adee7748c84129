//! What every host can do.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZeroU16;

use hushwire_io::udp::{
    Action, DatagramReceiver, DatagramSocket, Ecn, Errno, Family, OffReason, OffloadState,
    Receiver, Sockets, Transmit, UdpOptions,
};

use crate::support::{BOTH, End, Outcome, bytes, chunks, datagrams, local, loopback, run, single};

#[test]
fn both_families_share_a_port_that_the_system_chose() {
    let end = End::new();
    let status = end.sockets.status();
    assert_ne!(status.port, 0);
    assert!(status.v4.is_some() && status.v6.is_some());
    for family in BOTH {
        let fd = end.sockets.fd(family).expect("a socket");
        let name = rustix::net::getsockname(fd).expect("a name");
        let name = SocketAddr::try_from(name).expect("an IP name");
        assert_eq!(name.port(), end.sockets.port());
    }
}

#[test]
fn a_port_held_in_either_family_is_in_use() {
    for holder in ["0.0.0.0:0", "[::]:0"] {
        let holder = std::net::UdpSocket::bind(holder).expect("a socket");
        let port = holder.local_addr().expect("its name").port();
        let options = UdpOptions {
            port,
            ..UdpOptions::default()
        };
        let error = Sockets::bind(&options).expect_err("sockets on a taken port");
        assert_eq!(error.action(), Action::Bind(port));
        assert_eq!(error.errno(), Errno::ADDRINUSE);
        assert!(error.to_string().contains(&port.to_string()));
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::AddrInUse);
    }
}

#[test]
fn a_segmented_run_arrives_as_one_run_with_equal_bytes() {
    for family in BOTH {
        let (mut a, mut b) = (End::new(), End::new());
        let contents = bytes(20 * 1452 + 77);
        let outcome = a.send(&[run(b.address(family), &contents, 1452)]);
        assert_eq!(outcome, Outcome::sent(21));
        let messages = b.receive(family, 21);
        assert_eq!(messages.len(), 1, "a run of {family:?} in pieces");
        assert_eq!(messages[0].stride, 1452);
        assert_eq!(messages[0].contents, contents);
        assert_eq!(messages[0].from, a.address(family));
    }
}

#[test]
fn with_either_offload_switched_off_the_same_datagrams_arrive() {
    for (gso, gro) in [(true, false), (false, true), (false, false)] {
        let options = UdpOptions {
            gso,
            gro,
            ..UdpOptions::default()
        };
        let (mut a, mut b) = (End::with(&options), End::with(&options));
        for family in BOTH {
            let contents = bytes(9 * 1000 + 1);
            assert_eq!(
                a.send(&[run(b.address(family), &contents, 1000)]),
                Outcome::sent(10)
            );
            assert_eq!(datagrams(&b.receive(family, 10)), chunks(&contents, 1000));
        }
        let status = a.sockets.status().v4.expect("IPv4");
        assert_eq!(status.gso.is_on(), gso);
        assert_eq!(status.gro.is_on(), gro);
        let size = NonZeroU16::new(1000).expect("a size");
        let segments = a.sockets.max_segments(Family::V4, size);
        assert_eq!(segments, if gso { 64 } else { 1 });
    }
    let off = OffloadState::Off(OffReason::SwitchedOff);
    assert_eq!(off.to_string(), "off (switched off)");
}

#[test]
fn a_batch_to_many_keeps_its_order_and_its_offsets() {
    let (mut a, mut b, mut c) = (End::new(), End::new(), End::new());
    let contents: Vec<_> = (0..200u8).map(|n| vec![n; usize::from(n)]).collect();
    let targets = [
        b.address(Family::V4),
        c.address(Family::V6),
        c.address(Family::V4),
        b.address(Family::V6),
    ];
    let batch: Vec<_> = contents
        .iter()
        .enumerate()
        .map(|(n, contents)| single(targets[n / 10 % 4], contents))
        .collect();
    assert_eq!(a.send(&batch), Outcome::sent(200));
    let to = |n: usize| {
        let of_target = contents.iter().enumerate();
        of_target
            .filter(move |(i, _)| i / 10 % 4 == n)
            .map(|(_, contents)| contents.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(datagrams(&b.receive(Family::V4, 50)), to(0));
    assert_eq!(datagrams(&c.receive(Family::V6, 50)), to(1));
    assert_eq!(datagrams(&c.receive(Family::V4, 50)), to(2));
    assert_eq!(datagrams(&b.receive(Family::V6, 50)), to(3));
}

#[test]
fn the_address_spoken_to_is_learnt_and_answered_from() {
    let (mut a, mut b) = (End::new(), End::new());
    let dialled: SocketAddr = ([127, 0, 0, 2], b.sockets.port()).into();
    a.send(&[single(dialled, b"hello")]);
    let hello = b.receive(Family::V4, 1).remove(0);
    assert_eq!(hello.local.map(|local| local.ip), Some(dialled.ip()));
    assert_eq!(hello.local.map(|local| local.ifindex), Some(1));
    let reply = Transmit {
        from: hello.local,
        ..single(hello.from, b"reply")
    };
    assert_eq!(b.send(&[reply]), Outcome::sent(1));
    assert_eq!(a.receive(Family::V4, 1)[0].from, dialled);
}

#[test]
fn ipv6_sources_are_learnt_too() {
    let (mut a, mut b) = (End::new(), End::new());
    a.send(&[single(b.address(Family::V6), b"hello")]);
    let hello = b.receive(Family::V6, 1).remove(0);
    assert_eq!(hello.local, Some(local("::1", 1)));
    let reply = Transmit {
        from: hello.local,
        ..single(hello.from, b"reply")
    };
    assert_eq!(b.send(&[reply]), Outcome::sent(1));
    assert_eq!(a.receive(Family::V6, 1)[0].from, b.address(Family::V6));
}

#[test]
fn a_source_that_this_host_does_not_have_is_left_out_and_reported() {
    for (family, ip) in [(Family::V4, "203.0.113.9"), (Family::V6, "2001:db8::9")] {
        let (mut a, mut b) = (End::new(), End::new());
        let contents = bytes(5000);
        let transmit = Transmit {
            from: Some(local(ip, 1)),
            ..run(b.address(family), &contents, 1000)
        };
        let outcome = a.send(&[single(b.address(family), b"first"), transmit]);
        assert_eq!((outcome.sent, outcome.dropped), (6, 0));
        assert_eq!(outcome.troubles.len(), 1);
        assert_eq!(outcome.troubles[0].index, 1);
        assert!(outcome.troubles[0].source_gone);
        let messages = b.receive(family, 6);
        assert_eq!(datagrams(&messages)[1..], chunks(&contents, 1000));
        assert_eq!(messages[1].from.ip(), loopback(family));
        let status = a.sockets.status();
        let (v4, v6) = (status.v4.expect("IPv4"), status.v6.expect("IPv6"));
        assert!(v4.gso.is_on() && v6.gso.is_on(), "blamed on GSO");
        let gone = [v4, v6].map(|s| s.counters.sources_gone);
        assert_eq!(gone.iter().sum::<u64>(), 1);
    }
}

#[test]
fn congestion_marks_and_dscp_are_carried() {
    for family in BOTH {
        let (mut a, mut b) = (End::new(), End::new());
        for (tos, ecn) in [
            (0, Ecn::NotEct),
            (Ecn::Ect0.to_tos(), Ecn::Ect0),
            (Ecn::Ect1.to_tos(), Ecn::Ect1),
            (Ecn::Ce.to_tos(), Ecn::Ce),
            (0x88, Ecn::NotEct),
            (0x88 | Ecn::Ce.to_tos(), Ecn::Ce),
        ] {
            let contents = bytes(2500);
            let transmit = Transmit {
                tos,
                ..run(b.address(family), &contents, 1000)
            };
            assert_eq!(a.send(&[transmit]), Outcome::sent(3));
            let messages = b.receive(family, 3);
            assert!(messages.iter().all(|m| m.ecn == ecn), "tos {tos:#x}");
            assert_eq!(datagrams(&messages), chunks(&contents, 1000));
        }
    }
}

#[test]
fn receiving_does_not_wait() {
    let mut end = End::new();
    for family in BOTH {
        end.assert_nothing_waits(family);
    }
}

#[test]
fn the_buffers_are_as_large_as_the_system_allows() {
    let end = End::new();
    let plain = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let ordinary = rustix::net::sockopt::socket_recv_buffer_size(&plain).expect("a size");
    for status in [end.sockets.status().v4, end.sockets.status().v6] {
        let status = status.expect("a socket");
        assert!(status.receive_buffer_bytes >= ordinary);
        if rustix::process::geteuid().is_root() {
            assert!(status.receive_buffer_bytes >= 7 << 20);
            assert!(status.send_buffer_bytes >= 7 << 20);
        }
    }
}

#[test]
fn a_group_shares_a_port_and_keeps_a_sender_on_one_pair() {
    let group = Sockets::bind_group(&UdpOptions::default(), 4).expect("a group");
    let port = group[0].port();
    assert!(group.iter().all(|sockets| sockets.port() == port));
    let mut receiver = Receiver::new(8);
    for family in BOTH {
        let mut used = [false; 4];
        for _ in 0..40 {
            let sender = std::net::UdpSocket::bind((loopback(family), 0)).expect("a socket");
            for _ in 0..3 {
                sender
                    .send_to(b"x", (loopback(family), port))
                    .expect("room");
            }
            // On the loopback interface they are there when send returns, perhaps as runs.
            let arrived = group.iter().map(|sockets| {
                let mut datagrams = 0;
                while let Ok(count) = sockets.receive(family, &mut receiver) {
                    for index in 0..count {
                        datagrams += receiver.message(index).map_or(0, |m| m.contents.len());
                    }
                }
                datagrams
            });
            let arrived: Vec<usize> = arrived.collect();
            let at = arrived.iter().position(|count| *count == 3);
            assert_eq!(arrived.iter().sum::<usize>(), 3, "{arrived:?}");
            used[at.unwrap_or_else(|| panic!("one sender at two pairs: {arrived:?}"))] = true;
        }
        assert_eq!(used, [true; 4], "forty senders of {family:?}");
    }
}

#[test]
fn a_group_takes_no_port_that_is_held_and_leaves_none_behind() {
    let first = Sockets::bind_group(&UdpOptions::default(), 2).expect("a group");
    let options = UdpOptions {
        port: first[0].port(),
        ..UdpOptions::default()
    };
    for count in [1, 2] {
        let error = Sockets::bind_group(&options, count).expect_err("a group on a taken port");
        assert_eq!(error.errno(), Errno::ADDRINUSE);
    }
    drop(first);
    Sockets::bind_group(&options, 2).expect("the port again");
}

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hushwire_io::{
    offload::{Coalescer, MAX_PACKET, OffloadSet, SegmentationKind, Splitter, State},
    tun::{Tun, TunOptions},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::lab::{Namespace, ip_output, queue};

/// Where packets between two devices are moved on, as a tunnel would, in two namespaces with
/// one address each.
struct Tunnel {
    tuns: [Tun; 2],
    hosts: [Namespace; 2],
}

/// What was seen on the way.
#[derive(Debug, Default)]
struct Seen {
    /// Kinds of super-packets that the kernel handed out.
    read: HashSet<SegmentationKind>,
    /// Super-packets and single packets written.
    writes: usize,
    packets: usize,
}

const V4: [&str; 2] = ["10.7.0.1", "10.7.0.2"];
const V6: [&str; 2] = ["fd07::1", "fd07::2"];

/// Without duplicate address detection an IPv6 address is there at once, but what is sent to it is dropped until it
/// has its route, which the kernel makes in the background.
fn await_local_route(host: &Namespace, address: &str) {
    let start = Instant::now();
    let route = format!("local {address} ");
    while !host
        .enter(|| ip_output("-6 route show table local"))
        .contains(&route)
    {
        assert!(start.elapsed() < Duration::from_secs(60), "no {route}");
        thread::sleep(Duration::from_millis(1));
    }
}

impl Tunnel {
    fn new(options: &TunOptions) -> Self {
        let hosts = [Namespace::new(), Namespace::new()];
        let make = |index: usize| {
            let host: &Namespace = &hosts[index];
            let tun = host.enter(|| Tun::create("wg0", options).unwrap());
            host.ip(&format!("address add {}/24 dev wg0", V4[index]));
            host.ip(&format!("address add {}/64 dev wg0 nodad", V6[index]));
            host.ip("link set wg0 up");
            await_local_route(host, V6[index]);
            tun
        };
        let tuns = [make(0), make(1)];
        Self { tuns, hosts }
    }

    /// Carries packets both ways while `talk` runs.
    fn carry(&self, talk: impl FnOnce(&[Namespace; 2])) -> [Seen; 2] {
        let done = AtomicBool::new(false);
        let [a, b] = &self.tuns;
        thread::scope(|scope| {
            let there = scope.spawn(|| pump(a, b, &done));
            let back = scope.spawn(|| pump(b, a, &done));
            let talk = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                talk(&self.hosts);
            }));
            done.store(true, Ordering::Relaxed);
            let seen = [there.join().unwrap(), back.join().unwrap()];
            if let Err(panic) = talk {
                std::panic::resume_unwind(panic);
            }
            seen
        })
    }
}

fn pump(from: &Tun, to: &Tun, done: &AtomicBool) -> Seen {
    let coalescer = Coalescer::new(to.offloads().clone());
    let (from, to) = (queue(from), queue(to));
    let mut seen = Seen::default();
    let mut buffer = vec![0; MAX_PACKET];
    let mut out = vec![0; 2 * MAX_PACKET];
    while !done.load(Ordering::Relaxed) {
        let Some(received) = from.read(&mut buffer).unwrap() else {
            let mut fds = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
            let soon = Timespec {
                tv_sec: 0,
                tv_nsec: 20_000_000,
            };
            poll(&mut fds, Some(&soon)).unwrap();
            continue;
        };
        if let Some(segmentation) = received.segmentation {
            seen.read.insert(segmentation.kind);
        }
        let splitter = Splitter::new(&buffer, &received).unwrap();
        let mut ranges = Vec::new();
        let mut end = 0;
        for index in 0..splitter.segments() {
            let start = end;
            end += splitter.write_segment(index, &mut out[start..]);
            assert!(end > start);
            ranges.push(start..end);
        }
        let stats = coalescer.write_all(to, &out, &ranges);
        assert_eq!(stats.dropped, 0, "{:?}", stats.error);
        seen.writes += stats.writes;
        seen.packets += stats.packets;
    }
    seen
}

/// Sends `len` bytes from the first host to the second, which sends them back.
fn echo_tcp(hosts: &[Namespace; 2], address: &str, len: usize) {
    let server = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 0);
    let data: Vec<u8> = (0..len).map(|at| (at * 7 + at / 1000) as u8).collect();
    let listener = hosts[1].enter(|| TcpListener::bind(server).unwrap());
    let server = listener.local_addr().unwrap();
    let client = hosts[0].enter(|| TcpStream::connect(server).unwrap());
    let (mut accepted, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            loop {
                let len = accepted.read(&mut buffer).unwrap();
                if len == 0 {
                    break;
                }
                accepted.write_all(&buffer[..len]).unwrap();
            }
        });
        let mut sender = client.try_clone().unwrap();
        let sent = &data;
        scope.spawn(move || {
            sender.write_all(sent).unwrap();
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        (&client).read_to_end(&mut received).unwrap();
        assert!(received == data, "the bytes came back changed");
    });
}

/// Sends datagrams of equal size and a shorter one from the first host to the second in one
/// system call.
fn send_datagrams(hosts: &[Namespace; 2], addresses: [&str; 2]) {
    let [from, to] = addresses.map(|it| SocketAddr::new(it.parse().unwrap(), 0));
    let receiver = hosts[1].enter(|| UdpSocket::bind(to).unwrap());
    receiver
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let sender = hosts[0].enter(|| UdpSocket::bind(from).unwrap());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let size: libc::c_int = 1000;
    // SAFETY: the option value is one int, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            sender.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let data: Vec<u8> = (0..20_500).map(|at| (at * 3 + at / 999) as u8).collect();
    sender.send(&data).unwrap();
    let mut buffer = [0; 2000];
    for chunk in data.chunks(1000) {
        let len = receiver.recv(&mut buffer).unwrap();
        assert!(buffer[..len] == *chunk, "a datagram came changed");
    }
}

#[test]
fn tcp_goes_through_as_super_packets_both_ways() {
    let tunnel = Tunnel::new(&TunOptions::default());
    for (address, kind) in [
        (V4[1], SegmentationKind::Tcp4),
        (V6[1], SegmentationKind::Tcp6),
    ] {
        let seen = tunnel.carry(|hosts| echo_tcp(hosts, address, 8 << 20));
        for seen in seen {
            assert!(seen.read.contains(&kind), "{seen:?}");
            assert!(seen.writes * 2 < seen.packets, "{seen:?}");
        }
    }
    for tun in &tunnel.tuns {
        assert!(tun.offloads().iter().all(|(_, state)| state == State::On));
    }
}

#[test]
fn datagrams_go_through_as_super_packets() {
    let tunnel = Tunnel::new(&TunOptions::default());
    for addresses in [V4, V6] {
        let [seen, _] = tunnel.carry(|hosts| send_datagrams(hosts, addresses));
        assert!(seen.read.contains(&SegmentationKind::Udp), "{seen:?}");
        assert!(seen.writes + 19 < seen.packets, "{seen:?}");
    }
    for tun in &tunnel.tuns {
        assert!(tun.offloads().iter().all(|(_, state)| state == State::On));
    }
}

#[test]
fn everything_goes_through_without_offloads_too() {
    let without_checksum = OffloadSet {
        checksum: false,
        ..OffloadSet::ALL
    };
    for offloads in [OffloadSet::NONE, without_checksum] {
        let tunnel = Tunnel::new(&TunOptions {
            offloads,
            ..TunOptions::default()
        });
        let seen = tunnel.carry(|hosts| {
            for (index, address) in [V4[1], V6[1]].into_iter().enumerate() {
                echo_tcp(hosts, address, 1 << 20);
                send_datagrams(hosts, [V4, V6][index]);
            }
        });
        assert!(seen.iter().all(|seen| seen.read.is_empty()), "{seen:?}");
        if offloads == OffloadSet::NONE {
            assert!(
                seen.iter().all(|seen| seen.writes == seen.packets),
                "{seen:?}"
            );
        }
    }
}

#[test]
fn jumbo_packets_go_through() {
    let tunnel = Tunnel::new(&TunOptions {
        mtu: 65_440,
        ..TunOptions::default()
    });
    tunnel.carry(|hosts| {
        echo_tcp(hosts, V4[1], 4 << 20);
        echo_tcp(hosts, V6[1], 4 << 20);
    });
}

use std::{
    fs::File,
    io::{self, IoSlice},
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use hushwire_io::{
    offload::{Coalescer, MAX_PACKET, Offload, OffloadSet, Outgoing, State, Sum},
    tun::{Tun, TunError, TunOptions, is_gone},
};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};

use crate::lab::{create, ip, ip_output, isolated, queue};

#[test]
fn a_new_device_is_down_with_the_mtu_of_wireguard() {
    isolated(|| {
        let tun = create("hw%d");
        assert_eq!(tun.name().unwrap(), "hw0");
        assert_eq!(tun.mtu(), 1420);
        assert!(queue(&tun).read(&mut [0; 2000]).unwrap().is_none());
        assert_eq!(create("hw%d").name().unwrap(), "hw1");
        let options = TunOptions {
            mtu: 65_440,
            ..TunOptions::default()
        };
        assert_eq!(Tun::create("big", &options).unwrap().mtu(), 65_440);
    });
}

#[test]
fn a_super_packet_fits_one_send_and_a_burst_fits_the_queue() {
    isolated(|| {
        let _tun = create("shaped");
        let shown = ip_output("-details link show shaped");
        assert!(shown.contains("qlen 1000"), "{shown}");
        assert!(shown.contains("gso_max_segs 45"), "{shown}");
    });
}

#[test]
fn a_device_goes_with_its_last_descriptor() {
    isolated(|| {
        let tun = create("gone");
        let kept = tun.dup().unwrap();
        drop(tun);
        ip("link show gone");
        drop(kept);
        create("gone");
    });
}

#[test]
fn names_that_cannot_be_are_refused() {
    isolated(|| {
        for name in [
            "",
            ".",
            "..",
            "all",
            "default",
            "a/b",
            "a:b",
            "a b",
            "a\tb",
            "a\0b",
            "%",
            "%s",
            "%d%d",
            "sixteen-bytes-xx",
        ] {
            let error = Tun::create(name, &TunOptions::default()).unwrap_err();
            assert!(
                matches!(error, TunError::InvalidName { .. }),
                "{name}: {error}"
            );
        }
        let longest = "fifteen-bytes-x";
        assert_eq!(create(longest).name().unwrap(), longest);
    });
}

#[test]
fn a_name_that_is_taken_is_refused_whoever_has_it() {
    isolated(|| {
        let _mine = create("mine");
        ip("tuntap add dev persistent mode tun");
        for name in ["mine", "persistent", "lo"] {
            let error = Tun::create(name, &TunOptions::default()).unwrap_err();
            assert!(
                matches!(&error, TunError::AlreadyExists { name: it } if it == name),
                "{error}"
            );
            let message = error.to_string();
            assert!(
                message.contains(&format!("ip link del {name}")),
                "{message}"
            );
        }
    });
}

#[test]
fn an_impossible_mtu_or_number_of_queues_is_refused() {
    isolated(|| {
        let options = TunOptions {
            mtu: 70_000,
            ..TunOptions::default()
        };
        let error = Tun::create("huge", &options).unwrap_err();
        assert!(
            matches!(error, TunError::Mtu { mtu: 70_000, .. }),
            "{error}"
        );
        // Nothing is left behind, but for what another test is just starting: a process has copies of all descriptors
        // until it executes its program.
        let start = Instant::now();
        while ip_output("link show").contains("huge") {
            assert!(start.elapsed() < Duration::from_secs(60), "it stays");
        }
        create("huge");
        for queues in [0, 257] {
            let options = TunOptions {
                queues,
                ..TunOptions::default()
            };
            let error = Tun::create("queues", &options).unwrap_err();
            assert!(matches!(error, TunError::Queues { .. }), "{error}");
        }
    });
}

#[test]
fn several_queues_are_one_device() {
    isolated(|| {
        let options = TunOptions {
            queues: 3,
            ..TunOptions::default()
        };
        let tun = Tun::create("many", &options).unwrap();
        assert_eq!(tun.queues().count(), 3);
        let mut fds = tun.dup().unwrap();
        drop(tun);
        let first = fds.remove(0);
        let again = Tun::from_fds(first, fds, &TunOptions::default()).unwrap();
        assert_eq!(again.queues().count(), 3);
        assert_eq!(again.name().unwrap(), "many");

        let other = create("other").dup().unwrap();
        let first = again.dup().unwrap().remove(0);
        let error = Tun::from_fds(first, other, &TunOptions::default()).unwrap_err();
        assert!(matches!(error, TunError::NotTun { .. }), "{error}");
    });
}

#[test]
fn offloads_are_probed_and_can_be_switched_off_one_by_one() {
    isolated(|| {
        let tun = create("everything");
        for (offload, state) in tun.offloads().iter() {
            assert_eq!(state, State::On, "{offload}: this needs Linux 6.2");
        }
        let options = TunOptions {
            offloads: OffloadSet {
                tso6: false,
                udp_merge: false,
                ..OffloadSet::ALL
            },
            ..TunOptions::default()
        };
        let tun = Tun::create("some", &options).unwrap();
        let off: Vec<Offload> = tun
            .offloads()
            .iter()
            .filter(|(_, state)| *state == State::Off)
            .map(|(offload, _)| offload)
            .collect();
        assert_eq!(off, [Offload::Tso6, Offload::UdpMerge]);
    });
}

#[test]
fn a_device_can_be_handed_over_with_and_without_virtio_header() {
    isolated(|| {
        for (name, offloads) in [("with", OffloadSet::ALL), ("without", OffloadSet::NONE)] {
            let options = TunOptions {
                offloads,
                mtu: 1300,
                ..TunOptions::default()
            };
            let original = Tun::create(name, &options).unwrap();
            ip(&format!("link set {name} up"));
            let fd = original.dup().unwrap().remove(0);
            let flags = fcntl_getfl(&fd).unwrap();
            fcntl_setfl(&fd, flags - OFlags::NONBLOCK).unwrap();
            let tun = Tun::from_fd(fd, &TunOptions::default()).unwrap();
            assert_eq!(tun.name().unwrap(), name);
            assert_eq!(tun.mtu(), 1300);
            let expected = if offloads == OffloadSet::ALL {
                State::On
            } else {
                State::Unsupported(None)
            };
            assert_eq!(tun.offloads().state(Offload::Tso4), expected);
            // Drains what the kernel sent of its own accord; blocks if that is not set.
            while queue(&tun)
                .read(&mut vec![0; MAX_PACKET])
                .unwrap()
                .is_some()
            {}
        }
    });
}

#[test]
fn descriptors_that_are_no_tun_device_are_refused() {
    isolated(|| {
        let refused = |fd: OwnedFd, clue: &str| {
            let error = Tun::from_fd(fd, &TunOptions::default()).unwrap_err();
            assert!(matches!(error, TunError::NotTun { .. }), "{error}");
            assert!(error.to_string().contains(clue), "{error}");
        };
        refused(File::open("/dev/null").unwrap().into(), "/dev/net/tun");
        let unattached = open("/dev/net/tun", OFlags::RDWR, Mode::empty()).unwrap();
        refused(unattached, "not attached");
        let tap = raw_device("tap", libc::IFF_TAP | libc::IFF_NO_PI);
        refused(tap, "TAP");
    });
}

/// A device as another program might have made it.
fn raw_device(name: &str, flags: libc::c_int) -> OwnedFd {
    let fd = open("/dev/net/tun", OFlags::RDWR, Mode::empty()).unwrap();
    // SAFETY: `ifreq` is plain data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: TUNSETIFF takes one `ifreq`, which outlives the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    fd
}

#[test]
fn writing_to_a_device_that_is_down_says_so_and_switches_nothing_off() {
    isolated(|| {
        let tun = create("idle");
        let (buffer, ranges) = udp_train(4);
        let coalescer = Coalescer::new(tun.offloads().clone());
        let stats = coalescer.write_all(queue(&tun), &buffer, &ranges);
        assert_eq!((stats.packets, stats.dropped), (0, 4));
        assert_eq!(stats.error.unwrap().raw_os_error(), Some(libc::EIO));
        assert_eq!(tun.offloads().state(Offload::UdpMerge), State::On);
        ip("link set idle up");
        let stats = coalescer.write_all(queue(&tun), &buffer, &ranges);
        assert_eq!((stats.packets, stats.writes), (4, 1));
    });
}

/// Datagrams of one flow, one after the other in a buffer.
fn udp_train(count: usize) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let mut packet = vec![0x45, 0, 0, 128, 0, 0, 0x40, 0, 64, 17, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = Sum::new().bytes(&packet).finish();
    packet[10..12].copy_from_slice(&sum);
    packet.extend([0, 9, 0, 9, 0, 108, 0xab, 0xcd]);
    packet.resize(128, 7);
    let ranges = (0..count).map(|at| at * 128..(at + 1) * 128).collect();
    (packet.repeat(count), ranges)
}

#[test]
fn a_write_that_is_no_packet_is_an_error_that_passes() {
    isolated(|| {
        let tun = create("picky");
        ip("link set picky up");
        let error = queue(&tun)
            .write(&Outgoing::PLAIN, &[IoSlice::new(&[0; 40])])
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(!is_gone(&error));
    });
}

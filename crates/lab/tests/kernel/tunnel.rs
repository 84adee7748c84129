//! Tunnels between the kernel and hushwired, each at either end.

use hushwire_lab::vm::Check;

use crate::answer::{Tool, ask};
use crate::check;
use crate::two_ends::{Kind, Make, TwoEnds};

pub(crate) const CHECKS: &[Check] = &[
    check("tunnel::the_kernel_speaks_first", || {
        every_kind(Make::Kernel, Make::Hushwired);
    }),
    check("tunnel::hushwired_speaks_first", || {
        every_kind(Make::Hushwired, Make::Kernel);
    }),
    check("tunnel::full_size_packets", full_size_packets),
    check("tunnel::the_kernel_roams", || {
        roams(Make::Kernel, Make::Hushwired);
    }),
    check("tunnel::hushwired_roams", || {
        roams(Make::Hushwired, Make::Kernel);
    }),
    check(
        "tunnel::other_preshared_keys_keep_apart",
        other_preshared_keys_keep_apart,
    ),
    check("tunnel::both_tools_tell_the_same", both_tools_tell_the_same),
    check(
        "tunnel::a_changed_key_is_followed",
        a_changed_key_is_followed,
    ),
];

const PLAIN: Kind = Kind {
    outer_v6: false,
    preshared_key: false,
};

/// What goes through by TCP, in bytes: many times what is on its way at once.
const STREAM: usize = 1 << 20;

/// Each outer family, with and without a pre-shared key.
fn every_kind(left: Make, right: Make) {
    for outer_v6 in [false, true] {
        for preshared_key in [false, true] {
            let kind = Kind {
                outer_v6,
                preshared_key,
            };
            let ends = TwoEnds::new(left, right, kind);
            ends.ping_both_ways();
            ends.streams_both_ways(STREAM);
            for end in [&ends.left, &ends.right] {
                assert_ne!(end.peers("latest-handshakes"), "0", "{kind:?}");
            }
            let place = if outer_v6 {
                "[fd00:9::1]:10000"
            } else {
                "10.9.0.1:10000"
            };
            assert_eq!(ends.right.peers("endpoints"), place, "{kind:?}");
        }
    }
}

/// A packet as large as the interface goes through in one piece, and a larger one does not.
fn full_size_packets() {
    let ends = TwoEnds::new(Make::Kernel, Make::Hushwired, PLAIN);
    ends.ping_both_ways();
    for (end, other) in [(&ends.left, &ends.right), (&ends.right, &ends.left)] {
        // Less the headers: 20 and 8 bytes, 40 and 8.
        for (address, payload) in [(other.ipv4, 1392), (other.ipv6, 1372)] {
            let ping = |payload: usize| {
                let size = payload.to_string();
                let words = [
                    "ping", "-n", "-M", "do", "-c", "3", "-i", "0.2", "-W", "20", "-s",
                ];
                end.host.output(&[&words[..], &[&size, address]].concat())
            };
            ping(payload).unwrap();
            let error = ping(payload + 1).unwrap_err();
            assert_eq!(error.exit_code(), Some(1), "{error}");
        }
    }
    // No sizes but the full one are padded; all of them go through.
    for payload in [0, 1, 15, 16, 17, 1375, 1376, 1377, 1391] {
        let size = payload.to_string();
        let words = [
            "ping",
            "-n",
            "-c",
            "1",
            "-W",
            "20",
            "-s",
            &size,
            ends.right.ipv4,
        ];
        ends.left.host.output(&words).unwrap();
    }
}

/// The left end gets another port, then another address, then goes over to IPv6, and the right one follows as soon as
/// it hears of it.
fn roams(left: Make, right: Make) {
    let ends = TwoEnds::new(left, right, PLAIN);
    let TwoEnds { left, right, .. } = &ends;
    ends.ping_both_ways();
    assert_eq!(right.peers("endpoints"), "10.9.0.1:10000");

    left.set("listen-port 10001");
    left.host.ping(right.ipv4).unwrap();
    right.comes_to("endpoints", "10.9.0.1:10001");

    left.host.delete_address("eth0", "10.9.0.1/24").unwrap();
    left.host.address("eth0", "10.9.0.77/24").unwrap();
    left.host.ping(right.ipv6).unwrap();
    right.comes_to("endpoints", "10.9.0.77:10001");
    right.host.ping(left.ipv4).unwrap();

    left.set(&format!(
        "peer {} endpoint [fd00:9::2]:20000",
        right.keys.public_base64()
    ));
    left.host.ping(right.ipv4).unwrap();
    right.comes_to("endpoints", "[fd00:9::1]:10001");
    ends.ping_both_ways();
}

/// Whoever speaks first, there is no session; the same once more shows that nothing else was wrong.
fn other_preshared_keys_keep_apart() {
    let kind = Kind {
        preshared_key: true,
        ..PLAIN
    };
    for (left, right) in [
        (Make::Kernel, Make::Hushwired),
        (Make::Hushwired, Make::Kernel),
    ] {
        let ends = TwoEnds::new(left, right, kind);
        let TwoEnds { left, right, .. } = &ends;
        let peer = left.keys.public_base64();
        right.set(&format!("peer {peer} preshared-key /dev/null"));
        let words = ["ping", "-n", "-c", "3", "-i", "0.5", "-W", "1", right.ipv4];
        assert!(left.host.output(&words).is_err());
        for end in [left, right] {
            assert_eq!(end.peers("latest-handshakes"), "0");
        }
        left.set(&format!(
            "peer {} preshared-key /dev/null",
            right.keys.public_base64()
        ));
        ends.ping_both_ways();
    }
}

/// A session's traces, read by both tools: the time of the handshake, the bytes, the place it came from.
fn both_tools_tell_the_same() {
    let ends = TwoEnds::new(Make::Hushwired, Make::Kernel, PLAIN);
    ends.ping_both_ways();
    ends.streams_both_ways(STREAM);
    let end = &ends.right;
    assert!(end.is_the_kernels());
    for words in [
        &["show"] as &[&str],
        &["show", end.interface, "dump"],
        &["show", end.interface, "transfer"],
        &["show", end.interface, "latest-handshakes"],
        &["show", end.interface, "endpoints"],
        &["showconf", end.interface],
    ] {
        // A reading counts when nothing has changed since the one before: no second has gone by, no packet come.
        let ours = (0..200).find_map(|_| {
            let before = ask(&end.host, Tool::Standard, words);
            let ours = ask(&end.host, Tool::Ours, words);
            let after = ask(&end.host, Tool::Standard, words);
            (before == after).then_some((ours, after))
        });
        let (ours, standard) = ours.expect("a moment in which nothing changes");
        assert_eq!(ours.difference(&standard), None, "{words:?}");
    }
}

/// Each end gets a new private key in turn, and its peer is told: the next packet shakes hands anew.
fn a_changed_key_is_followed() {
    let ends = TwoEnds::new(Make::Kernel, Make::Hushwired, PLAIN);
    let TwoEnds { left, right, .. } = &ends;
    ends.ping_both_ways();
    for (end, other) in [(left, right), (right, left)] {
        let old = end.keys.public_base64();
        let new = end.new_key();
        let endpoint = other.peers("endpoints");
        other.set(&format!("peer {old} remove"));
        other.set(&format!(
            "peer {new} endpoint {endpoint} allowed-ips {}/32,{}/128",
            end.ipv4, end.ipv6
        ));
        ends.ping_both_ways();
    }
}

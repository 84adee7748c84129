//! Tunnels between hushwired and daemons of other makes: who speaks first, with and without a pre-shared key, IPv4 and
//! IPv6 outside and inside, and traffic both ways.

use hushwire_lab::{Host, Implementation, Lab, Tunnel, TunnelOptions};

use Implementation::{Boringtun, Gotatun, WireguardGo};

use crate::common::{bytes_arrive_unchanged, implementation, one_at_a_time, tcp};

/// Two hosts on a cable, with an address of either family each: 10.9.0.1 and .2, fd00:9::1:1 and ::1:2.
pub(crate) fn cable(lab: &Lab) -> (Host, Host) {
    let (left, right) = (lab.host("left").unwrap(), lab.host("right").unwrap());
    lab.link(&left, "eth0", &right, "eth0").unwrap();
    for (host, side) in [(&left, 1), (&right, 2)] {
        host.address("eth0", &format!("10.9.0.{side}/24")).unwrap();
        host.address("eth0", &format!("fd00:9::1:{side}/64"))
            .unwrap();
    }
    (left, right)
}

/// The outside addresses of the two hosts of [`cable`].
pub(crate) fn outside(v6: bool) -> (&'static str, &'static str) {
    if v6 {
        ("fd00:9::1:1", "fd00:9::1:2")
    } else {
        ("10.9.0.1", "10.9.0.2")
    }
}

/// Every combination of outer family and pre-shared key; the left end always speaks first, and the right one learns
/// from it where it is.
fn speaks_first(first: Implementation, second: Implementation) {
    let _alone = one_at_a_time();
    let lab = Lab::new().unwrap();
    let (left, right) = cable(&lab);
    let mut number = 0;
    for v6 in [false, true] {
        for preshared_key in [None, Some([0x5a; 32])] {
            number += 1;
            let options = TunnelOptions {
                number,
                preshared_key,
                right_knows_left: false,
                ..TunnelOptions::default()
            };
            let (here, there) = outside(v6);
            let tunnel =
                Tunnel::between((&left, first, here), (&right, second, there), &options).unwrap();
            left.ping(&tunnel.right.ipv4).unwrap();
            left.ping(&tunnel.right.ipv6).unwrap();
            right.ping(&tunnel.left.ipv4).unwrap();
            right.ping(&tunnel.left.ipv6).unwrap();
            tcp(&left, &right, &tunnel.right.ipv4, "32M", 2);
            tcp(&right, &left, &tunnel.left.ipv6, "32M", 2);
            let address = tunnel.right.ipv6.parse().unwrap();
            bytes_arrive_unchanged(&left, &right, address, 4 << 20);
        }
    }
}

/// Different pre-shared keys: no session comes about, whoever speaks first.
fn different_preshared_keys_keep_apart(first: Implementation, second: Implementation) {
    let lab = Lab::new().unwrap();
    let (left, right) = cable(&lab);
    let options = TunnelOptions {
        preshared_key: Some([1; 32]),
        ..TunnelOptions::default()
    };
    let (here, there) = outside(false);
    let tunnel = Tunnel::between((&left, first, here), (&right, second, there), &options).unwrap();
    let other = format!(
        "set=1\npublic_key={}\nupdate_only=true\npreshared_key={}\n\n",
        tunnel.right.keys.public_hex(),
        "02".repeat(32)
    );
    left.uapi(&tunnel.left.interface, &other).unwrap();
    for (host, address) in [(&left, &tunnel.right.ipv4), (&right, &tunnel.left.ipv4)] {
        assert!(
            host.output(&["ping", "-n", "-c", "1", "-W", "1", address])
                .is_err()
        );
    }
}

#[test]
fn hushwired_to_hushwired() {
    speaks_first(implementation(), implementation());
}

#[test]
fn hushwired_to_wireguard_go() {
    speaks_first(implementation(), WireguardGo);
}

#[test]
fn wireguard_go_to_hushwired() {
    speaks_first(WireguardGo, implementation());
}

#[test]
fn hushwired_to_boringtun() {
    speaks_first(implementation(), Boringtun);
}

#[test]
fn boringtun_to_hushwired() {
    speaks_first(Boringtun, implementation());
}

#[test]
fn hushwired_to_gotatun() {
    speaks_first(implementation(), Gotatun);
}

#[test]
fn gotatun_to_hushwired() {
    speaks_first(Gotatun, implementation());
}

#[test]
fn different_preshared_keys_keep_hushwired_and_wireguard_go_apart() {
    different_preshared_keys_keep_apart(implementation(), WireguardGo);
}

//! WireGuard daemons of other makes. Needs root and the peers that `cargo xtask install-peers` installs.

use hushwire_lab::{Implementation, Lab, Tunnel, TunnelOptions, require_tools};

fn tunnel_between(left: Implementation, right: Implementation, options: &TunnelOptions) {
    require_tools(&["wg", "ping"]).unwrap();
    let lab = Lab::new().unwrap();
    let (alice, bob) = (lab.host("alice").unwrap(), lab.host("bob").unwrap());
    lab.link(&alice, "eth0", &bob, "eth0").unwrap();
    alice.address("eth0", "10.0.0.1/24").unwrap();
    bob.address("eth0", "10.0.0.2/24").unwrap();
    let tunnel = Tunnel::between(
        (&alice, left, "10.0.0.1"),
        (&bob, right, "10.0.0.2"),
        options,
    )
    .unwrap();
    alice.ping(&tunnel.right.ipv4).unwrap();
    alice.ping(&tunnel.right.ipv6).unwrap();
    bob.ping(&tunnel.left.ipv4).unwrap();
    bob.ping(&tunnel.left.ipv6).unwrap();
    assert!(tunnel.left.daemon.process().usage().unwrap().peak_memory > 0);
    tunnel.left.daemon.stop().unwrap();
    tunnel.right.daemon.kill();
}

#[test]
fn wireguard_go_and_boringtun() {
    tunnel_between(
        Implementation::WireguardGo,
        Implementation::Boringtun,
        &TunnelOptions::default(),
    );
}

#[test]
fn gotatun_and_wireguard_go_with_a_preshared_key() {
    let options = TunnelOptions {
        preshared_key: Some([7; 32]),
        right_knows_left: false,
        left_keepalive: 25,
        number: 2,
        ..TunnelOptions::default()
    };
    tunnel_between(
        Implementation::Gotatun,
        Implementation::WireguardGo,
        &options,
    );
}

#[test]
fn a_daemon_that_does_not_start_says_why() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let error = Implementation::WireguardGo
        .start(&host, "a-name-that-is-too-long")
        .unwrap_err();
    assert!(
        error.to_string().contains("a-name-that-is-too-long"),
        "{error}"
    );
    assert!(error.exit_code().is_some_and(|code| code != 0), "{error}");
}

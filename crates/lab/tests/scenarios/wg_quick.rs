//! Debian's wg-quick(8) with hushwired as its userspace implementation.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hushwire_lab::{Host, Output, require_tools};

use crate::common::{Key, SOON, Shell, World, eventually, implementation, ping, write};

/// wg-quick prefers the kernel's WireGuard where there is one. This `ip` knows no such interfaces.
const IP_WITHOUT_WIREGUARD: &str = "#!/bin/sh\n\
    case \" $* \" in *' type wireguard '*) echo 'Error: Unknown device type.' >&2; exit 2 ;; esac\n\
    exec /usr/bin/env PATH=\"$REAL_PATH\" ip \"$@\"\n";

/// Runs wg-quick on a host.
#[track_caller]
fn wg_quick(host: &Host, action: &str, configuration: &str) -> Output {
    host.run(|| {
        fs::create_dir_all("/run/bin")?;
        fs::write("/run/bin/ip", IP_WITHOUT_WIREGUARD)?;
        fs::set_permissions("/run/bin/ip", fs::Permissions::from_mode(0o755))
    })
    .unwrap();
    // wg-quick also looks whether the kernel's module is loaded.
    let script = "mount -t tmpfs none /sys/module && export REAL_PATH=\"$PATH\" PATH=\"/run/bin:$PATH\" \
                  && exec wg-quick \"$1\" \"$2\"";
    let mut command = host.command(&[
        "unshare",
        "-m",
        "sh",
        "-c",
        script,
        "wg-quick",
        action,
        configuration,
    ]);
    command.env(
        "WG_QUICK_USERSPACE_IMPLEMENTATION",
        implementation().binary().unwrap(),
    );
    host.spawn(command)
        .and_then(|process| process.finish(SOON))
        .unwrap()
}

/// Two hosts on a cable (10.0.0.1 and 10.0.0.2), and configurations `wg1` and `wg2` for them below /run.
fn configured(allowed_on_1: &str) -> World {
    require_tools(&["bash", "unshare", "wg-quick"]).unwrap();
    let world = World::empty();
    let World {
        lab,
        one,
        two,
        key1,
        key2,
        ..
    } = &world;
    lab.link(one, "eth0", two, "eth0").unwrap();
    one.address("eth0", "10.0.0.1/24").unwrap();
    two.address("eth0", "10.0.0.2/24").unwrap();
    let psk = one.sh(&format!("cat {}", world.psk));
    let text = |key: &Key, side: u8, peer: &Key, other: u8, allowed: &str| {
        format!(
            "[Interface]\nPrivateKey = {}\nListenPort = {side}0000\n\
             Address = 192.168.241.{side}/24, fd00::{side}/112\nMTU = 1400\n\n\
             [Peer]\nPublicKey = {}\nPresharedKey = {psk}\nAllowedIPs = {allowed}\n\
             Endpoint = 10.0.0.{other}:{other}0000\n",
            key.private, peer.public
        )
    };
    write(one, "/run/wg1.conf", &text(key1, 1, key2, 2, allowed_on_1));
    write(
        two,
        "/run/wg2.conf",
        &text(key2, 2, key1, 1, "192.168.241.1/32, fd00::1/128"),
    );
    for path in ["/run/wg1.conf", "/run/wg2.conf"] {
        one.run(|| fs::set_permissions(path, fs::Permissions::from_mode(0o600)))
            .unwrap();
    }
    world
}

/// The addresses, routes, rules and links of a host.
fn state(host: &Host) -> String {
    // Whether others have an address is found out for a second or two; only then does it have its routes.
    eventually("addresses to be settled", || {
        host.sh("ip -o -6 addr show tentative").is_empty()
    });
    [
        "addr",
        "-4 route show table all",
        "-6 route show table all",
        "rule",
        "-6 rule",
    ]
    .map(|what| host.sh(&format!("ip -o {what}")))
    .join("\n")
    .lines()
    // Lifetimes run, and the kernel numbers interfaces onwards.
    .map(|line| line.split_once(": ").map_or(line, |(_, rest)| rest))
    .collect::<Vec<_>>()
    .join("\n")
}

#[test]
fn up_gives_a_tunnel_and_down_takes_it_away() {
    let world = configured("192.168.241.2/32, fd00::2/128, 172.16.5.0/24");
    let World { one, two, .. } = &world;
    let before = state(one);
    wg_quick(one, "up", "/run/wg1.conf");
    wg_quick(two, "up", "/run/wg2.conf");
    ping(one, "192.168.241.2");
    ping(two, "fd00::1");
    assert!(one.sh("ip route").contains("172.16.5.0/24 dev wg1"));
    assert_eq!(one.netlink().link("wg1").unwrap().unwrap().mtu, 1400);

    wg_quick(one, "down", "/run/wg1.conf");
    wg_quick(two, "down", "/run/wg2.conf");
    assert_eq!(state(one), before);
    crate::common::eventually("the daemon to be gone", || one.processes().is_empty());
    // And once more.
    wg_quick(one, "up", "/run/wg1.conf");
    wg_quick(two, "up", "/run/wg2.conf");
    ping(one, "192.168.241.2");
}

#[test]
fn the_default_route_goes_through_the_tunnel() {
    let world = configured("0.0.0.0/0, ::/0");
    let World { one, two, .. } = &world;
    one.route_via("0.0.0.0/0", "10.0.0.2").unwrap();
    let before = state(one);
    wg_quick(one, "up", "/run/wg1.conf");
    wg_quick(two, "up", "/run/wg2.conf");
    assert_ne!(world.show("wg1 fwmark"), "off");
    two.address("wg2", "203.0.113.9/32").unwrap();
    two.address("wg2", "2001:db8::9/128").unwrap();
    ping(one, "203.0.113.9");
    ping(one, "2001:db8::9");
    let (received, _) = world.transfer("wg2");
    ping(one, "203.0.113.9");
    assert!(
        world.transfer("wg2").0 > received,
        "through the tunnel, not beside it"
    );

    wg_quick(one, "down", "/run/wg1.conf");
    assert_eq!(state(one), before);
}

#[test]
fn save_and_strip_know_the_running_device() {
    let world = configured("192.168.241.2/32");
    let World { one, key2, .. } = &world;
    wg_quick(one, "up", "/run/wg1.conf");
    world.wg(&format!("wg1 peer {} persistent-keepalive 21", key2.public));
    wg_quick(one, "save", "/run/wg1.conf");
    let saved = one.sh("cat /run/wg1.conf");
    assert!(saved.contains("PersistentKeepalive = 21"), "{saved}");
    let stripped = wg_quick(one, "strip", "/run/wg1.conf").stdout;
    assert!(
        stripped.contains(&key2.public) && !stripped.contains("MTU"),
        "{stripped}"
    );
}

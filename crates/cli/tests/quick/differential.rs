//! The same files brought up by the system's wg-quick(8) and by ours: all is the same.

use std::os::unix::fs::symlink;

use crate::common::{HUSHWIRE, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

/// The settings of [Interface], and those of the one peer.
const FILES: [(&str, &str); 20] = [
    ("", ""),
    ("Address = 10.7.0.1/24", "AllowedIPs = 10.7.0.0/24"),
    (
        "Address = 10.7.0.1",
        "AllowedIPs = 10.7.0.2/32, 10.7.0.3/32",
    ),
    (
        "Address = 10.7.0.1/255.255.0.0, fd07::1/64",
        "AllowedIPs = 10.8.0.0/16, fd08::/64",
    ),
    (
        "Address = 10.7.0.1/24\nAddress = 10.7.0.5/24, 10.9.0.1/16",
        "AllowedIPs = 10.0.0.0/8",
    ),
    (
        "Address = fd07::1/128\nMTU = 1400",
        "AllowedIPs = fd07::/64, fd07::2/128",
    ),
    ("Address = 10.7.0.1/24", "AllowedIPs = 0.0.0.0/0"),
    (
        "Address = 10.7.0.1/24, fd07::1/64",
        "AllowedIPs = 0.0.0.0/0, ::/0",
    ),
    ("Address = fd07::1/64", "AllowedIPs = ::/0"),
    (
        "Address = 10.7.0.1/24\nFwMark = 0x77",
        "AllowedIPs = 0.0.0.0/0",
    ),
    (
        "Address = 10.7.0.1/24\nTable = off",
        "AllowedIPs = 0.0.0.0/0, 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24\nTable = 1234",
        "AllowedIPs = 0.0.0.0/0, ::/0, 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24\nTable = main",
        "AllowedIPs = 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24\nTable = auto\nMTU = 0x514",
        "AllowedIPs = 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24",
        "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\nEndpoint = 192.0.2.2:5",
    ),
    (
        "Address = 10.7.0.1/24",
        "AllowedIPs = 10.8.0.0/16\nEndpoint = 192.0.2.2:5",
    ),
    (
        "Address = 10.7.0.1/24\nDNS = 1.1.1.1, ::1, corp.example\nDNS = 9.9.9.9",
        "AllowedIPs = 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24\nDNS = corp.example",
        "AllowedIPs = 10.8.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24\nPreUp = true\n\
         PostUp = ip route add 198.51.100.0/24 dev %i; ip rule add from 10.7.0.1 table 77\n\
         PreDown = ip rule delete from 10.7.0.1 table 77\nPostDown = true",
        "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16, 10.10.0.0/16",
    ),
    (
        "Address = 10.7.0.1/24, fd07::1/64\nListenPort = 5555",
        "AllowedIPs = 10.1.2.3/16, fd00::5/8",
    ),
];

#[test]
fn links_addresses_rules_routes_firewall_and_name_servers() {
    let world = World::new();
    let ours = world.path("wg-quick");
    symlink(HUSHWIRE, &ours).unwrap();
    let ours = ours.to_string_lossy().into_owned();
    let other = other_public_key();
    // Both leave it on.
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    for (interface, peer) in FILES {
        let text = format!(
            "[Interface]\nPrivateKey = {PRIVATE_KEY}\n{interface}\n[Peer]\nPublicKey = {other}\n{peer}\n"
        );
        let file = world.write("wgd.conf", &text);
        let [theirs, mine] = ["/usr/bin/wg-quick", &ours].map(|program| {
            let (code, said) = world.run(&[program, "up"], &file);
            assert_eq!(code, 0, "{program} up {text}: {said}");
            let up = world.state() + &world.calls();
            let (code, said) = world.run(&[program, "down"], &file);
            assert_eq!(code, 0, "{program} down {text}: {said}");
            // A daemon notices the end of its interface a moment later.
            let gone = || world.state() == before;
            hushwire_lab::wait_until(crate::common::LIMIT, "nothing", gone)
                .unwrap_or_else(|_| panic!("{program} {text}: {}", world.state()));
            up + "# calls\n" + &world.calls()
        });
        assert_eq!(difference(&theirs, &mine), "", "{text}");
    }
}

//! What scanners find of a host with hushwired behind the firewall of `docs/firewall.nft`: nothing.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use hushwire_bench::crowd;
use hushwire_lab::{Daemon, Host, Implementation, Lab, require_tools};

use crate::siege::PORT;

/// The rules that the documentation has.
const FIREWALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/firewall.nft");
/// nmap waits for answers that do not come.
const SCAN_LIMIT: Duration = Duration::from_secs(300);
const TARGET: &str = "198.51.100.1";
const SCANNER: &str = "198.51.100.2";
const TARGET_V6: &str = "2001:db8:ff::1";
const SCANNER_V6: &str = "2001:db8:ff::2";

/// Counts what arrives at the scanner, before anything else sees it. Neighbour discovery, which there must be on a local
/// network, does not count.
const EAR: &str = "table inet ear {
    chain unicast {
        type filter hook prerouting priority -400
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        iifname eth0 meta pkttype host counter
    }
}
";

/// A host with hushwired, and one that looks at it from outside.
struct Scene {
    target: Host,
    scanner: Host,
    daemon: Option<Daemon>,
    _lab: Lab,
}

impl Scene {
    #[track_caller]
    fn new() -> Self {
        require_tools(&["ip", "nft", "nmap", "ping"]).unwrap();
        let lab = Lab::new().unwrap();
        let (target, scanner) = (lab.host("target").unwrap(), lab.host("scanner").unwrap());
        lab.link(&target, "eth0", &scanner, "eth0").unwrap();
        let daemon = Implementation::Hushwired.start(&target, "wg0").unwrap();
        let settings = format!(
            "set=1\n{}{}\n",
            crowd::server_lines(PORT),
            crowd::peer_lines(1)
        );
        let answer = target.uapi("wg0", &settings).unwrap();
        assert!(answer.contains("errno=0"), "{answer}");
        target.address("wg0", "172.31.255.1/12").unwrap();
        target.up("wg0").unwrap();
        for (host, own) in [
            (&target, [TARGET, TARGET_V6]),
            (&scanner, [SCANNER, SCANNER_V6]),
        ] {
            host.address("eth0", &format!("{}/24", own[0])).unwrap();
            host.address("eth0", &format!("{}/64", own[1])).unwrap();
        }
        // Both know each other's hardware address for good, so that not one packet has another reason than the scan.
        introduce(&target, &scanner, [SCANNER, SCANNER_V6]);
        introduce(&scanner, &target, [TARGET, TARGET_V6]);
        scanner.output_with_input(&["nft", "-f", "-"], EAR).unwrap();
        Self {
            target,
            scanner,
            daemon: Some(daemon),
            _lab: lab,
        }
    }

    fn load_firewall(&self) {
        assert!(Path::new(FIREWALL).is_file());
        self.target.output(&["nft", "-f", FIREWALL]).unwrap();
    }

    /// IP packets that have arrived at the scanner: what the target has sent to it and not to everybody.
    #[track_caller]
    fn said(&self) -> u64 {
        let listing = self
            .scanner
            .output(&["nft", "list", "table", "inet", "ear"])
            .unwrap();
        let (_, rest) = listing.stdout.split_once("counter packets ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// What nmap prints of the target for programs to read (`-oG`).
    #[track_caller]
    fn nmap(&self, options: &str) -> String {
        let words: Vec<&str> = ["nmap", "-n", "-Pn", "-oG", "-"]
            .into_iter()
            .chain(options.split_whitespace())
            .collect();
        self.scanner
            .output_within(SCAN_LIMIT, &words)
            .unwrap()
            .stdout
    }

    /// Every scan that is to find nothing, and does.
    #[track_caller]
    fn finds_nothing(&self) {
        let before = self.said();
        let tcp = "-sT -p- --min-rate 10000 --min-parallelism 1000 --max-retries 0";
        let found = self.nmap(&format!("{tcp} {TARGET}"));
        assert!(found.contains("filtered (65535)"), "{found}");
        let udp = format!("-sU -sV --version-intensity 2 -p 53,123,500,{PORT},51821");
        for (family, address) in [("-4", TARGET), ("-6", TARGET_V6)] {
            let found = self.nmap(&format!("{family} {udp} {address}"));
            // The tunnel's port looks as all others do: nothing came back, which is all that `open|filtered` says.
            for port in ["53", "123", "500", "51820", "51821"] {
                let state = format!("{port}/open|filtered/udp/");
                assert!(found.contains(&state), "{port}: {found}");
            }
            for ping in [
                "ping -n -c 3 -i 0.1 -W 1",
                "nmap -n -sn -PU51820 -PU51821 -PE -PS443",
            ] {
                let words: Vec<&str> = ping.split(' ').chain([family, address]).collect();
                let _ = self.scanner.output(&words);
            }
        }
        assert_eq!(self.said() - before, 0, "packets that the host sent");
    }
}

/// Enters the hardware address of another host for good.
#[track_caller]
fn introduce(host: &Host, other: &Host, addresses: [&str; 2]) {
    let link = other.netlink().link("eth0").unwrap().unwrap();
    let hardware: Vec<String> = link
        .hardware_address
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for address in addresses {
        let words = ["ip", "neigh", "replace", address, "lladdr"];
        let rest = [&hardware.join(":"), "dev", "eth0", "nud", "permanent"];
        host.output(&[&words[..], &rest].concat()).unwrap();
    }
}

/// A peer of the target's, on the scanner's host.
#[track_caller]
fn a_peer_comes_through(scene: &Scene) {
    let daemon = Implementation::Hushwired
        .start(&scene.scanner, "wg1")
        .unwrap();
    let key = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let settings = format!(
        "set=1\nprivate_key={}\npublic_key={}\nendpoint={TARGET}:{PORT}\nallowed_ip=172.16.0.0/12\n\n",
        key(crowd::peer(1).private_key().as_bytes()),
        key(crowd::server().public_key().as_bytes()),
    );
    let answer = scene.scanner.uapi("wg1", &settings).unwrap();
    assert!(answer.contains("errno=0"), "{answer}");
    let inside = Ipv4Addr::new(172, 16, 0, 1);
    scene
        .scanner
        .address("wg1", &format!("{inside}/12"))
        .unwrap();
    scene.scanner.up("wg1").unwrap();
    scene.scanner.ping("172.31.255.1").unwrap();
    drop(daemon);
}

#[test]
fn scanners_find_nothing_behind_the_documented_firewall_and_a_peer_comes_through() {
    let mut scene = Scene::new();
    scene.load_firewall();
    scene.finds_nothing();
    a_peer_comes_through(&scene);

    // Nor does it show when the daemon goes.
    scene.daemon.take().unwrap().stop().unwrap();
    let before = scene.said();
    scene.nmap(&format!("-sU -p {PORT},51821 {TARGET}"));
    scene.nmap(&format!("-6 -sU -p {PORT},51821 {TARGET_V6}"));
    assert_eq!(scene.said() - before, 0);
}

/// Without a firewall the kernel says which ports are closed; hushwired's says nothing. So the silence means something.
#[test]
fn without_a_firewall_only_the_tunnels_port_is_silent() {
    let scene = Scene::new();
    for (family, address) in [("-4", TARGET), ("-6", TARGET_V6)] {
        let found = scene.nmap(&format!("{family} -sU -p {PORT},51821 {address}"));
        assert!(found.contains("51820/open|filtered/udp/"), "{found}");
        assert!(found.contains("51821/closed/udp/"), "{found}");
    }
}

/// Datagrams of the tunnel take no place in the kernel's table of connections.
#[test]
fn a_flood_does_not_fill_the_table_of_connections() {
    let mut siege = crate::siege::Siege::new();
    siege.victim.output(&["nft", "-f", FIREWALL]).unwrap();
    let mut attacker = hushwire_bench::hostile::Attacker::new(13, siege.live_index());
    let kind = hushwire_bench::hostile::Kind::UnknownIndex;
    let payloads: Vec<Vec<u8>> = (0..2_000).map(|_| attacker.datagram(kind)).collect();
    siege.send(&payloads, false);
    siege.settle();
    let count = siege
        .victim
        .read_sysctl("net.netfilter.nf_conntrack_count")
        .unwrap();
    assert!(count.parse::<u32>().unwrap() < 10, "{count} connections");
}

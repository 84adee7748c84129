//! Debian's own wg-quick and wg-json, unchanged, on a `wg` that is ours. Need root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::{
    Directory, HUSHWIRE, HUSHWIRED, OTHER_PRIVATE_KEY, PRIVATE_KEY, PUBLIC_KEY, run_as,
};
use hushwire_lab::{Host, Lab, Output, require_tools, wait_until};

/// The public key of somebody else.
const THIRD_KEY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

/// Where Debian has them.
const WG_QUICK: &str = "/usr/bin/wg-quick";
const WG_JSON: &str = "/usr/share/doc/wireguard-tools/examples/json/wg-json";

/// Two hosts side by side, and a directory with Debian's scripts and our `wg`.
///
/// The scripts are copied: wg-quick looks for `wg` in its own directory first, which would be Debian's.
struct Scene {
    alice: Host,
    bob: Host,
    directory: Directory,
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        require_tools(&["bash", "ip", "nft", "ping", "sysctl", "wg-quick"]).unwrap();
        let lab = Lab::new().unwrap();
        let alice = lab.host("alice").unwrap();
        let bob = lab.host("bob").unwrap();
        lab.link(&alice, "eth0", &bob, "eth0").unwrap();
        for (host, address) in [(&alice, "192.0.2.1/24"), (&bob, "192.0.2.2/24")] {
            host.address("eth0", address).unwrap();
            host.up("eth0").unwrap();
        }
        let directory = Directory::new();
        let programs = directory.path();
        symlink(HUSHWIRE, programs.join("wg")).unwrap();
        for script in [WG_QUICK, WG_JSON].map(Path::new) {
            assert!(
                script.exists(),
                "{} is missing; as root: apt-get install wireguard-tools (with its documentation)",
                script.display()
            );
            let copy = programs.join(script.file_name().unwrap());
            fs::copy(script, &copy).unwrap();
            fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            alice,
            bob,
            directory,
            _lab: lab,
        }
    }

    /// Runs one of the programs.
    fn run(&self, host: &Host, words: &[&str]) -> Output {
        let mut command = host.command(&[self.directory.path().join(words[0])]);
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = self.directory.path().display();
        command
            .args(&words[1..])
            .env(
                "PATH",
                format!("{programs}:{path}:/usr/sbin:/usr/bin:/sbin:/bin"),
            )
            .env("WG_QUICK_USERSPACE_IMPLEMENTATION", HUSHWIRED)
            .env("LC_ALL", "C");
        host.spawn(command)
            .unwrap()
            .finish(crate::common::LIMIT)
            .unwrap()
    }

    /// Writes the configuration of a host, whose interface is called as the host.
    fn configure(&self, host: &Host, text: &str) -> PathBuf {
        let file = self.directory.write(&format!("{}.conf", host.name()), text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    fn quick(&self, host: &Host, verb: &str, file: &Path) -> Output {
        self.run(host, &["wg-quick", verb, file.to_str().unwrap()])
    }

    /// Alice with routes for some prefixes to Bob, who answers.
    fn tunnel(&self, allowed_ips: &str) -> (PathBuf, PathBuf) {
        let bobs = run_as(HUSHWIRE, "wg", &["pubkey"], OTHER_PRIVATE_KEY).stdout;
        let alice = self.configure(
            &self.alice,
            &format!(
                "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.9.0.1/24, fd09::1/64\nListenPort = 5001\n\
                 [Peer]\nPublicKey = {bobs}Endpoint = 192.0.2.2:5002\nAllowedIPs = {allowed_ips}\n\
                 PersistentKeepalive = 25\n"
            ),
        );
        let bob = self.configure(
            &self.bob,
            &format!(
                "[Interface]\nPrivateKey = {OTHER_PRIVATE_KEY}\nAddress = 10.9.0.2/24, fd09::2/64\nListenPort = 5002\n\
                 [Peer]\nPublicKey = {PUBLIC_KEY}\nAllowedIPs = 10.9.0.1/32, fd09::1/128\n"
            ),
        );
        self.quick(&self.bob, "up", &bob);
        self.quick(&self.alice, "up", &alice);
        (alice, bob)
    }
}

#[test]
fn wg_quick_brings_a_tunnel_up_and_down() {
    let scene = Scene::new();
    let (alice, bob) = scene.tunnel("10.9.0.0/24, fd09::/64, 198.51.100.0/24");
    scene.alice.ping("10.9.0.2").unwrap();
    scene.alice.ping("fd09::2").unwrap();
    let routes = scene
        .alice
        .output(&["ip", "route", "show", "dev", "alice"])
        .unwrap();
    assert!(routes.stdout.contains("198.51.100.0/24"), "{routes:?}");
    let stripped = scene.quick(&scene.alice, "strip", &alice).stdout;
    assert!(stripped.contains("ListenPort") && !stripped.contains("Address"));

    for (host, file) in [(&scene.alice, &alice), (&scene.bob, &bob)] {
        scene.quick(host, "down", file);
        let links = host.netlink().links().unwrap();
        assert!(links.iter().all(|link| link.name != host.name()));
        // The daemon sees it go a moment later.
        let socket = format!("/run/wireguard/{}.sock", host.name());
        wait_until(crate::common::LIMIT, "the end of the daemon", || {
            !host.run(|| Path::new(&socket).exists())
        })
        .unwrap();
    }
}

#[test]
fn wg_quick_saves_what_is_there() {
    let scene = Scene::new();
    let (alice, _) = scene.tunnel("10.9.0.0/24");
    scene.run(
        &scene.alice,
        &[
            "wg",
            "set",
            "alice",
            "peer",
            THIRD_KEY,
            "allowed-ips",
            "10.9.7.0/24",
        ],
    );
    scene.run(&scene.alice, &["wg", "set", "alice", "listen-port", "5003"]);
    scene.quick(&scene.alice, "save", &alice);
    let saved = fs::read_to_string(&alice).unwrap();
    for line in [
        "ListenPort = 5003",
        "Address = 10.9.0.1/24",
        &format!("PrivateKey = {PRIVATE_KEY}"),
        "AllowedIPs = 10.9.0.0/24",
        &format!("PublicKey = {THIRD_KEY}"),
        "AllowedIPs = 10.9.7.0/24",
        "Endpoint = 192.0.2.2:5002",
        "PersistentKeepalive = 25",
    ] {
        assert!(
            saved.lines().any(|one| one == line),
            "no `{line}`:\n{saved}"
        );
    }
    scene.quick(&scene.alice, "down", &alice);
    scene.quick(&scene.alice, "up", &alice);
    scene.alice.ping("10.9.0.2").unwrap();
}

#[test]
fn wg_quick_routes_everything() {
    let scene = Scene::new();
    let (alice, _) = scene.tunnel("0.0.0.0/0, ::/0");
    // The mark that the rules know, which wg-quick reads back and sets by `wg`.
    let mark = scene.run(&scene.alice, &["wg", "show", "alice", "fwmark"]);
    assert!(mark.stdout.starts_with("0x"), "{mark:?}");
    scene.alice.ping("10.9.0.2").unwrap();
    let route = scene
        .alice
        .output(&["ip", "route", "get", "203.0.113.1"])
        .unwrap();
    assert!(route.stdout.contains("dev alice"), "{route:?}");
    scene.quick(&scene.alice, "down", &alice);
    for family in ["-4", "-6"] {
        let words = ["ip", family, "rule", "show"];
        let rules = scene.alice.output(&words).unwrap().stdout;
        assert!(
            !rules.contains("suppress") && !rules.contains("fwmark"),
            "{rules}"
        );
    }
}

#[test]
fn wg_json_says_what_show_json_says() {
    let scene = Scene::new();
    let nothing = scene.run(&scene.alice, &["wg-json"]);
    let nothing: serde_json::Value = serde_json::from_str(&nothing.stdout).unwrap();
    assert_eq!(nothing, serde_json::json!({}));

    let _files = scene.tunnel("10.9.0.0/24, fd09::/64");
    scene.alice.ping("10.9.0.2").unwrap();
    let theirs = scene.run(&scene.alice, &["wg-json"]).stdout;
    let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    let interface = &theirs["alice"];
    assert_eq!(interface["privateKey"], PRIVATE_KEY);
    assert_eq!(interface["publicKey"], PUBLIC_KEY);
    assert_eq!(interface["listenPort"], 5001);
    assert_eq!(interface["fwmark"], serde_json::Value::Null);
    let peers = interface["peers"].as_object().unwrap();
    let (key, peer) = peers.iter().next().unwrap();
    assert_eq!(peers.len(), 1);
    let bobs = run_as(HUSHWIRE, "wg", &["pubkey"], OTHER_PRIVATE_KEY).stdout;
    assert_eq!(key, bobs.trim());
    assert_eq!(peer["endpoint"], "192.0.2.2:5002");
    assert_eq!(peer["persistentKeepalive"], 25);
    assert_eq!(
        peer["allowedIps"],
        serde_json::json!(["10.9.0.0/24", "fd09::/64"])
    );
    for count in ["latestHandshake", "transferRx", "transferTx"] {
        assert!(
            peer[count].as_u64().is_some_and(|count| count > 0),
            "{count}: {peer}"
        );
    }

    // The same figures as in our own form.
    let ours = {
        let mut command = scene.alice.command(&[HUSHWIRE, "show", "--json", "alice"]);
        command.env("LC_ALL", "C");
        let process = scene.alice.spawn(command).unwrap();
        process.finish(crate::common::LIMIT).unwrap().stdout
    };
    let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
    let ours = &ours["interfaces"][0];
    assert_eq!(ours["listen_port"], interface["listenPort"]);
    let our_peer = &ours["peers"][0];
    for (our, their) in [
        ("endpoint", "endpoint"),
        ("latest_handshake", "latestHandshake"),
        ("allowed_ips", "allowedIps"),
        ("persistent_keepalive", "persistentKeepalive"),
    ] {
        assert_eq!(our_peer[our], peer[their], "{our}");
    }
}

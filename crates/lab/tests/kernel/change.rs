//! What the tools do to a device: step by step, ours to one device and the standard one to another.

use hushwire_lab::vm::Check;

use crate::answer::{Tool, ask, ask_with, tell};
use crate::pair::Pair;
use crate::{check, config};

pub(crate) const CHECKS: &[Check] = &[
    check("set::the_device", the_device),
    check("set::a_peer", a_peer),
    check("set::several_peers", several_peers),
    check("set::allowed_ips", allowed_ips),
    check("set::allowed_ips_one_by_one", allowed_ips_one_by_one),
    check("set::nothing_of_what_is_wrong", nothing_of_what_is_wrong),
    check(
        "set::an_endpoint_that_is_nowhere",
        an_endpoint_that_is_nowhere,
    ),
    check("conf::setconf", setconf),
    check("conf::addconf", addconf),
    check("conf::syncconf", syncconf),
    check("conf::syncconf_clears", syncconf_clears),
    check("conf::nothing_of_what_is_wrong", nothing_of_a_wrong_file),
    check("conf::showconf_is_a_fixed_point", showconf_is_a_fixed_point),
];

fn the_device() {
    let pair = Pair::new();
    let private = config::private_key(1);
    let file = pair.file("private", &format!("{private}\n"));
    for settings in [
        &format!("private-key {file}") as &str,
        "listen-port 51820",
        "fwmark 0xca6c",
        "fwmark 51820",
        "listen-port 4500 fwmark 1",
        "fwmark off",
        "listen-port domain",
        "fwmark 0xffffffff",
        "fwmark 0",
        "listen-port 1 listen-port 2",
        "private-key /dev/null listen-port 0",
    ] {
        pair.quietly(&format!("set wg0 {settings}"));
    }
    // The kernel makes a private key fit for the curve.
    let unclamped = pair.file("unclamped", &config::key(5));
    pair.quietly(&format!("set wg0 private-key {unclamped}"));
}

fn a_peer() {
    let pair = Pair::new();
    let (one, two) = (config::key(1), config::key(2));
    let psk = pair.file("psk", &config::key(3));
    for settings in [
        "" as &str,
        "endpoint 192.0.2.1:51820",
        "endpoint [2001:db8::1]:51820",
        "endpoint 2001:db8::2:51821",
        "endpoint [fe80::1%lo]:1",
        "endpoint 127.1:65535",
        "persistent-keepalive 25",
        "persistent-keepalive off",
        "persistent-keepalive 65535",
        &format!("preshared-key {psk}"),
        "preshared-key /dev/null",
        &format!(
            "endpoint 198.51.100.7:1 preshared-key {psk} persistent-keepalive 5 allowed-ips 10.0.0.0/8,::/0"
        ),
        "endpoint 198.51.100.8:2",
    ] {
        pair.quietly(&format!("set wg0 peer {one} {settings}"));
    }
    pair.quietly(&format!("set wg0 peer {two} remove"));
    pair.quietly(&format!("set wg0 peer {one} remove"));
    pair.quietly(&format!("set wg0 peer {one} remove"));
    // Our own key is nobody's peer.
    let private = config::private_key(9);
    let file = pair.file("private", &private);
    pair.quietly(&format!("set wg0 private-key {file}"));
    let own = tell(pair.ours(), Tool::Standard, &["show", "wg0", "public-key"]);
    pair.quietly(&format!(
        "set wg0 peer {} allowed-ips 10.0.0.0/8",
        own.trim()
    ));
    pair.quietly(&format!(
        "set wg0 private-key /dev/null peer {}",
        own.trim()
    ));
    pair.quietly(&format!("set wg0 private-key {file}"));
}

fn several_peers() {
    let pair = Pair::new();
    let keys = [1, 2, 3].map(config::key);
    let [one, two, three] = &keys;
    for line in [
        format!(
            "peer {one} allowed-ips 10.1.0.0/16 peer {two} allowed-ips 10.2.0.0/16 peer {three}"
        ),
        // A prefix has one owner, the last.
        format!("peer {three} allowed-ips 10.1.0.0/16,10.2.0.0/16"),
        format!("peer {one} allowed-ips 10.3.0.0/16 peer {two} allowed-ips 10.3.0.0/16"),
        format!("peer {one} remove peer {two} persistent-keepalive 7 peer {three} remove"),
        // Twice the same, and gone in between.
        format!("peer {one} allowed-ips 10.4.0.0/16 peer {one} allowed-ips 10.5.0.0/16"),
        format!(
            "peer {one} persistent-keepalive 9 peer {one} remove peer {one} allowed-ips fd00::/8"
        ),
        format!("listen-port 7 peer {two} remove allowed-ips 10.6.0.0/16"),
    ] {
        pair.quietly(&format!("set wg0 {line}"));
    }
}

fn allowed_ips() {
    let pair = Pair::new();
    let one = config::key(1);
    for list in [
        "10.0.0.0/8",
        "192.168.0.1",
        "fd00::1,10.0.0.1",
        "0.0.0.0/0,::/0",
        "10.0.0.0/08,10.0.0.0/8",
        "10.0.0.0/0",
        "fd00::/8 allowed-ips fd01::/16",
    ] {
        pair.line(&format!("set wg0 peer {one} allowed-ips {list}"));
    }
    pair.both(&["set", "wg0", "peer", &one, "allowed-ips", ""]);
    pair.both(&[
        "set",
        "wg0",
        "peer",
        &one,
        "allowed-ips",
        " 10.0.0.0/8 , 10.9.0.0/ 16 ",
    ]);
    let warned = pair.line(&format!(
        "set wg0 peer {one} allowed-ips 10.1.2.3/8,fd00::1/8"
    ));
    assert_eq!(warned.stderr.lines().count(), 2, "{warned:?}");
}

/// The kernel takes single prefixes away since 6.16.
fn allowed_ips_one_by_one() {
    let pair = Pair::new();
    let (one, two) = (config::key(1), config::key(2));
    pair.quietly(&format!(
        "set wg0 peer {one} allowed-ips 10.0.0.0/8,fd00::/8 peer {two} allowed-ips 192.168.0.0/16"
    ));
    for list in [
        "+10.1.0.0/16",
        "-10.0.0.0/8",
        "+10.2.0.0/16,-10.1.0.0/16,+fd01::/16",
        // What it has not, and what another has, stays as it is.
        "-172.16.0.0/12",
        "-192.168.0.0/16",
        "-fd00::/9",
        "+192.168.0.0/16",
        "+10.3.0.0/16,10.4.0.0/16",
        "+10.5.0.0/16 allowed-ips 10.6.0.0/16",
        "10.7.0.0/16 allowed-ips +10.8.0.0/16",
        "+10.9.0.0/16,-10.9.0.0/16",
        "-10.9.0.0/16,+10.9.0.0/16",
        "-0.0.0.0/0,-::/0",
    ] {
        pair.quietly(&format!("set wg0 peer {one} allowed-ips {list}"));
    }
    // A peer that is not there yet.
    pair.quietly(&format!(
        "set wg0 peer {} allowed-ips -10.9.0.0/16",
        config::key(3)
    ));
    assert!(pair.dump().contains("10.9.0.0/16"));
}

fn nothing_of_what_is_wrong() {
    let pair = Pair::new();
    let one = config::key(1);
    let short = pair.file("short", "AQEB\n");
    let trailing = pair.file("trailing", &format!("{}x", config::key(4)));
    pair.quietly(&format!(
        "set wg0 listen-port 5 peer {one} allowed-ips 10.0.0.0/8"
    ));
    for line in [
        "set wg0 listen-port x",
        "set wg0 listen-port",
        "set wg0 fwmark 0xfffffffff",
        "set wg0 fwmark 0X1",
        "set wg0 nonsense 1",
        "set wg0 private-key /nowhere",
        &format!("set wg0 private-key {short}"),
        &format!("set wg0 private-key {trailing}"),
        "set wg0 peer tooshort",
        "set wg0 listen-port 6 peer tooshort",
        &format!("set wg0 listen-port 6 peer {one} endpoint 192.0.2.1"),
        &format!("set wg0 peer {one} endpoint [2001:db8::1:5"),
        &format!("set wg0 peer {one} allowed-ips 10.0.0.0/33"),
        &format!("set wg0 peer {one} allowed-ips 10.0.0/8"),
        &format!("set wg0 peer {one} allowed-ips 10.0.0.0/8,,::/0"),
        &format!("set wg0 peer {one} allowed-ips ++10.0.0.0/8"),
        &format!("set wg0 peer {one} persistent-keepalive 65536"),
        &format!("set wg0 peer {one} listen-port 5"),
        "set nope listen-port 5",
        "set lo listen-port 5",
    ] {
        let answer = pair.line(line);
        assert_eq!(answer.code, Some(1), "{line}: {answer:?}");
        assert_ne!(answer.stderr, "", "{line}");
    }
    assert!(pair.dump().contains("\t5\toff\n"));
}

/// Names that nobody knows, in an endpoint: of a service, and of a host where nobody can be asked.
fn an_endpoint_that_is_nowhere() {
    let pair = Pair::new();
    for endpoint in ["192.0.2.1:port-of-nothing", "no-such-host:5"] {
        let (key, file) = (config::key(1), "/run/conf");
        pair.file(
            "conf",
            &format!("[Peer]\nPublicKey = {key}\nEndpoint = {endpoint}\n"),
        );
        for words in [
            &["set", "wg0", "peer", &key, "endpoint", endpoint] as &[&str],
            &["setconf", "wg0", file],
        ] {
            let environment = [("WG_ENDPOINT_RESOLUTION_RETRIES", "0")];
            let [standard, ours] = [Tool::Standard, Tool::Ours]
                .map(|tool| ask_with(pair.ours(), tool, words, &environment));
            assert_eq!(ours.difference(&standard), None, "{words:?}");
            assert_eq!(ours.code, Some(1), "{words:?}");
        }
    }
    assert_eq!(pair.dump().lines().count(), 1, "there is no peer");
}

fn setconf() {
    let pair = Pair::new();
    for text in [
        config::interface(),
        config::peers(3, 2),
        // All that was is gone.
        config::peers(1, 0),
        "[Interface]\nListenPort = 77\n".to_owned(),
        config::peer(5, 3),
        "[interface]\r\nlisten PORT = 5 1 # here\r\n\r\n[PEER]\npublickey=".to_owned()
            + &config::key(1)
            + "\n",
        // A peer twice, and a prefix with two owners.
        [
            config::interface(),
            config::peer(1, 2),
            config::peer(2, 1),
            config::peer(1, 3),
        ]
        .concat(),
        format!(
            "{}AllowedIPs = 10.0.0.0/8\nAllowedIPs = 10.1.2.3/24\n",
            config::peer(4, 1)
        ),
        format!(
            "[Peer]\nPublicKey = {}\nAllowedIPs = +10.0.0.0/8, -10.0.0.0/8\n",
            config::key(6)
        ),
        String::new(),
    ] {
        let file = pair.file("conf", &text);
        let answer = pair.line(&format!("setconf wg0 {file}"));
        assert_eq!(answer.code, Some(0), "{text}: {answer:?}");
    }
}

fn addconf() {
    let pair = Pair::new();
    let psk = format!("PresharedKey = {}\n", config::key(50));
    for text in [
        config::peers(3, 2),
        config::peer(7, 2),
        // What is said of a peer that is there replaces its allowed IPs, all the same how few.
        config::peer(1, 1),
        format!("[Peer]\nPublicKey = {}\n", config::key(2)),
        format!(
            "[Peer]\nPublicKey = {}\n{psk}PersistentKeepalive = 3\n",
            config::key(0)
        ),
        format!(
            "[Peer]\nPublicKey = {}\nAllowedIPs = +10.77.0.0/16\n",
            config::key(1)
        ),
        format!(
            "[Peer]\nPublicKey = {}\nAllowedIPs = -10.77.0.0/16\n",
            config::key(1)
        ),
        "[Interface]\nFwMark = 3\n".to_owned(),
        String::new(),
    ] {
        let file = pair.file("conf", &text);
        let answer = pair.line(&format!("addconf wg0 {file}"));
        assert_eq!(answer.code, Some(0), "{text}: {answer:?}");
    }
}

/// Sections that say all there is to say about a peer: there both versions of syncconf do the same.
fn whole_peer(number: u32, allowed_ips: u32) -> String {
    let mut text = config::peer(number, allowed_ips);
    if !text.contains("PresharedKey") {
        text.push_str(&format!("PresharedKey = {}\n", config::key(3_000_000)));
    }
    if !text.contains("PersistentKeepalive") {
        text.push_str("PersistentKeepalive = 11\n");
    }
    text
}

fn syncconf() {
    let pair = Pair::new();
    let several = |numbers: &[u32], allowed_ips: u32| {
        let sections = numbers
            .iter()
            .map(|number| whole_peer(*number, allowed_ips));
        config::interface() + &sections.collect::<String>()
    };
    for text in [
        several(&[1, 2, 3, 4, 5], 2),
        several(&[1, 2, 3, 4, 5], 2),
        several(&[5, 3, 1], 1),
        several(&[9, 3, 8, 1, 7], 0),
        several(&[9, 1, 9], 3),
        "[Interface]\nFwMark = 9\n".to_owned() + &whole_peer(1, 1),
        several(&[], 0),
        several(&[2], 1),
        String::new(),
    ] {
        let file = pair.file("conf", &text);
        pair.quietly(&format!("syncconf wg0 {file}"));
    }
}

/// Since 1.0.20260223 syncconf takes a pre-shared key and a keepalive away that the file no longer has; the packaged
/// tool here is older. The endpoint stays.
fn syncconf_clears() {
    let pair = Pair::new();
    let key = config::key(1);
    let whole = format!(
        "[Peer]\nPublicKey = {key}\nPresharedKey = {}\nEndpoint = 192.0.2.1:5\nPersistentKeepalive = 9\nAllowedIPs = 10.0.0.0/8\n",
        config::key(2)
    );
    let file = pair.file("conf", &whole);
    pair.quietly(&format!("setconf wg0 {file}"));
    pair.file(
        "conf",
        &format!("[Peer]\nPublicKey = {key}\nAllowedIPs = 10.0.0.0/8\n"),
    );
    let answer = ask(pair.ours(), Tool::Ours, &["syncconf", "wg0", &file]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let dump = pair.dump();
    let peer = dump.lines().nth(1);
    assert_eq!(
        peer.map(str::to_owned),
        Some(format!(
            "{key}\t(none)\t192.0.2.1:5\t10.0.0.0/8\t0\t0\t0\toff"
        ))
    );
}

fn nothing_of_a_wrong_file() {
    let pair = Pair::new();
    let file = pair.file("conf", &config::peers(2, 1));
    pair.quietly(&format!("setconf wg0 {file}"));
    for text in [
        "nonsense\n".to_owned(),
        "[Interface]\nListenPort = 5\nAddress = 10.0.0.1/24\n".to_owned(),
        "[Interface]\nPrivateKey = short\n".to_owned(),
        "[Interface]\nListenPort=\n".to_owned(),
        "[Peer]\nAllowedIPs = 10.0.0.0/8\n".to_owned(),
        format!(
            "[Peer]\nPublicKey = {}\nAllowedIPs = 10.0.0.0/33\n",
            config::key(1)
        ),
        format!(
            "[Peer]\nPublicKey = {}\nEndpoint = 192.0.2.1\n",
            config::key(1)
        ),
        format!(
            "[Interface]\nListenPort = 5\n[Peer]\nPublicKey = {}\n[Other]\n",
            config::key(1)
        ),
    ] {
        let file = pair.file("conf", &text);
        for command in ["setconf", "addconf", "syncconf"] {
            let answer = pair.line(&format!("{command} wg0 {file}"));
            assert_eq!(answer.code, Some(1), "{command} {text}: {answer:?}");
        }
    }
    for command in ["setconf", "addconf", "syncconf"] {
        for words in ["wg0 /nowhere", "nope /dev/null", "lo /dev/null"] {
            let answer = pair.line(&format!("{command} {words}"));
            assert_eq!(answer.code, Some(1), "{command} {words}: {answer:?}");
        }
    }
    assert_eq!(pair.dump().lines().count(), 3, "both peers are still there");
}

fn showconf_is_a_fixed_point() {
    let pair = Pair::new();
    let file = pair.file("conf", &config::peers(30, 3));
    pair.quietly(&format!("setconf wg0 {file}"));
    let (before, text) = (pair.dump(), pair.line("showconf wg0").stdout);
    let file = pair.file("shown", &text);
    pair.quietly("set wg0 listen-port 1 fwmark 5");
    pair.quietly(&format!("setconf wg0 {file}"));
    assert_eq!(pair.dump(), before);
    assert_eq!(pair.line("showconf wg0").stdout, text);
}

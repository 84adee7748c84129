//! What the tools say of a device: both read the same one, and print the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hushwire_lab::vm::Check;
use hushwire_lab::{Host, Lab};

use crate::answer::{Answer, Tool, ask, ask_with, ask_without_rights, tell};
use crate::quick::LIMIT;
use crate::{check, config};

pub(crate) const CHECKS: &[Check] = &[
    check("show::no_interface", no_interface),
    check("show::nothing_set", nothing_set),
    check("show::what_is_no_device", what_is_no_device),
    check("show::wrong_words", wrong_words),
    check("show::one_peer", one_peer),
    check("show::every_kind_of_peer", every_kind_of_peer),
    check("show::several_interfaces", several_interfaces),
    check("show::a_scoped_endpoint", a_scoped_endpoint),
    check("show::without_rights", without_rights),
    check("show::many_peers", many_peers),
    check("show::many_allowed_ips", many_allowed_ips),
    check("show::while_it_changes", while_it_changes),
    check("show::its_status", its_status),
];

const SELECTORS: [&str; 12] = [
    "public-key",
    "private-key",
    "listen-port",
    "fwmark",
    "peers",
    "preshared-keys",
    "endpoints",
    "allowed-ips",
    "latest-handshakes",
    "transfer",
    "persistent-keepalive",
    "dump",
];

/// The variables that change what the pretty form looks like.
const LOOKS: [&[(&str, &str)]; 4] = [
    &[("WG_HIDE_KEYS", "never")],
    &[("WG_HIDE_KEYS", "always"), ("WG_COLOR_MODE", "never")],
    &[("WG_COLOR_MODE", "always")],
    &[("WG_COLOR_MODE", "always"), ("WG_HIDE_KEYS", "never")],
];

/// Both tools are asked the same, and the answers are compared.
#[track_caller]
pub(crate) fn same(host: &Host, words: &[&str], environment: &[(&str, &str)]) -> Answer {
    let standard = ask_with(host, Tool::Standard, words, environment);
    let ours = ask_with(host, Tool::Ours, words, environment);
    if let Some(difference) = ours.difference(&standard) {
        panic!("{words:?} {environment:?}: ours against the standard tool's: {difference}");
    }
    ours
}

/// Every form of show and showconf that is about all interfaces or about one of these.
#[track_caller]
fn every_form(host: &Host, interfaces: &[&str]) {
    for words in [&[] as &[&str], &["show"], &["show", "interfaces"]] {
        let answer = same(host, words, &[]);
        assert_eq!(answer.code, Some(0), "{words:?}");
        assert_ne!(answer.stdout, "", "{words:?}");
    }
    for interface in interfaces {
        let answer = same(host, &["showconf", interface], &[]);
        assert_eq!(answer.code, Some(0), "{interface}");
        assert_ne!(answer.stdout, "", "{interface}");
    }
    for &name in interfaces.iter().chain(&["all"]) {
        same(host, &["show", name], &[]);
        for look in LOOKS {
            same(host, &["show", name], look);
        }
        for selector in SELECTORS {
            same(host, &["show", name, selector], &[]);
        }
    }
}

/// A host with these devices, each set up by the standard tool from a configuration.
#[track_caller]
fn host_with(devices: &[(&str, &str)]) -> (Lab, Host) {
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    for (name, text) in devices {
        host.netlink().create_wireguard(name).unwrap();
        host.run(|| fs::write("/run/conf", text)).unwrap();
        tell(&host, Tool::Standard, &["setconf", name, "/run/conf"]);
    }
    (lab, host)
}

fn no_interface() {
    let (_lab, host) = host_with(&[]);
    for words in [
        &[] as &[&str],
        &["show"],
        &["show", "all"],
        &["show", "interfaces"],
        &["show", "all", "dump"],
    ] {
        let answer = same(&host, words, &[]);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""));
    }
}

fn nothing_set() {
    let (_lab, host) = host_with(&[("wg0", "")]);
    every_form(&host, &["wg0"]);
}

fn what_is_no_device() {
    let (_lab, host) = host_with(&[("wg0", "")]);
    for name in ["nope", "lo", "a-name-of-16-byt", "-h", "wg0/"] {
        for words in [&["show", name, "dump"] as &[&str], &["showconf", name]] {
            let answer = same(&host, words, &[]);
            assert_eq!(answer.code, Some(1), "{words:?}");
        }
    }
}

/// The usage that follows the first line is ours.
fn wrong_words() {
    let (_lab, host) = host_with(&[("wg0", "")]);
    for words in [
        &["show", "wg0", "nonsense"] as &[&str],
        &["show", "all", "Dump"],
        &["nonsense"],
        &["Show", "wg0"],
    ] {
        let [standard, ours] = [Tool::Standard, Tool::Ours].map(|tool| ask(&host, tool, words));
        assert_eq!((ours.code, standard.code), (Some(1), Some(1)), "{words:?}");
        assert_eq!(ours.stdout, standard.stdout, "{words:?}");
        assert_eq!(
            ours.stderr.lines().next(),
            standard.stderr.lines().next(),
            "{words:?}"
        );
    }
}

fn one_peer() {
    let (_lab, host) = host_with(&[("wg0", &config::peers(1, 1))]);
    every_form(&host, &["wg0"]);
}

/// Thirty of them, which is each combination of what [`config::peer`] leaves out and puts in; and lists of no, one and
/// several allowed IPs.
fn every_kind_of_peer() {
    let mut text = config::interface();
    for number in 0..30 {
        text.push_str(&config::peer(number, number % 4));
    }
    let (_lab, host) = host_with(&[("wg0", &text)]);
    every_form(&host, &["wg0"]);
}

fn several_interfaces() {
    let keyless = config::peer(7, 2);
    let (_lab, host) = host_with(&[
        ("wg1", &config::peers(3, 2)),
        ("a", ""),
        ("name-of-15-byte", &keyless),
    ]);
    host.netlink().create_veth("x", "y", None).unwrap();
    let names = same(&host, &["show", "interfaces"], &[]);
    assert_eq!(names.stdout, "wg1 a name-of-15-byte\n");
    every_form(&host, &["wg1", "a", "name-of-15-byte"]);
}

fn a_scoped_endpoint() {
    let text = format!(
        "[Peer]\nPublicKey = {}\nEndpoint = [fe80::1%lo]:51820\n",
        config::key(1)
    );
    let (_lab, host) = host_with(&[("wg0", &text)]);
    let answer = same(&host, &["show", "wg0", "endpoints"], &[]);
    assert!(
        answer.stdout.ends_with("\t[fe80::1%lo]:51820\n"),
        "{answer:?}"
    );
    every_form(&host, &["wg0"]);
}

/// Names may be listed by everybody; for the rest the kernel wants CAP_NET_ADMIN.
fn without_rights() {
    let (_lab, host) = host_with(&[("wg0", &config::peers(2, 1)), ("wg1", "")]);
    // Where daemons keep their sockets nobody may look.
    host.run(|| fs::remove_dir("/run/wireguard")).unwrap();
    for words in [
        &["show"] as &[&str],
        &["show", "all", "dump"],
        &["show", "interfaces"],
        &["show", "wg0"],
        &["show", "lo"],
        &["show", "nope"],
        &["showconf", "wg0"],
        &["set", "wg0", "listen-port", "5"],
        &["setconf", "wg0", "/dev/null"],
        &["syncconf", "wg0", "/dev/null"],
    ] {
        let [standard, ours] =
            [Tool::Standard, Tool::Ours].map(|tool| ask_without_rights(&host, tool, words));
        assert_eq!(ours.difference(&standard), None, "{words:?}");
        let listed = ours.code == Some(0);
        assert_eq!(
            listed,
            words == ["show", "interfaces"],
            "{words:?}: {ours:?}"
        );
    }
    let dump = tell(&host, Tool::Ours, &["show", "wg0", "dump"]);
    assert_eq!(dump.lines().count(), 3, "both peers are still there");
}

/// A device that does not fit into one message, nor into a hundred.
fn many_peers() {
    let (_lab, host) = host_with(&[("wg0", &config::peers(5000, 4))]);
    let peers = same(&host, &["show", "wg0", "peers"], &[]);
    assert_eq!(peers.stdout.lines().count(), 5000);
    every_form(&host, &["wg0"]);
}

/// One peer that does not fit into one message, between two that do.
fn many_allowed_ips() {
    let text = [
        config::interface(),
        config::peer(0, 3),
        config::peer(1, 20_000),
        config::peer(10_000, 3),
    ];
    let (_lab, host) = host_with(&[("wg0", &text.concat())]);
    let list = same(&host, &["show", "wg0", "allowed-ips"], &[]);
    let lengths: Vec<usize> = list
        .stdout
        .lines()
        .map(|line| line.split_whitespace().count() - 1)
        .collect();
    assert_eq!(lengths, [3, 20_000, 3]);
    every_form(&host, &["wg0"]);
}

/// A reading in which the kernel says that the device changed meanwhile is begun again: no peer is told twice, none is
/// left out.
fn while_it_changes() {
    let (_lab, host) = host_with(&[("wg0", &config::peers(600, 4))]);
    let last = config::key(599);
    let reading = AtomicBool::new(true);
    thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let mut changes = 0;
            while reading.load(Ordering::Relaxed) {
                changes += 1;
                let words = format!("set wg0 peer {last} persistent-keepalive {changes}");
                let words: Vec<&str> = words.split(' ').collect();
                tell(&host, Tool::Ours, &words);
            }
            changes
        });
        let wrong = (0..15).find_map(|_| {
            let text = tell(&host, Tool::Ours, &["show", "wg0", "peers"]);
            let peers: BTreeSet<&str> = text.lines().collect();
            (peers.len() != 600 || text.lines().count() != 600).then_some(text)
        });
        reading.store(false, Ordering::Relaxed);
        assert!(changing.join().unwrap() > 0);
        assert_eq!(wrong, None);
    });
}

/// There is nobody to tell more; a daemon's device beside it tells all.
fn its_status() {
    let (_lab, host) = host_with(&[("wg0", "")]);
    host.up("wg0").unwrap();
    host.output(&["hushwired", "wg1"]).unwrap();
    let words = ["hushwire", "status"];
    let told = host.output_within(LIMIT, &words).unwrap().stdout;
    let (kernel, daemon) = told.split_once("\n\n").expect("two interfaces");
    assert_eq!(
        kernel,
        "interface: wg0\n  daemon:     none: the kernel has it, and tells no more\n  \
         link:       up, MTU 1420"
    );
    assert!(daemon.starts_with("interface: wg1\n"), "{told}");
    assert!(daemon.contains("  daemon:     hushwire "), "{told}");
    let alone = host.output_within(LIMIT, &["hushwire", "status", "--json", "wg0"]);
    let alone = alone.unwrap().stdout;
    let begin = "{\"interfaces\":[{\"name\":\"wg0\",\"backend\":\"kernel\",\"daemon\":null,";
    assert!(alone.starts_with(begin), "{alone}");
    let nobody = host.output(&["hushwire", "status", "lo"]);
    assert!(nobody.is_err(), "{nobody:?}");
}

//! Everything through an interface of the kernel's, brought up by our program and by wg-quick(8) of wireguard-tools: the
//! same links, addresses, rules, routes and firewall, packets go through, and nothing is left.

use hushwire_lab::Host;
use hushwire_lab::vm::{Check, REFERENCE_WG_QUICK};

use crate::answer::{Tool, first_difference, tell};
use crate::check;
use crate::quick::{LIMIT, write};
use crate::two_ends::{Kind, Make, TwoEnds};

pub(crate) const CHECKS: &[Check] = &[
    check("default_routes::as_wg_quick", as_wg_quick),
    check("default_routes::in_another_namespace", in_another_namespace),
];

const FILE: &str = "/run/wg0.conf";
/// What brings an interface up and down, with the options of an `up`.
const THEIRS: &[&str] = &[REFERENCE_WG_QUICK];
const OURS: [&[&str]; 2] = [&["hushwire", "--backend=kernel"], &["wg-quick"]];
/// Addresses behind the far end, in each family.
const BEYOND: [&str; 2] = ["203.0.113.1", "2001:db8::1"];
const MARKS: &str = "net.ipv4.conf.all.src_valid_mark";

/// The settings of the interface, the allowed IPs of its one peer, and the addresses that answer through it.
const FILES: [(&str, &str, &[&str]); 6] = [
    ("", "0.0.0.0/0, ::/0", &BEYOND),
    ("FwMark = 0x77\n", "0.0.0.0/0", &["203.0.113.1"]),
    ("MTU = 1300\n", "::/0", &["2001:db8::1"]),
    (
        "Table = 1234\nPostUp = ip rule add to 203.0.113.0/24 table 1234\n\
         PreDown = ip rule delete to 203.0.113.0/24 table 1234\n",
        "0.0.0.0/0",
        &["203.0.113.1"],
    ),
    (
        "Table = off\nPostUp = ip route add 203.0.113.0/24 dev %i\n",
        "0.0.0.0/0, ::/0",
        &["203.0.113.1"],
    ),
    (
        "",
        "203.0.113.0/24, 2001:db8::/32, 192.168.241.2/32",
        &BEYOND,
    ),
];

/// An end without an interface, to which one can be brought up, and one that answers.
struct Ends {
    ends: TwoEnds,
}

impl Ends {
    fn new() -> Self {
        let kind = Kind {
            outer_v6: false,
            preshared_key: true,
        };
        let ends = TwoEnds::new(Make::Kernel, Make::Kernel, kind);
        ends.left.host.delete(ends.left.interface).unwrap();
        for (address, length) in BEYOND.iter().zip([32, 128]) {
            let address = format!("{address}/{length}");
            ends.right.host.address("lo", &address).unwrap();
        }
        // An answer that comes in by an interface to which no route leads is dropped, but for the mark.
        ends.left
            .host
            .sysctl("net.ipv4.conf.all.rp_filter", "1")
            .unwrap();
        Self { ends }
    }

    fn host(&self) -> &Host {
        &self.ends.left.host
    }

    fn write(&self, settings: &str, allowed_ips: &str) {
        let TwoEnds { left, right, .. } = &self.ends;
        let text = format!(
            "[Interface]\nPrivateKey = {}\nListenPort = 10000\nAddress = {}/24, {}/64\n{settings}\
             [Peer]\nPublicKey = {}\nPresharedKey = {}\nEndpoint = 10.9.0.2:20000\nAllowedIPs = {allowed_ips}\n",
            left.keys.private_base64(),
            left.ipv4,
            left.ipv6,
            right.keys.public_base64(),
            crate::config::key(77),
        );
        write(&left.host, &text);
    }

    /// Runs a verb of a program; whether it went well, and what it said.
    fn run(&self, program: &[&str], verb: &str) -> (bool, String) {
        let (name, options) = program.split_first().expect("a program");
        let mut command = self.host().command(&[name, &verb]);
        // Only an `up` has a choice.
        command
            .args(options.iter().filter(|_| verb == "up"))
            .arg(FILE);
        let mut process = self.host().spawn(command).unwrap();
        let status = process.wait(LIMIT).unwrap();
        (status.success(), process.output().stderr)
    }

    #[track_caller]
    fn succeed(&self, program: &[&str], verb: &str) {
        let (done, said) = self.run(program, verb);
        assert!(done, "{program:?} {verb}: {said}");
    }

    /// Everything that an interface changes, in text.
    fn state(&self) -> String {
        let mut text = String::new();
        for words in [
            "ip -o link",
            "ip -o addr",
            "ip -4 rule",
            "ip -6 rule",
            "ip -4 route show table all",
            "ip -6 route show table all",
            "nft list ruleset",
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            let output = self.host().output_within(LIMIT, &words).unwrap().stdout;
            let mut lines: Vec<&str> = output.lines().map(without_number).collect();
            // The kernel lists routes by the tables' places in a hash.
            if words.contains(&"route") {
                lines.sort_unstable();
            }
            text.push_str(&format!("# {words:?}\n{}\n", lines.join("\n")));
        }
        let marks = self.host().read_sysctl(MARKS).unwrap();
        text + &format!("{MARKS} = {marks}\n")
    }
}

/// Interfaces are numbered in the order in which they were made: `5: wg0: ...`.
fn without_number(line: &str) -> &str {
    match line.split_once(": ") {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    }
}

fn as_wg_quick() {
    let ends = Ends::new();
    let host = ends.host();
    let before = ends.state();
    // Under both names in turn, for an emulated processor is slow.
    for ((settings, allowed_ips, answering), ours) in FILES.into_iter().zip(OURS.iter().cycle()) {
        ends.write(settings, allowed_ips);
        let up = [THEIRS, ours].map(|program| {
            ends.succeed(program, "up");
            for address in answering {
                host.ping(address).unwrap();
            }
            let device = tell(host, Tool::Standard, &["showconf", "wg0"]);
            let up = ends.state() + &device;
            ends.succeed(program, "down");
            // All of them leave it on.
            host.sysctl(MARKS, "0").unwrap();
            let left = first_difference("state", &before, &ends.state());
            assert_eq!(left, None, "{program:?} {settings:?} leaves something");
            up
        });
        let [theirs, ours] = &up;
        let difference = first_difference("state", theirs, ours);
        assert_eq!(difference, None, "{settings:?} {allowed_ips}");
        assert_eq!(
            theirs.contains("suppress_prefixlength 0"),
            theirs.contains("table ip wg-quick-wg0") || theirs.contains("table ip6 wg-quick-wg0"),
            "{theirs}"
        );
    }
}

/// An interface that was moved to another network namespace is none here: nobody takes it down from here, its rules stay,
/// and it still is a tunnel there. When it is back, it goes with its rules.
fn in_another_namespace() {
    let ends = Ends::new();
    let host = ends.host();
    let before = ends.state();
    let other = &ends.ends.right.host;
    ends.write("", "0.0.0.0/0, ::/0");
    for program in [THEIRS, OURS[0]] {
        ends.succeed(program, "up");
        let index = |host: &Host| host.netlink().index_of("wg0").unwrap();
        let here = index(host);
        host.netlink()
            .move_to_namespace(here, other.namespace())
            .unwrap();
        let moved = ends.state();
        let (done, said) = ends.run(program, "down");
        assert!(!done, "{program:?}: {said}");
        assert!(
            said.ends_with(": `wg0' is not a WireGuard interface\n"),
            "{program:?}: {said}"
        );
        let changed = first_difference("state", &moved, &ends.state());
        assert_eq!(changed, None, "{program:?}");

        let there = index(other);
        other
            .netlink()
            .move_to_namespace(there, host.namespace())
            .unwrap();
        ends.succeed(program, "down");
        host.sysctl(MARKS, "0").unwrap();
        let left = first_difference("state", &before, &ends.state());
        assert_eq!(left, None, "{program:?} leaves something");
    }
}

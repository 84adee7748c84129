//! A host on which interfaces are brought up, and everything about it that they change.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hushwire_lab::{Host, Lab, require_tools, wait_until};

use crate::common::{Directory, HUSHWIRE, HUSHWIRED, LIMIT, OTHER_PRIVATE_KEY, run_as};

/// A resolvconf(8) that keeps what it is told in a folder, and notes how it was called. It fails
/// once, with what it was told kept, when there is a file that says so.
const RESOLVCONF: &str = "#!/bin/sh
case $1 in
-a) cat > \"$STATE/$2\"; ! rm \"$STATE.fails\" 2>/dev/null || exit 7 ;;
-d) rm -f \"$STATE/$2\" ;;
-l) cat \"$STATE/$2\" 2>/dev/null; exit ;;
esac
echo \"resolvconf $*\" >> \"$STATE.log\"
";

pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) directory: Directory,
    has_nft: bool,
    _lab: Lab,
}

impl World {
    /// A host with a way out, of an MTU of its own, and a resolvconf.
    pub(crate) fn new() -> Self {
        let world = Self::without_resolver();
        let program = RESOLVCONF.replace("$STATE", &world.shown("dns"));
        world.write_program("resolvconf", &program);
        world
    }

    /// The same with iptables(8) in the place of nft(8).
    pub(crate) fn without_nft() -> Self {
        require_tools(&["iptables"]).unwrap();
        let mut world = Self::new();
        world.has_nft = false;
        fs::create_dir(world.path("sbin")).unwrap();
        for entry in fs::read_dir("/usr/sbin").unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            if name != "nft" {
                symlink(&path, world.path("sbin").join(name)).unwrap();
            }
        }
        world
    }

    /// The same without a resolvconf, or any other resolver.
    pub(crate) fn without_resolver() -> Self {
        require_tools(&["bash", "ip", "nft", "wg", "wg-quick"]).unwrap();
        let lab = Lab::new().unwrap();
        let host = lab.host("alice").unwrap();
        host.netlink().create_veth("eth0", "eth1", None).unwrap();
        for link in ["eth0", "eth1"] {
            // So that no address of its own comes up in the middle of a test.
            host.sysctl(&format!("net.ipv6.conf.{link}.disable_ipv6"), "1")
                .unwrap();
        }
        for link in ["lo", "eth0", "eth1"] {
            host.up(link).unwrap();
        }
        // What the kernel says of a link's state, it says a moment later.
        let links = || host.output(&["ip", "-o", "link"]).unwrap().stdout;
        let are_up = || links().matches(" state UP ").count() == 2;
        wait_until(LIMIT, "the links", are_up).unwrap();
        host.mtu("eth0", 1460).unwrap();
        host.address("eth0", "192.0.2.1/24").unwrap();
        host.route_via("0.0.0.0/0", "192.0.2.2").unwrap();
        let directory = Directory::new();
        let world = Self {
            host,
            directory,
            has_nft: true,
            _lab: lab,
        };
        fs::create_dir(world.path("bin")).unwrap();
        fs::create_dir(world.path("dns")).unwrap();
        world
    }

    /// Makes a program, which is found before those of the system.
    pub(crate) fn write_program(&self, name: &str, text: &str) {
        let program = self.path("bin").join(name);
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The search path, with the resolvconf in front.
    pub(crate) fn search_path(&self) -> String {
        if !self.has_nft {
            return format!("{}:{}:/usr/bin", self.shown("bin"), self.shown("sbin"));
        }
        let own = std::env::var("PATH").unwrap_or_default();
        format!("{}:{own}:/usr/sbin:/usr/bin:/sbin:/bin", self.shown("bin"))
    }

    /// Runs a program with our daemon for what the kernel cannot do.
    pub(crate) fn run(&self, words: &[&str], file: &Path) -> (i32, String) {
        let mut command = self.host.command(words);
        command
            .arg(file)
            .env("PATH", self.search_path())
            .env("WG_QUICK_USERSPACE_IMPLEMENTATION", HUSHWIRED)
            .env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
        let mut process = self.host.spawn(command).unwrap();
        let status = process.wait(LIMIT).unwrap();
        (status.code().unwrap_or(-1), process.output().stderr)
    }

    pub(crate) fn hushwire(&self, verb: &str, file: &Path) -> (i32, String) {
        // Who started the tests may have had signals ignored, and that is inherited.
        self.run(
            &["env", "--default-signal=INT,TERM,HUP", HUSHWIRE, verb],
            file,
        )
    }

    /// What resolvconf was called with since the last look.
    pub(crate) fn calls(&self) -> String {
        let log = self.path("dns.log");
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        calls
    }

    /// What shows the rules of the firewall.
    const fn firewall(&self) -> &'static [&'static str] {
        if self.has_nft {
            &["nft", "list", "ruleset"]
        } else {
            &["sh", "-c", IPTABLES]
        }
    }

    /// Everything that an interface changes, in text.
    pub(crate) fn state(&self) -> String {
        let mut text = String::new();
        for words in [
            &["ip", "-o", "addr"][..],
            &["ip", "-o", "link"],
            &["ip", "-4", "rule"],
            &["ip", "-6", "rule"],
            &["ip", "-4", "route", "show", "table", "all"],
            &["ip", "-6", "route", "show", "table", "all"],
            self.firewall(),
            &["cat", "/proc/sys/net/ipv4/conf/all/src_valid_mark"],
            &["ls", "/run/wireguard"],
        ] {
            let output = self.host.output(words).unwrap().stdout;
            text.push_str(&format!("# {}\n", words.join(" ")));
            let mut lines: Vec<String> = output.lines().map(tidy).collect();
            // The kernel lists routes by the tables' places in a hash.
            if words.contains(&"route") {
                lines.sort();
            }
            text.push_str(&lines.join("\n"));
            text.push('\n');
        }
        let mut servers: Vec<String> = fs::read_dir(self.path("dns"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| format!("{path:?}: {}", fs::read_to_string(&path).unwrap()))
            .collect();
        servers.sort();
        text + &servers.concat()
    }
}

/// Tables that are there, but empty, are as good as none.
const IPTABLES: &str = "for save in iptables-save ip6tables-save; do \
     for table in raw mangle; do $save -t $table | grep ^-A | sed \"s/^/$save $table /\"; done; done";

/// Without numbers of interfaces and random addresses.
fn tidy(line: &str) -> String {
    let line = match line.split_once(": ") {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    };
    let mut pieces = line.split("fe80::");
    let mut tidied = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        tidied.push_str("fe80::X");
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == ':');
        tidied.push_str(rest);
    }
    // One that is being checked for duplicates is the same a moment later.
    tidied.replace(" tentative", "")
}

/// The public key of the other private key, by our own command.
pub(crate) fn other_public_key() -> String {
    let outcome = run_as(HUSHWIRE, "wg", &["pubkey"], OTHER_PRIVATE_KEY);
    assert_eq!(outcome.code(), Some(0), "{}", outcome.stderr);
    outcome.stdout.trim().to_owned()
}

/// The lines that only one of two states has.
pub(crate) fn difference(one: &str, other: &str) -> String {
    let lacks = |text: &str, line: &str| !text.lines().any(|other| other == line);
    let mut found = String::new();
    for (sign, text, against) in [("-", one, other), ("+", other, one)] {
        for line in text.lines().filter(|line| lacks(against, line)) {
            found.push_str(&format!("{sign} {line}\n"));
        }
    }
    if found.is_empty() && one != other {
        found = format!("another order:\n{one}\n{other}");
    }
    found
}

//! Name servers by a running systemd-resolved: by resolvectl(1), and by the resolvconf(8) that is a link to it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use hushwire_lab::{Process, peers_directory, wait_until};

use crate::common::{HUSHWIRE, LIMIT, PRIVATE_KEY};
use crate::faults::fail_at;
use crate::state::{World, difference, other_public_key};

/// More servers than resolvectl(1) shows on one line.
const MANY: &str =
    "10.7.0.9, 2001:db8::1, 2001:db8::2, 2001:db8::3, 2001:db8::4, 9.9.9.9, corp.example";

fn text(dns: &str) -> String {
    let other = other_public_key();
    format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\nDNS = {dns}\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = 10.7.0.0/24\n"
    )
}

/// A host on which systemd-resolved runs, and with it a message bus. Both are those of a fresh Debian, in a root folder of
/// their own, which has the host's network and /run.
struct Resolved {
    _bus: Process,
    _resolver: Process,
    world: World,
}

impl Resolved {
    fn new() -> Self {
        let world = World::without_resolver();
        let root = unpack(&world);
        let shown = root.to_string_lossy().into_owned();
        for place in ["run", "dev", "proc"] {
            let inside = format!("{shown}/{place}");
            let outside = format!("/{place}");
            world
                .host
                .output(&["mount", "--rbind", &outside, &inside])
                .unwrap();
        }
        world
            .host
            .run(|| fs::create_dir_all("/run/dbus").and_then(|()| fs::create_dir("/run/systemd")))
            .unwrap();
        // It finds out by its name whether it is resolvconf.
        let program = format!(
            "#!/bin/sh\nPATH=/usr/sbin:/usr/bin:$PATH exec chroot {shown} \"${{0##*/}}\" \"$@\"\n"
        );
        world.write_program("resolvectl", &program);
        let start = |words: &[&str]| {
            let command = world.host.command(&[&["chroot", &shown], words].concat());
            world.host.spawn(command).unwrap()
        };
        let bus = start(&["dbus-daemon", "--system", "--nofork", "--nopidfile"]);
        let there = || fs::exists(root.join("run/dbus/system_bus_socket")).unwrap_or(false);
        wait_until(LIMIT, "the bus", || world.host.run(there)).unwrap();
        let resolver = start(&["/lib/systemd/systemd-resolved"]);
        let answers = || {
            world
                .host
                .output(&[world.path("bin/resolvectl").to_str().unwrap(), "dns"])
                .is_ok()
        };
        wait_until(LIMIT, "systemd-resolved", answers).unwrap();
        Self {
            _bus: bus,
            _resolver: resolver,
            world,
        }
    }

    /// What it knows of an interface.
    fn state(&self, interface: &str) -> String {
        let program = self.world.path("bin/resolvectl");
        let program = program.to_str().unwrap();
        ["dns", "domain", "default-route"]
            .map(|what| {
                let said = self.world.host.output(&[program, what, interface]);
                let said = said.map_or_else(|error| error.to_string(), |said| said.stdout);
                // Without the interface's number, and breaks of lines.
                let words = said.split_once("):").map_or("nothing", |(_, words)| words);
                let words: Vec<&str> = words.split_whitespace().collect();
                format!("{what} {}\n", words.join(" "))
            })
            .concat()
    }
}

fn unpack(world: &World) -> PathBuf {
    let archive = peers_directory().with_file_name("fresh-root.tar");
    assert!(
        archive.is_file(),
        "{} is not there: `cargo xtask install-peers` makes it",
        archive.display()
    );
    let root = world.path("root");
    fs::create_dir(&root).unwrap();
    let unneeded = [
        "./var/cache",
        "./var/lib/apt",
        "./usr/share/doc",
        "./usr/share/locale",
    ];
    let output = Command::new("tar")
        .args(["--numeric-owner", "-xpf"])
        .arg(&archive)
        .arg("-C")
        .arg(&root)
        .args(unneeded.map(|path| format!("--exclude={path}")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    root
}

#[test]
fn resolvectl_is_told() {
    let resolved = Resolved::new();
    let world = &resolved.world;
    let run = |verb: &str, text: &str| {
        let file = world.write("wgf.conf", text);
        let (code, said) = world.hushwire(verb, &file);
        assert_eq!(code, 0, "{said}");
        said
    };
    let many = text(MANY);
    let said = run("up", &many);
    assert!(
        said.contains("\n[#] resolvectl dns wgf 10.7.0.9 "),
        "{said}"
    );
    let first = "dns 10.7.0.9 2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4 9.9.9.9\n\
                 domain ~. corp.example\ndefault-route yes\n";
    assert_eq!(resolved.state("wgf"), first);
    assert_eq!(run("reload", &many), "wgf is what its file says\n");

    // With a failure at each operation in turn.
    let other = text("10.7.0.8").replace("10.7.0.0/24", "10.9.0.0/24");
    let none = other.replace("DNS = 10.7.0.8\n", "");
    for changed in [&other, &none] {
        let file = world.write("wgf.conf", changed);
        let mut failed = Vec::new();
        while let Some(operation) = fail_at(world, &file, "reload", failed.len()) {
            assert_eq!(
                resolved.state("wgf"),
                first,
                "after the failure of {operation}"
            );
            failed.push(operation);
            assert!(failed.len() < 100, "{failed:?}");
        }
        let tells = |failed: &String| failed.starts_with("resolvectl ");
        assert!(
            failed.iter().any(tells) && !failed.last().is_some_and(tells),
            "{failed:?}"
        );
        assert_ne!(resolved.state("wgf"), first);
        run("reload", &many);
        assert_eq!(resolved.state("wgf"), first);
    }
    run("reload", &other);
    assert_eq!(
        resolved.state("wgf"),
        "dns 10.7.0.8\ndomain ~.\ndefault-route yes\n"
    );
    run("down", &other);
}

#[test]
fn its_resolvconf_is_told_as_by_wg_quick() {
    let resolved = Resolved::new();
    let world = &resolved.world;
    symlink("resolvectl", world.path("bin/resolvconf")).unwrap();
    let ours = world.path("wg-quick");
    symlink(HUSHWIRE, &ours).unwrap();
    let ours = ours.to_string_lossy().into_owned();
    for dns in ["10.7.0.9", MANY, "corp.example, 10.7.0.9"] {
        let file = world.write("wgf.conf", &text(dns));
        let [theirs, mine] = ["/usr/bin/wg-quick", &ours].map(|program| {
            let (code, said) = world.run(&[program, "up"], &file);
            assert_eq!(code, 0, "{program} up {dns}: {said}");
            assert!(said.contains("[#] resolvconf -a wgf -m 0 -x\n"), "{said}");
            let up = resolved.state("wgf");
            let (code, said) = world.run(&[program, "down"], &file);
            assert_eq!(code, 0, "{program} down {dns}: {said}");
            let gone = || world.host.output(&["ip", "link", "show", "wgf"]).is_err();
            wait_until(LIMIT, "the end of wgf", gone).unwrap();
            up
        });
        assert_eq!(difference(&theirs, &mine), "", "{dns}");
        assert!(theirs.contains("10.7.0.9"), "{theirs}");
    }
    // That resolvconf cannot list what it knows; we ask resolvectl.
    let file = world.write("wgf.conf", &text(MANY));
    for verb in ["up", "save", "reload", "down"] {
        let (code, said) = world.hushwire(verb, &file);
        assert_eq!(code, 0, "{verb}: {said}");
    }
    let saved = fs::read_to_string(&file).unwrap();
    assert_eq!(
        saved.matches("\nDNS = ").count(),
        6,
        "{}",
        saved.replace(PRIVATE_KEY, "...")
    );
}

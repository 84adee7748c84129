//! Default routes on a host without nft(8).

use std::os::unix::fs::symlink;

use crate::common::{HUSHWIRE, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

fn text(settings: &str, allowed_ips: &str) -> String {
    let other = other_public_key();
    format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\n{settings}\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = {allowed_ips}\n"
    )
}

const BOTH: &str = "Address = 10.7.0.1/24, fd07::1/64";

#[test]
fn rules_are_those_of_wg_quick() {
    let world = World::without_nft();
    let ours = world.path("wg-quick");
    symlink(HUSHWIRE, &ours).unwrap();
    let ours = ours.to_string_lossy().into_owned();
    // Both leave it on.
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    for (settings, allowed_ips) in [
        (BOTH, "0.0.0.0/0, ::/0"),
        (
            "Address = 10.7.0.1/24, 10.8.0.1/16\nFwMark = 0x77",
            "0.0.0.0/0",
        ),
        ("Address = fd07::1/64", "::/0"),
        ("Address = 10.7.0.1/24\nTable = off", "0.0.0.0/0"),
    ] {
        let file = world.write("wgd.conf", &text(settings, allowed_ips));
        let [theirs, mine] = ["/usr/bin/wg-quick", &ours].map(|program| {
            let (code, said) = world.run(&[program, "up"], &file);
            assert_eq!(code, 0, "{program} up {settings}: {said}");
            assert_eq!(
                said.contains("tables-restore -n"),
                !settings.contains("off"),
                "{said}"
            );
            let up = world.state();
            assert_eq!(up.contains("CONNMARK"), !settings.contains("off"), "{up}");
            let (code, said) = world.run(&[program, "down"], &file);
            assert_eq!(code, 0, "{program} down {settings}: {said}");
            // A daemon notices the end of its interface a moment later.
            let gone = || world.state() == before;
            hushwire_lab::wait_until(crate::common::LIMIT, "nothing", gone)
                .unwrap_or_else(|_| panic!("{program} {settings}: {}", world.state()));
            up
        });
        assert_eq!(difference(&theirs, &mine), "", "{settings}");
    }
}

#[test]
fn a_reload_leaves_what_an_up_would_make() {
    let world = World::without_nft();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    let run = |verb: &str, text: &str| {
        let file = world.write("wgd.conf", text);
        let (code, said) = world.hushwire(verb, &file);
        assert_eq!(code, 0, "{said}");
    };
    let all = "0.0.0.0/0, ::/0";
    let first = text(BOTH, all);
    for (settings, allowed_ips) in [
        ("Address = 10.9.0.1/24, fd09::1/64", all),
        (BOTH, "::/0"),
        (BOTH, "10.1.0.0/16"),
    ] {
        let second = text(settings, allowed_ips);
        run("up", &second);
        let expected = world.state();
        run("down", &second);
        run("up", &first);
        run("reload", &second);
        assert_eq!(difference(&expected, &world.state()), "", "{second}");
        run("down", &second);
        assert_eq!(difference(&before, &world.state()), "", "{second}");
    }
}

#[test]
fn what_a_killed_up_has_left_goes() {
    let world = World::without_nft();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    let hook = format!("{BOTH}\nPostUp = kill -KILL $PPID");
    let file = world.write("wgd.conf", &text(&hook, "0.0.0.0/0, ::/0"));
    let (code, said) = world.hushwire("up", &file);
    assert_eq!(code, -1, "{said}");
    assert_ne!(world.state(), before, "{said}");
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
    assert_eq!(difference(&before, &world.state()), "", "{said}");
}

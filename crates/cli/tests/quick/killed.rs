//! Signals, and worse, in the middle of an `up`.

use hushwire_lab::wait_until;

use crate::common::{HUSHWIRE, LIMIT, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

fn text(setting: &str) -> String {
    let other = other_public_key();
    format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAddress = 10.7.0.1/24\nDNS = 10.7.0.9\n{setting}\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
    )
}

#[test]
fn a_signal_undoes_everything() {
    let world = World::new();
    let before = world.state();
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for event in ["PreUp", "PostUp"] {
            let hook = format!("{event} = kill -{signal} $PPID; exec sleep 1000");
            let file = world.write("wgk.conf", &text(&hook));
            let (code, said) = world.hushwire("up", &file);
            assert_eq!(code, status, "{event} {signal}: {said}");
            assert_eq!(
                difference(&before, &world.state()),
                "",
                "{event} {signal}: {said}"
            );
        }
    }
}

#[test]
fn after_a_kill_a_down_cleans_up() {
    let world = World::new();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    for event in ["PreUp", "PostUp"] {
        let file = world.write("wgk.conf", &text(&format!("{event} = kill -KILL $PPID")));
        let (code, said) = world.hushwire("up", &file);
        assert_eq!(code, -1, "{said}");
        assert_ne!(world.state(), before, "{event}: {said}");
        let (code, said) = world.hushwire("down", &file);
        assert_eq!(code, 0, "{event}: {said}");
        assert_eq!(difference(&before, &world.state()), "", "{event}: {said}");
    }
}

#[test]
fn the_death_of_the_caller_undoes_everything() {
    let world = World::new();
    let before = world.state();
    let there = world.path("there");
    let hook = format!("PostUp = touch {}; exec sleep 1000", there.display());
    let file = world.write("wgk.conf", &text(&hook));
    let script = format!(
        "{HUSHWIRE} up {} & while [ ! -e {} ]; do :; done; kill -KILL $$",
        file.display(),
        there.display()
    );
    let (code, said) = world.run(&["bash", "-c", &script], &file);
    assert_eq!(code, -1, "{said}");
    wait_until(LIMIT, "everything to be undone", || world.state() == before).unwrap();
}

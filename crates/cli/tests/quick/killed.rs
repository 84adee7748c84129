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
fn a_signal_that_is_ignored_is_none() {
    let world = World::new();
    let before = world.state();
    let file = world.write("wgk.conf", &text("PostUp = kill -HUP $PPID"));
    let script = format!("trap '' HUP; exec {HUSHWIRE} up {}", file.display());
    let (code, said) = world.run(&["bash", "-c", &script], &file);
    assert_eq!(code, 0, "{said}");
    let (code, said) = world.hushwire("down", &file);
    assert_eq!(code, 0, "{said}");
    let marked = before.replace("src_valid_mark\n0", "src_valid_mark\n1");
    assert_eq!(difference(&marked, &world.state()), "", "{said}");
}

#[test]
fn a_name_server_that_does_not_answer_can_be_given_up() {
    let world = World::new();
    let before = world.state();
    let named = text("").replace("[Peer]", "[Peer]\nEndpoint = nowhere.invalid:5");
    let file = world.write("wgk.conf", &named);
    let mut command = world.host.command(&[HUSHWIRE, "up"]);
    command
        .arg(&file)
        .env("WG_ENDPOINT_RESOLUTION_RETRIES", "infinity");
    let mut process = world.host.spawn(command).unwrap();
    let is_looking =
        |process: &hushwire_lab::Process| process.output().stderr.contains("wg addconf");
    wait_until(LIMIT, "the look-up", || is_looking(&process)).unwrap();
    process.signal(rustix::process::Signal::TERM).unwrap();
    let status = process.wait(LIMIT).unwrap();
    let said = process.output().stderr;
    // Some resolvers know at once that there is no such name.
    assert!(matches!(status.code(), Some(143 | 1)), "{status:?} {said}");
    assert_eq!(difference(&before, &world.state()), "", "{said}");
}

#[test]
fn two_tunnels_for_everything_leave_each_other_alone() {
    let world = World::new();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let before = world.state();
    let files = ["wgk", "wgl"].map(|name| world.write(&format!("{name}.conf"), &text("")));
    let run = |verb: &str, file| {
        let (code, said) = world.hushwire(verb, file);
        assert_eq!(code, 0, "{said}");
    };
    run("up", &files[0]);
    let one = world.state();
    for order in [[0, 1], [1, 0]] {
        let [first, second] = order.map(|place| &files[place]);
        // The first is up already.
        run("up", second);
        run("down", first);
        let rules = world.host.output(&["ip", "-4", "rule"]).unwrap().stdout;
        let [table, main] = ["not from all fwmark", "suppress_prefixlength"]
            .map(|part| rules.lines().position(|line| line.contains(part)).unwrap());
        assert!(main < table, "{rules}");
        assert_eq!(rules.lines().count(), 5, "{rules}");
    }
    assert_ne!(one, before);
    run("down", &files[0]);
    assert_eq!(difference(&before, &world.state()), "", "both down");
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

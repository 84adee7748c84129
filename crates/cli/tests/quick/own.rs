//! What `hushwire up` and `reload` have beyond wg-quick(8): rehearsals, a choice of who runs the device, and refusals
//! before anything is touched.

use crate::common::{HUSHWIRE, HUSHWIRED, PRIVATE_KEY};
use crate::state::{World, difference, other_public_key};

fn text(settings: &str, allowed_ips: &str) -> String {
    let other = other_public_key();
    format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\n{settings}\n\
         [Peer]\nPublicKey = {other}\nAllowedIPs = {allowed_ips}\n"
    )
}

/// Runs a command line on a file, and takes all that it says for what it says on standard error.
fn run(world: &World, line: &str, text: &str) -> (i32, String) {
    let file = world.write("wgo.conf", text);
    world.run(&["sh", "-c", &format!("{line} \"$0\" >&2")], &file)
}

fn succeed(world: &World, line: &str, text: &str) -> String {
    let (code, said) = run(world, line, text);
    assert_eq!(code, 0, "{line}: {said}");
    said
}

#[test]
fn a_rehearsal_tells_what_would_be_done_and_does_nothing() {
    let world = World::new();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    let first = text(
        "Address = 10.7.0.1/24, fd07::1/64\nDNS = 10.7.0.9",
        "0.0.0.0/0, 10.8.0.0/16, 10.7.0.2/32",
    );
    let second = text(
        "Address = 10.7.0.1/24, fd07::1/64\nDNS = 10.7.0.8\nMTU = 1300",
        "0.0.0.0/0, 10.9.0.0/16, 10.7.0.2/32",
    );
    for (verb, text) in [
        ("up --backend=userspace", &first),
        ("reload", &second),
        ("down", &second),
    ] {
        let before = world.state();
        let rehearsed = succeed(&world, &format!("{HUSHWIRE} {verb} --dry-run"), text);
        assert_eq!(difference(&before, &world.state()), "", "{rehearsed}");
        assert_eq!(world.calls(), "", "{rehearsed}");
        let done = succeed(&world, &format!("{HUSHWIRE} {verb}"), text);
        assert_eq!(rehearsed, done, "{verb}");
        assert!(done.matches("[#] ").count() > 2, "{done}");
        assert_ne!(before, world.state(), "{verb}");
        world.calls();
    }
}

#[test]
fn who_runs_the_device_can_be_chosen() {
    let world = World::new();
    let before = world.state();
    let text = text("Address = 10.7.0.1/24", "10.8.0.0/16");
    let first = format!("[#] {HUSHWIRED} wgo\n");
    for line in [
        format!("{HUSHWIRE} up --backend=userspace"),
        format!("{HUSHWIRE} up --backend userspace"),
        format!("HUSHWIRE_BACKEND=userspace {HUSHWIRE} up"),
        format!("HUSHWIRE_BACKEND=kernel {HUSHWIRE} up --backend=userspace"),
    ] {
        let said = succeed(&world, &line, &text);
        assert!(said.starts_with(&first), "{line}: {said}");
        succeed(&world, &format!("{HUSHWIRE} down"), &text);
        assert_eq!(difference(&before, &world.state()), "", "{line}");
    }
    let (code, said) = run(&world, &format!("{HUSHWIRE} up --backend=nobody"), &text);
    assert!(code == 1 && said.contains("`nobody`"), "{said}");
    // Whether the kernel can or not: nobody takes its place.
    let (_, said) = run(&world, &format!("{HUSHWIRE} up --backend=kernel"), &text);
    assert!(
        said.starts_with("[#] ip link add dev wgo type wireguard\n"),
        "{said}"
    );
    assert!(!said.contains(HUSHWIRED), "{said}");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_touched() {
    let world = World::new();
    let before = world.state();
    for (settings, place) in [
        ("Address = 10.7.0.300/24", "wgo.conf:3:11: "),
        ("Address = fd07::1/64\nMTU = 1279", "wgo.conf:4:7: "),
        ("Address = 10.7.0.1/24\nTable = nonsense", "wgo.conf:4:9: "),
    ] {
        let text = text(settings, "10.8.0.0/16");
        for verb in ["up", "reload"] {
            let (code, said) = run(&world, &format!("{HUSHWIRE} {verb}"), &text);
            assert!(
                code == 1 && said.contains(place),
                "{verb} {settings}: {said}"
            );
            assert!(!said.contains("[#]"), "{verb} {settings}: {said}");
        }
        assert_eq!(difference(&before, &world.state()), "", "{settings}");
    }
}

#[test]
fn a_key_in_another_place_is_not_quoted() {
    let world = World::new();
    for name in ["Address", "MTU", "SaveConfig", "Table"] {
        let text = text(&format!("{name} = {PRIVATE_KEY}"), "10.8.0.0/16");
        for verb in ["up", "up --dry-run", "reload"] {
            let (code, said) = run(&world, &format!("{HUSHWIRE} {verb}"), &text);
            assert!(
                code == 1 && !said.contains(&PRIVATE_KEY[..8]),
                "{verb} {name}: {said}"
            );
        }
    }
}

/// Tables of the system have the numbers of these marks: with its own rule, `down` took the rules
/// of the system for them away, and so the whole network.
#[test]
fn a_mark_that_is_the_number_of_a_system_table() {
    let world = World::new();
    world
        .host
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .unwrap();
    // So that `main` has room for one of the tunnel's.
    world
        .host
        .output(&["ip", "route", "delete", "default"])
        .unwrap();
    let before = world.state();
    for mark in [253, 254, 255] {
        let settings = format!("Address = 10.7.0.1/24, fd07::1/64\nFwMark = {mark}");
        let text = text(&settings, "0.0.0.0/0, ::/0");
        let said = succeed(&world, &format!("{HUSHWIRE} up --backend=userspace"), &text);
        let rule = format!("[#] ip -4 rule add not fwmark {mark} table {mark}\n");
        assert!(said.contains(&rule), "{said}");
        succeed(&world, &format!("{HUSHWIRE} down"), &text);
        assert_eq!(difference(&before, &world.state()), "", "{mark}");
    }
}

#[test]
fn what_to_do_about_a_port_in_use_is_said() {
    let world = World::new();
    let text = text("ListenPort = 5123\nAddress = 10.7.0.1/24", "10.8.0.0/16");
    succeed(&world, &format!("{HUSHWIRE} up --backend=userspace"), &text);
    let second = world.write("wgp.conf", &text);
    let (code, said) = world.hushwire("up", &second);
    assert_eq!(code, 1, "{said}");
    let told = "Unable to modify interface: Address already in use\n  hint: another socket has";
    assert!(said.contains(told), "{said}");
    succeed(&world, &format!("{HUSHWIRE} down"), &text);
}

#[test]
fn what_a_command_has_no_use_for_is_refused() {
    let world = World::new();
    let text = text("Address = 10.7.0.1/24", "10.8.0.0/16");
    for line in ["save --dry-run", "strip -n", "down --backend=kernel"] {
        let (code, said) = run(&world, &format!("{HUSHWIRE} {line}"), &text);
        assert!(code == 1 && said.contains("there is no option"), "{said}");
    }
    // The help is that of the command, wherever it is asked for.
    let (code, said) = run(&world, &format!("{HUSHWIRE} down --help"), &text);
    assert!(code == 0 && said.contains("Usage: hushwire down"), "{said}");
}

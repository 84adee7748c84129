//! Mistakes have their place, and a hint.

use super::{PEER, Scene};

#[test]
fn every_mistake_in_a_file_has_its_place_and_a_hint() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", |_| panic!("nothing is sent"));
    scene.write(
        "bad.conf",
        "[Interface]\nListenPort = 70000\nAdress = 1\n[Peer]\nAllowedIPs = 10.0.0.1/8, 1.2.3\n",
    );
    for verb in ["setconf", "addconf", "syncconf"] {
        let outcome = scene.run(&["hushwire", verb, "wg0", "bad.conf"]);
        assert_eq!((outcome.exit, outcome.stdout.as_str()), (1, ""));
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        let [first, second, port, key, ip, missing] = lines.as_slice() else {
            panic!("{outcome:?}");
        };
        assert_eq!(*first, "Port is greater than 65535: `70000'");
        assert_eq!(*second, "Configuration parsing error");
        for (line, start, hint) in [
            (port, "  bad.conf:2:14: ", "65535"),
            (key, "  bad.conf:3:1: ", "did you mean Address"),
            (ip, "  bad.conf:5:26: ", "10.0.0.0/8"),
            (missing, "  bad.conf:4:1: ", "hushwire pubkey"),
        ] {
            assert!(line.starts_with(start) && line.contains(hint), "{line}");
        }
    }
    let wg = scene.run(&["wg", "setconf", "wg0", "bad.conf"]);
    assert_eq!(
        wg.stderr,
        "Port is greater than 65535: `70000'\nConfiguration parsing error\n"
    );
}

#[test]
fn warnings_and_endpoints_without_an_address_have_their_places_too() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", |_| panic!("nothing is sent"));
    scene.write(
        "c.conf",
        &format!("[Peer]\nPublicKey={PEER}\nAllowedIPs=10.0.0.1/8\nEndpoint = [fe80::1%none]:5\n"),
    );
    let outcome = scene.run(&["hushwire", "setconf", "wg0", "c.conf"]);
    assert_eq!(outcome.exit, 1);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let [warning, place, error, parsing, endpoint] = lines.as_slice() else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        *warning,
        "Warning: AllowedIP has nonzero host part: 10.0.0.1/8"
    );
    assert!(place.starts_with("  c.conf:3:12: "), "{place}");
    assert_eq!(*error, "Name or service not known: `[fe80::1%none]:5'");
    assert_eq!(*parsing, "Configuration parsing error");
    assert!(endpoint.starts_with("  c.conf:4:12: "), "{endpoint}");
}

#[test]
fn mistakes_in_the_words_of_set_have_their_place_and_a_hint() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", |_| panic!("nothing is sent"));
    for (words, message, hint) in [
        (
            &["listen-port", "x"][..],
            "Servname not supported for ai_socktype: `x'",
            "word 2",
        ),
        (&["foo"], "Invalid argument: foo", "listen-port, fwmark"),
        (
            &["peer", "x"],
            "Key is not the correct length or format: `x'",
            "44 characters",
        ),
        (
            &["peer", PEER, "endpoint", "192.0.2.1"],
            "Unable to find port of endpoint: `192.0.2.1'",
            "word 4",
        ),
        (
            &["private-key", "no-file"],
            "fopen: No such file or directory",
            "no-file",
        ),
    ] {
        let all = [&["hushwire", "set", "wg0"][..], words].concat();
        let outcome = scene.run(&all);
        assert_eq!(outcome.exit, 1, "{all:?}");
        let (first, second) = outcome.stderr.split_once('\n').expect("lines");
        assert_eq!(first, message);
        assert!(
            second.starts_with("  hint: ") && second.contains(hint),
            "{outcome:?}"
        );
        let standard = [&["wg", "set", "wg0"][..], words].concat();
        assert_eq!(scene.run(&standard).stderr, format!("{message}\n"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let scene = Scene::new();
    let outcome = scene.run(&["hushwire", "setconf", "wg0", "no.conf"]);
    assert_eq!(
        outcome.stderr,
        "fopen: No such file or directory\n  hint: the file is no.conf\n"
    );
    let directory = scene.run(&["hushwire", "setconf", "wg0", "."]);
    assert_eq!(
        directory.stderr,
        "fopen: Is a directory\n  hint: the file is .\n"
    );
}

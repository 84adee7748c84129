//! Daemons that hang, break off, or answer nonsense.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use serde_json::Value;

use super::{PEER, Scene, reply};
use crate::fake::socket_path;

/// So long that a daemon that answers at all does so.
const PATIENT: &str = "30";
/// So short that nobody minds.
const SHORT: &str = "0.3";

/// Every command that reads or changes a device, on the device wg0.
fn commands(limit: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["hushwire", "show", "--timeout", limit, "wg0"],
        vec!["hushwire", "show", "--timeout", limit, "all"],
        vec!["hushwire", "show", "--json", "--timeout", limit],
        vec!["hushwire", "show", "--timeout", limit, "wg0", "dump"],
        vec!["hushwire", "showconf", "--timeout", limit, "wg0"],
        vec![
            "hushwire",
            "set",
            "--timeout",
            limit,
            "wg0",
            "listen-port",
            "5",
        ],
        vec![
            "hushwire",
            "setconf",
            "--timeout",
            limit,
            "wg0",
            "good.conf",
        ],
        vec![
            "hushwire",
            "addconf",
            "--timeout",
            limit,
            "wg0",
            "good.conf",
        ],
        vec![
            "hushwire",
            "syncconf",
            "--timeout",
            limit,
            "wg0",
            "good.conf",
        ],
    ]
}

/// Every command fails, says why, and shows nothing.
fn assert_all_fail(scene: &Scene, limit: &str, why: &str) {
    scene.write("good.conf", &format!("[Peer]\nPublicKey={PEER}\n"));
    for words in commands(limit) {
        let outcome = scene.run(&words);
        assert_eq!(outcome.exit, 1, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{words:?}: {outcome:?}");
        assert!(
            outcome.stderr.contains("\n  hint: "),
            "{words:?}: {outcome:?}"
        );
        let nothing = ["", "{\"interfaces\":[]}\n"];
        assert!(
            nothing.contains(&outcome.stdout.as_str()),
            "{words:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_daemon_that_hangs_is_given_up() {
    let scene = Scene::new();
    let daemon = scene.daemon("wg0", Some);
    assert_all_fail(&scene, SHORT, ": Connection timed out\n");
    drop(daemon);
    // One that trickles is no better: the limit is for all of the answer.
    let _daemon = scene.daemon("wg0", |mut stream| {
        while stream.write_all(b"foo=1\n").is_ok() {
            thread::sleep(std::time::Duration::from_millis(5));
        }
        None
    });
    assert_all_fail(&scene, SHORT, ": Connection timed out\n");
}

#[test]
fn a_daemon_that_does_not_take_what_it_is_sent_is_given_up() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", Some);
    let mut text = String::new();
    for _ in 0..20_000 {
        text.push_str(&format!("[Peer]\nPublicKey={PEER}\n"));
    }
    scene.write("long.conf", &text);
    let outcome = scene.run(&[
        "hushwire",
        "setconf",
        "--timeout",
        SHORT,
        "wg0",
        "long.conf",
    ]);
    assert_eq!(outcome.exit, 1);
    assert!(
        outcome
            .stderr
            .starts_with("Unable to modify interface: Connection timed out\n"),
        "{outcome:?}"
    );
}

#[test]
fn a_daemon_that_does_not_even_accept_is_given_up() {
    let scene = Scene::new();
    let path = socket_path("wg0");
    let _listener = scene
        .host
        .run(|| UnixListener::bind(path).expect("a socket"));
    assert_all_fail(&scene, SHORT, ": Connection timed out\n");
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    let scene = Scene::new();
    let cut = reply();
    let cut = &cut[..cut.len() - 1];
    for answer in [
        "",
        "hello\n\n",
        "\n",
        "errno=x\n\n",
        "errno=0\n",
        "errno=0",
        cut,
    ] {
        let _daemon = scene.answering("wg0", answer);
        assert_all_fail(&scene, PATIENT, ": Protocol error\n");
    }
}

#[test]
fn what_a_daemon_refuses_is_said_even_if_it_did_not_listen_to_the_end() {
    let scene = Scene::new();
    let _daemon = scene.daemon("wg0", |mut stream| {
        let mut some = [0; 64];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"errno=-98\n\n");
        None
    });
    let mut text = String::new();
    for _ in 0..20_000 {
        text.push_str(&format!("[Peer]\nPublicKey={PEER}\n"));
    }
    scene.write("long.conf", &text);
    let outcome = scene.run(&["hushwire", "setconf", "wg0", "long.conf"]);
    assert_eq!(outcome.exit, 1);
    let told = "Unable to modify interface: Address already in use\n  hint: ";
    assert!(outcome.stderr.starts_with(told), "{outcome:?}");
}

#[test]
fn an_interface_that_cannot_be_read_spoils_all() {
    let scene = Scene::new();
    let _good = scene.answering("good", &reply());
    let _bad = scene.answering("bad", "hello\n\n");
    let all = scene.run(&["hushwire", "show", "--json"]);
    let value: Value = serde_json::from_str(&all.stdout).expect("JSON");
    assert_eq!(
        value["interfaces"][0]["name"], "good",
        "what there is, is shown"
    );
    assert_eq!(value["interfaces"].as_array().map(Vec::len), Some(1));
    assert_eq!(all.exit, 1);
    assert!(
        all.stderr
            .starts_with("Unable to access interface bad: Protocol error\n"),
        "{all:?}"
    );
    assert_eq!(scene.run(&["hushwire", "show", "all", "dump"]).exit, 1);
    assert_eq!(
        scene.run(&["wg", "show", "all", "dump"]).exit,
        0,
        "as wg(8) has it"
    );
}

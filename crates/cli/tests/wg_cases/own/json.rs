//! JSON, and the options of `show`.

use serde_json::{Value, json};

use super::{PEER, PRIVATE, PSK, PUBLIC, Scene, reply};
use crate::program::Outcome;

#[test]
fn json_has_everything_but_keys() {
    let scene = Scene::new();
    let _daemon = scene.answering("wg0", &reply());
    let expected = |secrets: bool| {
        let mut interface = json!({
            "name": "wg0",
            "public_key": PUBLIC,
            "has_private_key": true,
            "listen_port": 51820,
            "fwmark": 51820,
            "peers": [{
                "public_key": PEER,
                "has_preshared_key": true,
                "endpoint": "[2001:db8::1]:7",
                "allowed_ips": ["10.0.0.0/8", "::/0"],
                "latest_handshake": 1_700_000_000,
                "rx_bytes": 4,
                "tx_bytes": 3,
                "persistent_keepalive": 25,
            }],
        });
        if secrets {
            interface["private_key"] = json!(PRIVATE);
            interface["peers"][0]["preshared_key"] = json!(PSK);
        }
        json!({ "interfaces": [interface] })
    };
    let read = |outcome: &Outcome| {
        assert_eq!(
            (outcome.exit, outcome.stderr.as_str()),
            (0, ""),
            "{outcome:?}"
        );
        serde_json::from_str::<Value>(&outcome.stdout).expect("JSON")
    };
    for words in [
        &["hushwire", "show", "--json"][..],
        &["hushwire", "show", "--json", "all"],
        &["hushwire", "show", "--json", "wg0"],
    ] {
        assert_eq!(read(&scene.run(words)), expected(false), "{words:?}");
    }
    let shown = scene.run(&["hushwire", "show", "--show-keys", "--json", "wg0"]);
    assert_eq!(read(&shown), expected(true));
    let asked = scene.run_with(
        &["hushwire", "show", "--json"],
        &[("WG_HIDE_KEYS", "never")],
    );
    assert_eq!(read(&asked), expected(true));
}

#[test]
fn json_without_interfaces_is_still_json() {
    let scene = Scene::new();
    let outcome = scene.run(&["hushwire", "show", "--json"]);
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (0, "{\"interfaces\":[]}\n")
    );
    let missing = scene.run(&["hushwire", "show", "--json", "wg7"]);
    assert_eq!((missing.exit, missing.stdout.as_str()), (1, ""));
    assert!(
        missing.stderr.starts_with("Unable to access interface: "),
        "{missing:?}"
    );
}

#[test]
fn json_goes_without_a_selector_and_options_before_operands() {
    let scene = Scene::new();
    let _daemon = scene.answering("wg0", &reply());
    for words in [
        &["hushwire", "show", "--json", "wg0", "dump"][..],
        &["hushwire", "show", "--json", "interfaces"],
        &["hushwire", "show", "wg0", "--json"],
        &["hushwire", "show", "--jsno"],
        &["hushwire", "show", "--timeout"],
        &["hushwire", "set", "--json", "wg0", "listen-port", "5"],
        &["wg", "show", "--json", "wg0"],
    ] {
        let outcome = scene.run(words);
        assert_eq!(
            (outcome.exit, outcome.stdout.as_str()),
            (1, ""),
            "{words:?}"
        );
        assert_ne!(outcome.stderr, "", "{words:?}");
    }
}

//! The commands in our own spelling: places and hints, options, JSON, and daemons that misbehave.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use hushwire_lab::{Host, Lab};
use rustix::net::Shutdown;
use serde_json::{Value, json};

use crate::fake::socket_path;
use crate::program::{self, Outcome, Stdout};
use crate::stage::{PROGRAMS, Stage};

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PRIVATE_HEX: &str = "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669";
const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const PEER: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const PEER_HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";
const PSK: &str = "/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=";
const PSK_HEX: &str = "fd4c1c48f837f215bf0fd637b5c4b514e5742b5c2e51131b4b4b1eb0910fe5a9";

/// So long that a daemon that answers at all does so.
const PATIENT: &str = "30";
/// So short that nobody minds.
const SHORT: &str = "0.3";

struct Scene {
    host: Host,
    directory: tempfile::TempDir,
    // Last, as hosts go before it.
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new().expect("a lab");
        let host = lab.host("own").expect("a host");
        Stage::new(&host);
        Self {
            host,
            directory: tempfile::tempdir().expect("a directory"),
            _lab: lab,
        }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut command = program::command(&words, PROGRAMS.as_ref());
        command
            .env("PATH", PROGRAMS)
            .env("WG_ENDPOINT_RESOLUTION_RETRIES", "0")
            .env("LC_ALL", "C")
            .envs(environment.iter().copied())
            .current_dir(self.directory.path());
        self.host.run(|| program::run(command, "", Stdout::Pipe))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).expect("a file");
    }

    /// A daemon that does with each connection what it is told; the one that it gives back stays open.
    fn daemon(
        &self,
        name: &str,
        serve: impl FnMut(UnixStream) -> Option<UnixStream> + Send + 'static,
    ) -> Daemon<'_> {
        let path = socket_path(name);
        let listener = self
            .host
            .run(|| UnixListener::bind(&path).expect("a socket"));
        let ours = listener.try_clone().expect("a descriptor");
        Daemon {
            host: &self.host,
            path,
            listener,
            thread: Some(thread::spawn(move || accept(&ours, serve))),
        }
    }

    /// A daemon that answers every request with this text, and closes.
    fn answering(&self, name: &str, answer: &str) -> Daemon<'_> {
        let answer = answer.to_owned();
        self.daemon(name, move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            None
        })
    }
}

fn accept(listener: &UnixListener, mut serve: impl FnMut(UnixStream) -> Option<UnixStream>) {
    let mut open = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        open.extend(serve(stream));
    }
}

fn read_request(stream: &mut UnixStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\n\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
    }
}

struct Daemon<'h> {
    host: &'h Host,
    path: PathBuf,
    listener: UnixListener,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.host.run(|| {
            let _ = fs::remove_file(&self.path);
        });
    }
}

fn reply() -> String {
    format!(
        "private_key={PRIVATE_HEX}\nlisten_port=51820\nfwmark=51820\npublic_key={PEER_HEX}\n\
         preshared_key={PSK_HEX}\nprotocol_version=1\nendpoint=[2001:db8::1]:7\n\
         last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=3\nrx_bytes=4\n\
         persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\nerrno=0\n\n"
    )
}

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

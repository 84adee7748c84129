//! Configurations that cannot be used, and what `hushwire run` says of them. Needs no rights:
//! nothing gets as far as an interface.

use std::path::Path;
use std::process::Command;

use crate::common::{Directory, HUSHWIRE, Outcome, PRIVATE_KEY, PUBLIC_KEY, run};
use crate::refused::assert_refused;

/// Runs a configuration of this text, and takes the directory out of what is said.
fn refuse(text: &str) -> Outcome {
    let directory = Directory::new();
    let path = directory.write("wg9.conf", text);
    let mut outcome = run_file(&path);
    let place = directory.path().to_str().unwrap();
    outcome.stderr = outcome.stderr.replace(place, "@");
    outcome
}

fn run_file(path: &Path) -> Outcome {
    let mut command = Command::new(HUSHWIRE);
    command
        .arg("run")
        .arg(path)
        .env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
    run(command, "")
}

#[test]
fn an_error_has_its_place_and_the_way_out() {
    let outcome = refuse("[Interface]\nPrivateKey = nonsense\n");
    assert_refused(&outcome, &["@/wg9.conf:2:14: ", "44 characters"]);
    assert!(!outcome.stderr.contains("nonsense"), "keys are not quoted");
    let outcome = refuse(&format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\nAdress = 10.0.0.1\n"
    ));
    assert_refused(&outcome, &["@/wg9.conf:3:1: ", "`Adress`", "Address"]);
}

#[test]
fn a_key_in_another_place_is_not_quoted() {
    for name in [
        "Address",
        "FwMark",
        "ListenPort",
        "MTU",
        "PrivateKeyCredential",
        "PrivateKeyFile",
        "SaveConfig",
        "Table",
    ] {
        let own = match name.starts_with("PrivateKey") {
            true => String::new(),
            false => format!("PrivateKey = {PRIVATE_KEY}\n"),
        };
        let text = format!("[Interface]\n{own}{name} = {PRIVATE_KEY}\n");
        assert_unquoted(&refuse(&text));
    }
    let outcome = refuse(&format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\n[Peer]\nPublicKey = {PUBLIC_KEY}\n\
         Endpoint = {PRIVATE_KEY}:51820\n"
    ));
    assert!(
        outcome.stderr.contains("\n@/wg9.conf:5:12: Endpoint `… ("),
        "{outcome:?}"
    );
    assert_unquoted(&outcome);
}

fn assert_unquoted(outcome: &Outcome) {
    assert_eq!(outcome.code(), Some(1), "{outcome:?}");
    assert!(!outcome.stderr.contains(&PRIVATE_KEY[..8]), "{outcome:?}");
}

#[test]
fn all_errors_are_told_at_once() {
    let outcome = refuse("[Interface]\nMTU = x\nListenPort = y\n[Peer]\n");
    assert_eq!(outcome.code(), Some(1));
    let places = ["@/wg9.conf:2:", "@/wg9.conf:3:", "@/wg9.conf:4:"];
    for place in places {
        assert!(outcome.stderr.contains(place), "{place}: {outcome:?}");
    }
}

#[test]
fn an_interface_needs_a_key() {
    let outcome = refuse("[Interface]\nAddress = 10.0.0.1/24\n");
    assert_refused(&outcome, &["@/wg9.conf:1:1: ", "PrivateKey", "genkey"]);
}

#[test]
fn an_endpoint_that_is_not_found_has_its_place() {
    let text = format!(
        "[Interface]\nPrivateKey = {PRIVATE_KEY}\n[Peer]\nPublicKey = {PUBLIC_KEY}\n\
         Endpoint = no-such-host.invalid:51820\n"
    );
    let outcome = refuse(&text);
    assert_eq!(outcome.code(), Some(1));
    let last = outcome.stderr.lines().last().unwrap();
    assert!(last.starts_with("@/wg9.conf:5:12: "), "{outcome:?}");
    assert!(last.contains("no-such-host.invalid:51820"), "{outcome:?}");
}

#[test]
fn a_file_that_is_not_there() {
    let outcome = run_file(Path::new("/no/such/wg9.conf"));
    assert_refused(
        &outcome,
        &["hushwire: ", "/no/such/wg9.conf", "No such file"],
    );
    let outcome = run_file(Path::new("no-such-name"));
    assert_refused(&outcome, &["no-such-name", "/etc/wireguard"]);
}

#[test]
fn a_file_that_names_no_interface() {
    let directory = Directory::new();
    let text = format!("[Interface]\nPrivateKey = {PRIVATE_KEY}\n");
    let path = directory.write("sixteen-letters-.conf", &text);
    assert_refused(&run_file(&path), &["sixteen-letters-", "--name"]);
}

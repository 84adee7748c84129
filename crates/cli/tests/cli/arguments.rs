//! Wrong arguments, and what they get: one sentence, exit status 1. Needs no rights.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{HUSHWIRE, HUSHWIRED, run, run_as};
use crate::refused::assert_refused;

fn daemon(words: &[&str]) -> crate::common::Outcome {
    run_as(HUSHWIRED, "hushwired", words, "")
}

fn hushwire(words: &[&str]) -> crate::common::Outcome {
    run_as(HUSHWIRE, "hushwire", words, "")
}

#[test]
fn help_and_version_of_the_daemon_are_on_standard_output() {
    for word in ["-h", "--help"] {
        let outcome = daemon(&[word]);
        assert_eq!((outcome.code(), outcome.stderr.as_str()), (Some(0), ""));
        assert!(
            outcome
                .stdout
                .starts_with("Usage: hushwired [--foreground]")
        );
        for variable in ["LOG_LEVEL", "HUSHWIRE_DISABLE", "WG_TUN_FD", "WG_UAPI_FD"] {
            assert!(outcome.stdout.contains(variable), "{variable}");
        }
    }
    let outcome = daemon(&["--version"]);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_daemon_says_what_is_wrong_with_its_arguments() {
    assert_refused(
        &daemon(&[]),
        &["hushwired: ", "interface is missing", "--help"],
    );
    assert_refused(&daemon(&["-x", "wg0"]), &["`-x`"]);
    assert_refused(&daemon(&["wg0", "wg1"]), &["`wg1`"]);
    assert_refused(&daemon(&["--disable", "x", "wg0"]), &["`x`", "udp-gso"]);
    assert_refused(&daemon(&["abcdefghijklmnop"]), &["longer than 15 bytes"]);
    assert_refused(&daemon(&["a/b"]), &["`a/b`"]);
    assert_refused(&daemon(&[""]), &["empty"]);
}

#[test]
fn the_daemon_says_what_is_wrong_with_its_environment() {
    let with = |variable: &str, value: &str| {
        let mut command = Command::new(HUSHWIRED);
        command.arg("no-such-wg").env(variable, value);
        run(command, "")
    };
    assert_refused(&with("WG_TUN_FD", "x"), &["WG_TUN_FD=x"]);
    assert_refused(&with("WG_TUN_FD", "1"), &["WG_TUN_FD=1", "above 2"]);
    assert_refused(&with("WG_TUN_FD", "77"), &["WG_TUN_FD=77", "handed over"]);
    assert_refused(&with("WG_UAPI_FD", "-1"), &["WG_UAPI_FD=-1"]);
    assert_refused(&with("HUSHWIRE_DISABLE", "x"), &["HUSHWIRE_DISABLE", "`x`"]);
}

#[test]
fn hushwire_is_the_daemon_under_its_names() {
    for name in ["hushwired", "/usr/bin/wireguard-go"] {
        let outcome = run_as(HUSHWIRE, name, &["wg0", "wg1"], "");
        assert_refused(&outcome, &["`wg1`", "one interface"]);
    }
}

#[test]
fn hushwire_says_what_is_wrong_with_its_arguments() {
    let usage = hushwire(&[]);
    assert_eq!((usage.code(), usage.stdout.as_str()), (Some(1), ""));
    assert!(usage.stderr.starts_with("Usage: hushwire COMMAND"));
    let help = hushwire(&["--help"]);
    assert_eq!((help.code(), help.stderr.as_str()), (Some(0), ""));
    assert_eq!(help.stdout, usage.stderr);
    assert_refused(&hushwire(&["nonsense"]), &["`nonsense`", "--help"]);
    assert_refused(&hushwire(&["run"]), &["configuration file is missing"]);
    assert_refused(&hushwire(&["run", "--nmae", "x"]), &["`--nmae`"]);
    assert_refused(&hushwire(&["demo", "fast"]), &["`fast`"]);
    assert_eq!(hushwire(&["run", "--help"]).code(), Some(0));
    assert_eq!(hushwire(&["demo", "--help"]).code(), Some(0));
}

#[test]
fn a_message_is_lost_rather_than_the_exit_status() {
    // Standard error may be closed, as may be standard output.
    let status = Command::new("sh")
        .args(["-c", "exec \"$0\" nonsense 2>&- >&-", HUSHWIRE])
        .arg0("sh")
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

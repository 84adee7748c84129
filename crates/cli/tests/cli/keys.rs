//! The key commands of wg(8), byte for byte.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::common::{Directory, HUSHWIRE, Outcome, PRIVATE_KEY, PUBLIC_KEY, run_as};

const NOT_A_KEY: &str = "wg: Key is not the correct length or format\n";
const TRAILING: &str = "wg: Trailing characters found after key\n";
const WARNING: &str = "Warning: writing to world accessible file.\n\
                       Consider setting the umask to 077 and trying again.\n";

fn wg(words: &[&str], input: &str) -> Outcome {
    run_as(HUSHWIRE, "wg", words, input)
}

fn pubkey(input: &str) -> (Option<i32>, String, String) {
    let outcome = wg(&["pubkey"], input);
    (outcome.code(), outcome.stdout, outcome.stderr)
}

/// The bytes of a key that a command printed.
fn decode(line: &str) -> Vec<u8> {
    let text = line.strip_suffix('\n').unwrap();
    let key = hushwire_config::key::PrivateKey::from_base64(text).unwrap();
    key.as_bytes().to_vec()
}

#[test]
fn private_keys_are_random_and_clamped() {
    let keys: Vec<_> = (0..4).map(|_| wg(&["genkey"], "")).collect();
    for outcome in &keys {
        assert_eq!((outcome.code(), outcome.stderr.as_str()), (Some(0), ""));
        let bytes = decode(&outcome.stdout);
        assert_eq!((bytes[0] & 7, bytes[31] & 0xc0), (0, 0x40));
    }
    let distinct: std::collections::BTreeSet<_> = keys.iter().map(|key| &key.stdout).collect();
    assert_eq!(distinct.len(), keys.len());
}

#[test]
fn preshared_keys_are_not_clamped() {
    // Of 40 random keys all look clamped once in 2^200 times.
    let clamped = |key: &Outcome| {
        let bytes = decode(&key.stdout);
        (bytes[0] & 7, bytes[31] & 0xc0) == (0, 0x40)
    };
    let keys: Vec<_> = (0..40).map(|_| wg(&["genpsk"], "")).collect();
    assert!(!keys.iter().all(clamped));
}

#[test]
fn public_keys() {
    let is = |input: &str, public: &str| {
        let expected = (Some(0), format!("{public}\n"), String::new());
        assert_eq!(pubkey(input), expected, "{input:?}");
    };
    is(PRIVATE_KEY, PUBLIC_KEY);
    is(&format!("{PRIVATE_KEY} \t\r\n\x0b\x0c\n\0\n"), PUBLIC_KEY);
    // Not clamped, and clamped.
    let ones = "hHwNLDdSNPNl5mCVUYejc1oPdhPRYJ06ak2MU66qWiI=";
    is("//////////////////////////////////////////8=\n", ones);
    is("+P///////////////////////////////////////38=\n", ones);
    is(
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=",
    );
}

#[test]
fn what_is_no_private_key() {
    let fails = |input: &str, message: &str| {
        let expected = (Some(1), String::new(), message.to_owned());
        assert_eq!(pubkey(input), expected, "{input:?}");
    };
    fails("", NOT_A_KEY);
    fails("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk\n", NOT_A_KEY);
    fails("yAnz5TF-lXXJte14tji3zlMNq-hd2rYUIgJBgB3fBmk=\n", NOT_A_KEY);
    fails("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", NOT_A_KEY);
    fails("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm==\n", NOT_A_KEY);
    fails(&format!("{PRIVATE_KEY}x"), TRAILING);
    fails(&format!(" {PRIVATE_KEY}"), TRAILING);
    fails(&format!("{PRIVATE_KEY}\n{PRIVATE_KEY}\n"), TRAILING);
    fails(&format!("{}x", "!".repeat(44)), TRAILING);
    // A long tail is read to its end.
    fails(&format!("{PRIVATE_KEY}{}x", " ".repeat(100_000)), TRAILING);
}

#[test]
fn operands_get_the_usage_under_the_name_of_the_call() {
    for name in ["wg", "/usr/bin/wg", "hushwire"] {
        for verb in ["genkey", "genpsk", "pubkey"] {
            let outcome = run_as(HUSHWIRE, name, &[verb, "x"], "");
            let usage = format!("Usage: {name} {verb}\n");
            assert_eq!((outcome.code(), outcome.stderr), (Some(1), usage));
        }
    }
}

#[test]
fn a_key_in_a_file_that_others_may_read_is_worth_a_warning() {
    let directory = Directory::new();
    for (mode, warning) in [(0o600, ""), (0o660, ""), (0o604, WARNING), (0o601, WARNING)] {
        for verb in ["genkey", "genpsk"] {
            let path = directory.path().join("key");
            let file = File::create(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let output = Command::new(HUSHWIRE)
                .arg0("wg")
                .arg(verb)
                .stdin(Stdio::null())
                .stdout(file)
                .stderr(Stdio::piped())
                .output()
                .unwrap();
            assert!(output.status.success());
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(stderr, warning, "{verb} into a file of mode {mode:o}");
            assert_eq!(decode(&fs::read_to_string(&path).unwrap()).len(), 32);
        }
    }
}

#[test]
fn a_full_disk_is_no_failure() {
    let status = Command::new(HUSHWIRE)
        .arg0("wg")
        .arg("genkey")
        .stdin(Stdio::null())
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .status()
        .unwrap();
    assert!(status.success());
}

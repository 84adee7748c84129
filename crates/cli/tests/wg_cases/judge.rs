//! Comparing what came of a case with what was to come of it.

use crate::case::Case;
use crate::stage::Outcomes;

/// What is wrong; nothing if all is well.
pub(super) fn judge(case: &Case, outcomes: &Outcomes) -> Vec<String> {
    let expect = &case.expect;
    let directory = outcomes.directory.to_string_lossy();
    let tidy = |text: &str| tidy_descriptors(&text.replace(&*directory, "@DIR@"));
    let mut stdout = tidy(&outcomes.main.stdout);
    if case.compare.as_deref() == Some("sorted-lines") {
        stdout = sorted(&stdout);
    }
    let stderr = tidy(&outcomes.main.stderr);
    let mut complaints = Vec::new();
    let mut check = |what: &str, is_well: bool, got: &dyn std::fmt::Debug| {
        if !is_well {
            complaints.push(format!("{what}: {got:?}"));
        }
    };
    check(
        "exit",
        outcomes.main.exit == expect.exit,
        &outcomes.main.exit,
    );
    if let Some(expected) = &expect.stdout {
        check("stdout", stdout == *expected, &(&stdout, expected));
    }
    if let Some(expected) = &expect.stdout_any {
        check("stdout", expected.contains(&stdout), &(&stdout, expected));
    }
    if let Some(form) = &expect.stdout_form {
        check("stdout", has_form(&stdout, form), &(&stdout, form));
    }
    if let Some(expected) = &expect.stderr {
        check("stderr", stderr == *expected, &(&stderr, expected));
    }
    for part in expect.stderr_contains.iter().flatten() {
        check("stderr", stderr.contains(part), &(&stderr, part));
    }
    if let Some(before) = &expect.usage {
        let is_well = has_form(&stderr, "usage") && stderr.contains(before);
        check("stderr", is_well, &(&stderr, before, "a usage"));
    }
    if let Some(expected) = &expect.sent {
        check(
            "sent",
            outcomes.sent == *expected,
            &(&outcomes.sent, expected),
        );
    }
    for (outcome, expected) in outcomes.after.iter().zip(&expect.after) {
        let mut stdout = tidy(&outcome.stdout);
        if case.sort_after {
            stdout = sorted(&stdout);
        }
        let is_well = outcome.exit == expected.exit && stdout == expected.stdout;
        check("afterwards", is_well, &(outcome, expected));
    }
    for (name, expected) in &expect.files {
        let found = outcomes.files.get(name).map(|text| tidy_link_local(text));
        let is_well = found.as_ref() == Some(expected);
        check("file", is_well, &(name, found, expected));
    }
    complaints
}

fn has_form(text: &str, form: &str) -> bool {
    match form {
        "usage" => text.contains("Usage:"),
        "version" => text
            .strip_prefix("wireguard-tools v")
            .and_then(|rest| rest.strip_suffix(" - https://git.zx2c4.com/wireguard-tools/\n"))
            .is_some_and(|version| !version.is_empty() && !version.contains(' ')),
        "key" => text.strip_suffix('\n').is_some_and(is_key),
        "fresh" => {
            let port = text
                .strip_prefix("[Interface]\n")
                .and_then(|rest| rest.strip_suffix('\n'));
            port.is_some_and(|line| {
                line.is_empty()
                    || line
                        .strip_prefix("ListenPort = ")
                        .and_then(|port| port.strip_suffix('\n'))
                        .is_some_and(|port| port.parse::<u16>().is_ok())
            })
        }
        other => panic!("no such form: {other}"),
    }
}

fn is_key(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match text.as_bytes() {
        [digits @ .., last, b'='] => {
            digits.len() == 42
                && digits.iter().all(|&byte| is_digit(byte))
                && b"AEIMQUYcgkosw048".contains(last)
        }
        _ => false,
    }
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

/// Puts @LINKLOCAL@ for addresses of fe80::/10, which nobody knows beforehand.
fn tidy_link_local(text: &str) -> String {
    let mut pieces = text.split("fe80::");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("@LINKLOCAL@");
        out.push_str(
            piece.trim_start_matches(|char: char| char.is_ascii_hexdigit() || char == ':'),
        );
    }
    out
}

/// Puts N for the number of a file descriptor.
fn tidy_descriptors(text: &str) -> String {
    let mut pieces = text.split("/dev/fd/");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("/dev/fd/N");
        out.push_str(piece.trim_start_matches(|char: char| char.is_ascii_digit()));
    }
    out
}

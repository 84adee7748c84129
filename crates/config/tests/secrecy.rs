//! A key that is written wrongly, or in a wrong place, is not shown to whoever reads the message. (What wg(8) says, which
//! quotes it, is said too: docs/wg.md.)

use hushwire_config::conf::{Dialect, parse};

const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const HEX: &str = "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669";

/// A message shows no more of a key than this, in characters: too little to be of use.
const SHOWN: usize = 4;

/// A key, wrong in one way or another, or not at all.
fn mistakes() -> Vec<String> {
    let mut mistakes = vec![
        KEY.to_owned(),
        KEY[1..].to_owned(),
        KEY[..43].to_owned(),
        format!("{KEY}="),
        format!("{KEY}{KEY}"),
        format!("{KEY} {KEY}"),
        format!("\"{KEY}\""),
        format!("<{KEY}>"),
        KEY.replace('+', "-"),
        KEY.to_lowercase(),
        format!("base64:{KEY}"),
        HEX.to_owned(),
        HEX.to_uppercase(),
        format!("0x{HEX}"),
    ];
    // Of another length, down to half.
    mistakes.extend((24..KEY.len()).map(|length| KEY[..length].to_owned()));
    mistakes
}

/// Whether a text has more than [`SHOWN`] characters in a row of one of the forms of the key.
fn shows_key(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let forms = [
        KEY.to_ascii_lowercase(),
        KEY.to_lowercase().replace('+', "-"),
        HEX.to_owned(),
    ];
    forms.iter().any(|form| {
        let mut parts = form.as_bytes().windows(SHOWN + 1);
        parts.any(|part| lower.contains(std::str::from_utf8(part).unwrap()))
    })
}

fn assert_hidden(text: &str) {
    for dialect in [Dialect::Quick, Dialect::Wg] {
        let said = match parse(text.as_bytes(), dialect) {
            Ok(parsed) => {
                let found = parsed.config.check(None);
                let found = parsed.warnings.iter().chain(&found);
                found.map(|one| one.to_string() + "\n").collect()
            }
            Err(error) => {
                let warnings = error.warnings().iter();
                let warnings: String = warnings.map(|one| one.to_string() + "\n").collect();
                warnings + &error.in_file("wg0.conf").to_string()
            }
        };
        assert!(!shows_key(&said), "{text}: {said}");
    }
}

#[test]
fn the_check_sees_what_is_shown() {
    assert!(shows_key(&format!("no key: {KEY}")));
    assert!(shows_key(&KEY[10..20]));
    assert!(!shows_key(
        "PrivateKey is no key; a key is 44 characters of Base64"
    ));
}

#[test]
fn a_key_is_not_shown_in_its_own_place() {
    for mistake in mistakes() {
        let text = format!("[Interface]\nPrivateKey = {mistake}\n");
        let debug = format!("{:?}", parse(text.as_bytes(), Dialect::Quick));
        assert!(!shows_key(&debug), "{debug}");
        assert_hidden(&text);
        assert_hidden(&format!(
            "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nPresharedKey = {mistake}\n"
        ));
    }
}

#[test]
fn a_key_is_not_shown_in_another_place() {
    for mistake in mistakes() {
        for name in [
            "ListenPort",
            "FwMark",
            "Address",
            "DNS",
            "MTU",
            "Table",
            "SaveConfig",
            "PrivateKeyCredential",
        ] {
            // A domain can be any word, and is not complained about.
            assert_hidden(&format!("[Interface]\n{name} = {mistake}\n"));
        }
        for name in ["Endpoint", "AllowedIPs", "PersistentKeepalive"] {
            assert_hidden(&format!("[Peer]\n{name} = {mistake}\n"));
        }
        let peer = "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        assert_hidden(&format!("{peer}\nEndpoint = {mistake}:51820\n"));
    }
}

#[test]
fn a_key_in_the_place_of_a_host_is_refused_before_it_is_looked_up() {
    let check = |host: &str| {
        let peer = "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        let text = format!("[Interface]\nPrivateKey = {KEY}\n{peer}\nEndpoint = {host}:51820\n");
        let parsed = parse(text.as_bytes(), Dialect::Quick).unwrap();
        parsed.config.check(None).len()
    };
    for host in [KEY, HEX, &format!("{KEY}.example.com")] {
        assert_eq!(check(host), 1, "{host}");
    }
    for host in [
        "vpn.example.com",
        "a-host-with-a-rather-long-name_1.example.com.",
        "[fe80::1%a=b]",
        "münchen.example",
    ] {
        assert_eq!(check(host), 0, "{host}");
    }
}

#[test]
fn a_key_is_not_shown_in_a_line_that_is_none() {
    for mistake in mistakes() {
        for line in [
            mistake.clone(),
            format!("PrivateKey {mistake}"),
            format!("PrivateKey: {mistake}"),
            format!("PrivatKey = {mistake}"),
            format!("{mistake} = PrivateKey"),
            format!("[{mistake}]"),
            format!("PrivateKey = {mistake} # {mistake}"),
            format!("# {mistake}\nnonsense"),
        ] {
            assert_hidden(&line);
            assert_hidden(&format!("[Interface]\n{line}\n"));
            assert_hidden(&format!("[Peer]\n{line}\n"));
        }
    }
}

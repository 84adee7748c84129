//! The words of `wg set`: what they send, and what is said of those that are none.

use std::net::SocketAddr;

use hushwire_config::command::{CommandError, Surroundings, parse};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::uapi::set;
use zeroize::Zeroizing;

const P1: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const P1_HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";
const P2: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

/// A world with a few files in it, that writes down what it is asked.
#[derive(Default)]
struct World {
    said: Vec<String>,
    no_endpoints: bool,
}

impl Surroundings for World {
    type Error = String;

    fn key_file(&mut self, path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        self.said.push(format!("read {path}"));
        let content = match path {
            "none" => "",
            "bad" => "!TIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n",
            "nul" => "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8\0\0\0\n",
            "more" => "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=x",
            "key" => "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n",
            _ => return Err("fopen: No such file or directory".to_owned()),
        };
        Ok(Zeroizing::new(content.into()))
    }

    fn before_endpoint(&mut self) -> Result<(), String> {
        if self.no_endpoints {
            return Err("no endpoints".to_owned());
        }
        Ok(())
    }

    fn address(&mut self, endpoint: &Endpoint) -> Result<SocketAddr, String> {
        match endpoint {
            Endpoint::Numeric(address) => Ok(*address),
            Endpoint::Name(name) => Err(format!("Gone: `{}'", name.written())),
        }
    }

    fn host_bits(&mut self, written: &str) {
        self.said.push(format!("host bits {written}"));
    }
}

fn run(words: &[&str]) -> Result<String, CommandError<String>> {
    let update = parse(words, &mut World::default())?;
    let mut bytes = Vec::new();
    set::write(&mut bytes, &update).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    Ok(text.trim_start_matches("set=1\n").trim_end().to_owned())
}

fn sent(words: &[&str]) -> String {
    run(words).unwrap()
}

fn refused(words: &[&str]) -> (usize, String) {
    let error = run(words).unwrap_err();
    (error.word, error.standard_message().to_string())
}

#[test]
fn options_of_the_device() {
    assert_eq!(
        sent(&["fwmark", "0xca6c", "private-key", "key", "listen-port", "1"]),
        format!("private_key={P1_HEX}\nlisten_port=1\nfwmark=51820")
    );
    assert_eq!(
        sent(&["listen-port", "1", "listen-port", "2"]),
        "listen_port=2"
    );
    let zero = "0".repeat(64);
    assert_eq!(
        sent(&["private-key", "none"]),
        format!("private_key={zero}")
    );
}

#[test]
fn options_of_a_peer() {
    assert_eq!(
        sent(&[
            "peer",
            P1,
            "allowed-ips",
            " 10.0.0.0/8 ,\tfd00::/8",
            "persistent-keepalive",
            "off",
            "endpoint",
            "1.2.3.4:5",
            "preshared-key",
            "key"
        ]),
        format!(
            "public_key={P1_HEX}\npreshared_key={P1_HEX}\nendpoint=1.2.3.4:5\n\
             persistent_keepalive_interval=0\nreplace_allowed_ips=true\n\
             allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8"
        )
    );
    assert_eq!(sent(&["peer", P1]), format!("public_key={P1_HEX}"));
}

#[test]
fn a_peer_removed_says_nothing_else() {
    assert_eq!(
        sent(&["peer", P1, "allowed-ips", "10.0.0.0/8", "remove", "remove"]),
        format!("public_key={P1_HEX}\nremove=true")
    );
}

#[test]
fn a_peer_named_twice_is_changed_twice() {
    let once = format!("public_key={P1_HEX}\npersistent_keepalive_interval=");
    let words = [
        "peer",
        P1,
        "persistent-keepalive",
        "1",
        "peer",
        P1,
        "persistent-keepalive",
        "2",
    ];
    assert_eq!(sent(&words), format!("{once}1\n{once}2"));
}

#[test]
fn lists_add_up_and_the_last_one_decides_what_stays() {
    let lists = |lists: &[&str]| {
        let mut words = vec!["peer", P1];
        for list in lists {
            words.extend(["allowed-ips", list]);
        }
        let text = sent(&words);
        let rest = text.trim_start_matches(&format!("public_key={P1_HEX}\n"));
        rest.replace("allowed_ip=", "").replace('\n', " ")
    };
    assert_eq!(lists(&[""]), "replace_allowed_ips=true");
    assert_eq!(
        lists(&["10.0.0.0/8", "11.0.0.0/8"]),
        "replace_allowed_ips=true 10.0.0.0/8 11.0.0.0/8"
    );
    assert_eq!(
        lists(&["+10.0.0.0/8,-11.0.0.0/8"]),
        "10.0.0.0/8 -11.0.0.0/8"
    );
    assert_eq!(lists(&["10.0.0.0/8,-11.0.0.0/8"]), "10.0.0.0/8 -11.0.0.0/8");
    assert_eq!(
        lists(&["+10.0.0.0/8", "11.0.0.0/8"]),
        "replace_allowed_ips=true 10.0.0.0/8 11.0.0.0/8"
    );
    assert_eq!(
        lists(&["10.0.0.0/8", "-11.0.0.0/8"]),
        "10.0.0.0/8 -11.0.0.0/8"
    );
    assert_eq!(
        lists(&["-11.0.0.0/8", ""]),
        "replace_allowed_ips=true -11.0.0.0/8"
    );
}

#[test]
fn a_word_out_of_place_is_no_argument() {
    for (words, word) in [
        (&["bogus"][..], 0),
        (&["peer"], 0),
        (&["listen-port"], 0),
        (&["remove"], 0),
        (&["endpoint", "1.2.3.4:5"], 0),
        (&["peer", P1, "listen-port", "1"], 2),
        (&["peer", P1, "allowed-ips"], 2),
        (&["listen-port", "1", "Peer", P1], 2),
        (&[""], 0),
    ] {
        let message = format!("Invalid argument: {}", words[word]);
        assert_eq!(refused(words), (word, message));
        assert!(run(words).unwrap_err().hint().is_some());
    }
}

#[test]
fn a_value_out_of_form_is_quoted() {
    for (words, message) in [
        (
            &["listen-port", "70000"][..],
            "Port is greater than 65535: `70000'",
        ),
        (&["listen-port", ""], "Unable to parse empty port"),
        (
            &["fwmark", "no"],
            "Fwmark is neither 0/off nor 0-0xffffffff: `no'",
        ),
        (
            &["peer", "x"],
            "Key is not the correct length or format: `x'",
        ),
        (
            &["private-key", "bad"],
            "Key is not the correct length or format: `!TIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='",
        ),
        (
            &["private-key", "nul"],
            "Key is not the correct length or format: `xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8'",
        ),
        (
            &["private-key", "more"],
            "Found trailing character in key file: `x'",
        ),
        (&["private-key", "gone"], "fopen: No such file or directory"),
        (
            &["peer", P1, "endpoint", ""],
            "Unable to parse empty endpoint",
        ),
        (
            &["peer", P1, "endpoint", "[Host]:domain"],
            "Gone: `[Host]:domain'",
        ),
        (
            &["peer", P1, "allowed-ips", "10.0.0.0/8,"],
            "Unable to parse IP address: `'",
        ),
        (
            &["peer", P1, "allowed-ips", "+10.0.0.0/33"],
            "AllowedIP is not in the correct format: `10.0.0.0/33'",
        ),
        (
            &["peer", P1, "persistent-keepalive", "-1"],
            "Persistent keepalive interval is neither 0/off nor 1-65535: `-1'",
        ),
    ] {
        let (word, said) = refused(words);
        assert_eq!((word, said.as_str()), (words.len() - 1, message));
    }
}

#[test]
fn everything_is_done_in_the_order_of_the_words() {
    let mut world = World::default();
    let words = [
        "private-key",
        "key",
        "peer",
        P1,
        "allowed-ips",
        "10.0.0.1/8,x",
        "preshared-key",
        "key",
    ];
    assert!(parse(&words, &mut world).is_err());
    assert_eq!(world.said, ["read key", "host bits 10.0.0.1/8"]);

    let mut world = World {
        no_endpoints: true,
        ..World::default()
    };
    let error = parse(&["peer", P2, "endpoint", ""], &mut world).unwrap_err();
    assert_eq!(*error.standard_message(), "no endpoints");
}

#[test]
fn what_was_written_is_no_part_of_debug() {
    let error = run(&["private-key", "bad"]).unwrap_err();
    assert!(!format!("{error:?}").contains("TIBA5"));
}

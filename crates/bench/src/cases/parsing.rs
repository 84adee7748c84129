//! Reading a configuration of a hundred peers, from a file and from the control socket.

use std::fmt::Write;
use std::hint::black_box;

use hushwire_config::conf::{Dialect, parse};
use hushwire_config::uapi::set::SetParser;
use hushwire_config::{PrivateKey, PublicKey};
use hushwire_proto::crypto::Random;

use crate::case::Case;
use crate::random::Repeatable;

const PEERS: usize = 100;

pub(super) fn cases() -> Vec<Case> {
    let conf = conf_text();
    let uapi = uapi_text();
    let (conf_len, uapi_len) = (conf.len(), uapi.len());
    let conf = Case::new("parse/conf", move || {
        let text = conf.clone();
        move || {
            let parsed = parse(text.as_bytes(), Dialect::Quick).expect("a good file");
            assert_eq!(parsed.config.peers.len(), PEERS);
            black_box(parsed);
        }
    });
    let uapi = Case::new("parse/uapi", move || {
        let text = uapi.clone();
        move || {
            let mut parser = SetParser::new();
            for line in text.lines() {
                black_box(parser.line(line.as_bytes()).expect("a good line"));
            }
        }
    });
    vec![
        conf.bytes(conf_len).counted(2),
        uapi.bytes(uapi_len).counted(2),
    ]
}

/// The key of peer `number`; nothing that is measured asks whether it is a good one.
fn key(number: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    Repeatable::new(number as u64).fill(&mut bytes);
    bytes
}

fn conf_text() -> String {
    let private = PrivateKey::new(key(0)).to_base64();
    let mut text = format!(
        "[Interface]\nPrivateKey = {}\nListenPort = 51820\n",
        private.as_str()
    );
    text.push_str("Address = 10.0.0.1/16, fd00::1/64\n");
    for number in 1..=PEERS {
        let public = PublicKey::new(key(number));
        let _ = writeln!(text, "\n# peer {number}\n[Peer]\nPublicKey = {public}");
        let _ = writeln!(
            text,
            "AllowedIPs = 10.0.1.{number}/32, fd00::1:{number}/128"
        );
        let _ = writeln!(text, "Endpoint = 192.0.2.{number}:51820");
        text.push_str("PersistentKeepalive = 25\n");
    }
    text
}

fn uapi_text() -> String {
    let hex = |number| {
        key(number).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let mut text = format!("private_key={}\nlisten_port=51820\n", hex(0));
    text.push_str("replace_peers=true\n");
    for number in 1..=PEERS {
        let _ = writeln!(text, "public_key={}", hex(number));
        let _ = writeln!(text, "endpoint=192.0.2.{number}:51820");
        text.push_str("persistent_keepalive_interval=25\nreplace_allowed_ips=true\n");
        let _ = writeln!(text, "allowed_ip=10.0.1.{number}/32");
        let _ = writeln!(text, "allowed_ip=fd00::1:{number}/128");
    }
    text
}

//! Command lines: the words of `wg set` mean what the control socket is told, and of the others
//! whatever is wrong is said in one line.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;

use hushwire::fuzzing::READERS;
use hushwire_config::command::{self, Surroundings};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::raw;
use hushwire_config::uapi::set::{self, Event, SetParser};
use hushwire_config::update::{DeviceUpdate, PeerAction};
use zeroize::Zeroizing;

use crate::input::Input;

const WORDS_MAX: usize = 30;

/// Words that mean something somewhere.
const WORDS: &[&str] = &[
    "peer",
    "remove",
    "preshared-key",
    "endpoint",
    "persistent-keepalive",
    "allowed-ips",
    "listen-port",
    "fwmark",
    "private-key",
    "up",
    "down",
    "save",
    "strip",
    "reload",
    "--help",
    "-h",
    "--",
    "-n",
    "--dry-run",
    "--backend",
    "--backend=kernel",
    "auto",
    "userspace",
    "--name",
    "--name=wg7",
    "--container",
    "--disable",
    "--disable=all",
    "udp-gso",
    "-f",
    "--foreground",
    "--version",
    "--json",
    "--show-keys",
    "--timeout",
    "0.5",
    "1e999",
    "nan",
    "wg0",
    "./wg0.conf",
    "",
    "off",
    "51820",
    "65536",
    "0xca6c",
    "25",
    "192.0.2.1:51820",
    "[fe80::1%3]:5",
    "example.org:domain",
    "10.0.0.0/8,fd00::/64",
    "+10.0.0.0/8,-1.2.3.4",
    " 1.2.3.4 , ::/0 ",
    "/dev/null",
    "key-file",
    "wrong-file",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
];

pub(crate) fn run(input: &[u8]) {
    let mut input = Input(input);
    let mut words = Vec::new();
    while !input.is_empty() && words.len() < WORDS_MAX {
        words.push(match input.byte() {
            0..230 => input.pick(WORDS).as_bytes().to_vec(),
            _ => input.piece(60).to_vec(),
        });
    }
    let decoded: Vec<_> = words.iter().map(|word| raw::decode(word)).collect();
    wg_set(&decoded);
    let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
    for (name, read) in READERS {
        if let Err(message) = read(&words) {
            assert!(!message.is_empty(), "{name} {words:?}");
        }
    }
}

/// The words of `wg set`: refused with a message, or a change that the control socket understands.
fn wg_set(words: &[impl AsRef<str>]) {
    let mut outside = Outside;
    match command::parse(words, &mut outside) {
        Err(error) => {
            assert!(error.word <= words.len());
            assert!(!error.standard_message().is_empty());
            let _ = error.hint();
        }
        Ok(update) => {
            let mut text = Vec::new();
            set::write(&mut text, &update).expect("memory takes it");
            assert_eq!(understood(&text), meant(&update));
        }
    }
}

/// The lines of a set as a daemon reads them.
fn understood(text: &[u8]) -> Vec<Event> {
    let lines = text
        .strip_prefix(b"set=1\n")
        .and_then(|text| text.strip_suffix(b"\n"));
    let lines = lines
        .expect("a set and its empty line")
        .split(|&byte| byte == b'\n');
    let mut parser = SetParser::new();
    let events = lines
        .filter(|line| !line.is_empty())
        .map(|line| parser.line(line).expect("a line of ours"));
    events.collect()
}

/// What the daemon has to read.
fn meant(update: &DeviceUpdate) -> Vec<Event> {
    let mut events = Vec::new();
    let private_key = update.private_key.clone();
    events.extend(private_key.map(|key| Event::PrivateKey((!key.is_zero()).then_some(key))));
    events.extend(update.listen_port.map(Event::ListenPort));
    events.extend(update.fwmark.map(Event::Fwmark));
    assert!(!update.replace_peers, "no word says so");
    for peer in &update.peers {
        events.push(Event::Peer(peer.public_key));
        let PeerAction::Set(settings) = &peer.action else {
            events.push(Event::Remove);
            continue;
        };
        let psk = settings.preshared_key.clone();
        events.extend(psk.map(|key| Event::PresharedKey((!key.is_zero()).then_some(key))));
        events.extend(settings.endpoint.map(Event::Endpoint));
        events.extend(
            settings
                .persistent_keepalive
                .map(Event::PersistentKeepalive),
        );
        if settings.replace_allowed_ips {
            events.push(Event::ReplaceAllowedIps);
        }
        events.extend(settings.allowed_ips.iter().map(|entry| Event::AllowedIp {
            remove: entry.remove,
            prefix: entry.prefix.masked(),
        }));
    }
    events
}

/// Files and names that are not there, but for a few.
struct Outside;

impl Surroundings for Outside {
    type Error = &'static str;

    fn key_file(&mut self, path: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let content: &[u8] = match path {
            "/dev/null" => b"",
            "key-file" => b"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
            "wrong-file" => b"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=x",
            _ => return Err("no such file"),
        };
        Ok(Zeroizing::new(content.to_vec()))
    }

    fn before_endpoint(&mut self) -> Result<(), &'static str> {
        Ok(())
    }

    fn address(&mut self, endpoint: &Endpoint) -> Result<SocketAddr, &'static str> {
        Ok(match endpoint {
            Endpoint::Numeric(address) => *address,
            Endpoint::Name(name) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), name.port()),
        })
    }

    fn host_bits(&mut self, written: &str) {
        assert!(!written.is_empty());
    }
}

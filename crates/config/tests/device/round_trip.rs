//! What is printed reads back the same; and nothing that comes from outside can break a parser.

use crate::memory::MemoryDevice;
use crate::strategy::{addr, config, device, entry, preshared_key, private_key, public_key};
use hushwire_config::conf::{self, Config, Dialect, Interface};
use hushwire_config::device::Device;
use hushwire_config::uapi::set::{Event, SetParser};
use hushwire_config::uapi::{Conversation, get, reply, set};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};
use hushwire_config::{PresharedKey, PrivateKey, raw};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn settings() -> impl Strategy<Value = PeerSettings> {
    (
        any::<(bool, bool)>(),
        option::of(preshared_key()),
        option::of(addr()),
        option::of(any::<u16>()),
        vec(entry(), 0..5),
    )
        .prop_map(
            |(flags, preshared_key, endpoint, persistent_keepalive, allowed_ips)| PeerSettings {
                update_only: flags.0,
                replace_allowed_ips: flags.1,
                preshared_key,
                endpoint,
                persistent_keepalive,
                allowed_ips,
            },
        )
}

fn update() -> impl Strategy<Value = DeviceUpdate> {
    let action = prop_oneof![
        Just(PeerAction::Remove),
        settings().prop_map(PeerAction::Set)
    ];
    let peer =
        (public_key(), action).prop_map(|(public_key, action)| PeerUpdate { public_key, action });
    (
        option::of(private_key()),
        option::of(any::<u16>()),
        option::of(any::<u32>()),
        any::<bool>(),
        vec(peer, 0..4),
    )
        .prop_map(
            |(private_key, listen_port, fwmark, replace_peers, peers)| DeviceUpdate {
                private_key,
                listen_port,
                fwmark,
                replace_peers,
                peers,
            },
        )
}

/// What a server must understand of an update.
fn events(update: &DeviceUpdate) -> Vec<Event> {
    let mut events = Vec::new();
    let some_key = |key: PrivateKey| (!key.is_zero()).then_some(key);
    events.extend(
        update
            .private_key
            .clone()
            .map(|key| Event::PrivateKey(some_key(key))),
    );
    events.extend(update.listen_port.map(Event::ListenPort));
    events.extend(update.fwmark.map(Event::Fwmark));
    events.extend(update.replace_peers.then_some(Event::ReplacePeers));
    for peer in &update.peers {
        events.push(Event::Peer(peer.public_key));
        match &peer.action {
            PeerAction::Remove => events.push(Event::Remove),
            PeerAction::Set(settings) => settings_events(settings, &mut events),
        }
    }
    events
}

fn settings_events(settings: &PeerSettings, events: &mut Vec<Event>) {
    let some_key = |key: PresharedKey| (!key.is_zero()).then_some(key);
    events.extend(settings.update_only.then_some(Event::UpdateOnly));
    events.extend(
        settings
            .preshared_key
            .clone()
            .map(|key| Event::PresharedKey(some_key(key))),
    );
    events.extend(settings.endpoint.map(Event::Endpoint));
    events.extend(
        settings
            .persistent_keepalive
            .map(Event::PersistentKeepalive),
    );
    events.extend(
        settings
            .replace_allowed_ips
            .then_some(Event::ReplaceAllowedIps),
    );
    events.extend(settings.allowed_ips.iter().map(|entry| Event::AllowedIp {
        remove: entry.remove,
        prefix: entry.prefix.masked(),
    }));
}

proptest! {
    #[test]
    fn a_config_file(config in config()) {
        let text = config.print();
        let parsed = conf::parse(&raw::encode(&text), Dialect::Quick);
        prop_assert!(parsed.is_ok(), "{}\n{}", *text, parsed.unwrap_err());
        prop_assert_eq!(parsed.unwrap().config, config);
    }

    #[test]
    fn a_set(update in update()) {
        let mut text = Vec::new();
        set::write(&mut text, &update).unwrap();
        let mut parser = SetParser::new();
        let lines = text.strip_prefix(b"set=1\n").unwrap().strip_suffix(b"\n\n");
        let lines = lines.unwrap_or_default().split(|&byte| byte == b'\n');
        let read: Result<Vec<Event>, _> =
            lines.filter(|line| !line.is_empty()).map(|line| parser.line(line)).collect();
        prop_assert_eq!(read, Ok(events(&update)));
    }

    #[test]
    fn a_get(device in device()) {
        let mut printer = get::Printer::new(Vec::new());
        device.describe(&mut printer);
        let text = printer.finish().unwrap();
        prop_assert_eq!(reply::get(&mut &text[..]).unwrap(), device.clone());
        let mut collected = Device::default();
        device.describe(&mut collected);
        prop_assert_eq!(collected, device);
    }

    #[test]
    fn a_file_for_wg(config in config()) {
        // What wg(8) has no use for is not in its files.
        let interface = Interface {
            section: None,
            private_key: config.interface.private_key,
            private_key_source: config.interface.private_key_source,
            listen_port: config.interface.listen_port,
            fwmark: config.interface.fwmark,
            ..Interface::default()
        };
        let config = Config { interface, peers: config.peers };
        let text = config.print();
        let parsed = conf::parse(&raw::encode(&text), Dialect::Wg);
        prop_assert!(parsed.is_ok(), "{}\n{}", *text, parsed.unwrap_err());
        let parsed = parsed.unwrap().config;
        prop_assert_eq!(parsed.print(), text);
        prop_assert_eq!(parsed, config);
    }

    #[test]
    fn no_bytes_break_the_config_parser(bytes in vec(any::<u8>(), 0..200)) {
        for dialect in [Dialect::Quick, Dialect::Wg] {
            match conf::parse(&bytes, dialect) {
                Ok(parsed) => drop(parsed.config.check(None)),
                Err(error) => prop_assert!(!(error.to_string() + &error.standard_message()).is_empty()),
            }
        }
    }

    /// Bytes that get further than random ones.
    #[test]
    fn no_lines_break_the_config_parser(lines in vec(conf_line(), 0..12)) {
        let text = lines.concat();
        for dialect in [Dialect::Quick, Dialect::Wg] {
            match conf::parse(&text, dialect) {
                Ok(parsed) => drop(parsed.config.check(None)),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn no_bytes_break_the_server(reads in vec(vec(uapi_piece(), 0..6), 0..6)) {
        let mut device = MemoryDevice::default();
        let mut conversation = Conversation::new();
        let mut replies = Vec::new();
        let mut open = true;
        for read in &reads {
            if open {
                open = conversation.receive(&read.concat(), &mut device, &mut replies).unwrap().is_continue();
            }
        }
        if open {
            conversation.finish(&mut device, &mut replies).unwrap();
        }
        prop_assert_eq!(device.sets_begun, device.commits);
    }

    #[test]
    fn no_bytes_break_a_client(pieces in vec(uapi_piece(), 0..12)) {
        let text = pieces.concat();
        let _ = reply::get(&mut &text[..]);
        let _ = reply::set(&mut &text[..]);
    }
}

fn conf_line() -> impl Strategy<Value = Vec<u8>> {
    let key = prop::sample::select(vec![
        "[Interface]",
        "[Peer]",
        "PrivateKey",
        "ListenPort",
        "FwMark",
        "Address",
        "DNS",
        "MTU",
        "Table",
        "PostUp",
        "SaveConfig",
        "PublicKey",
        "PresharedKey",
        "AllowedIPs",
        "Endpoint",
        "PersistentKeepalive",
        "Foo",
        "#",
        "",
    ]);
    let value = prop_oneof![
        vec(any::<u8>(), 0..10),
        "[=,/:#%+0-9a-fx \\[\\].-]{0,16}".prop_map(String::into_bytes),
        Just(b"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=".to_vec()),
    ];
    (
        key,
        prop::sample::select(vec!["=", " = ", "", "\0", "\n"]),
        value,
    )
        .prop_map(|(key, equals, value)| {
            [key.as_bytes(), equals.as_bytes(), &value, b"\n"].concat()
        })
}

fn uapi_piece() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "get=1\n",
        "set=1\n",
        "\n",
        "listen_port=1\n",
        "fwmark=x\n",
        "replace_peers=true\n",
        "public_key=c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038\n",
        "remove=true\n",
        "update_only=true\n",
        "allowed_ip=10.0.0.0/8\n",
        "allowed_ip=-10.0.0.0/8\n",
        "endpoint=[::1]:5\n",
        "errno=0\n",
        "errno=-22\n",
        "rx_bytes=7\n",
        "last_handshake_time_sec=1\n",
        "last_handshake_time_nsec=9223372036854775807\n",
        "foo",
        "=",
    ]);
    prop_oneof![
        4 => line.prop_map(|line| line.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..10),
    ]
}

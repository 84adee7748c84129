//! What is printed reads back the same; and nothing that comes from outside can break a parser.

mod memory;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use hushwire_config::conf::{
    self, AllowedIps, Config, Dialect, Dns, Interface, InterfaceAddress, Spanned, Table,
};
use hushwire_config::device::{Device, Peer};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::prefix::{self, AllowedIpEntry, Prefix};
use hushwire_config::text::{Line, Word};
use hushwire_config::uapi::set::{Event, SetParser};
use hushwire_config::uapi::{Conversation, get, reply, set};
use hushwire_config::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};
use hushwire_config::{AllowedIp, PresharedKey, PrivateKey, PublicKey};
use memory::MemoryDevice;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn private_key() -> impl Strategy<Value = PrivateKey> {
    any::<[u8; 32]>().prop_map(PrivateKey::new)
}

fn preshared_key() -> impl Strategy<Value = PresharedKey> {
    any::<[u8; 32]>().prop_map(PresharedKey::new)
}

fn public_key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey::new)
}

fn addr() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16, u32)>().prop_map(|(ip, port, scope)| match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
    })
}

fn prefix() -> impl Strategy<Value = Prefix> {
    any::<(IpAddr, u8)>()
        .prop_map(|(ip, cidr)| Prefix::new(ip, cidr % (prefix::width(ip) + 1)).unwrap())
}

fn allowed_ip() -> impl Strategy<Value = AllowedIp> {
    prefix().prop_map(|prefix| prefix.masked())
}

fn entry() -> impl Strategy<Value = AllowedIpEntry> {
    (any::<bool>(), prefix()).prop_map(|(remove, prefix)| AllowedIpEntry { remove, prefix })
}

fn spanned<T>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Spanned<T>>
where
    T: std::fmt::Debug,
{
    strategy.prop_map(Spanned::from)
}

/// Lists that a file can say: those that replace end with something added.
fn allowed_ips() -> impl Strategy<Value = AllowedIps> {
    (any::<bool>(), vec(entry(), 0..6)).prop_map(|(replace, mut entries)| {
        if let (true, Some(last)) = (replace, entries.last_mut()) {
            last.remove = false;
        }
        let replace = replace || entries.is_empty();
        AllowedIps {
            replace,
            entries: entries.into_iter().map(Spanned::from).collect(),
        }
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let name = "[a-z][a-z0-9.-]{0,20}:[0-9]{1,4}";
    prop_oneof![
        addr().prop_map(Endpoint::from),
        name.prop_map(|text| Endpoint::parse(&text).unwrap()),
        Just(Endpoint::parse("[fe80::1%eth0]:5").unwrap()),
    ]
}

fn conf_peer() -> impl Strategy<Value = conf::Peer> {
    (
        spanned(public_key()),
        option::of(spanned(preshared_key())),
        option::of(spanned(endpoint())),
        option::of(spanned(any::<u16>())),
        allowed_ips(),
    )
        .prop_map(
            |(public_key, preshared_key, endpoint, persistent_keepalive, allowed_ips)| conf::Peer {
                public_key,
                preshared_key,
                endpoint,
                persistent_keepalive,
                allowed_ips,
            },
        )
}

fn hooks() -> impl Strategy<Value = Vec<Spanned<Line>>> {
    let line = "[^\n\0]{1,20}".prop_filter_map("blank", |text| Line::new(text).ok());
    vec(spanned(line), 0..3)
}

fn word(pattern: &'static str) -> impl Strategy<Value = Word> {
    pattern.prop_filter_map("no word", |text| Word::new(text).ok())
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![
        Just(Table::Auto),
        Just(Table::Off),
        any::<u32>().prop_map(Table::Id),
        word("[a-z]{1,9}=?é?").prop_filter_map("another table", |name| {
            let table = Table::Name(name);
            (Table::parse(&table.to_string()) == Some(table.clone())).then_some(table)
        }),
    ]
}

fn interface() -> impl Strategy<Value = Interface> {
    let address =
        prefix().prop_map(|prefix| InterfaceAddress::new(prefix.addr(), prefix.cidr()).unwrap());
    let dns = word("[^ \n]{1,12}").prop_map(Dns::new);
    let wg = (
        option::of(spanned(private_key())),
        option::of(spanned(any::<u16>())),
        option::of(spanned(any::<u32>())),
    );
    let quick = (
        vec(spanned(address), 0..3),
        vec(spanned(dns), 0..3),
        option::of(spanned(any::<u32>())),
        option::of(spanned(table())),
        option::of(spanned(any::<bool>())),
    );
    let hooks = (hooks(), hooks(), hooks(), hooks());
    (wg, quick, hooks).prop_map(|(wg, quick, hooks)| Interface {
        section: None,
        private_key: wg.0,
        listen_port: wg.1,
        fwmark: wg.2,
        addresses: quick.0,
        dns: quick.1,
        mtu: quick.2,
        table: quick.3,
        save_config: quick.4,
        pre_up: hooks.0,
        post_up: hooks.1,
        pre_down: hooks.2,
        post_down: hooks.3,
    })
}

fn config() -> impl Strategy<Value = Config> {
    (interface(), vec(conf_peer(), 0..4)).prop_map(|(interface, peers)| Config { interface, peers })
}

fn device_peer() -> impl Strategy<Value = Peer> {
    let time = (0..=i64::MAX as u64, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
        .prop_filter("never", |time| !time.is_zero());
    (
        (
            public_key(),
            option::of(preshared_key()),
            option::of(addr()),
            option::of(time),
        ),
        any::<(u64, u64, u16)>(),
        vec(allowed_ip(), 0..5),
    )
        .prop_map(
            |(known, (tx_bytes, rx_bytes, persistent_keepalive), allowed_ips)| Peer {
                public_key: known.0,
                preshared_key: known.1.filter(|key| !key.is_zero()),
                endpoint: known.2,
                last_handshake: known.3,
                tx_bytes,
                rx_bytes,
                persistent_keepalive,
                allowed_ips: allowed_ips.into_iter().map(Into::into).collect(),
            },
        )
}

fn device() -> impl Strategy<Value = Device> {
    (
        option::of(private_key()),
        any::<(u16, u32)>(),
        vec(device_peer(), 0..4),
    )
        .prop_map(|(private_key, (listen_port, fwmark), peers)| Device {
            private_key: private_key.filter(|key| !key.is_zero()),
            listen_port,
            fwmark,
            peers,
        })
}

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
        let parsed = conf::parse(text.as_bytes(), Dialect::Quick);
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

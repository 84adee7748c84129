//! Configurations and devices of all sorts.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use hushwire_config::conf::{
    self, AllowedIps, Config, Dns, Interface, InterfaceAddress, KeySource, Spanned, Table,
};
use hushwire_config::device::{Device, Peer};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::prefix::{self, AllowedIpEntry, Prefix};
use hushwire_config::text::{Line, Word};
use hushwire_config::{AllowedIp, PresharedKey, PrivateKey, PublicKey, raw};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn private_key() -> impl Strategy<Value = PrivateKey> {
    any::<[u8; 32]>().prop_map(PrivateKey::new)
}

pub(crate) fn preshared_key() -> impl Strategy<Value = PresharedKey> {
    any::<[u8; 32]>().prop_map(PresharedKey::new)
}

pub(crate) fn public_key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey::new)
}

pub(crate) fn addr() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16, u32)>().prop_map(|(ip, port, scope)| match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
    })
}

pub(crate) fn prefix() -> impl Strategy<Value = Prefix> {
    any::<(IpAddr, u8)>()
        .prop_map(|(ip, cidr)| Prefix::new(ip, cidr % (prefix::width(ip) + 1)).unwrap())
}

pub(crate) fn allowed_ip() -> impl Strategy<Value = AllowedIp> {
    prefix().prop_map(|prefix| prefix.masked())
}

pub(crate) fn entry() -> impl Strategy<Value = AllowedIpEntry> {
    (any::<bool>(), prefix()).prop_map(|(remove, prefix)| AllowedIpEntry { remove, prefix })
}

pub(crate) fn spanned<T>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Spanned<T>>
where
    T: std::fmt::Debug,
{
    strategy.prop_map(Spanned::from)
}

/// Lists that a file can say: those that replace end with something added.
pub(crate) fn allowed_ips() -> impl Strategy<Value = AllowedIps> {
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

pub(crate) fn endpoint() -> impl Strategy<Value = Endpoint> {
    let name = "[a-z][a-z0-9.-]{0,20}:[0-9]{1,4}";
    prop_oneof![
        addr().prop_map(Endpoint::from),
        name.prop_map(|text| Endpoint::parse(&text).unwrap()),
        Just(Endpoint::parse("[fe80::1%eth0]:5").unwrap()),
    ]
}

pub(crate) fn conf_peer() -> impl Strategy<Value = conf::Peer> {
    (
        spanned(public_key()),
        key_or_source(preshared_key()),
        option::of(spanned(endpoint())),
        option::of(spanned(any::<u16>())),
        allowed_ips(),
    )
        .prop_map(
            |(public_key, key, endpoint, persistent_keepalive, allowed_ips)| conf::Peer {
                public_key,
                preshared_key: key.0,
                preshared_key_source: key.1,
                endpoint,
                persistent_keepalive,
                allowed_ips,
            },
        )
}

type KeyOrSource<K> = (Option<Spanned<K>>, Option<Spanned<KeySource>>);

/// A key, or the place of one, or neither.
fn key_or_source<K: Clone + std::fmt::Debug + 'static>(
    key: impl Strategy<Value = K> + 'static,
) -> impl Strategy<Value = KeyOrSource<K>> {
    let source = prop_oneof![
        line("[^\n\0#]{1,20}").prop_map(KeySource::File),
        "[a-z][a-z.]{0,9}".prop_map(|name| KeySource::Credential(Line::new(name).unwrap())),
        line("[^\n\0#][^\n\0]{0,19}").prop_map(KeySource::Command),
    ];
    prop_oneof![
        3 => option::of(spanned(key)).prop_map(|key| (key, None)),
        1 => spanned(source).prop_map(|source| (None, Some(source))),
    ]
}

pub(crate) fn hooks() -> impl Strategy<Value = Vec<Spanned<Line>>> {
    vec(spanned(line("[^\n\0]{1,20}")), 0..3)
}

/// Text as a file would have it, at times with characters that stand for bytes elsewhere.
fn line(pattern: &'static str) -> impl Strategy<Value = Line> {
    prop_oneof![9 => pattern, 1 => "[a\u{10fefe}-\u{10ffff}]{1,9}"]
        .prop_filter_map("no line", |text| {
            Line::new(&*raw::decode(text.as_bytes())).ok()
        })
}

pub(crate) fn word(pattern: &'static str) -> impl Strategy<Value = Word> {
    pattern.prop_filter_map("no word", |text| Word::new(text).ok())
}

pub(crate) fn table() -> impl Strategy<Value = Table> {
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

pub(crate) fn interface() -> impl Strategy<Value = Interface> {
    let address =
        prefix().prop_map(|prefix| InterfaceAddress::new(prefix.addr(), prefix.cidr()).unwrap());
    let dns = word("[^ \n]{1,12}").prop_map(Dns::new);
    let wg = (
        key_or_source(private_key()),
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
        private_key: wg.0.0,
        private_key_source: wg.0.1,
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

pub(crate) fn config() -> impl Strategy<Value = Config> {
    (interface(), vec(conf_peer(), 0..4)).prop_map(|(interface, peers)| Config { interface, peers })
}

pub(crate) fn device_peer() -> impl Strategy<Value = Peer> {
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

pub(crate) fn device() -> impl Strategy<Value = Device> {
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

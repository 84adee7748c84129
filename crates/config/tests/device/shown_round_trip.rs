//! What is shown of a device reads back the same: as a configuration, as a dump, as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use crate::strategy::device;
use hushwire_config::conf::{self, Dialect, Mode, Spanned};
use hushwire_config::device::{Device, Peer};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::prefix::Prefix;
use hushwire_config::show::{Document, Secrets, Selector, View};
use hushwire_config::update::{DeviceUpdate, PeerAction};
use hushwire_config::{PresharedKey, PrivateKey, PublicKey};
use proptest::prelude::*;
use serde_json::Value;

proptest! {
    #[test]
    fn a_shown_configuration(device in device()) {
        let text = shown(&device, |view, out| view.conf(out));
        let config = conf::parse(text.as_bytes(), Dialect::Wg).unwrap().config;
        let update = config.to_update(Mode::Replace, numeric).unwrap();
        let configured = configured(&update);
        prop_assert_eq!(&configured, &without_statistics(&device));
        prop_assert_eq!(shown(&configured, |view, out| view.conf(out)), text);
    }

    #[test]
    fn a_dump(device in device()) {
        let text = shown(&device, |view, out| view.select(out, Selector::Dump, false));
        let mut device = device;
        for peer in &mut device.peers {
            // Seconds are all that it tells.
            let time = peer.last_handshake.map(|time| Duration::from_secs(time.as_secs()));
            peer.last_handshake = time.filter(|time| !time.is_zero());
        }
        prop_assert_eq!(from_dump(&text), device);
    }

    #[test]
    fn json(device in device()) {
        let text = shown(&device, |view, out| {
            let mut document = Document::begin(out, Secrets::Shown)?;
            document.interface(view)?;
            document.end()
        });
        let mut device = device;
        for peer in &mut device.peers {
            let time = peer.last_handshake.map(|time| Duration::from_secs(time.as_secs()));
            peer.last_handshake = time.filter(|time| !time.is_zero());
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(from_json(&value["interfaces"][0]), device);
    }
}

/// What is printed of a device called wg0. Nobody here looks at its public key.
fn shown(
    device: &Device,
    print: impl FnOnce(&View<'_>, &mut Vec<u8>) -> std::io::Result<()>,
) -> String {
    let public_key = PublicKey::new([5; 32]);
    let mut text = Vec::new();
    let view = View {
        name: b"wg0",
        device,
        public_key: device.private_key.is_some().then_some(&public_key),
        names: &|_| None,
    };
    print(&view, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn numeric(endpoint: &Spanned<Endpoint>) -> Result<SocketAddr, String> {
    match &endpoint.value {
        Endpoint::Numeric(address) => Ok(*address),
        Endpoint::Name(name) => Err(name.written().to_owned()),
    }
}

/// A new device after a change.
fn configured(update: &DeviceUpdate) -> Device {
    let peers = update.peers.iter().map(|peer| {
        let PeerAction::Set(settings) = &peer.action else {
            panic!("a file removes no peer");
        };
        let entries = settings.allowed_ips.iter();
        Peer {
            preshared_key: settings.preshared_key.clone(),
            endpoint: settings.endpoint,
            persistent_keepalive: settings.persistent_keepalive.unwrap_or_default(),
            allowed_ips: entries.map(|entry| entry.prefix).collect(),
            ..Peer::new(peer.public_key)
        }
    });
    Device {
        private_key: update.private_key.clone().filter(|key| !key.is_zero()),
        listen_port: update.listen_port.unwrap_or_default(),
        fwmark: update.fwmark.unwrap_or_default(),
        peers: peers.collect(),
    }
}

fn without_statistics(device: &Device) -> Device {
    let mut device = device.clone();
    for peer in &mut device.peers {
        (peer.last_handshake, peer.tx_bytes, peer.rx_bytes) = (None, 0, 0);
    }
    device
}

/// Reads a dump as scripts do: by its tabs.
fn from_dump(text: &str) -> Device {
    let mut lines = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let first = lines.next().unwrap();
    let [private_key, _, port, mark] = first[..] else {
        panic!("{first:?}");
    };
    let peers = lines.map(|fields| {
        let [key, psk, endpoint, ips, time, rx, tx, keepalive] = fields[..] else {
            panic!("{fields:?}");
        };
        let ips = ips.split(',').filter(|ip| *ip != "(none)");
        let time = Duration::from_secs(time.parse().unwrap());
        Peer {
            public_key: PublicKey::from_base64(key).unwrap(),
            preshared_key: unless(psk, "(none)").map(|key| PresharedKey::from_base64(key).unwrap()),
            endpoint: unless(endpoint, "(none)").map(address),
            last_handshake: Some(time).filter(|time| !time.is_zero()),
            tx_bytes: tx.parse().unwrap(),
            rx_bytes: rx.parse().unwrap(),
            persistent_keepalive: unless(keepalive, "off").map_or(0, |text| text.parse().unwrap()),
            allowed_ips: ips
                .map(|ip| Prefix::parse(ip.as_bytes()).unwrap())
                .collect(),
        }
    });
    Device {
        private_key: unless(private_key, "(none)").map(|key| PrivateKey::from_base64(key).unwrap()),
        listen_port: port.parse().unwrap(),
        fwmark: unless(mark, "off").map_or(0, |mark| {
            u32::from_str_radix(mark.strip_prefix("0x").unwrap(), 16).unwrap()
        }),
        peers: peers.collect(),
    }
}

fn from_json(value: &Value) -> Device {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let peers = value["peers"].as_array().unwrap().iter().map(|peer| {
        let text = |name: &str| peer[name].as_str();
        let time = Duration::from_secs(number(&peer["latest_handshake"]));
        let ips = peer["allowed_ips"].as_array().unwrap().iter();
        let psk = text("preshared_key").map(|key| PresharedKey::from_base64(key).unwrap());
        assert_eq!(peer["has_preshared_key"], psk.is_some());
        Peer {
            public_key: PublicKey::from_base64(text("public_key").unwrap()).unwrap(),
            preshared_key: psk,
            endpoint: text("endpoint").map(address),
            last_handshake: Some(time).filter(|time| !time.is_zero()),
            tx_bytes: number(&peer["tx_bytes"]),
            rx_bytes: number(&peer["rx_bytes"]),
            persistent_keepalive: number(&peer["persistent_keepalive"]) as u16,
            allowed_ips: ips
                .map(|ip| Prefix::parse(ip.as_str().unwrap().as_bytes()).unwrap())
                .collect(),
        }
    });
    let key = value["private_key"].as_str();
    Device {
        private_key: key.map(|key| PrivateKey::from_base64(key).unwrap()),
        listen_port: number(&value["listen_port"]) as u16,
        fwmark: number(&value["fwmark"]) as u32,
        peers: peers.collect(),
    }
}

fn unless<'a>(text: &'a str, nothing: &str) -> Option<&'a str> {
    Some(text).filter(|text| *text != nothing)
}

fn address(text: &str) -> SocketAddr {
    match Endpoint::parse(text) {
        Ok(Endpoint::Numeric(address)) => address,
        other => panic!("{other:?}"),
    }
}

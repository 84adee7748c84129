//! The lines of a set: read on the server's side, written on the client's.

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::endpoint::{self, InterfaceNames, Named};
use crate::key::{PresharedKey, PrivateKey, PublicKey};
use crate::number;
use crate::prefix::{AllowedIp, Prefix};
use crate::uapi::errno::Errno;
use crate::update::{DeviceUpdate, PeerAction, PeerSettings, PeerUpdate};

/// One line of a set, understood. What it means depends on the lines before it: see
/// [`Session`](crate::uapi::session::Session).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `private_key`, as sent; `None` (all zero) takes the key away.
    PrivateKey(Option<PrivateKey>),
    /// `listen_port`. 0: any.
    ListenPort(u16),
    /// `fwmark`. 0: none.
    Fwmark(u32),
    /// `replace_peers=true`: all peers go.
    ReplacePeers,
    /// `public_key`: what follows is about this peer.
    Peer(PublicKey),
    /// `remove=true`: the peer goes.
    Remove,
    /// `update_only=true`: the peer is left alone if it was not there before.
    UpdateOnly,
    /// `preshared_key`; `None` (all zero) takes the key away.
    PresharedKey(Option<PresharedKey>),
    /// `endpoint`.
    Endpoint(SocketAddr),
    /// `persistent_keepalive_interval`, in seconds. 0: off.
    PersistentKeepalive(u16),
    /// `replace_allowed_ips=true`: the peer's allowed IPs go.
    ReplaceAllowedIps,
    /// `allowed_ip`.
    AllowedIp {
        /// Whether the prefix is taken from the peer (`-`).
        remove: bool,
        /// The prefix.
        prefix: AllowedIp,
    },
    /// `protocol_version=1`, the only one.
    ProtocolVersion,
}

/// Reads the lines of one set. Knows which keys are legal where: those of the device before the
/// first `public_key`, those of a peer after it.
#[derive(Clone, Debug, Default)]
pub struct SetParser {
    in_peer: bool,
}

impl SetParser {
    /// A parser before the first line after `set=1`.
    #[must_use]
    pub const fn new() -> Self {
        Self { in_peer: false }
    }

    /// Reads a line, without its newline.
    ///
    /// # Errors
    ///
    /// [`Errno::PROTOCOL`] for a line without `=`, [`Errno::INVALID`] for a key that is unknown
    /// or out of place and for a value that is not of the key's form.
    pub fn line(&mut self, line: &[u8]) -> Result<Event, Errno> {
        let equals = line
            .iter()
            .position(|&byte| byte == b'=')
            .ok_or(Errno::PROTOCOL)?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        if key == b"public_key" {
            let key = PublicKey::from_hex(value).map_err(|_| Errno::INVALID)?;
            self.in_peer = true;
            return Ok(Event::Peer(key));
        }
        let event = if self.in_peer {
            peer_line(key, value)
        } else {
            device_line(key, value)
        };
        event.ok_or(Errno::INVALID)
    }
}

fn device_line(key: &[u8], value: &[u8]) -> Option<Event> {
    Some(match key {
        b"private_key" => {
            let key = PrivateKey::from_hex(value).ok()?;
            Event::PrivateKey((!key.is_zero()).then_some(key))
        }
        b"listen_port" => Event::ListenPort(u16_of(value)?),
        b"fwmark" => Event::Fwmark(u32::try_from(number::decimal(value, u32::MAX.into())?).ok()?),
        b"replace_peers" => flag(value, Event::ReplacePeers)?,
        _ => return None,
    })
}

fn peer_line(key: &[u8], value: &[u8]) -> Option<Event> {
    Some(match key {
        b"remove" => flag(value, Event::Remove)?,
        b"update_only" => flag(value, Event::UpdateOnly)?,
        b"preshared_key" => {
            let key = PresharedKey::from_hex(value).ok()?;
            Event::PresharedKey((!key.is_zero()).then_some(key))
        }
        b"endpoint" => Event::Endpoint(endpoint::parse_numeric(value)?),
        b"persistent_keepalive_interval" => Event::PersistentKeepalive(u16_of(value)?),
        b"replace_allowed_ips" => flag(value, Event::ReplaceAllowedIps)?,
        b"allowed_ip" => {
            let (remove, prefix) = match value {
                [b'-', prefix @ ..] => (true, prefix),
                prefix => (false, prefix),
            };
            Event::AllowedIp {
                remove,
                prefix: Prefix::parse_strict(prefix).ok()?.masked(),
            }
        }
        b"protocol_version" if value == b"1" => Event::ProtocolVersion,
        _ => return None,
    })
}

fn flag(value: &[u8], event: Event) -> Option<Event> {
    (value == b"true").then_some(event)
}

fn u16_of(value: &[u8]) -> Option<u16> {
    u16::try_from(number::decimal(value, u16::MAX.into())?).ok()
}

/// Writes a whole set operation, byte for byte as wg(8) does. The text holds the keys of the
/// update: give it a buffer that is zeroed.
///
/// # Errors
///
/// Those of the writer.
pub fn write(writer: &mut impl Write, update: &DeviceUpdate) -> io::Result<()> {
    write_naming(writer, update, &|_| None)
}

/// As [`write`], with the scopes of link-local endpoints by name, as wg(8) sends them.
///
/// # Errors
///
/// Those of the writer.
pub fn write_naming(
    writer: &mut impl Write,
    update: &DeviceUpdate,
    names: InterfaceNames<'_>,
) -> io::Result<()> {
    writer.write_all(b"set=1\n")?;
    if let Some(key) = &update.private_key {
        write_key(writer, "private_key", key.to_hex().as_bytes())?;
    }
    if let Some(port) = update.listen_port {
        writeln!(writer, "listen_port={port}")?;
    }
    if let Some(mark) = update.fwmark {
        writeln!(writer, "fwmark={mark}")?;
    }
    if update.replace_peers {
        writer.write_all(b"replace_peers=true\n")?;
    }
    for peer in &update.peers {
        write_peer(writer, peer, names)?;
    }
    writer.write_all(b"\n")
}

fn write_peer(
    writer: &mut impl Write,
    peer: &PeerUpdate,
    names: InterfaceNames<'_>,
) -> io::Result<()> {
    write_key(writer, "public_key", peer.public_key.to_hex().as_bytes())?;
    match &peer.action {
        PeerAction::Remove => writer.write_all(b"remove=true\n"),
        PeerAction::Set(settings) => write_settings(writer, settings, names),
    }
}

fn write_settings(
    writer: &mut impl Write,
    settings: &PeerSettings,
    names: InterfaceNames<'_>,
) -> io::Result<()> {
    if settings.update_only {
        writer.write_all(b"update_only=true\n")?;
    }
    if let Some(key) = &settings.preshared_key {
        write_key(writer, "preshared_key", key.to_hex().as_bytes())?;
    }
    if let Some(endpoint) = settings.endpoint {
        writeln!(writer, "endpoint={}", Named(endpoint, names))?;
    }
    if let Some(seconds) = settings.persistent_keepalive {
        writeln!(writer, "persistent_keepalive_interval={seconds}")?;
    }
    if settings.replace_allowed_ips {
        writer.write_all(b"replace_allowed_ips=true\n")?;
    }
    settings
        .allowed_ips
        .iter()
        .try_for_each(|entry| writeln!(writer, "allowed_ip={entry}"))
}

/// A line with a key: not through the formatter, which might keep copies.
pub(super) fn write_key(writer: &mut impl Write, name: &str, hex: &[u8]) -> io::Result<()> {
    writer.write_all(name.as_bytes())?;
    writer.write_all(b"=")?;
    writer.write_all(hex)?;
    writer.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038";
    const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn device(line: &str) -> Result<Event, Errno> {
        SetParser::new().line(line.as_bytes())
    }

    fn peer(line: &str) -> Result<Event, Errno> {
        let mut parser = SetParser::new();
        parser.line(format!("public_key={HEX}").as_bytes())?;
        parser.line(line.as_bytes())
    }

    #[test]
    fn device_keys() {
        assert_eq!(device("listen_port=0"), Ok(Event::ListenPort(0)));
        assert_eq!(device("listen_port=65535"), Ok(Event::ListenPort(65535)));
        assert_eq!(device("fwmark=4294967295"), Ok(Event::Fwmark(u32::MAX)));
        assert_eq!(device("replace_peers=true"), Ok(Event::ReplacePeers));
        assert_eq!(
            device(&format!("private_key={ZERO}")),
            Ok(Event::PrivateKey(None))
        );
        let key = PrivateKey::from_hex(HEX).unwrap();
        assert_eq!(
            device(&format!("private_key={HEX}")),
            Ok(Event::PrivateKey(Some(key)))
        );
    }

    #[test]
    fn device_values_out_of_form() {
        for bad in [
            "listen_port=65536",
            "listen_port=-1",
            "listen_port=+1",
            "listen_port=",
            "listen_port=0x1",
            "listen_port= 1",
            "fwmark=4294967296",
            "fwmark=0x10",
            "fwmark=off",
            "replace_peers=false",
            "replace_peers=",
            "replace_peers=TRUE",
            "private_key=",
            "private_key=zz",
            "public_key=zz",
            "foo=bar",
            "=",
            "errno=0",
            "listen_port =1",
            "Listen_port=1",
            "rx_bytes=1",
        ] {
            assert_eq!(device(bad), Err(Errno::INVALID), "{bad}");
        }
        for bad in ["foo", "", "listen_port", "get"] {
            assert_eq!(device(bad), Err(Errno::PROTOCOL), "{bad}");
        }
    }

    #[test]
    fn peer_keys() {
        let prefix = |text: &str| text.parse::<AllowedIp>().unwrap();
        assert_eq!(peer("remove=true"), Ok(Event::Remove));
        assert_eq!(peer("update_only=true"), Ok(Event::UpdateOnly));
        assert_eq!(
            peer(&format!("preshared_key={ZERO}")),
            Ok(Event::PresharedKey(None))
        );
        assert_eq!(
            peer("persistent_keepalive_interval=25"),
            Ok(Event::PersistentKeepalive(25))
        );
        assert_eq!(
            peer("replace_allowed_ips=true"),
            Ok(Event::ReplaceAllowedIps)
        );
        assert_eq!(peer("protocol_version=1"), Ok(Event::ProtocolVersion));
        let addr = SocketAddr::from(([1, 2, 3, 4], 0));
        assert_eq!(peer("endpoint=1.2.3.4:0"), Ok(Event::Endpoint(addr)));
        let added = Event::AllowedIp {
            remove: false,
            prefix: prefix("10.0.0.0/8"),
        };
        assert_eq!(peer("allowed_ip=10.1.2.3/8"), Ok(added));
        let removed = Event::AllowedIp {
            remove: true,
            prefix: prefix("fd00::/64"),
        };
        assert_eq!(peer("allowed_ip=-fd00::1/64"), Ok(removed));
    }

    #[test]
    fn peer_values_out_of_form() {
        for bad in [
            "remove=false",
            "update_only=1",
            "preshared_key=00",
            "endpoint=localhost:5",
            "endpoint=",
            "persistent_keepalive_interval=off",
            "persistent_keepalive_interval=65536",
            "replace_allowed_ips=false",
            "allowed_ip=1.2.3.4",
            "allowed_ip=+10.0.0.0/8",
            "allowed_ip=bad",
            "allowed_ip=--10.0.0.0/8",
            "allowed_ip=",
            "protocol_version=2",
            "protocol_version=01",
            "tx_bytes=1",
            "last_handshake_time_sec=0",
            "errno=0",
        ] {
            assert_eq!(peer(bad), Err(Errno::INVALID), "{bad}");
        }
    }

    #[test]
    fn a_key_out_of_its_place_is_invalid() {
        for of_device in ["listen_port=1", "fwmark=1", "replace_peers=true"] {
            assert!(device(of_device).is_ok());
            assert_eq!(peer(of_device), Err(Errno::INVALID));
        }
        for of_peer in ["remove=true", "allowed_ip=10.0.0.0/8", "protocol_version=1"] {
            assert!(peer(of_peer).is_ok());
            assert_eq!(device(of_peer), Err(Errno::INVALID));
        }
    }

    #[test]
    fn the_bytes_of_wg() {
        let public_key = PublicKey::from_hex(HEX).unwrap();
        let settings = PeerSettings {
            update_only: false,
            preshared_key: Some(PresharedKey::from_hex(HEX).unwrap()),
            endpoint: Some(SocketAddr::from(([1, 2, 3, 4], 51820))),
            persistent_keepalive: Some(25),
            replace_allowed_ips: true,
            allowed_ips: vec![Prefix::parse(b"10.0.0.1/24").unwrap().into()],
        };
        let update = DeviceUpdate {
            private_key: Some(PrivateKey::new([0; 32])),
            listen_port: Some(0),
            fwmark: Some(51820),
            replace_peers: true,
            peers: vec![
                PeerUpdate {
                    public_key,
                    action: PeerAction::Remove,
                },
                PeerUpdate {
                    public_key,
                    action: PeerAction::Set(settings),
                },
            ],
        };
        let mut text = Vec::new();
        write(&mut text, &update).unwrap();
        let expected = format!(
            "set=1\nprivate_key={ZERO}\nlisten_port=0\nfwmark=51820\nreplace_peers=true\n\
             public_key={HEX}\nremove=true\n\
             public_key={HEX}\npreshared_key={HEX}\nendpoint=1.2.3.4:51820\n\
             persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.1/24\n\n"
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}

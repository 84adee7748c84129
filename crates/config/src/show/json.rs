//! Devices as JSON, for programs. The names of the fields are part of the interface.

use std::io::{self, Write};

use crate::device::Peer;
use crate::json::string;
use crate::raw;
use crate::show::{View, separated};

/// Whether secret keys are in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are not.
    Hidden,
    /// They are.
    Shown,
}

/// A document: `{"interfaces":[…]}`, compact, on one line.
#[derive(Debug)]
pub struct Document<W> {
    writer: W,
    secrets: Secrets,
    count: usize,
}

impl<W: Write> Document<W> {
    /// Begins a document.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn begin(mut writer: W, secrets: Secrets) -> io::Result<Self> {
        writer.write_all(b"{\"interfaces\":[")?;
        Ok(Self {
            writer,
            secrets,
            count: 0,
        })
    }

    /// Writes the next interface.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn interface(&mut self, view: &View<'_>) -> io::Result<()> {
        if self.count > 0 {
            self.writer.write_all(b",")?;
        }
        self.count += 1;
        write_interface(&mut self.writer, view, self.secrets)
    }

    /// Ends the document.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn end(mut self) -> io::Result<()> {
        self.writer.write_all(b"]}\n")
    }
}

fn write_interface(out: &mut impl Write, view: &View<'_>, secrets: Secrets) -> io::Result<()> {
    let device = view.device;
    out.write_all(b"{\"name\":")?;
    string(out, &raw::decode(view.name))?;
    out.write_all(b",\"public_key\":")?;
    match view.public_key {
        Some(key) => string(out, key.to_base64().as_str())?,
        None => out.write_all(b"null")?,
    }
    let has_key = device.private_key.is_some();
    write!(out, ",\"has_private_key\":{has_key}")?;
    if let (Secrets::Shown, Some(key)) = (secrets, &device.private_key) {
        out.write_all(b",\"private_key\":")?;
        string(out, key.to_base64().as_str())?;
    }
    let (port, mark) = (device.listen_port, device.fwmark);
    write!(
        out,
        ",\"listen_port\":{},\"fwmark\":{}",
        unless_zero(port.into()),
        unless_zero(mark.into())
    )?;
    out.write_all(b",\"peers\":[")?;
    separated(out, ",", &device.peers, |out, peer| {
        write_peer(out, view, peer, secrets)
    })?;
    out.write_all(b"]}")
}

fn write_peer(
    out: &mut impl Write,
    view: &View<'_>,
    peer: &Peer,
    secrets: Secrets,
) -> io::Result<()> {
    out.write_all(b"{\"public_key\":")?;
    string(out, peer.public_key.to_base64().as_str())?;
    let has_key = peer.preshared_key.is_some();
    write!(out, ",\"has_preshared_key\":{has_key}")?;
    if let (Secrets::Shown, Some(key)) = (secrets, &peer.preshared_key) {
        out.write_all(b",\"preshared_key\":")?;
        string(out, key.to_base64().as_str())?;
    }
    out.write_all(b",\"endpoint\":")?;
    match peer.endpoint {
        Some(endpoint) => string(out, &view.endpoint(endpoint).to_string())?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b",\"allowed_ips\":[")?;
    separated(out, ",", &peer.allowed_ips, |out, prefix| {
        write!(out, "\"{prefix}\"")
    })?;
    write!(
        out,
        "],\"latest_handshake\":{},\"rx_bytes\":{},\"tx_bytes\":{},\"persistent_keepalive\":{}}}",
        unless_zero(peer.last_handshake.unwrap_or_default().as_secs()),
        peer.rx_bytes,
        peer.tx_bytes,
        unless_zero(peer.persistent_keepalive.into())
    )
}

/// A number, or `null` where zero means that there is none.
fn unless_zero(number: u64) -> String {
    match number {
        0 => "null".to_owned(),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::show::testing::{self, P1, P2, PRIVATE, PSK, PUBLIC};

    fn document(secrets: Secrets) -> impl FnOnce(&View<'_>, &mut Vec<u8>) -> io::Result<()> {
        move |view, out| {
            let mut document = Document::begin(out, secrets)?;
            document.interface(view)?;
            document.interface(view)?;
            document.end()
        }
    }

    fn read(text: &str) -> Value {
        assert!(text.ends_with("]}\n"));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_field_is_there() {
        let text = testing::full(document(Secrets::Hidden));
        assert!(!text.contains(PRIVATE) && !text.contains(PSK));
        let value = read(&text);
        assert_eq!(value["interfaces"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            value["interfaces"][1],
            json!({
                "name": "wg0",
                "public_key": PUBLIC,
                "has_private_key": true,
                "listen_port": 51820,
                "fwmark": 0xca6c,
                "peers": [
                    {
                        "public_key": P1,
                        "has_preshared_key": true,
                        "endpoint": "192.0.2.1:5",
                        "allowed_ips": ["10.0.0.0/8", "::ffff:1.2.3.4/128"],
                        "latest_handshake": 1_700_000_000,
                        "rx_bytes": 5_678_901,
                        "tx_bytes": 1234,
                        "persistent_keepalive": 25,
                    },
                    {
                        "public_key": P2,
                        "has_preshared_key": false,
                        "endpoint": null,
                        "allowed_ips": [],
                        "latest_handshake": null,
                        "rx_bytes": 0,
                        "tx_bytes": 0,
                        "persistent_keepalive": null,
                    },
                ],
            })
        );
    }

    #[test]
    fn keys_come_when_asked_for() {
        let value = read(&testing::full(document(Secrets::Shown)));
        let interface = &value["interfaces"][0];
        assert_eq!(interface["private_key"], PRIVATE);
        assert_eq!(interface["peers"][0]["preshared_key"], PSK);
        assert_eq!(interface["peers"][1].get("preshared_key"), None);
    }

    #[test]
    fn nothing_is_null() {
        let value = read(&testing::empty(document(Secrets::Shown)));
        assert_eq!(
            value["interfaces"][0],
            json!({
                "name": "wg0",
                "public_key": null,
                "has_private_key": false,
                "listen_port": null,
                "fwmark": null,
                "peers": [],
            })
        );
    }

    #[test]
    fn a_strange_name_is_still_a_string() {
        let text = testing::named(b"a\"\\\x01\xffb", document(Secrets::Hidden));
        assert_eq!(read(&text)["interfaces"][0]["name"], "a\"\\\u{1}\u{fffd}b");
    }
}

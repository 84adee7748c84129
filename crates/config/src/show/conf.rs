//! `wg showconf`: a device as a file that `wg setconf` reads back.

use std::io::{self, Write};

use crate::device::Peer;
use crate::show::{View, separated};

impl View<'_> {
    /// Writes the config file.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn conf(&self, writer: &mut impl Write) -> io::Result<()> {
        let device = self.device;
        writer.write_all(b"[Interface]\n")?;
        if device.listen_port != 0 {
            writeln!(writer, "ListenPort = {}", device.listen_port)?;
        }
        if device.fwmark != 0 {
            writeln!(writer, "FwMark = {:#x}", device.fwmark)?;
        }
        if let Some(key) = &device.private_key {
            setting(writer, "PrivateKey", key.to_base64().as_bytes())?;
        }
        writer.write_all(b"\n")?;
        separated(writer, "\n", &device.peers, |writer, peer| {
            self.conf_peer(writer, peer)
        })
    }

    fn conf_peer(&self, writer: &mut impl Write, peer: &Peer) -> io::Result<()> {
        writer.write_all(b"[Peer]\n")?;
        setting(writer, "PublicKey", peer.public_key.to_base64().as_bytes())?;
        if let Some(key) = &peer.preshared_key {
            setting(writer, "PresharedKey", key.to_base64().as_bytes())?;
        }
        if !peer.allowed_ips.is_empty() {
            writer.write_all(b"AllowedIPs = ")?;
            separated(writer, ", ", &peer.allowed_ips, |writer, prefix| {
                write!(writer, "{prefix}")
            })?;
            writer.write_all(b"\n")?;
        }
        if let Some(endpoint) = peer.endpoint {
            writeln!(writer, "Endpoint = {}", self.endpoint(endpoint))?;
        }
        if peer.persistent_keepalive != 0 {
            writeln!(
                writer,
                "PersistentKeepalive = {}",
                peer.persistent_keepalive
            )?;
        }
        Ok(())
    }
}

/// A line with a key: not through the formatter, which might keep copies.
fn setting(writer: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    writer.write_all(name.as_bytes())?;
    writer.write_all(b" = ")?;
    writer.write_all(value)?;
    writer.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use crate::conf::{Dialect, Mode, parse};
    use crate::endpoint::Endpoint;
    use crate::show::testing::{self, P1, P2, PRIVATE, PSK};

    #[test]
    fn what_is_set_is_written() {
        let file = testing::full(|view, out| view.conf(out));
        assert_eq!(
            file,
            format!(
                "[Interface]\nListenPort = 51820\nFwMark = 0xca6c\nPrivateKey = {PRIVATE}\n\n\
                 [Peer]\nPublicKey = {P1}\nPresharedKey = {PSK}\n\
                 AllowedIPs = 10.0.0.0/8, ::ffff:1.2.3.4/128\nEndpoint = 192.0.2.1:5\n\
                 PersistentKeepalive = 25\n\n\
                 [Peer]\nPublicKey = {P2}\n"
            )
        );
        let config = parse(file.as_bytes(), Dialect::Wg).unwrap().config;
        let update = config.to_update(Mode::Replace, |endpoint| match &endpoint.value {
            Endpoint::Numeric(address) => Ok(*address),
            Endpoint::Name(_) => Err(()),
        });
        let update = update.unwrap();
        assert_eq!(
            (update.listen_port, update.fwmark),
            (Some(51820), Some(0xca6c))
        );
        assert_eq!(update.peers.len(), 2);
    }

    #[test]
    fn nothing_is_a_section_and_an_empty_line() {
        assert_eq!(
            testing::empty(|view, out| view.conf(out)),
            "[Interface]\n\n"
        );
    }
}

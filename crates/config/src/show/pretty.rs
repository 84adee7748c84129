//! `wg show`: a device for people to read.

use std::cmp::Reverse;
use std::io::{self, Write};

use crate::device::Peer;
use crate::key::{BASE64_LEN, KeyText};
use crate::show::{View, separated, units};

/// How a device is shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether there are colours.
    pub colour: bool,
    /// Whether secret keys are shown.
    pub show_keys: bool,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
pub(super) const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
pub(super) const CYAN: &str = "\x1b[36m";

impl Style {
    /// An escape sequence, if there are any.
    pub(super) const fn code(self, code: &'static str) -> &'static str {
        if self.colour { code } else { "" }
    }

    pub(super) const fn reset(self) -> &'static str {
        self.code(RESET)
    }
}

impl View<'_> {
    /// Writes the device, its peers with the newest handshake first. `now` is in seconds since
    /// 1970.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn pretty(&self, writer: &mut impl Write, style: Style, now: u64) -> io::Result<()> {
        let mut printer = Printer { writer, style, now };
        printer.device(self)?;
        let mut peers: Vec<&Peer> = self.device.peers.iter().collect();
        // Stable, so that equals stay in the device's order.
        peers.sort_by_key(|peer| Reverse(peer.last_handshake));
        for peer in peers {
            printer.writer.write_all(b"\n")?;
            printer.peer(self, peer)?;
        }
        Ok(())
    }
}

struct Printer<'w, W> {
    writer: &'w mut W,
    style: Style,
    now: u64,
}

impl<W: Write> Printer<'_, W> {
    fn device(&mut self, view: &View<'_>) -> io::Result<()> {
        let device = view.device;
        self.writer.write_all(self.style.reset().as_bytes())?;
        self.heading(GREEN, "interface", view.shown_name())?;
        if let Some(key) = view.public_key {
            self.label("public key")?;
            self.end(key.to_base64().as_bytes())?;
        }
        if let Some(key) = &device.private_key {
            self.secret("private key", &key.to_base64())?;
        }
        if device.listen_port != 0 {
            self.label("listening port")?;
            writeln!(self.writer, "{}", device.listen_port)?;
        }
        if device.fwmark != 0 {
            self.label("fwmark")?;
            writeln!(self.writer, "{:#x}", device.fwmark)?;
        }
        Ok(())
    }

    fn peer(&mut self, view: &View<'_>, peer: &Peer) -> io::Result<()> {
        let (style, now) = (self.style, self.now);
        self.heading(YELLOW, "peer", peer.public_key.to_base64().as_bytes())?;
        if let Some(key) = &peer.preshared_key {
            self.secret("preshared key", &key.to_base64())?;
        }
        if let Some(endpoint) = peer.endpoint {
            self.label("endpoint")?;
            writeln!(self.writer, "{}", view.endpoint(endpoint))?;
        }
        self.allowed_ips(peer)?;
        let handshake = peer.last_handshake.unwrap_or_default().as_secs();
        if handshake != 0 {
            self.label("latest handshake")?;
            units::ago(self.writer, style, handshake, now)?;
            self.end(b"")?;
        }
        if (peer.rx_bytes, peer.tx_bytes) != (0, 0) {
            self.label("transfer")?;
            units::bytes(self.writer, style, peer.rx_bytes)?;
            self.writer.write_all(b" received, ")?;
            units::bytes(self.writer, style, peer.tx_bytes)?;
            self.end(b" sent")?;
        }
        if peer.persistent_keepalive != 0 {
            self.label("persistent keepalive")?;
            self.writer.write_all(b"every ")?;
            units::time(self.writer, style, peer.persistent_keepalive.into())?;
            self.end(b"")?;
        }
        Ok(())
    }

    fn allowed_ips(&mut self, peer: &Peer) -> io::Result<()> {
        let (cyan, reset) = (self.style.code(CYAN), self.style.reset());
        self.label("allowed ips")?;
        if peer.allowed_ips.is_empty() {
            return self.end(b"(none)");
        }
        separated(self.writer, ", ", &peer.allowed_ips, |writer, prefix| {
            let (address, length) = (prefix.shown_addr(), prefix.cidr());
            write!(writer, "{address}{cyan}/{reset}{length}")
        })?;
        self.end(b"")
    }

    fn heading(&mut self, colour: &'static str, what: &str, name: &[u8]) -> io::Result<()> {
        let (colour, bold) = (self.style.code(colour), self.style.code(BOLD));
        let reset = self.style.reset();
        write!(self.writer, "{colour}{bold}{what}{reset}: {colour}")?;
        self.writer.write_all(name)?;
        self.end(reset.as_bytes())
    }

    fn label(&mut self, label: &str) -> io::Result<()> {
        let (bold, reset) = (self.style.code(BOLD), self.style.reset());
        write!(self.writer, "  {bold}{label}{reset}: ")
    }

    fn secret(&mut self, label: &str, key: &KeyText<BASE64_LEN>) -> io::Result<()> {
        self.label(label)?;
        if self.style.show_keys {
            self.end(key.as_bytes())
        } else {
            self.end(b"(hidden)")
        }
    }

    fn end(&mut self, value: &[u8]) -> io::Result<()> {
        self.writer.write_all(value)?;
        self.writer.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::testing::{self, P1, P2, PRIVATE, PSK, PUBLIC};

    const NOW: u64 = 1_700_000_065;

    fn shown(colour: bool, show_keys: bool) -> String {
        testing::full(|view, out| view.pretty(out, Style { colour, show_keys }, NOW))
    }

    fn expected(private: &str, psk: &str) -> String {
        format!(
            "interface: wg0\n  public key: {PUBLIC}\n  private key: {private}\n  \
             listening port: 51820\n  fwmark: 0xca6c\n\n\
             peer: {P1}\n  preshared key: {psk}\n  endpoint: 192.0.2.1:5\n  \
             allowed ips: 10.0.0.0/8, ::ffff:1.2.3.4/128\n  \
             latest handshake: 1 minute, 5 seconds ago\n  \
             transfer: 5.42 MiB received, 1.21 KiB sent\n  \
             persistent keepalive: every 25 seconds\n\n\
             peer: {P2}\n  allowed ips: (none)\n"
        )
    }

    #[test]
    fn secrets_are_hidden_until_asked_for() {
        assert_eq!(shown(false, false), expected("(hidden)", "(hidden)"));
        assert_eq!(shown(false, true), expected(PRIVATE, PSK));
    }

    #[test]
    fn colours_change_nothing_else() {
        let coloured = shown(true, false);
        assert!(coloured.starts_with(
            "\x1b[0m\x1b[32m\x1b[1minterface\x1b[0m: \x1b[32mwg0\x1b[0m\n  \x1b[1mpublic key\x1b[0m: "
        ));
        assert!(coloured.contains("\x1b[33m\x1b[1mpeer\x1b[0m: \x1b[33m"));
        assert!(coloured.contains("10.0.0.0\x1b[36m/\x1b[0m8, "));
        let mut plain = coloured;
        for code in [RESET, BOLD, RED, GREEN, YELLOW, CYAN] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, shown(false, false));
    }

    #[test]
    fn a_device_without_anything_is_a_line() {
        let plain = Style {
            colour: false,
            show_keys: true,
        };
        assert_eq!(
            testing::empty(|view, out| view.pretty(out, plain, NOW)),
            "interface: wg0\n"
        );
    }

    #[test]
    fn newest_handshake_first_and_never_last() {
        let order = testing::handshakes(&[None, Some(5), None, Some(9), Some(5)], |view, out| {
            let style = Style {
                colour: false,
                show_keys: false,
            };
            view.pretty(out, style, NOW)
        });
        assert_eq!(order, [3, 1, 4, 0, 2]);
    }
}

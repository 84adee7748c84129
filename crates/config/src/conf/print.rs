//! Writing a config file.

use std::fmt::{self, Write};

use zeroize::{Zeroize, Zeroizing};

use crate::conf::diagnostic::Section;
use crate::conf::key_source::KeySource;
use crate::conf::span::Spanned;
use crate::conf::{AllowedIps, Config, Interface, Peer};
use crate::text::Line;

impl Config {
    /// The file: `[Interface]` first, then the peers, each after an empty line. Reads back equal
    /// to this, as long as every list of allowed IPs is one that a file can say (see
    /// [`AllowedIps`]). The text holds the keys, and is of the form of [`crate::raw::decode`]:
    /// what goes into a file is [`crate::raw::encode`] of it.
    #[must_use]
    pub fn print(&self) -> Zeroizing<String> {
        let mut text = SecretString::default();
        // Writing into memory does not fail.
        let _infallible = self.print_into(&mut text);
        text.0
    }

    fn print_into(&self, out: &mut SecretString) -> fmt::Result {
        print_interface(out, &self.interface)?;
        self.peers.iter().try_for_each(|peer| print_peer(out, peer))
    }
}

fn print_interface(out: &mut SecretString, interface: &Interface) -> fmt::Result {
    out.write_str("[Interface]\n")?;
    if let Some(key) = &interface.private_key {
        setting(out, "PrivateKey", key.to_base64().as_str())?;
    }
    key_source(
        out,
        Section::Interface,
        interface.private_key_source.as_ref(),
    )?;
    optional(out, "ListenPort", interface.listen_port.as_ref())?;
    if let Some(mark) = &interface.fwmark {
        writeln!(out, "FwMark = {:#x}", **mark)?;
    }
    interface
        .addresses
        .iter()
        .try_for_each(|address| writeln!(out, "Address = {}", **address))?;
    interface
        .dns
        .iter()
        .try_for_each(|dns| writeln!(out, "DNS = {}", dns.word()))?;
    optional(out, "MTU", interface.mtu.as_ref())?;
    optional(out, "Table", interface.table.as_ref())?;
    optional(out, "SaveConfig", interface.save_config.as_ref())?;
    hooks(out, "PreUp", &interface.pre_up)?;
    hooks(out, "PostUp", &interface.post_up)?;
    hooks(out, "PreDown", &interface.pre_down)?;
    hooks(out, "PostDown", &interface.post_down)
}

fn print_peer(out: &mut SecretString, peer: &Peer) -> fmt::Result {
    writeln!(out, "\n[Peer]\nPublicKey = {}", *peer.public_key)?;
    if let Some(key) = &peer.preshared_key {
        setting(out, "PresharedKey", key.to_base64().as_str())?;
    }
    key_source(out, Section::Peer, peer.preshared_key_source.as_ref())?;
    print_allowed_ips(out, &peer.allowed_ips)?;
    optional(out, "Endpoint", peer.endpoint.as_ref())?;
    optional(
        out,
        "PersistentKeepalive",
        peer.persistent_keepalive.as_ref(),
    )
}

fn print_allowed_ips(out: &mut SecretString, list: &AllowedIps) -> fmt::Result {
    // A list with removals that replaces all the same has its removals on earlier lines.
    let separator = if list.replace && list.entries.iter().any(|entry| entry.remove) {
        "\nAllowedIPs = "
    } else {
        ", "
    };
    for (index, entry) in list.entries.iter().enumerate() {
        out.write_str(if index == 0 {
            "AllowedIPs = "
        } else {
            separator
        })?;
        let plus = if list.replace || entry.remove {
            ""
        } else {
            "+"
        };
        write!(out, "{plus}{}", **entry)?;
    }
    if list.entries.is_empty() {
        Ok(())
    } else {
        out.write_str("\n")
    }
}

fn setting(out: &mut SecretString, key: &str, value: &str) -> fmt::Result {
    out.write_str(key)?;
    out.write_str(" = ")?;
    out.write_str(value)?;
    out.write_str("\n")
}

fn optional<T: fmt::Display>(
    out: &mut SecretString,
    key: &str,
    value: Option<&Spanned<T>>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| writeln!(out, "{key} = {}", value.value))
}

fn key_source(
    out: &mut SecretString,
    section: Section,
    source: Option<&Spanned<KeySource>>,
) -> fmt::Result {
    source.map_or(Ok(()), |source| writeln!(out, "{}", source.line(section)))
}

fn hooks(out: &mut SecretString, key: &str, hooks: &[Spanned<Line>]) -> fmt::Result {
    hooks.iter().try_for_each(|hook| setting(out, key, hook))
}

/// A string that zeroes the memory that it outgrows.
#[derive(Default)]
struct SecretString(Zeroizing<String>);

impl Write for SecretString {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let needed = self.0.len() + text.len();
        if needed > self.0.capacity() {
            let mut larger = String::with_capacity(needed.next_power_of_two().max(1024));
            larger.push_str(&self.0);
            std::mem::replace(&mut *self.0, larger).zeroize();
        }
        self.0.push_str(text);
        Ok(())
    }
}

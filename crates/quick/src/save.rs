//! Writing the state of an interface into its file.

use std::path::Path;
use std::rc::Rc;

use hushwire_config::conf::{Config, Dialect, Section, names_key_sources, parse};
use hushwire_config::device::Device;
use hushwire_config::key::PublicKey;
use hushwire_config::raw;
use hushwire_config::show::View;
use hushwire_control::InterfaceNames;
use zeroize::Zeroizing;

use crate::Failure;
use crate::file::QuickFile;
use crate::operation::{Operation, SavedFile};
use crate::system::System;

const SECTION: &[u8] = b"[Interface]\n";
/// Room for a device, so that no copies of keys stay behind where the text grew.
const ROOM: usize = 1 << 20;

/// The file that describes the interface as it is. Of the old file it keeps what is no state:
/// commands and settings, but no comments.
///
/// # Errors
/// When the interface cannot be read.
pub fn operation(
    file: &QuickFile,
    path: &Path,
    system: &mut dyn System,
) -> Result<Operation, Failure> {
    let device = system
        .device()
        .map_err(|error| Failure::new(format!("Unable to access interface: {error}")))?;
    let mut device = device;
    let places = Places::of(file, path)?;
    places.take_keys_out(&mut device);
    let names = InterfaceNames::open();
    let view = View {
        name: b"",
        device: &device,
        public_key: None,
        names: &|index| names.name(index),
    };
    let mut shown = Zeroizing::new(Vec::with_capacity(ROOM));
    view.conf(&mut *shown)
        .map_err(|error| Failure::new(error.to_string()))?;
    let mut settings = settings(file, system)?;
    settings.extend(places.private_key());
    let rest = shown.strip_prefix(SECTION).unwrap_or(&shown);
    let end = rest.iter().rposition(|&byte| byte != b'\n');
    let rest = &rest[..end.map_or(0, |last| last + 1)];

    let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
    text.extend_from_slice(SECTION);
    text.extend_from_slice(&raw::encode(&settings));
    places.put_in(&mut text, rest);
    while text.ends_with(b"\n") {
        text.pop();
    }
    text.push(b'\n');
    Ok(Operation::Save(SavedFile {
        path: path.to_owned(),
        text: Rc::new(text),
    }))
}

/// The lines of the old file that tell where keys are. They stay, and keys that they tell the place
/// of are not written.
struct Places(Config);

impl Places {
    fn of(file: &QuickFile, path: &Path) -> Result<Self, Failure> {
        match parse(&file.passthrough, Dialect::Wg) {
            Ok(parsed) => Ok(Self(parsed.config)),
            Err(_) if names_key_sources(&file.passthrough) => Err(Failure::new(format!(
                "{} has mistakes, so that it does not tell which keys stand elsewhere; mend it, \
                 then save",
                path.display()
            ))),
            Err(_) => Ok(Self(Config::default())),
        }
    }

    fn take_keys_out(&self, device: &mut Device) {
        if self.0.interface.private_key_source.is_some() {
            device.private_key = None;
        }
        for peer in &mut device.peers {
            if self.preshared_key(&peer.public_key).is_some() {
                peer.preshared_key = None;
            }
        }
    }

    fn private_key(&self) -> Option<String> {
        let source = self.0.interface.private_key_source.as_ref()?;
        Some(source.line(Section::Interface) + "\n")
    }

    fn preshared_key(&self, peer: &PublicKey) -> Option<String> {
        let sections = self.0.peers.iter().rev();
        let source = sections
            .filter(|section| section.public_key.value == *peer)
            .find_map(|section| section.preshared_key_source.as_ref())?;
        Some(source.line(Section::Peer) + "\n")
    }

    /// Appends the lines of what is shown, with those of the places behind the names of peers.
    fn put_in(&self, text: &mut Vec<u8>, shown: &[u8]) {
        for line in shown.split_inclusive(|&byte| byte == b'\n') {
            text.extend_from_slice(line);
            let name = line.trim_ascii_end().strip_prefix(b"PublicKey = ");
            let name = name.and_then(|name| PublicKey::from_base64(name).ok());
            if let Some(place) = name.and_then(|name| self.preshared_key(&name)) {
                if !line.ends_with(b"\n") {
                    text.push(b'\n');
                }
                text.extend_from_slice(&raw::encode(&place));
            }
        }
    }
}

/// The lines that are wg-quick(8)'s.
fn settings(file: &QuickFile, system: &mut dyn System) -> Result<String, Failure> {
    let mut lines = String::new();
    let mut line = |key: &str, value: &str| lines.push_str(&format!("{key} = {value}\n"));
    for address in system.addresses()? {
        line("Address", &shown_address(&address.prefix));
    }
    for server in system
        .name_servers()
        .into_iter()
        .flat_map(|dns| dns.servers)
    {
        line("DNS", &server);
    }
    if file.mtu.is_some()
        && let Some(link) = system.link()?
    {
        line("MTU", &link.mtu.to_string());
    }
    if let Some(table) = &file.table {
        line("Table", table);
    }
    if file.save_config {
        line("SaveConfig", "true");
    }
    let hooks = &file.hooks;
    for (key, commands) in [
        ("PreUp", &hooks.pre_up),
        ("PostUp", &hooks.post_up),
        ("PreDown", &hooks.pre_down),
        ("PostDown", &hooks.post_down),
    ] {
        for command in commands {
            line(key, command);
        }
    }
    Ok(lines)
}

fn shown_address(prefix: &hushwire_netlink::Prefix) -> String {
    format!("{}/{}", prefix.address(), prefix.length())
}

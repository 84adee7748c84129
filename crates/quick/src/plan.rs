//! What is to be done for a file, before it is done: the parts that need only a look.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use hushwire_config::device::Device;
use hushwire_config::prefix::Prefix as AllowedIp;
use hushwire_netlink::{IpFamily, MAIN_TABLE, Prefix as NetworkPrefix, Rule};

use crate::Failure;
use crate::file::QuickFile;
use crate::operation::{Dns, Event, Hook, InterfaceRoute, Operation, Resolver};
use crate::system::System;
use crate::words::family_of;

/// The first table to try for default routes.
const FIRST_TABLE: u32 = 51820;
/// What the tunnel adds to a packet, outer IPv6 header included, in bytes.
const OVERHEAD: u32 = 80;
/// The MTU where nothing tells another, in bytes.
const ETHERNET: u32 = 1500;
/// The domain by which systemd-resolved sends all names to an interface's servers.
pub(crate) const ALL_NAMES: &str = "~.";

/// What becomes of the allowed IPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing<'a> {
    /// `Table = off`: nothing.
    Off,
    /// Into the main table, default routes into one of their own.
    Auto,
    /// All into this table.
    Table(&'a str),
}

impl<'a> Routing<'a> {
    /// What a file says.
    #[must_use]
    pub fn of(file: &'a QuickFile) -> Self {
        match file.table.as_deref() {
            None | Some("auto") => Self::Auto,
            Some("off") => Self::Off,
            Some(table) => Self::Table(table),
        }
    }
}

/// The commands as they are run: `%i` stands for the interface.
pub fn hooks<'a>(
    event: Event,
    file: &'a QuickFile,
    interface: &'a str,
) -> impl Iterator<Item = Operation> + 'a {
    let commands = match event {
        Event::PreUp => &file.hooks.pre_up,
        Event::PostUp => &file.hooks.post_up,
        Event::PreDown => &file.hooks.pre_down,
        Event::PostDown => &file.hooks.post_down,
    };
    let hook = move |command: &String| Hook {
        event,
        command: command.replace("%i", interface),
    };
    commands.iter().map(hook).map(Operation::Hook)
}

/// The name servers of a file. Domains alone are not enough.
pub fn dns(file: &QuickFile, system: &mut dyn System) -> Option<Dns> {
    if file.dns.is_empty() {
        return None;
    }
    let resolver = system.resolver();
    // As `resolvconf -x` has it: all names go to these servers.
    let all = (resolver == Resolver::Resolved).then(|| ALL_NAMES.to_owned());
    Some(Dns {
        resolver,
        servers: file.dns.clone(),
        search: all.into_iter().chain(file.search.iter().cloned()).collect(),
    })
}

/// The MTU that fits the way to all endpoints, or else that of the default route, or else
/// Ethernet; less what the tunnel adds.
pub fn mtu(device: &Device, system: &mut dyn System) -> u32 {
    let endpoints = device.peers.iter().filter_map(|peer| peer.endpoint);
    let paths: Vec<u32> = endpoints
        .filter(|endpoint| !has_scope(endpoint))
        .filter_map(|endpoint| system.path_mtu(endpoint.ip()))
        .collect();
    let outer = match paths.into_iter().filter(|mtu| *mtu > 0).min() {
        Some(smallest) => Some(smallest),
        None => system.default_mtu(),
    };
    let outer = outer.filter(|mtu| *mtu > 0).unwrap_or(ETHERNET);
    outer.saturating_sub(OVERHEAD)
}

fn has_scope(endpoint: &SocketAddr) -> bool {
    matches!(endpoint, SocketAddr::V6(address) if address.scope_id() != 0)
}

/// The allowed IPs of all peers in the order in which they become routes: the longest prefix
/// first, and of the same length the greatest text.
#[must_use]
pub fn allowed_ips(device: &Device) -> Vec<AllowedIp> {
    let mut prefixes: Vec<(u8, String, AllowedIp)> = device
        .peers
        .iter()
        .flat_map(|peer| &peer.allowed_ips)
        .map(|prefix| (prefix.cidr(), prefix.to_string(), *prefix))
        .collect();
    prefixes.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    prefixes.into_iter().map(|(.., prefix)| prefix).collect()
}

/// Whether there is a default route among the allowed IPs.
#[must_use]
pub fn has_default(device: &Device) -> bool {
    let peers = device.peers.iter();
    peers
        .flat_map(|peer| &peer.allowed_ips)
        .any(|prefix| prefix.cidr() == 0)
}

/// The route to a prefix.
#[must_use]
pub fn route(prefix: &AllowedIp, table: Option<String>) -> InterfaceRoute {
    let destination = prefix.to_string();
    InterfaceRoute {
        family: family_of(&destination),
        destination,
        table,
    }
}

/// What the main table leads through the interface already: the networks of its addresses, say.
///
/// Looked at once is enough for all allowed IPs in their order: a route is never covered by one to
/// a longer prefix, which is made before.
#[derive(Debug, Default)]
pub struct Covered(HashSet<(IpAddr, u8)>);

impl Covered {
    /// What is covered now.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn look(system: &mut dyn System) -> Result<Self, Failure> {
        let routes = system.routes()?;
        let main = routes.iter().filter(|route| route.table == MAIN_TABLE);
        Ok(main.map(|route| route.destination).collect())
    }

    /// Whether a prefix lies in one of these.
    #[must_use]
    pub fn has(&self, prefix: &AllowedIp) -> bool {
        (0..=prefix.cidr()).any(|length| {
            let wide = NetworkPrefix::new(prefix.addr(), length).map(|wide| wide.network());
            wide.is_ok_and(|wide| self.0.contains(&(wide.address(), length)))
        })
    }
}

impl FromIterator<NetworkPrefix> for Covered {
    fn from_iter<T: IntoIterator<Item = NetworkPrefix>>(prefixes: T) -> Self {
        let networks = prefixes.into_iter().map(|prefix| prefix.network());
        Self(networks.map(|one| (one.address(), one.length())).collect())
    }
}

/// A number for a table that nobody uses, for default routes and the mark that goes with them.
///
/// # Errors
/// When the system does not tell.
pub fn free_table(system: &mut dyn System) -> Result<u32, Failure> {
    let used = system.used_tables()?;
    let free = (FIRST_TABLE..).find(|table| !used.contains(table));
    Ok(free.unwrap_or(FIRST_TABLE))
}

/// The rules that send packets without the mark to a table, unless the main table has a better
/// route for them than a default one.
#[must_use]
pub fn default_rules(family: IpFamily, table: u32) -> [Rule; 2] {
    [
        Rule::ask(family, table).unless_mark(table),
        Rule::ask(family, MAIN_TABLE).suppress_prefix_length(0),
    ]
}

#[cfg(test)]
mod tests {
    use hushwire_config::device::Peer;
    use hushwire_config::key::PublicKey;

    use super::*;

    fn device(prefixes: &[&str]) -> Device {
        let mut peer = Peer::new(PublicKey::new([1; 32]));
        peer.allowed_ips = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        Device {
            peers: vec![peer],
            ..Device::default()
        }
    }

    fn order(prefixes: &[&str]) -> Vec<String> {
        let prefixes = allowed_ips(&device(prefixes));
        prefixes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_longest_prefix_comes_first_and_then_the_greatest_text() {
        assert_eq!(
            order(&["10.1.0.0/16", "10.2.0.0/16", "10.10.0.0/16"]),
            ["10.2.0.0/16", "10.10.0.0/16", "10.1.0.0/16"]
        );
        assert_eq!(
            order(&[
                "0.0.0.0/0",
                "10.0.0.0/8",
                "::/0",
                "fd78::/64",
                "10.0.0.0/30"
            ]),
            [
                "fd78::/64",
                "10.0.0.0/30",
                "10.0.0.0/8",
                "::/0",
                "0.0.0.0/0"
            ]
        );
    }

    #[test]
    fn a_default_route_has_no_length() {
        assert!(has_default(&device(&["10.0.0.0/8", "::/0"])));
        assert!(!has_default(&device(&["0.0.0.0/1", "128.0.0.0/1"])));
    }

    #[test]
    fn a_wider_prefix_covers() {
        let networks = ["10.7.0.1/24", "fd07::1/64"].map(|text| text.parse().unwrap());
        let covered: Covered = networks.into_iter().collect();
        for (text, expected) in [
            ("10.7.0.0/24", true),
            ("10.7.0.9/32", true),
            ("10.7.0.0/23", false),
            ("10.7.1.0/24", false),
            ("fd07::5/128", true),
            ("fd07::/63", false),
            ("0.0.0.0/0", false),
        ] {
            assert_eq!(covered.has(&text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn tables() {
        let routing = |table: &str| {
            let text = format!("[Interface]\nTable = {table}\n");
            let file = QuickFile::parse(text.as_bytes()).unwrap();
            format!("{:?}", Routing::of(&file))
        };
        assert_eq!(routing(""), "Auto");
        assert_eq!(routing("auto"), "Auto");
        assert_eq!(routing("off"), "Off");
        assert_eq!(routing("Off"), "Table(\"Off\")");
        assert_eq!(routing("main"), "Table(\"main\")");
    }
}

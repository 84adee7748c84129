//! Addresses, MTU, name servers, routes and rules: only the difference.

use std::collections::HashSet;
use std::net::IpAddr;

use hushwire_config::conf::Config;
use hushwire_config::device::Device;
use hushwire_netlink::{IpFamily, MAIN_TABLE, Prefix};

use crate::file::QuickFile;
use crate::firewall::Guard;
use crate::operation::{InterfaceRoute, Operation};
use crate::plan::{self, Covered, Routing};
use crate::transaction::Transaction;
use crate::words;
use crate::{Failure, down, up};

/// The kernel keeps the routes to local addresses here.
const LOCAL_TABLE: u32 = 255;

const FAMILIES: [IpFamily; 2] = [IpFamily::V4, IpFamily::V6];

/// The mark of default routes, as it is and as it is to be.
#[derive(Debug)]
pub(super) struct Marks {
    before: u32,
    after: u32,
    /// The families that have their rules, and what the firewall has for them.
    present: Vec<(IpFamily, Guard)>,
    /// The families that are to have them.
    wanted: Vec<IpFamily>,
}

impl Marks {
    pub(super) fn new(
        file: &QuickFile,
        config: &Config,
        runtime: &Device,
        transaction: &mut Transaction<'_>,
    ) -> Result<Self, Failure> {
        let before = runtime.fwmark;
        let mut wanted = Vec::new();
        if Routing::of(file) == Routing::Auto {
            let entries = config
                .peers
                .iter()
                .flat_map(|peer| &peer.allowed_ips.entries);
            let defaults = entries.filter(|entry| !entry.remove && entry.prefix.cidr() == 0);
            let families: Vec<bool> = defaults
                .map(|entry| entry.prefix.addr().is_ipv4())
                .collect();
            wanted.extend(families.contains(&false).then_some(IpFamily::V6));
            wanted.extend(families.contains(&true).then_some(IpFamily::V4));
        }
        let mut present = Vec::new();
        for family in FAMILIES {
            let rules = transaction.system.rules(family)?;
            let is_ours = |table: u32| before != 0 && table == before;
            if rules
                .iter()
                .any(|rule| rule.inverted && is_ours(rule.table))
            {
                present.push((family, up::guard(family, before, transaction)?));
            }
        }
        let after = match config.interface.fwmark {
            Some(mark) if *mark != 0 => *mark,
            // One that was chosen for default routes is of no use without.
            _ if wanted.is_empty() && !present.is_empty() => 0,
            _ if !wanted.is_empty() && before == 0 => plan::free_table(transaction.system)?,
            Some(_) | None if wanted.is_empty() && config.interface.fwmark.is_some() => 0,
            _ => before,
        };
        Ok(Self {
            before,
            after,
            present,
            wanted,
        })
    }

    /// The mark that the device is to have.
    pub(super) const fn wanted(&self) -> u32 {
        self.after
    }

    fn is_kept(&self, family: IpFamily) -> bool {
        self.before == self.after
            && self.present.iter().any(|(present, _)| *present == family)
            && self.wanted.contains(&family)
    }
}

/// Takes away the rules and the firewall of default routes that are no more.
pub(super) fn drop_defaults(
    marks: &Marks,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    for (family, guard) in &marks.present {
        if marks.is_kept(*family) {
            continue;
        }
        down::delete_rules(*family, marks.before, transaction)?;
        let route = default_route(*family, marks.before);
        if has_default(*family, marks.before, transaction)? {
            transaction.run(&Operation::DeleteRoute(route))?;
        }
        if !transaction.system.firewall_leftovers().is_empty() {
            transaction.run(&Operation::DropFirewall(guard.clone()))?;
        }
    }
    Ok(())
}

/// Makes the default routes that are new, and guards the addresses if they have changed.
pub(super) fn add_defaults(
    marks: &Marks,
    addresses_changed: bool,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    for (family, old) in &marks.present {
        if !marks.is_kept(*family) {
            continue;
        }
        if !has_default(*family, marks.after, transaction)? {
            let route = default_route(*family, marks.after);
            transaction.run(&Operation::AddRoute(route))?;
        }
        if addresses_changed {
            let new = up::guard(*family, marks.after, transaction)?;
            let old = old.clone();
            transaction.run(&Operation::ReplaceFirewall { old, new })?;
        }
    }
    for family in &marks.wanted {
        if !marks.is_kept(*family) {
            up::add_default(*family, transaction)?;
        }
    }
    Ok(())
}

fn has_default(
    family: IpFamily,
    table: u32,
    transaction: &mut Transaction<'_>,
) -> Result<bool, Failure> {
    let all = match family {
        IpFamily::V4 => Prefix::ALL_V4,
        IpFamily::V6 => Prefix::ALL_V6,
    };
    let routes = transaction.system.routes()?;
    Ok(routes
        .iter()
        .any(|route| (route.destination, route.table) == (all, table)))
}

fn default_route(family: IpFamily, table: u32) -> InterfaceRoute {
    let all = match family {
        IpFamily::V4 => "0.0.0.0/0",
        IpFamily::V6 => "::/0",
    };
    InterfaceRoute {
        family,
        destination: all.to_owned(),
        table: Some(table.to_string()),
    }
}

/// Makes the addresses those of the file. The kernel's own link-local one stays. Tells whether one
/// has changed.
pub(super) fn addresses(
    file: &QuickFile,
    transaction: &mut Transaction<'_>,
) -> Result<bool, Failure> {
    let wanted = wanted_addresses(file)?;
    // New ones first: with its last IPv4 address, an interface loses all its IPv4 routes.
    let mut changed = add_missing(&wanted, transaction)?;
    for address in transaction.system.addresses()? {
        let is_wanted = wanted.iter().any(|(_, prefix)| *prefix == address.prefix);
        if !is_wanted && !is_link_local(address.prefix.address()) {
            let shown = address.prefix.to_string();
            transaction.run(&Operation::DeleteAddress(shown))?;
            changed = true;
        }
    }
    // With an address, the kernel may have deleted others of the same network.
    changed |= add_missing(&wanted, transaction)?;
    Ok(changed)
}

fn add_missing(
    wanted: &[(String, Prefix)],
    transaction: &mut Transaction<'_>,
) -> Result<bool, Failure> {
    let present = transaction.system.addresses()?;
    let mut changed = false;
    for (word, prefix) in wanted {
        if !present.iter().any(|address| address.prefix == *prefix) {
            transaction.run(&Operation::AddAddress(word.clone()))?;
            changed = true;
        }
    }
    Ok(changed)
}

fn wanted_addresses(file: &QuickFile) -> Result<Vec<(String, Prefix)>, Failure> {
    let parsed = file.addresses.iter().map(|word| {
        let prefix = words::address(word).ok_or_else(|| {
            Failure::new(format!(
                "Error: inet prefix is expected rather than \"{word}\"."
            ))
        })?;
        Ok((word.clone(), prefix))
    });
    parsed.collect()
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Makes the MTU that of the file, or the one that fits the way to the endpoints.
pub(super) fn mtu(file: &QuickFile, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    let wanted = match &file.mtu {
        Some(mtu) => mtu.clone(),
        None => {
            let device = super::read(transaction)?;
            plan::mtu(&device, transaction.system).to_string()
        }
    };
    let link = transaction.system.link()?;
    if link.is_some_and(|link| link.up && words::mtu(&wanted) == Some(link.mtu)) {
        return Ok(());
    }
    transaction.run(&Operation::SetMtuUp(wanted))
}

/// Tells the resolver of the file's name servers, if it knows others.
pub(super) fn dns(file: &QuickFile, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    // Without one, `hushwire run` has left them alone too.
    if !transaction.system.has_resolver() {
        return Ok(());
    }
    let old = transaction.system.name_servers();
    match (old, plan::dns(file, transaction.system)) {
        (old, Some(new)) if old.as_ref() != Some(&new) => {
            transaction.run(&Operation::ReplaceDns { old, new })
        }
        (Some(old), None) => transaction.run(&Operation::UnsetDns(old)),
        _ => Ok(()),
    }
}

/// Makes the routes those to the file's allowed IPs. Only routes to what were allowed IPs before
/// go; whatever else there is, is somebody else's.
pub(super) fn routes(
    file: &QuickFile,
    before: &Device,
    marks: &Marks,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let after = super::read(transaction)?;
    let wanted = wanted_routes(file, &after)?;
    let wanted_set: HashSet<(Prefix, u32)> = wanted
        .iter()
        .map(|(_, prefix, table)| (*prefix, *table))
        .collect();
    let old: HashSet<(IpAddr, u8)> = plan::allowed_ips(before)
        .iter()
        .map(|prefix| (prefix.addr(), prefix.cidr()))
        .collect();
    let networks = networks(file)?;
    let present = transaction.system.routes()?;
    let present_set: HashSet<(Prefix, u32)> = present
        .iter()
        .map(|route| (route.destination, route.table))
        .collect();
    for route in &present {
        let destination = route.destination;
        let was_allowed = old.contains(&(destination.address(), destination.length()));
        let is_wanted = wanted_set.contains(&(destination, route.table));
        let is_network = route.table == MAIN_TABLE && networks.contains(&destination);
        let is_default = destination.length() == 0
            && marks.after != 0
            && [marks.before, marks.after].contains(&route.table);
        if was_allowed && !is_wanted && !is_network && !is_default && route.table != LOCAL_TABLE {
            let gone = InterfaceRoute {
                family: words::family_of(&destination.to_string()),
                destination: destination.to_string(),
                table: (route.table != MAIN_TABLE).then(|| route.table.to_string()),
            };
            transaction.run(&Operation::DeleteRoute(gone))?;
        }
    }
    let missing = wanted
        .into_iter()
        .filter(|(_, prefix, table)| !present_set.contains(&(*prefix, *table)));
    transaction.run_all(missing.map(|(route, ..)| Operation::AddRoute(route)))
}

fn networks(file: &QuickFile) -> Result<Vec<Prefix>, Failure> {
    let addresses = wanted_addresses(file)?;
    Ok(addresses
        .iter()
        .map(|(_, prefix)| prefix.network())
        .collect())
}

/// The routes that an `up` would make, but for the default routes of `Table = auto`.
fn wanted_routes(
    file: &QuickFile,
    device: &Device,
) -> Result<Vec<(InterfaceRoute, Prefix, u32)>, Failure> {
    let routing = Routing::of(file);
    let covered: Covered = networks(file)?.into_iter().collect();
    let mut wanted = Vec::new();
    for allowed in plan::allowed_ips(device) {
        let Ok(prefix) = Prefix::new(allowed.addr(), allowed.cidr()) else {
            continue;
        };
        match routing {
            Routing::Off => {}
            Routing::Table(word) => {
                let table = words::table(word)
                    .ok_or_else(|| Failure::bad_word(word, "\"table\" value is invalid"))?;
                wanted.push((plan::route(&allowed, Some(word.to_owned())), prefix, table));
            }
            Routing::Auto if prefix.length() == 0 => {}
            Routing::Auto if covered.has(&allowed) => {}
            Routing::Auto => wanted.push((plan::route(&allowed, None), prefix, MAIN_TABLE)),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use hushwire_config::device::Peer;
    use hushwire_config::key::PublicKey;

    use super::*;

    fn wanted(settings: &str, prefixes: &[&str]) -> Vec<String> {
        let text = format!("[Interface]\n{settings}\n");
        let file = QuickFile::parse(text.as_bytes()).unwrap();
        let mut peer = Peer::new(PublicKey::new([1; 32]));
        peer.allowed_ips = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        let device = Device {
            peers: vec![peer],
            ..Device::default()
        };
        let routes = wanted_routes(&file, &device).unwrap();
        let shown = routes.into_iter();
        shown
            .map(|(_, prefix, table)| format!("{prefix} {table}"))
            .collect()
    }

    #[test]
    fn the_routes_of_a_fresh_interface() {
        assert_eq!(
            wanted(
                "Address = 10.0.0.1/24",
                &["10.0.0.2/32", "10.0.0.0/8", "::/0"]
            ),
            ["10.0.0.0/8 254"],
            "a network has its route, and a default route one of its own"
        );
        assert_eq!(
            wanted("Table = 7", &["10.0.0.0/8", "::/0"]),
            ["10.0.0.0/8 7", "::/0 7"]
        );
        assert!(wanted("Table = off", &["10.0.0.0/8"]).is_empty());
    }

    #[test]
    fn only_the_kernels_own_address_is_link_local() {
        assert!(is_link_local("fe80::1".parse().unwrap()));
        assert!(!is_link_local("fd00::1".parse().unwrap()));
        assert!(!is_link_local("169.254.0.1".parse().unwrap()));
    }
}

//! The routes to the peers' allowed IPs.

use std::fs;

use hushwire_config::conf::{Config, Table};
use hushwire_netlink::{Netlink, Prefix, Route, RouteFilter};

use super::default_route::DefaultRoutes;
use super::error::Error;
use super::ipv6::Ipv6;

/// Where iproute2 keeps the names of tables, the administrator's first.
const TABLE_NAMES: [&str; 2] = ["/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"];

/// What is to become of the allowed IPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    /// `Table = off`.
    Off,
    /// All of them into this table.
    Table(u32),
    /// Into the main table.
    Main,
    /// The same, and default routes into a table of their own, for all packets but those with a
    /// mark: both have this number.
    MainAndDefault(u32),
}

impl Routing {
    /// Decides, and chooses a table for default routes if one is needed.
    pub(super) fn plan(config: &Config, netlink: &mut Netlink, ipv6: Ipv6) -> Result<Self, Error> {
        let table = config.interface.table.as_deref();
        match table.unwrap_or(&Table::Auto) {
            Table::Off => Ok(Self::Off),
            Table::Auto => {
                let mut prefixes = allowed_ips(config, ipv6).into_iter();
                if !prefixes.any(|prefix| prefix.length() == 0) {
                    return Ok(Self::Main);
                }
                let mark = config.interface.fwmark.map_or(0, |mark| *mark);
                super::default_route::choose_table(mark, netlink).map(Self::MainAndDefault)
            }
            named => {
                let names = TABLE_NAMES.map(|path| fs::read_to_string(path).unwrap_or_default());
                named
                    .id(&names.join("\n"))
                    .map(Self::Table)
                    .ok_or_else(|| Error::Table(named.clone()))
            }
        }
    }

    /// The mark that the tunnel's own packets need, so that they do not go through it.
    pub(super) fn mark(self) -> Option<u32> {
        match self {
            Self::MainAndDefault(mark) => Some(mark),
            Self::Main | Self::Off | Self::Table(_) => None,
        }
    }
}

/// Adds the routes. Those of the interface itself go with it; the value has the rest.
pub(super) fn add(
    routing: Routing,
    config: &Config,
    ipv6: Ipv6,
    netlink: &mut Netlink,
    index: u32,
) -> Result<Option<DefaultRoutes>, Error> {
    let mut default_routes = None;
    let of_interface = RouteFilter {
        device: Some(index),
        ..RouteFilter::default()
    };
    let mut present: Vec<Prefix> = match routing {
        Routing::Off => return Ok(None),
        Routing::Table(_) => Vec::new(),
        Routing::Main | Routing::MainAndDefault(_) => netlink
            .routes(of_interface)?
            .iter()
            .map(|route| route.destination)
            .collect(),
    };
    present.retain(|prefix| prefix.length() > 0);
    for prefix in allowed_ips(config, ipv6) {
        match routing {
            Routing::Off => {}
            Routing::Table(table) => {
                add_one(netlink, &Route::to(prefix).on(index).table(table))?;
            }
            Routing::MainAndDefault(table) if prefix.length() == 0 => {
                let routes = match &mut default_routes {
                    Some(routes) => routes,
                    none => none.insert(DefaultRoutes::new(table)?),
                };
                routes.add(prefix, index)?;
            }
            Routing::Main | Routing::MainAndDefault(_) => {
                // The subnet of an address has its route already.
                if !present.iter().any(|wider| covers(wider, &prefix)) {
                    add_one(netlink, &Route::to(prefix).on(index))?;
                }
            }
        }
    }
    Ok(default_routes)
}

fn add_one(netlink: &mut Netlink, route: &Route) -> Result<(), Error> {
    netlink.add_route(route).map_err(|error| {
        if error.is_already_there() {
            Error::RouteTaken(error)
        } else {
            error.into()
        }
    })
}

fn covers(wider: &Prefix, prefix: &Prefix) -> bool {
    wider.length() <= prefix.length() && wider.contains(prefix.address())
}

/// All prefixes that the device will have, each once, the longest first.
fn allowed_ips(config: &Config, ipv6: Ipv6) -> Vec<Prefix> {
    let entries = config
        .peers
        .iter()
        .flat_map(|peer| &peer.allowed_ips.entries)
        .filter(|entry| !entry.remove && ipv6.allows(entry.prefix.addr()));
    let mut prefixes: Vec<Prefix> = entries
        .filter_map(|entry| Prefix::new(entry.prefix.addr(), entry.prefix.cidr()).ok())
        .map(|prefix| prefix.network())
        .collect();
    prefixes.sort_by(|a, b| b.length().cmp(&a.length()).then_with(|| b.cmp(a)));
    prefixes.dedup();
    prefixes
}

//! Default routes through the tunnel: a table of their own, and rules that send every packet
//! there but the tunnel's.

use std::fs;

use hushwire_netlink::{IpFamily, MAIN_TABLE, Netlink, Prefix, Route, RouteFilter, Rule};

use super::configuration::warn;
use super::error::Error;
use super::firewall::Firewall;

/// The first table to try, as wg-quick(8) has it.
const FIRST_TABLE: u32 = 51820;
/// Makes the reverse path filter look at marks.
const SRC_VALID_MARK: &str = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

/// The number of a table for default routes, and of the mark of packets that do not use it: the
/// mark of the file, else the first number from 51820 on whose table is empty.
pub(super) fn choose_table(fwmark: u32, netlink: &mut Netlink) -> Result<u32, Error> {
    if fwmark != 0 {
        return Ok(fwmark);
    }
    let routes = netlink.routes(RouteFilter::default())?;
    let free = |table: &u32| !routes.iter().any(|route| route.table == *table);
    Ok((FIRST_TABLE..).find(free).unwrap_or(FIRST_TABLE))
}

/// The rules made for default routes. They are deleted when this is dropped; the routes go with
/// the interface.
pub(super) struct DefaultRoutes {
    netlink: Netlink,
    rules: Vec<Rule>,
    families: Vec<IpFamily>,
    /// The table's number and the mark.
    table: u32,
    firewall: Option<Firewall>,
}

impl DefaultRoutes {
    pub(super) fn new(table: u32) -> Result<Self, Error> {
        Ok(Self {
            netlink: Netlink::open()?,
            rules: Vec::new(),
            families: Vec::new(),
            table,
            firewall: None,
        })
    }

    /// Sends all packets of the prefix's family without the mark to the interface, those excepted
    /// for which the main table has a better route than a default one.
    pub(super) fn add(&mut self, prefix: Prefix, index: u32) -> Result<(), Error> {
        let table = self.table;
        let family = if prefix.is_ipv4() {
            IpFamily::V4
        } else {
            IpFamily::V6
        };
        self.add_rule(Rule::ask(family, table).unless_mark(table))?;
        self.add_rule(Rule::ask(family, MAIN_TABLE).suppress_prefix_length(0))?;
        self.netlink
            .add_route(&Route::to(prefix).on(index).table(table))?;
        if family == IpFamily::V4 {
            heed_marks();
        }
        self.families.push(family);
        Ok(())
    }

    /// Sets up the firewall for them. The interface has its addresses by now.
    pub(super) fn guard(&mut self, interface: &str, index: u32) -> Result<(), Error> {
        let addresses = self.netlink.addresses(index)?;
        let addresses: Vec<_> = addresses
            .iter()
            .map(|address| address.prefix.address())
            .collect();
        let firewall = Firewall::set_up(interface, self.table, &addresses, &self.families);
        self.firewall = Some(firewall);
        Ok(())
    }

    fn add_rule(&mut self, rule: Rule) -> Result<(), Error> {
        self.netlink.add_rule(&rule)?;
        // Other tunnels have the same rules. The kernel puts a new one before the others, and
        // this one must be taken away again and no other, for their order is what makes them work.
        let alike = |other: &Rule| {
            Rule {
                priority: None,
                ..*other
            } == rule
        };
        let ours = self
            .netlink
            .rules(rule.family)?
            .into_iter()
            .filter(alike)
            .min_by_key(|rule| rule.priority);
        self.rules.push(ours.unwrap_or(rule));
        Ok(())
    }
}

impl Drop for DefaultRoutes {
    fn drop(&mut self) {
        for rule in self.rules.drain(..).rev() {
            match self.netlink.delete_rule(&rule) {
                Err(error) if !error.is_missing() => warn(&error),
                _ => {}
            }
        }
    }
}

/// Without this, a strict reverse path filter drops what comes from the endpoint, because it
/// would route an answer into the tunnel. It stays on, as with wg-quick(8): another tunnel may
/// have come to rely on it.
fn heed_marks() {
    if fs::read_to_string(SRC_VALID_MARK).is_ok_and(|value| value.trim() == "1") {
        return;
    }
    if let Err(error) = fs::write(SRC_VALID_MARK, "1") {
        warn(&format_args!(
            "cannot set net.ipv4.conf.all.src_valid_mark=1: {error}; with net.ipv4.conf.*.rp_filter=1 \
             nothing will come in; set it from outside (`docker run --sysctl`)"
        ));
    }
}

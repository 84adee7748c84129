//! Bringing an interface up.

use std::net::IpAddr;
use std::rc::Rc;

use hushwire_config::conf::Dialect;
use hushwire_netlink::IpFamily;

use crate::file::QuickFile;
use crate::firewall::{Guard, Guarded, Tool};
use crate::operation::{Daemon, Event, InterfaceRoute, Operation, Passthrough};
use crate::plan::{self, Covered, Routing};
use crate::transaction::Transaction;
use crate::words::family_of;
use crate::{Failure, keys};

/// Who is to run a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The kernel if it can, else a daemon.
    #[default]
    Auto,
    /// The kernel.
    Kernel,
    /// A daemon.
    Userspace,
}

/// How to bring an interface up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who runs the device.
    pub backend: Backend,
    /// The daemon, if there is one.
    pub daemon: Option<Daemon>,
    /// Whether IPv6 addresses and routes are left out, on a host that has no IPv6.
    pub without_ipv6: bool,
    /// Whether name servers are left as they are.
    pub without_dns: bool,
}

impl Options {
    /// As wg-quick(8) does it.
    #[must_use]
    pub const fn new(backend: Backend, daemon: Option<Daemon>) -> Self {
        Self {
            backend,
            daemon,
            without_ipv6: false,
            without_dns: false,
        }
    }

    fn takes(&self, family: IpFamily) -> bool {
        family == IpFamily::V4 || !self.without_ipv6
    }
}

/// Brings an interface up as the file says. A failure, or a signal, undoes all that was done.
///
/// # Errors
/// What failed. It has been told.
pub fn up(
    file: &QuickFile,
    options: &Options,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let done = bring_up(file, options, transaction);
    if let Err(failure) = &done {
        transaction.explain(failure);
        transaction.roll_back_link();
    }
    done
}

fn bring_up(
    file: &QuickFile,
    options: &Options,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let interface = transaction.interface();
    create(file, options, transaction)?;
    transaction.run_all(plan::hooks(Event::PreUp, file, interface))?;
    let text = Passthrough(Rc::new(file.passthrough.clone()));
    transaction.run(&Operation::Configure(text))?;
    // Left in the text by a rehearsal only, which reads no keys.
    for line in keys::places(&file.passthrough, Dialect::Wg) {
        transaction.say(&format!("  {line}"));
    }
    for address in &file.addresses {
        if !options.takes(family_of(address)) {
            continue;
        }
        transaction.run(&Operation::AddAddress(address.clone()))?;
    }
    set_mtu_up(file, transaction)?;
    let dns = plan::dns(file, transaction.system);
    if let Some(dns) = dns.filter(|_| !options.without_dns) {
        transaction.run(&Operation::SetDns(dns))?;
    }
    add_routes(Routing::of(file), options, transaction)?;
    transaction.run_all(plan::hooks(Event::PostUp, file, interface))
}

fn create(
    file: &QuickFile,
    options: &Options,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let found = options.daemon.clone().map(|daemon| Daemon {
        low_ports: file.has_low_port(),
        ..daemon
    });
    let daemon = || {
        found.clone().ok_or_else(|| {
            Failure::new("there is no daemon to run the interface; install hushwired")
        })
    };
    if options.backend == Backend::Userspace {
        return transaction.run(&Operation::StartDaemon(daemon()?));
    }
    let Err(failure) = transaction.run(&Operation::CreateLink) else {
        return Ok(());
    };
    let can_fall_back = options.backend == Backend::Auto && transaction.system.lacks_module();
    let Some(daemon) = found.clone().filter(|_| can_fall_back) else {
        return Err(failure);
    };
    transaction.explain(&failure);
    transaction
        .say("[!] Missing WireGuard kernel module. Falling back to slow userspace implementation.");
    transaction.run(&Operation::StartDaemon(daemon))
}

fn set_mtu_up(file: &QuickFile, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    let mtu = match &file.mtu {
        Some(mtu) => mtu.clone(),
        None => {
            let device = transaction.system.device().unwrap_or_default();
            plan::mtu(&device, transaction.system).to_string()
        }
    };
    transaction.run(&Operation::SetMtuUp(mtu))
}

fn add_routes(
    routing: Routing<'_>,
    options: &Options,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    if routing == Routing::Off {
        return Ok(());
    }
    let device = transaction
        .system
        .device()
        .map_err(|error| Failure::new(format!("Unable to access interface: {error}")))?;
    let covered = Covered::look(transaction.system)?;
    for prefix in plan::allowed_ips(&device) {
        if !options.takes(family_of(&prefix.to_string())) {
            continue;
        }
        match routing {
            Routing::Off => {}
            Routing::Table(table) => {
                let route = plan::route(&prefix, Some(table.to_owned()));
                transaction.run(&Operation::AddRoute(route))?;
            }
            Routing::Auto if prefix.cidr() == 0 => {
                add_default(family_of(&prefix.to_string()), transaction)?;
            }
            Routing::Auto => {
                if !covered.has(&prefix) {
                    let route = plan::route(&prefix, None);
                    transaction.run(&Operation::AddRoute(route))?;
                }
            }
        }
    }
    Ok(())
}

/// Sends everything of a family through the interface, but for its own packets.
pub(crate) fn add_default(
    family: IpFamily,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let device = transaction.system.device();
    let table = match device.map_or(0, |device| device.fwmark) {
        0 => {
            let table = plan::free_table(transaction.system)?;
            transaction.run(&Operation::SetMark(table))?;
            table
        }
        mark => mark,
    };
    for rule in plan::default_rules(family, table) {
        transaction.run(&Operation::AddRule(rule))?;
    }
    let all = match family {
        IpFamily::V4 => "0.0.0.0/0",
        IpFamily::V6 => "::/0",
    };
    let route = InterfaceRoute {
        family,
        destination: all.to_owned(),
        table: Some(table.to_string()),
    };
    transaction.run(&Operation::AddRoute(route))?;
    if family == IpFamily::V4 && !transaction.system.heeds_marks() {
        transaction.run(&Operation::HeedMarks)?;
    }
    let guard = guard(family, table, transaction)?;
    transaction.run(&Operation::AddFirewall(guard))
}

/// The firewall rules for a default route. The interface has its addresses by now.
pub(crate) fn guard(
    family: IpFamily,
    mark: u32,
    transaction: &mut Transaction<'_>,
) -> Result<Guard, Failure> {
    let is_v4 = family == IpFamily::V4;
    let addresses: Vec<IpAddr> = transaction
        .system
        .addresses()?
        .iter()
        .filter(|address| address.peer.is_none())
        .map(|address| address.prefix.address())
        .filter(|address| address.is_ipv4() == is_v4)
        .collect();
    let guarded = Guarded {
        interface: transaction.interface(),
        mark,
        family,
        addresses: &addresses,
    };
    let tool = if transaction.system.has_nft() {
        Tool::Nft
    } else {
        Tool::iptables(family)
    };
    Ok(guarded.guard(tool))
}

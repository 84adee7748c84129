//! The system that an interface is part of: what is looked at, and what is done.

mod around;
mod child;
mod dns;
mod dry;
mod live;
mod perform;

use std::collections::BTreeSet;
use std::net::IpAddr;

use hushwire_config::device::Device;
use hushwire_control::Error;
use hushwire_netlink::{Address, IpFamily, Link, Route, Rule};

use crate::Failure;
use crate::firewall::Script;
use crate::operation::{Dns, Operation, Resolver};

pub use around::Around;
pub use dry::DryRun;
pub use live::{Environment, Live, find_program};

/// A system as one interface sees it.
pub trait System {
    /// Does something, all of it or nothing, and gives what undoes it. Nothing undoes what goes
    /// with the interface.
    ///
    /// # Errors
    /// [`Failure`], in the words of the program that wg-quick(8) would have called.
    fn perform(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure>;

    /// The interface, if there is one of its name.
    ///
    /// # Errors
    /// When the system does not tell. The same holds for all that follow.
    fn link(&mut self) -> Result<Option<Link>, Failure>;

    /// Whether a missing interface of the kernel's own can be one of a daemon's instead: there is
    /// no module for it.
    fn lacks_module(&mut self) -> bool;

    /// Whether the interface is one of WireGuard's.
    ///
    /// # Errors
    /// As [`System::link`].
    fn is_wireguard(&mut self) -> Result<bool, Failure>;

    /// The device's state.
    ///
    /// # Errors
    /// When there is no such device, or it does not answer.
    fn device(&mut self) -> Result<Device, Error>;

    /// The interface's addresses.
    ///
    /// # Errors
    /// As [`System::link`].
    fn addresses(&mut self) -> Result<Vec<Address>, Failure>;

    /// The routes through the interface, in all tables.
    ///
    /// # Errors
    /// As [`System::link`].
    fn routes(&mut self) -> Result<Vec<Route>, Failure>;

    /// The rules of a family that ask a table, in their order.
    ///
    /// # Errors
    /// As [`System::link`].
    fn rules(&mut self, family: IpFamily) -> Result<Vec<Rule>, Failure>;

    /// The numbers of the tables with a route in them.
    ///
    /// # Errors
    /// As [`System::link`].
    fn used_tables(&mut self) -> Result<BTreeSet<u32>, Failure>;

    /// The MTU of the way to an address, in bytes; none if there is no way.
    fn path_mtu(&mut self, address: IpAddr) -> Option<u32>;

    /// The MTU of the default route, in bytes; none if there is none.
    fn default_mtu(&mut self) -> Option<u32>;

    /// Whether the reverse path filter looks at marks.
    fn heeds_marks(&mut self) -> bool;

    /// Whether nft(8) is there; else iptables is used.
    fn has_nft(&mut self) -> bool;

    /// What takes away the firewall rules that the interface has now.
    fn firewall_leftovers(&mut self) -> Vec<Script>;

    /// Who keeps the name servers of interfaces here.
    fn resolver(&mut self) -> Resolver;

    /// Whether the one who keeps them is there.
    fn has_resolver(&mut self) -> bool;

    /// What the resolver knows of the interface's name servers; none if it knows of none, or does
    /// not tell.
    fn name_servers(&mut self) -> Option<Dns>;
}

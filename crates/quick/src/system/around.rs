//! A system that does some things its own way.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hushwire_config::device::Device;
use hushwire_control::Error;
use hushwire_netlink::{Address, IpFamily, Link, Route, Rule};

use super::System;
use crate::Failure;
use crate::firewall::Script;
use crate::operation::{Dns, Operation, Resolver};

/// Something around another system, through which it looks at everything.
pub trait Around {
    /// The system inside.
    fn inner(&mut self) -> &mut dyn System;

    /// Does something, perhaps by the system inside. See [`System::perform`].
    ///
    /// # Errors
    /// As there.
    fn perform_around(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure>;
}

impl<T: Around> System for T {
    fn perform(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        self.perform_around(operation)
    }

    fn link(&mut self) -> Result<Option<Link>, Failure> {
        self.inner().link()
    }

    fn lacks_module(&mut self) -> bool {
        self.inner().lacks_module()
    }

    fn is_wireguard(&mut self) -> Result<bool, Failure> {
        self.inner().is_wireguard()
    }

    fn device(&mut self) -> Result<Device, Error> {
        self.inner().device()
    }

    fn addresses(&mut self) -> Result<Vec<Address>, Failure> {
        self.inner().addresses()
    }

    fn routes(&mut self) -> Result<Vec<Route>, Failure> {
        self.inner().routes()
    }

    fn rules(&mut self, family: IpFamily) -> Result<Vec<Rule>, Failure> {
        self.inner().rules(family)
    }

    fn used_tables(&mut self) -> Result<BTreeSet<u32>, Failure> {
        self.inner().used_tables()
    }

    fn path_mtu(&mut self, address: IpAddr) -> Option<u32> {
        self.inner().path_mtu(address)
    }

    fn default_mtu(&mut self) -> Option<u32> {
        self.inner().default_mtu()
    }

    fn heeds_marks(&mut self) -> bool {
        self.inner().heeds_marks()
    }

    fn has_nft(&mut self) -> bool {
        self.inner().has_nft()
    }

    fn firewall_leftovers(&mut self) -> Vec<Script> {
        self.inner().firewall_leftovers()
    }

    fn resolver(&mut self) -> Resolver {
        self.inner().resolver()
    }

    fn has_resolver(&mut self) -> bool {
        self.inner().has_resolver()
    }

    fn name_servers(&mut self) -> Option<Dns> {
        self.inner().name_servers()
    }
}

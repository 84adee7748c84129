//! The running system, looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hushwire_config::device::Device;
use hushwire_control::{Error, Interfaces};
use hushwire_netlink::{
    Address, IpFamily, Link, MAIN_TABLE, Netlink, Prefix, Route, RouteFilter, Rule,
};

use super::System;
use super::child::Runner;
use crate::firewall::{Script, Tool, iptables_leftovers, nft_leftovers};
use crate::operation::{Dns, Operation, Resolver};
use crate::{Failure, Interrupt};

/// Where the kernel shows its modules.
const MODULE: &str = "/sys/module/wireguard";
/// Whether the reverse path filter looks at marks.
pub(super) const SRC_VALID_MARK: &str = "/proc/sys/net/ipv4/conf/all/src_valid_mark";
/// No device takes longer than this to answer; one that does hangs.
const DEVICE_LIMIT: Duration = Duration::from_secs(60);

/// What surrounds this program, handed on to the programs that it runs.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The name of this program in messages, as it was started.
    pub program: String,
    /// Where programs are looked for.
    pub path: OsString,
    /// The file, for hooks.
    pub config_file: PathBuf,
}

impl Environment {
    /// The program's name without its folder.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.program.rsplit('/').next();
        name.unwrap_or_default().to_owned()
    }
}

/// The running system.
#[derive(Debug)]
pub struct Live<'a> {
    pub(super) interface: String,
    pub(super) environment: Environment,
    pub(super) interrupt: &'a Interrupt,
    pub(super) netlink: RefCell<Netlink>,
    pub(super) interfaces: Interfaces,
}

impl<'a> Live<'a> {
    /// The network namespace of the calling thread.
    ///
    /// # Errors
    /// When the system gives out no netlink socket.
    pub fn new(
        interface: &str,
        environment: Environment,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Failure> {
        Ok(Self {
            interface: interface.to_owned(),
            environment,
            interrupt,
            netlink: RefCell::new(Netlink::open()?),
            interfaces: Interfaces::new().with_time_limit(DEVICE_LIMIT),
        })
    }

    pub(super) fn runner(&self) -> Runner<'_> {
        Runner {
            program: &self.environment.program,
            interrupt: self.interrupt,
        }
    }

    /// A program, found where wg-quick(8) would find it, in the C locale.
    pub(super) fn command(&self, name: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(name);
        command
            .env("PATH", &self.environment.path)
            .env("LC_ALL", "C");
        command
    }

    /// What a program prints, whatever comes of it. Its errors are nobody's business.
    pub(super) fn output_of(&self, name: &str, arguments: &[&str]) -> Option<String> {
        let mut command = self.command(name);
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// The file of a program on the path.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        find_program(OsStr::new(name), &self.environment.path)
    }

    /// The interface's index.
    pub(super) fn index(&self) -> Result<u32, Failure> {
        let link = self.netlink.borrow_mut().link(&self.interface)?;
        link.map(|link| link.index)
            .ok_or_else(|| Failure::no_device(&self.interface))
    }
}

/// The program of this name: a path, or somewhere on the search path.
#[must_use]
pub fn find_program(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    if name.is_empty() {
        return None;
    }
    std::env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(|path| is_program(path))
}

impl System for Live<'_> {
    fn perform(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        self.do_it(operation)
    }

    fn link(&mut self) -> Result<Option<Link>, Failure> {
        Ok(self.netlink.get_mut().link(&self.interface)?)
    }

    fn lacks_module(&mut self) -> bool {
        !Path::new(MODULE).exists()
    }

    fn is_wireguard(&mut self) -> Result<bool, Failure> {
        let names = self
            .interfaces
            .names()
            .map_err(|error| Failure::new(format!("Unable to list interfaces: {error}")))?;
        Ok(names.iter().any(|name| *name == *self.interface))
    }

    fn device(&mut self) -> Result<Device, Error> {
        self.interfaces.open(OsStr::new(&self.interface)).read()
    }

    fn addresses(&mut self) -> Result<Vec<Address>, Failure> {
        let index = self.index()?;
        Ok(self.netlink.get_mut().addresses(index)?)
    }

    fn routes(&mut self) -> Result<Vec<Route>, Failure> {
        let filter = RouteFilter {
            table: None,
            device: Some(self.index()?),
        };
        Ok(self.netlink.get_mut().routes(filter)?)
    }

    fn rules(&mut self, family: IpFamily) -> Result<Vec<Rule>, Failure> {
        Ok(self.netlink.get_mut().rules(family)?)
    }

    fn used_tables(&mut self) -> Result<BTreeSet<u32>, Failure> {
        Ok(self.netlink.get_mut().used_tables()?)
    }

    fn path_mtu(&mut self, address: IpAddr) -> Option<u32> {
        let netlink = self.netlink.get_mut();
        let path = netlink.path_to(address).ok()??;
        match path.mtu {
            Some(mtu) => Some(mtu),
            None => Some(netlink.link_by_index(path.device).ok()??.mtu),
        }
    }

    fn default_mtu(&mut self) -> Option<u32> {
        let netlink = self.netlink.get_mut();
        let main = RouteFilter {
            table: Some(MAIN_TABLE),
            device: None,
        };
        let routes = netlink.routes(main).ok()?;
        let default = routes
            .into_iter()
            .find(|route| route.destination == Prefix::ALL_V4)?;
        match default.mtu {
            Some(mtu) => Some(mtu),
            None => Some(netlink.link_by_index(default.device?).ok()??.mtu),
        }
    }

    fn heeds_marks(&mut self) -> bool {
        fs::read_to_string(SRC_VALID_MARK).is_ok_and(|value| value.trim() == "1")
    }

    fn has_nft(&mut self) -> bool {
        self.find("nft").is_some()
    }

    fn firewall_leftovers(&mut self) -> Vec<Script> {
        let mut scripts = Vec::new();
        if self.has_nft() {
            let tables = self.output_of("nft", &["list", "tables"]);
            scripts.extend(nft_leftovers(&tables.unwrap_or_default(), &self.interface));
        }
        if self.find("iptables").is_some() {
            for (save, tool) in [
                ("iptables-save", Tool::Iptables),
                ("ip6tables-save", Tool::Ip6tables),
            ] {
                let rules = self.output_of(save, &[]).unwrap_or_default();
                scripts.extend(iptables_leftovers(&rules, &self.interface, tool));
            }
        }
        scripts
    }

    fn resolver(&mut self) -> Resolver {
        self.dns_resolver()
    }

    fn has_resolver(&mut self) -> bool {
        let program = match self.resolver() {
            Resolver::Resolvconf { .. } => "resolvconf",
            Resolver::Resolved => "resolvectl",
        };
        self.find(program).is_some()
    }

    fn name_servers(&mut self) -> Option<Dns> {
        self.dns_of_interface()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_files_that_can_be_run() {
        let path = OsStr::new("/nowhere:/usr/bin:/bin");
        assert!(find_program(OsStr::new("sh"), path).is_some());
        assert!(find_program(OsStr::new("/etc/passwd"), path).is_none());
        assert!(find_program(OsStr::new(""), path).is_none());
        assert!(find_program(OsStr::new("no-such-program"), path).is_none());
    }
}

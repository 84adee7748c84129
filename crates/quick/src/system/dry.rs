//! A system that only pretends: what would be done is imagined on top of what is.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use hushwire_config::conf::Config;
use hushwire_config::device::{Device, Peer};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::prefix::AllowedIpEntry;
use hushwire_config::resolve::{Retries, resolve};
use hushwire_config::update::{DeviceUpdate, PeerAction};
use hushwire_control::Error;
use hushwire_netlink::{Address, IpFamily, Link, LinkCounters, Route, Rule};

use super::{Live, System};
use crate::configure::parse_lines;
use crate::firewall::Script;
use crate::operation::{Dns, Operation, Resolver};
use crate::{Failure, words};

/// Where the modules of a kernel are, by its release.
const MODULES: &str = "/lib/modules";
/// How the module's file is called.
const MODULE_FILE: &str = "/wireguard.ko";
/// The kernel's error for a kind of interface that it does not know, in ip(8)'s words.
const UNKNOWN_KIND: &str = "Error: Unknown device type.";

/// Shows what would be done, and changes nothing.
#[derive(Debug)]
pub struct DryRun<'a> {
    live: Live<'a>,
    /// The interface that would have been made.
    imagined: Option<Imagined>,
}

#[derive(Debug, Default)]
struct Imagined {
    name: String,
    mtu: u32,
    up: bool,
    device: Device,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    heeds_marks: bool,
}

impl<'a> DryRun<'a> {
    /// On top of the running system.
    #[must_use]
    pub fn new(live: Live<'a>) -> Self {
        Self {
            live,
            imagined: None,
        }
    }

    /// Imagines changes of the interface that is there.
    ///
    /// # Errors
    /// When the system does not tell what there is.
    pub fn of_existing(mut live: Live<'a>) -> Result<Self, Failure> {
        let link = live.link()?;
        let device = live
            .device()
            .map_err(|error| Failure::new(format!("Unable to access interface: {error}")))?;
        let imagined = Imagined {
            name: live.interface.clone(),
            mtu: link.as_ref().map_or(0, |link| link.mtu),
            up: link.is_some_and(|link| link.up),
            device,
            addresses: live.addresses()?,
            routes: live.routes()?,
            rules: Vec::new(),
            heeds_marks: live.heeds_marks(),
        };
        Ok(Self {
            live,
            imagined: Some(imagined),
        })
    }

    fn create(&mut self) {
        self.imagined = Some(Imagined {
            name: self.live.interface.clone(),
            ..Imagined::default()
        });
    }
}

impl Imagined {
    fn do_it(&mut self, operation: &Operation) -> Result<(), Failure> {
        match operation {
            Operation::Configure(text) => self.configure(&parse_lines(&text.0)?.config),
            Operation::Change(change) => self.change(&change.update),
            Operation::SetMark(mark) => self.device.fwmark = *mark,
            Operation::AddAddress(word) => self.add_address(word)?,
            Operation::SetMtuUp(word) => {
                self.mtu = words::mtu(word)
                    .ok_or_else(|| Failure::bad_word(word, "Invalid \"mtu\" value"))?;
                self.up = true;
            }
            Operation::AddRoute(route) => {
                if let Some(table) = &route.table {
                    words::table(table)
                        .ok_or_else(|| Failure::bad_word(table, "\"table\" value is invalid"))?;
                } else if let Some(destination) = words::address(&route.destination) {
                    self.routes.push(Route::to(destination));
                }
            }
            Operation::DeleteAddress(word) => {
                let gone = words::address(word);
                self.addresses.retain(|known| Some(known.prefix) != gone);
            }
            Operation::AddRule(rule) => self.rules.push(*rule),
            Operation::DeleteRule(rule) => self.rules.retain(|known| known != rule),
            Operation::HeedMarks => self.heeds_marks = true,
            _ => {}
        }
        Ok(())
    }

    fn add_address(&mut self, word: &str) -> Result<(), Failure> {
        let prefix = words::address(word).ok_or_else(|| {
            Failure::new(format!(
                "Error: inet prefix is expected rather than \"{word}\"."
            ))
        })?;
        self.addresses.push(Address {
            index: 0,
            prefix,
            peer: None,
            tentative: false,
        });
        let host_length = if prefix.is_ipv4() { 32 } else { 128 };
        // The network of an IPv4 host is no route of the main table.
        if prefix.length() < host_length || !prefix.is_ipv4() {
            self.routes.push(Route::to(prefix));
        }
        Ok(())
    }

    fn configure(&mut self, config: &Config) {
        let interface = &config.interface;
        if let Some(mark) = interface.fwmark {
            self.device.fwmark = *mark;
        }
        for wanted in &config.peers {
            let peer = self.peer(&Peer::new(*wanted.public_key));
            if let Some(endpoint) = &wanted.endpoint {
                self.device.peers[peer].endpoint = address_of(endpoint);
            }
            for entry in &wanted.allowed_ips.entries {
                self.move_prefix(peer, entry);
            }
        }
    }

    fn change(&mut self, update: &DeviceUpdate) {
        self.device.fwmark = update.fwmark.unwrap_or(self.device.fwmark);
        for wanted in &update.peers {
            let PeerAction::Set(settings) = &wanted.action else {
                let peers = &mut self.device.peers;
                peers.retain(|peer| peer.public_key != wanted.public_key);
                continue;
            };
            let peer = self.peer(&Peer::new(wanted.public_key));
            if let Some(known) = self.device.peers.get_mut(peer) {
                if settings.replace_allowed_ips {
                    known.allowed_ips.clear();
                }
                known.endpoint = settings.endpoint.or(known.endpoint);
            }
            for entry in &settings.allowed_ips {
                self.move_prefix(peer, entry);
            }
        }
    }

    /// The place of a peer, which is made if it is not there.
    fn peer(&mut self, wanted: &Peer) -> usize {
        let peers = &mut self.device.peers;
        let found = peers
            .iter()
            .position(|peer| peer.public_key == wanted.public_key);
        found.unwrap_or_else(|| {
            peers.push(wanted.clone());
            peers.len() - 1
        })
    }

    /// A prefix belongs to one peer only.
    fn move_prefix(&mut self, peer: usize, entry: &AllowedIpEntry) {
        let prefix = entry.prefix.masked().into();
        for other in &mut self.device.peers {
            other.allowed_ips.retain(|known| *known != prefix);
        }
        if let Some(peer) = self.device.peers.get_mut(peer).filter(|_| !entry.remove) {
            peer.allowed_ips.push(prefix);
        }
    }
}

/// One try: nobody wants to wait for a rehearsal.
fn address_of(endpoint: &Endpoint) -> Option<std::net::SocketAddr> {
    resolve(endpoint, Retries::Times(0), |_| ()).ok()
}

/// Whether the kernel has WireGuard, or can load it.
fn has_kernel() -> bool {
    if Path::new("/sys/module/wireguard").exists() {
        return true;
    }
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let folder = Path::new(MODULES).join(release);
    ["modules.dep", "modules.builtin"].iter().any(|list| {
        fs::read_to_string(folder.join(list)).is_ok_and(|text| text.contains(MODULE_FILE))
    })
}

impl System for DryRun<'_> {
    fn perform(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        match operation {
            Operation::CreateLink if !has_kernel() => {
                return Err(Failure::with_status(2, UNKNOWN_KIND));
            }
            Operation::CreateLink | Operation::StartDaemon(_) => self.create(),
            other => {
                if let Some(imagined) = &mut self.imagined {
                    imagined.do_it(other)?;
                }
            }
        }
        Ok(None)
    }

    fn link(&mut self) -> Result<Option<Link>, Failure> {
        match &self.imagined {
            None => self.live.link(),
            Some(imagined) => Ok(Some(Link {
                index: 0,
                name: imagined.name.clone(),
                mtu: imagined.mtu,
                up: imagined.up,
                carrier: imagined.up,
                kind: None,
                hardware_address: Vec::new(),
                transmit_queue: 0,
                counters: LinkCounters::default(),
            })),
        }
    }

    fn lacks_module(&mut self) -> bool {
        self.live.lacks_module()
    }

    fn is_wireguard(&mut self) -> Result<bool, Failure> {
        self.live.is_wireguard()
    }

    fn device(&mut self) -> Result<Device, Error> {
        match &self.imagined {
            None => self.live.device(),
            Some(imagined) => Ok(imagined.device.clone()),
        }
    }

    fn addresses(&mut self) -> Result<Vec<Address>, Failure> {
        match &self.imagined {
            None => self.live.addresses(),
            Some(imagined) => Ok(imagined.addresses.clone()),
        }
    }

    fn routes(&mut self) -> Result<Vec<Route>, Failure> {
        match &self.imagined {
            None => self.live.routes(),
            Some(imagined) => Ok(imagined.routes.clone()),
        }
    }

    fn rules(&mut self, family: IpFamily) -> Result<Vec<Rule>, Failure> {
        let mut rules = self.live.rules(family)?;
        let added = self.imagined.iter().flat_map(|imagined| &imagined.rules);
        rules.extend(added.filter(|rule| rule.family == family));
        Ok(rules)
    }

    fn used_tables(&mut self) -> Result<BTreeSet<u32>, Failure> {
        self.live.used_tables()
    }

    fn path_mtu(&mut self, address: IpAddr) -> Option<u32> {
        self.live.path_mtu(address)
    }

    fn default_mtu(&mut self) -> Option<u32> {
        self.live.default_mtu()
    }

    fn heeds_marks(&mut self) -> bool {
        let imagined = self.imagined.as_ref();
        imagined.is_some_and(|imagined| imagined.heeds_marks) || self.live.heeds_marks()
    }

    fn has_nft(&mut self) -> bool {
        self.live.has_nft()
    }

    fn firewall_leftovers(&mut self) -> Vec<Script> {
        self.live.firewall_leftovers()
    }

    fn resolver(&mut self) -> Resolver {
        self.live.resolver()
    }

    fn has_resolver(&mut self) -> bool {
        self.live.has_resolver()
    }

    fn name_servers(&mut self) -> Option<Dns> {
        self.live.name_servers()
    }
}

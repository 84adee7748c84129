//! The operations of which a plan is made.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use hushwire_config::update::DeviceUpdate;
use hushwire_netlink::{IpFamily, MAIN_TABLE, Rule};
use zeroize::Zeroizing;

use crate::firewall::{Guard, Script};
use crate::words::flag;

/// One thing that is done to the system for an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Makes an interface of the kernel's own WireGuard.
    CreateLink,
    /// Starts a daemon, which makes the interface.
    StartDaemon(Daemon),
    /// Deletes the interface, and with it its addresses and routes, and its daemon.
    DeleteLink,
    /// Runs a command of the file.
    Hook(Hook),
    /// Gives the device its keys and peers: the lines of the file that are for wg(8).
    Configure(Passthrough),
    /// Changes the device.
    Change(Rc<Change>),
    /// Sets the mark of the device's own packets. It is the number of a table too.
    SetMark(u32),
    /// Gives the interface an address, as it stands in the file.
    AddAddress(String),
    /// Takes an address away.
    DeleteAddress(String),
    /// Sets the MTU, as it stands in the file, and sets the interface up.
    SetMtuUp(String),
    /// Tells the system's resolver of name servers.
    SetDns(Dns),
    /// Takes them away again.
    UnsetDns(Dns),
    /// Puts name servers in the place of what the resolver knows now.
    ReplaceDns {
        /// What is there, if anything.
        old: Option<Dns>,
        /// What is to be there.
        new: Dns,
    },
    /// Adds a route through the interface.
    AddRoute(InterfaceRoute),
    /// Deletes a route through the interface.
    DeleteRoute(InterfaceRoute),
    /// Adds a rule of the routing policy.
    AddRule(Rule),
    /// Deletes one; with a priority, that very one.
    DeleteRule(Rule),
    /// Makes the reverse path filter look at marks (`src_valid_mark`).
    HeedMarks,
    /// The opposite. Said nowhere: the standard tool never does it.
    NeglectMarks,
    /// Sets up firewall rules.
    AddFirewall(Guard),
    /// Puts firewall rules in the place of others of the same interface and family.
    ReplaceFirewall {
        /// What is there.
        old: Guard,
        /// What is to be there.
        new: Guard,
    },
    /// Takes firewall rules away, and knows what they were.
    DropFirewall(Guard),
    /// Takes them away, whatever they are.
    RemoveFirewall(Script),
    /// Writes the state of the interface into its file.
    Save(SavedFile),
}

/// A command of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When it is run.
    pub event: Event,
    /// The command, for bash.
    pub command: String,
}

/// When commands of the file are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The interface has been made, and nothing else.
    PreUp,
    /// All is up.
    PostUp,
    /// All is still up.
    PreDown,
    /// All is down.
    PostDown,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreUp => "PreUp",
            Self::PostUp => "PostUp",
            Self::PreDown => "PreDown",
            Self::PostDown => "PostDown",
        })
    }
}

/// A program that makes an interface of its name and carries its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// What it is called in what is said.
    pub shown: OsString,
    /// The program.
    pub program: PathBuf,
    /// The name that it is started under, if that is not the path.
    pub started_as: Option<OsString>,
    /// Whether it will have to listen on a port below 1024, and must not give up the right to.
    pub low_ports: bool,
}

/// A change of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The change.
    pub update: DeviceUpdate,
    /// What takes it back, if it does not go with the interface.
    pub undo: Option<DeviceUpdate>,
}

impl From<DeviceUpdate> for Change {
    fn from(update: DeviceUpdate) -> Self {
        Self { update, undo: None }
    }
}

/// The lines of a file that are for wg(8). They hold keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Passthrough(pub Rc<Zeroizing<Vec<u8>>>);

impl fmt::Debug for Passthrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A file about to be replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedFile {
    /// The file.
    pub path: PathBuf,
    /// Its new text, with keys.
    pub text: Rc<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for SavedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Name servers of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Who is told of them.
    pub resolver: Resolver,
    /// The servers. Never none: domains alone do nothing.
    pub servers: Vec<String>,
    /// The domains to search; for systemd-resolved also those to route by (`~.` is all names).
    pub search: Vec<String>,
}

/// A program that keeps the name servers of interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// resolvconf(8), in one of its makes. It knows the interface by a name with this in front.
    Resolvconf {
        /// What comes before the interface's name.
        prefix: String,
    },
    /// systemd-resolved, by resolvectl(1).
    Resolved,
}

/// A route through the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceRoute {
    /// The family.
    pub family: IpFamily,
    /// The destination.
    pub destination: String,
    /// The table, by number or name; none for the main one.
    pub table: Option<String>,
}

impl Operation {
    /// The command line that wg-quick(8) would run for it, or the hook itself. None for what is
    /// done without a word.
    #[must_use]
    pub fn command(&self, interface: &str) -> Option<String> {
        Some(match self {
            Self::CreateLink => format!("ip link add dev {interface} type wireguard"),
            Self::StartDaemon(daemon) => {
                let shown = daemon.shown.to_string_lossy();
                format!("{shown} {interface}")
            }
            Self::DeleteLink => format!("ip link delete dev {interface}"),
            Self::Hook(hook) => hook.command.clone(),
            Self::Configure(_) => format!("wg addconf {interface} /dev/fd/63"),
            Self::Change(_) => format!("wg syncconf {interface} /dev/fd/63"),
            Self::SetMark(mark) => format!("wg set {interface} fwmark {mark}"),
            Self::AddAddress(address) => change_address("add", address, interface),
            Self::DeleteAddress(address) => change_address("delete", address, interface),
            Self::SetMtuUp(mtu) => format!("ip link set mtu {mtu} up dev {interface}"),
            Self::SetDns(dns) | Self::ReplaceDns { new: dns, .. } => dns.set_command(interface),
            Self::UnsetDns(dns) => dns.unset_command(interface),
            Self::AddRoute(route) => route.command("add", interface),
            Self::DeleteRoute(route) => route.command("delete", interface),
            Self::AddRule(rule) => change_rule("add", rule),
            Self::DeleteRule(rule) => change_rule("delete", rule),
            Self::HeedMarks => "sysctl -q net.ipv4.conf.all.src_valid_mark=1".to_owned(),
            Self::NeglectMarks => return None,
            Self::AddFirewall(guard)
            | Self::DropFirewall(guard)
            | Self::ReplaceFirewall { new: guard, .. } => guard.install.tool.command().to_owned(),
            Self::RemoveFirewall(script) => script.tool.command().to_owned(),
            Self::Save(_) => format!("wg showconf {interface}"),
        })
    }
}

fn change_address(verb: &str, address: &str, interface: &str) -> String {
    let flag = flag(crate::words::family_of(address));
    format!("ip {flag} address {verb} {address} dev {interface}")
}

/// A rule to be deleted is told by its table alone, but for that of the main table. The table of a
/// tunnel is told by the number of its mark, whatever other name it has.
fn change_rule(verb: &str, rule: &Rule) -> String {
    let flag = flag(rule.family);
    let mut words = format!("ip {flag} rule {verb}");
    if let Some(mark) = rule.mark
        && verb == "add"
    {
        let not = if rule.inverted { " not" } else { "" };
        words.push_str(&format!("{not} fwmark {mark}"));
    }
    match rule.table {
        MAIN_TABLE if rule.mark.is_none() => words.push_str(" table main"),
        table => words.push_str(&format!(" table {table}")),
    }
    if let Some(length) = rule.suppress_prefix_length {
        words.push_str(&format!(" suppress_prefixlength {length}"));
    }
    words
}

impl InterfaceRoute {
    fn command(&self, verb: &str, interface: &str) -> String {
        let flag = flag(self.family);
        let destination = &self.destination;
        let mut words = format!("ip {flag} route {verb} {destination} dev {interface}");
        if let Some(table) = &self.table {
            words.push_str(&format!(" table {table}"));
        }
        words
    }
}

impl Dns {
    fn set_command(&self, interface: &str) -> String {
        match &self.resolver {
            Resolver::Resolvconf { prefix } => {
                format!("resolvconf -a {prefix}{interface} -m 0 -x")
            }
            Resolver::Resolved => format!("resolvectl dns {interface} {}", self.servers.join(" ")),
        }
    }

    fn unset_command(&self, interface: &str) -> String {
        match &self.resolver {
            Resolver::Resolvconf { prefix } => format!("resolvconf -d {prefix}{interface} -f"),
            Resolver::Resolved => format!("resolvectl revert {interface}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(operation: &Operation) -> String {
        operation.command("wg0").unwrap()
    }

    #[test]
    fn rules_in_the_words_of_ip() {
        let mark = Rule::ask(IpFamily::V4, 51820).unless_mark(51820);
        let main = Rule::ask(IpFamily::V6, MAIN_TABLE)
            .suppress_prefix_length(0)
            .priority(7);
        assert_eq!(
            command(&Operation::AddRule(mark)),
            "ip -4 rule add not fwmark 51820 table 51820"
        );
        assert_eq!(
            command(&Operation::DeleteRule(mark)),
            "ip -4 rule delete table 51820"
        );
        let main_by_mark = Rule::ask(IpFamily::V4, MAIN_TABLE).unless_mark(MAIN_TABLE);
        assert_eq!(
            command(&Operation::AddRule(main_by_mark)),
            "ip -4 rule add not fwmark 254 table 254"
        );
        assert_eq!(
            command(&Operation::AddRule(main)),
            "ip -6 rule add table main suppress_prefixlength 0"
        );
        assert_eq!(
            command(&Operation::DeleteRule(main)),
            "ip -6 rule delete table main suppress_prefixlength 0"
        );
    }

    #[test]
    fn the_family_goes_by_the_colon() {
        let add = |address: &str| command(&Operation::AddAddress(address.to_owned()));
        assert_eq!(add("10.0.0.1"), "ip -4 address add 10.0.0.1 dev wg0");
        assert_eq!(add("fd00::1/64"), "ip -6 address add fd00::1/64 dev wg0");
        assert_eq!(add("nonsense"), "ip -4 address add nonsense dev wg0");
    }

    #[test]
    fn name_servers() {
        let dns = |resolver| Dns {
            resolver,
            servers: vec!["1.1.1.1".to_owned()],
            search: Vec::new(),
        };
        let prefix = "tun.".to_owned();
        let resolvconf = dns(Resolver::Resolvconf { prefix });
        assert_eq!(
            command(&Operation::SetDns(resolvconf.clone())),
            "resolvconf -a tun.wg0 -m 0 -x"
        );
        assert_eq!(
            command(&Operation::UnsetDns(resolvconf)),
            "resolvconf -d tun.wg0 -f"
        );
        let resolved = dns(Resolver::Resolved);
        assert_eq!(
            command(&Operation::SetDns(resolved)),
            "resolvectl dns wg0 1.1.1.1"
        );
    }

    #[test]
    fn no_key_shows_in_debug() {
        let text = Passthrough(Rc::new(Zeroizing::new(b"PrivateKey = x".to_vec())));
        assert!(!format!("{:?}", Operation::Configure(text)).contains("PrivateKey"));
    }
}

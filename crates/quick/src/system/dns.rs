//! Name servers of an interface, by resolvconf(8) in one of its makes or by systemd-resolved.

use std::fs;
use std::path::Path;

use hushwire_config::raw;

use super::System;
use super::live::Live;
use crate::Failure;
use crate::operation::{Dns, Operation, Resolver};
use crate::plan::ALL_NAMES;

/// Debian's resolvconf orders interfaces by their names.
const INTERFACE_ORDER: &str = "/etc/resolvconf/interface-order";
/// Debian's resolvconf keeps what it was told here.
const RESOLVCONF_STATE: &str = "/etc/resolvconf/run/interface";
/// There while systemd-resolved runs.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

impl Live<'_> {
    /// Who is to be told.
    pub(super) fn dns_resolver(&self) -> Resolver {
        let program = self.find("resolvconf");
        if program.is_none() && Path::new(RESOLVED).exists() && self.find("resolvectl").is_some() {
            return Resolver::Resolved;
        }
        let prefix = match program.as_deref() {
            // That of systemd drops what follows a dot.
            Some(program) if is_symlink(program) => String::new(),
            _ => prefix_in(&fs::read_to_string(INTERFACE_ORDER).unwrap_or_default()),
        };
        Resolver::Resolvconf { prefix }
    }

    /// What is known of the interface. Nobody's business if it cannot be told.
    pub(super) fn dns_of_interface(&self) -> Option<Dns> {
        let resolver = self.dns_resolver();
        let (servers, search) = match &resolver {
            Resolver::Resolved => self.told_by_resolved(),
            Resolver::Resolvconf { .. } if self.is_resolved_in_disguise() => {
                let (servers, mut search) = self.told_by_resolved();
                // It comes from `-x`.
                search.retain(|domain| domain != ALL_NAMES);
                (servers, search)
            }
            Resolver::Resolvconf { prefix } => {
                let record = self.record(&format!("{prefix}{}", self.interface));
                (servers_in(&record), search_in(&record))
            }
        };
        let is_known = !(servers.is_empty() && search.is_empty());
        is_known.then_some(Dns {
            resolver,
            servers,
            search,
        })
    }

    fn told_by_resolved(&self) -> (Vec<String>, Vec<String>) {
        let [servers, domains] = ["dns", "domain"].map(|what| {
            let said = self.output_of("resolvectl", &[what, &self.interface]);
            words_of_link(&said.unwrap_or_default())
        });
        (servers, domains)
    }

    /// What resolvconf was told under a name.
    fn record(&self, name: &str) -> String {
        self.output_of("resolvconf", &["-l", name])
            .or_else(|| fs::read_to_string(Path::new(RESOLVCONF_STATE).join(name)).ok())
            .unwrap_or_default()
    }

    /// Whether resolvconf is a link to resolvectl(1), which cannot show what it was told under the
    /// name of resolvconf.
    fn is_resolved_in_disguise(&self) -> bool {
        let real = self
            .find("resolvconf")
            .and_then(|path| fs::canonicalize(path).ok());
        let name = real.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name == "resolvectl") && self.find("resolvectl").is_some()
    }

    pub(super) fn set_dns(&self, dns: &Dns) -> Result<(), Failure> {
        let Resolver::Resolvconf { prefix } = &dns.resolver else {
            return self.set_resolved(dns);
        };
        let mut lines = String::new();
        for server in &dns.servers {
            lines.push_str(&format!("nameserver {server}\n"));
        }
        if !dns.search.is_empty() {
            lines.push_str(&format!("search {}\n", dns.search.join(" ")));
        }
        let mut command = self.command("resolvconf");
        command
            .arg("-a")
            .arg(format!("{prefix}{}", self.interface))
            .args(["-m", "0", "-x"]);
        self.runner().run(&mut command, Some(&raw::encode(&lines)))
    }

    /// Both lists are told, also when one is empty: it may have been another before.
    fn set_resolved(&self, dns: &Dns) -> Result<(), Failure> {
        for (what, words) in [("dns", &dns.servers), ("domain", &dns.search)] {
            let mut command = self.command("resolvectl");
            command.args([what, &self.interface]).args(words);
            if words.is_empty() {
                command.arg("");
            }
            let told = self.runner().run(&mut command, None);
            if told.is_err() {
                let _ = self.revert_resolved();
                return told;
            }
        }
        Ok(())
    }

    pub(super) fn unset_dns(&mut self, dns: &Dns) -> Result<(), Failure> {
        let Resolver::Resolvconf { prefix } = &dns.resolver else {
            // It forgets an interface that is gone by itself.
            return match self.link()? {
                Some(_) => self.revert_resolved(),
                None => Ok(()),
            };
        };
        let mut command = self.command("resolvconf");
        command
            .arg("-d")
            .arg(format!("{prefix}{}", self.interface))
            .arg("-f");
        self.runner().run(&mut command, None)
    }

    fn revert_resolved(&self) -> Result<(), Failure> {
        let mut command = self.command("resolvectl");
        self.runner()
            .run(command.args(["revert", &self.interface]), None)
    }

    /// A resolver that fails may have kept what it was told: then it is told the old again.
    pub(super) fn replace_dns(
        &mut self,
        old: Option<&Dns>,
        new: &Dns,
    ) -> Result<Operation, Failure> {
        let told = self.set_dns(new);
        if told.is_err() {
            let _ = match old {
                Some(old) => self.set_dns(old),
                None => self.unset_dns(new),
            };
        }
        told.map(|()| match old {
            Some(old) => Operation::ReplaceDns {
                old: Some(new.clone()),
                new: old.clone(),
            },
            None => Operation::UnsetDns(new.clone()),
        })
    }
}

fn is_symlink(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink())
}

/// The first line of the form `NAME*` makes the prefix `NAME.`. What follows the last newline is no
/// line for bash's `read`.
fn prefix_in(order: &str) -> String {
    let mut lines = order
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'));
    let name = lines.find_map(|line| {
        let name = line.trim_matches([' ', '\t']).strip_suffix('*')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
    });
    name.map(|name| format!("{name}.")).unwrap_or_default()
}

/// The name servers in the form of resolv.conf(5), those that a config file can hold.
fn servers_in(text: &str) -> Vec<String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_=+:%.-".contains(&byte);
    let servers = text.lines().filter_map(|line| {
        let server = line.trim_matches([' ', '\t']).strip_prefix("nameserver ")?;
        (!server.is_empty() && server.bytes().all(is_legal)).then(|| server.to_owned())
    });
    servers.collect()
}

/// The domains to search in the form of resolv.conf(5), where the last line counts.
fn search_in(text: &str) -> Vec<String> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim_matches([' ', '\t']).strip_prefix("search "));
    let domains = lines.next_back().map(str::split_ascii_whitespace);
    domains.into_iter().flatten().map(str::to_owned).collect()
}

/// What resolvectl(1) shows of a link: `Link 5 (wg0): 1.1.1.1 ::1`, broken into lines where it is
/// long.
fn words_of_link(text: &str) -> Vec<String> {
    let words = text.split_once("):").map(|(_, words)| words);
    let words = words.map(str::split_ascii_whitespace);
    words.into_iter().flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_of_a_name_is_the_prefix() {
        assert_eq!(
            prefix_in("lo.inet6\nlo.@(dhclient|pump)*\n tun*\ntap*\n"),
            "tun."
        );
        assert_eq!(prefix_in("lo\n*\n"), "");
        assert_eq!(prefix_in("lo\ntun*"), "");
        assert_eq!(prefix_in("tun*\r\ntap*\n"), "tap.");
        assert_eq!(prefix_in(""), "");
    }

    #[test]
    fn what_resolvconf_keeps() {
        let text = "# x\nnameserver 1.1.1.1\nsearch a b\nnameserver fe80::1%eth0\nnameserver a b\n";
        assert_eq!(servers_in(text), ["1.1.1.1", "fe80::1%eth0"]);
        assert_eq!(search_in(text), ["a", "b"]);
        assert_eq!(search_in("search a\nsearch b c\n"), ["b", "c"]);
        assert!(search_in("nameserver 1.1.1.1\n").is_empty());
    }

    #[test]
    fn what_resolvectl_shows() {
        assert_eq!(
            words_of_link("Link 5 (wg0): 1.1.1.1 2606:4700::1111\n"),
            ["1.1.1.1", "2606:4700::1111"]
        );
        assert_eq!(
            words_of_link("Link 5 (wg0): ~. corp.example\n        lab.example\n"),
            ["~.", "corp.example", "lab.example"]
        );
        assert!(words_of_link("Link 5 (wg0):\n").is_empty());
        assert!(words_of_link("").is_empty());
    }
}

//! What a parser cannot refuse and a running interface cannot use.

use std::collections::HashMap;

use crate::conf::diagnostic::{Diagnostic, Problem};
use crate::conf::span::Span;
use crate::conf::value::Table;
use crate::conf::{Config, Interface};
use crate::endpoint::Endpoint;
use crate::key::PublicKey;
use crate::prefix::AllowedIp;

/// The least MTU of a Linux interface with IPv4, in bytes.
const MTU_MIN: u32 = 68;

/// The least MTU of a link with IPv6, in bytes (RFC 8200, section 5).
pub(super) const MTU_MIN_V6: u32 = 1280;

/// The largest inner packet whose datagram fits into an IP packet, in bytes: 65,535 less IPv6
/// and UDP headers (48), message header and tag (32), and padding to 16 bytes.
pub(super) const MTU_MAX: u32 = 65_440;

impl Config {
    /// Finds what is well formed and yet wrong, or perhaps not meant: in the order of the file,
    /// but for what is missing, which comes first. `own` is the interface's public key, if the
    /// caller has derived it.
    #[must_use]
    pub fn check(&self, own: Option<&PublicKey>) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        check_interface(&self.interface, &mut found);
        self.check_keys(own, &mut found);
        self.check_endpoints(&mut found);
        self.check_allowed_ips(&mut found);
        found.sort_by_key(|diagnostic| {
            (
                diagnostic.problem != Problem::MissingPrivateKey,
                diagnostic.span,
            )
        });
        found
    }

    fn check_keys(&self, own: Option<&PublicKey>, found: &mut Vec<Diagnostic>) {
        let mut places: HashMap<PublicKey, Span> = HashMap::new();
        for peer in &self.peers {
            let (key, span) = (*peer.public_key, peer.public_key.span);
            if let Some(&first) = places.get(&key) {
                found.push(Diagnostic::new(span, Problem::DuplicatePeer { key, first }));
            } else {
                places.insert(key, span);
            }
            if own == Some(&key) {
                found.push(Diagnostic::new(span, Problem::OwnKey));
            }
        }
    }

    fn check_endpoints(&self, found: &mut Vec<Diagnostic>) {
        for endpoint in self.peers.iter().filter_map(|peer| peer.endpoint.as_ref()) {
            if let Endpoint::Name(name) = &endpoint.value
                && cannot_be_host(name.host())
            {
                let problem = Problem::EndpointHost(name.written().to_owned());
                found.push(Diagnostic::new(endpoint.span, problem));
            }
        }
    }

    fn check_allowed_ips(&self, found: &mut Vec<Diagnostic>) {
        let mut owners: HashMap<AllowedIp, (PublicKey, Span)> = HashMap::new();
        for peer in &self.peers {
            for entry in peer
                .allowed_ips
                .entries
                .iter()
                .filter(|entry| !entry.remove)
            {
                let prefix = entry.prefix.masked();
                let here = (*peer.public_key, entry.span);
                match owners.insert(prefix, here) {
                    Some((owner, first)) if owner != *peer.public_key => {
                        let problem = Problem::SharedAllowedIp { prefix, first };
                        found.push(Diagnostic::new(entry.span, problem));
                    }
                    Some(_) | None => {}
                }
            }
        }
    }
}

fn check_interface(interface: &Interface, found: &mut Vec<Diagnostic>) {
    let has_key = interface
        .private_key
        .as_ref()
        .is_some_and(|key| !key.is_zero());
    if !has_key && interface.private_key_source.is_none() {
        let span = interface.section.unwrap_or_default();
        found.push(Diagnostic::new(span, Problem::MissingPrivateKey));
    }
    if let Some(mtu) = &interface.mtu {
        let has_v6 = interface
            .addresses
            .iter()
            .any(|address| address.ip().is_ipv6());
        let least = if has_v6 { MTU_MIN_V6 } else { MTU_MIN };
        if **mtu < least {
            found.push(Diagnostic::new(
                mtu.span,
                Problem::MtuTooSmall { mtu: **mtu, least },
            ));
        }
        if **mtu > MTU_MAX {
            found.push(Diagnostic::new(
                mtu.span,
                Problem::MtuTooLarge { mtu: **mtu },
            ));
        }
    }
    if let Some(table) = &interface.table
        && cannot_be_meant(table)
    {
        found.push(Diagnostic::new(
            table.span,
            Problem::UnknownTable(table.to_string()),
        ));
    }
    for dns in interface.dns.iter().filter(|dns| dns.is_broken()) {
        found.push(Diagnostic::new(
            dns.span,
            Problem::DnsServer(dns.word().to_string()),
        ));
    }
}

/// What is more than a name: most of all a key, which no name server is to be asked for. What
/// follows a `%` is the name of an interface.
fn cannot_be_host(host: &str) -> bool {
    /// The longest part of a name, in bytes (RFC 1035, section 2.3.4).
    const LABEL_MAX: usize = 63;
    let name = host.split('%').next().unwrap_or_default();
    name.contains(['+', '/', '=']) || name.split('.').any(|label| label.len() > LABEL_MAX)
}

/// Table 0 means "no table" to the kernel, and `Off` means nothing to wg-quick(8). Other names
/// are known only where the routes are made.
fn cannot_be_meant(table: &Table) -> bool {
    match table {
        Table::Auto | Table::Off => false,
        Table::Id(id) => *id == 0,
        Table::Name(name) => name.eq_ignore_ascii_case("off") || name.eq_ignore_ascii_case("auto"),
    }
}

//! Doors for the fuzz targets: what the kernel answers, without a kernel.

use std::net::IpAddr;

use crate::wireguard::{Device, Update};
use crate::{IpFamily, Prefix, Result};
use crate::{address, conntrack, link, route, rule, socket};

/// What a datagram of rtnetlink's held, as each of the readers understood it.
#[derive(Debug, Default)]
pub struct Read {
    /// Links, by index and name.
    pub links: Vec<(u32, String)>,
    /// Prefixes of addresses, routes and rules.
    pub prefixes: Vec<Prefix>,
    /// Whether nothing more would be waited for.
    pub last: bool,
}

/// Reads a datagram of rtnetlink's with every reader there is.
///
/// # Errors
/// As for the real thing.
pub fn route_answers(datagram: &[u8], sequence: u32) -> Result<Read> {
    let mut read = Read::default();
    let mut messages = Vec::new();
    let answers = socket::read_answers(datagram, sequence, &|| "read".into(), &mut |message| {
        messages.push(message);
    })?;
    read.last = answers.last;
    for message in messages {
        let link = link::parse_link(message.clone());
        read.links.extend(link.map(|link| (link.index, link.name)));
        let address = address::parse_address(message.clone());
        read.prefixes.extend(address.map(|address| address.prefix));
        let _ = (route::table_of(&message), route::parse_path(&message));
        let route = route::parse_route(message.clone());
        read.prefixes.extend(route.map(|route| route.destination));
        for family in [IpFamily::V4, IpFamily::V6] {
            let rule = rule::parse_rule(message.clone(), family);
            read.prefixes.extend(rule.and_then(|rule| rule.source));
        }
    }
    Ok(read)
}

/// The error number in an acknowledgement.
#[must_use]
pub fn error_code(datagram: &[u8]) -> Option<i32> {
    conntrack::error_code(datagram)
}

/// Reads a WireGuard device out of these datagrams of a dump.
///
/// # Errors
/// As for the real thing; `TimedOut` if more should have come.
pub fn device(datagrams: Vec<Vec<u8>>) -> Result<Device> {
    crate::wireguard::fuzzing::device(datagrams)
}

/// What a device is read as that tells of itself in the messages of this update, none of them
/// longer than so many bytes.
///
/// # Errors
/// As for the real thing.
pub fn told(update: &Update, limit: usize) -> Result<Device> {
    crate::wireguard::fuzzing::told(update, limit)
}

/// Whether a prefix is one: no longer than its address.
#[must_use]
pub const fn is_prefix(address: IpAddr, length: u8) -> bool {
    match address {
        IpAddr::V4(_) => length <= 32,
        IpAddr::V6(_) => length <= 128,
    }
}

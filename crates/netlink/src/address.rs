use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{Netlink, Prefix, Result};

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's index.
    pub index: u32,
    /// The address with the length of its network.
    pub prefix: Prefix,
    /// The other end, on a point-to-point link whose ends have addresses of different networks.
    pub peer: Option<IpAddr>,
    /// Still being checked for duplicates (IPv6), so not usable yet.
    pub tentative: bool,
}

/// Whether an IPv6 address is first checked for duplicates on the link (RFC 4862 5.4), about a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateDetection {
    /// As the interface is set up to.
    Default,
    /// Usable at once (`nodad`).
    Skip,
}

impl Netlink {
    /// Gives an interface an address; the route to the address's network comes with it.
    ///
    /// # Errors
    /// When the interface has it already (see [`crate::Error::is_already_there`]), or is gone.
    pub fn add_address(
        &mut self,
        index: u32,
        prefix: Prefix,
        detection: DuplicateDetection,
    ) -> Result<()> {
        let mut message = message_for(index, prefix);
        if detection == DuplicateDetection::Skip {
            message.header.flags |= AddressHeaderFlags::Nodad;
        }
        if let Some(broadcast) = broadcast_of(prefix) {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        self.add(index, prefix, message)
    }

    /// The same as ip-address(8) does it when it is told nothing else: without a broadcast address, and with the
    /// interface's own idea of duplicate detection.
    ///
    /// # Errors
    /// As for [`Netlink::add_address`].
    pub fn add_bare_address(&mut self, index: u32, prefix: Prefix) -> Result<()> {
        self.add(index, prefix, message_for(index, prefix))
    }

    fn add(&mut self, index: u32, prefix: Prefix, message: AddressMessage) -> Result<()> {
        let name = self.name_or_index(index);
        let message = RouteNetlinkMessage::NewAddress(message);
        self.request(message, NLM_F_CREATE | NLM_F_EXCL, || {
            format!("add address {prefix} to {name}")
        })
    }

    /// Takes an address from an interface.
    ///
    /// # Errors
    /// When it does not have it (see [`crate::Error::is_missing`]).
    pub fn delete_address(&mut self, index: u32, prefix: Prefix) -> Result<()> {
        let name = self.name_or_index(index);
        let message = RouteNetlinkMessage::DelAddress(message_for(index, prefix));
        self.request(message, 0, || {
            format!("delete address {prefix} from {name}")
        })
    }

    /// The addresses of an interface, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel refuses the request.
    pub fn addresses(&mut self, index: u32) -> Result<Vec<Address>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.dump(&request, || "list the addresses".to_owned())?;
        let addresses = answers.into_iter().filter_map(parse_address);
        Ok(addresses.filter(|address| address.index == index).collect())
    }
}

fn message_for(index: u32, prefix: Prefix) -> AddressMessage {
    let address = prefix.address();
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = prefix.length();
    message.header.family = family_of(address);
    message.header.scope = if address.is_loopback() {
        AddressScope::Host
    } else {
        AddressScope::Universe
    };
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    message
}

/// The address of all hosts of an IPv4 network; networks of one or two addresses have none (RFC 3021).
fn broadcast_of(prefix: Prefix) -> Option<Ipv4Addr> {
    match prefix.address() {
        IpAddr::V4(v4) if prefix.length() <= 30 && !v4.is_loopback() => {
            let host_bits = u32::MAX
                .checked_shr(u32::from(prefix.length()))
                .unwrap_or(0);
            Some(Ipv4Addr::from_bits(v4.to_bits() | host_bits))
        }
        _ => None,
    }
}

pub(crate) fn family_of(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

pub(crate) fn parse_address(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    let mut local = None;
    let mut address = None;
    let mut tentative = message.header.flags.contains(AddressHeaderFlags::Tentative);
    for attribute in message.attributes {
        match attribute {
            // On a point-to-point link, `Address` is the other end and `Local` is ours.
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => address = Some(ip),
            AddressAttribute::Flags(flags) => tentative |= flags.contains(AddressFlags::Tentative),
            _ => {}
        }
    }
    let prefix = Prefix::new(local.or(address)?, message.header.prefix_len).ok()?;
    Some(Address {
        index: message.header.index,
        prefix,
        peer: address.filter(|peer| *peer != prefix.address()),
        tentative,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_is_the_last_address_where_there_is_one() {
        let broadcast = |text: &str| broadcast_of(text.parse().unwrap());
        assert_eq!(broadcast("10.0.0.1/24"), Some(Ipv4Addr::new(10, 0, 0, 255)));
        assert_eq!(broadcast("10.0.0.1/30"), Some(Ipv4Addr::new(10, 0, 0, 3)));
        assert_eq!(broadcast("10.0.0.1/0"), Some(Ipv4Addr::BROADCAST));
        assert_eq!(broadcast("10.0.0.1/31"), None);
        assert_eq!(broadcast("10.0.0.1/32"), None);
        assert_eq!(broadcast("fd00::1/64"), None);
        assert_eq!(broadcast("127.0.0.1/8"), None);
    }
}

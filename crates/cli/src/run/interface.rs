//! The interface as the kernel knows it: addresses, MTU, up.

use hushwire_config::conf::Config;
use hushwire_netlink::{DuplicateDetection, Netlink, Prefix};

use super::error::Error;
use super::ipv6::Ipv6;

/// Gives the interface its addresses, its MTU in bytes, and sets it up.
pub(super) fn set_up(
    netlink: &mut Netlink,
    index: u32,
    config: &Config,
    ipv6: Ipv6,
    mtu: u32,
) -> Result<(), Error> {
    for address in &config.interface.addresses {
        if !ipv6.allows(address.ip()) {
            continue;
        }
        let Ok(prefix) = Prefix::new(address.ip(), address.prefix_len()) else {
            continue;
        };
        match netlink.add_address(index, prefix, DuplicateDetection::Default) {
            Err(error) if !error.is_already_there() => return Err(error.into()),
            _ => {}
        }
    }
    netlink.set_mtu(index, mtu)?;
    netlink.set_up(index)?;
    Ok(())
}

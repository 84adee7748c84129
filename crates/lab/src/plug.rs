use hushwire_netlink::{Netlink, Tap};

use crate::{Host, Result};

/// The interface at an end of a cable that we carry ourselves. Gone when this is dropped.
///
/// To close the descriptor of its [`Tap`] would be enough, did not every process that is being started at that moment
/// have a copy of it until it executes its program.
#[derive(Debug)]
pub(crate) struct Plug {
    index: u32,
    /// Of the host.
    netlink: Netlink,
}

impl Plug {
    /// Puts an interface on a host, and sets it up.
    pub(crate) fn into(host: &Host, interface: &str) -> Result<(Tap, Self)> {
        let tap = host.run(|| Tap::new(interface))?;
        host.up(interface)?;
        let mut netlink = host.run(Netlink::open)?;
        let index = netlink.index_of(interface)?;
        Ok((tap, Self { index, netlink }))
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        // It may have been deleted already, or moved to another host.
        let _ = self.netlink.delete(self.index);
    }
}

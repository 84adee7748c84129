//! The rights to make hosts: root's, or those that everybody has in a user namespace of their own.

use std::fs::File;

use hushwire_netlink::user_namespace::become_root_in_user_namespace;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};

use super::error::Error;

/// Makes sure that this process, which must have one thread only, may make namespaces.
pub(super) fn obtain() -> Result<(), Error> {
    File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(Error::Tun)?;
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    let is_able = capabilities(None).is_ok_and(|own| own.effective.contains(needed));
    if geteuid().is_root() && is_able {
        return Ok(());
    }
    become_root_in_user_namespace().map_err(Error::Rights)
}

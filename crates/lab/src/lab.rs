use std::sync::Arc;

use crate::world::World;
use crate::{Faults, FaultyLink, Host, Result, Wire};

/// A private world of hosts and links. Several may exist at once and see nothing of each other.
///
/// Its hosts share one view of the file system, that of the machine, except that /run (with /run/wireguard in it) and
/// /etc/wireguard are fresh and empty. So a control socket is reached from each host of the lab and from nowhere else,
/// and no two interfaces of a lab should have the same name.
///
/// A [`Host`] or a process on one keeps the world alive after the `Lab` is dropped.
#[derive(Debug)]
pub struct Lab {
    world: Arc<World>,
}

impl Lab {
    /// Makes an empty world.
    ///
    /// # Errors
    /// [`crate::Error::NotRoot`], or when the kernel refuses one of the namespaces.
    pub fn new() -> Result<Self> {
        Ok(Self {
            world: Arc::new(World::new()?),
        })
    }

    /// Adds a host: it has a loopback interface, up, and nothing else. The name is for messages only.
    ///
    /// # Errors
    /// When the kernel refuses the namespace.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(name, Arc::clone(&self.world))
    }

    /// Joins two hosts by an Ethernet cable with an MTU of 1500 bytes; both ends are up.
    ///
    /// # Errors
    /// When a host has an interface of that name already.
    pub fn link(&self, a: &Host, a_interface: &str, b: &Host, b_interface: &str) -> Result<()> {
        a.netlink()
            .create_veth(a_interface, b_interface, Some(b.namespace()))?;
        a.up(a_interface)?;
        b.up(b_interface)
    }

    /// As [`Lab::link`], with another MTU in bytes.
    ///
    /// # Errors
    /// As for [`Lab::link`], or when the MTU is out of range (68 to 65535).
    pub fn link_with_mtu(
        &self,
        a: &Host,
        a_interface: &str,
        b: &Host,
        b_interface: &str,
        mtu: u32,
    ) -> Result<()> {
        self.link(a, a_interface, b, b_interface)?;
        a.mtu(a_interface, mtu)?;
        b.mtu(b_interface, mtu)
    }
    /// Joins two hosts by an Ethernet cable with faults, the same in both directions; both ends are up, with an MTU of
    /// 1500 bytes (for another, [`Host::mtu`] on both ends). The link lasts as long as the value returned.
    ///
    /// # Errors
    /// When a host has an interface of that name already, or /dev/net/tun may not be opened.
    pub fn faulty_link(
        &self,
        a: &Host,
        a_interface: &str,
        b: &Host,
        b_interface: &str,
        faults: Faults,
    ) -> Result<FaultyLink> {
        FaultyLink::new(a, a_interface, b, b_interface, faults)
    }

    /// Gives a host an interface, up, whose cable ends with the caller, who hears and says what he likes on it.
    ///
    /// # Errors
    /// When the host has an interface of that name or a default route already, /dev/net/tun may not be opened, or ip(8)
    /// is not installed.
    pub fn wire(&self, host: &Host, interface: &str) -> Result<Wire> {
        Wire::new(host, interface)
    }
}

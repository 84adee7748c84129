//! Hosts, containers above all, on which IPv6 is switched off.

use std::fs;
use std::net::IpAddr;

use hushwire_config::conf::Config;

use super::error::Error;

/// Whether the interface can have IPv6 addresses and routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ipv6 {
    Available,
    /// Nothing on this host has IPv6, so leaving it out lets nothing past the tunnel.
    Off,
}

impl Ipv6 {
    /// Looks at the settings of the new interface.
    pub(super) fn of(interface: &str, config: &Config) -> Result<Self, Error> {
        if !uses_ipv6(config) || is_on(interface) {
            return Ok(Self::Available);
        }
        let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        if is_used_elsewhere(&addresses, interface) {
            return Err(Error::Ipv6);
        }
        Ok(Self::Off)
    }

    /// Whether something with this address is to be set up.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        self == Self::Available || address.is_ipv4()
    }
}

fn uses_ipv6(config: &Config) -> bool {
    let addresses = config.interface.addresses.iter();
    let allowed = config
        .peers
        .iter()
        .flat_map(|peer| &peer.allowed_ips.entries);
    addresses.map(|address| address.ip()).any(|ip| ip.is_ipv6())
        || allowed
            .map(|entry| entry.prefix.addr())
            .any(|ip| ip.is_ipv6())
}

fn is_on(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    fs::read_to_string(path).is_ok_and(|value| value.trim() == "0")
}

/// `addresses` is in the form of /proc/net/if_inet6, where a line ends with the interface.
fn is_used_elsewhere(addresses: &str, interface: &str) -> bool {
    addresses
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .any(|name| name != "lo" && name != interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_no_use_of_ipv6() {
        let lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
        let eth = "fe80000000000000021122fffe334455 02 40 20 80     eth0\n";
        assert!(!is_used_elsewhere("", "wg0"));
        assert!(!is_used_elsewhere(lo, "wg0"));
        assert!(is_used_elsewhere(&format!("{lo}{eth}"), "wg0"));
        assert!(!is_used_elsewhere(eth, "eth0"));
    }
}

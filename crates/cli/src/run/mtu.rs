//! The MTU of an interface whose file does not say.

use std::net::SocketAddr;

use hushwire_io::udp::path_mtu;
use hushwire_netlink::{MAIN_TABLE, Netlink, RouteFilter};

/// What the tunnel adds to a packet, outer IPv6 header included, in bytes.
const OVERHEAD: u32 = 80;
const ETHERNET: u32 = 1500;
/// The largest packet that still fits into a datagram (65,535 bytes with its IP header), padded.
const LARGEST: u32 = 65_440;

/// The smallest path MTU of the endpoints, or that of the default route, or that of Ethernet;
/// less what the tunnel adds. As wg-quick(8) of 2026 has it.
pub(super) fn choose(endpoints: &[SocketAddr], fwmark: u32, netlink: &mut Netlink) -> u32 {
    let paths = endpoints
        .iter()
        .filter_map(|endpoint| path_mtu(*endpoint, fwmark).ok());
    let outer = paths
        .min()
        .or_else(|| of_default_route(netlink))
        .unwrap_or(ETHERNET);
    outer.saturating_sub(OVERHEAD).min(LARGEST)
}

fn of_default_route(netlink: &mut Netlink) -> Option<u32> {
    let main = RouteFilter {
        table: Some(MAIN_TABLE),
        ..RouteFilter::default()
    };
    let routes = netlink.routes(main).ok()?;
    let default = routes
        .into_iter()
        .find(|route| route.destination.length() == 0)?;
    if default.mtu.is_some() {
        return default.mtu;
    }
    let device = netlink.link_by_index(default.device?).ok()??;
    Some(device.mtu)
}

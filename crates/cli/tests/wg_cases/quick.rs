//! What wg-quick(8) was seen to do, done by ours: `tests/cases/wg_quick.json`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hushwire_lab::{Host, Lab, require_tools};
use hushwire_netlink::{Netlink, Prefix, Route, mount};

use crate::case::{self, Case};

const CASES: &str = include_str!("../cases/wg_quick.json");

/// The MTU of the link to the world, in bytes.
const MTU: u32 = 1460;

fn cases() -> Vec<Case> {
    case::read(CASES)
}

/// A host with a way out, and a folder for files of its own.
fn furnish(host: &Host) {
    host.run(|| {
        mount::mount_tmpfs("/etc/wireguard", 0o700)?;
        let mut netlink = Netlink::open()?;
        let loopback = netlink.index_of("lo")?;
        netlink.set_up(loopback)?;
        netlink.create_veth("spec-v0", "spec-v1", None)?;
        let inside = netlink.index_of("spec-v0")?;
        let outside = netlink.index_of("spec-v1")?;
        for link in [inside, outside] {
            netlink.set_mtu(link, MTU)?;
            netlink.set_up(link)?;
        }
        for (address, gateway) in [("10.99.0.1/24", "10.99.0.2"), ("fd99::1/64", "fd99::2")] {
            let address: Prefix = address.parse().expect("an address");
            let gateway: IpAddr = gateway.parse().expect("a gateway");
            netlink.add_bare_address(inside, address)?;
            let all = if address.is_ipv4() {
                Prefix::ALL_V4
            } else {
                Prefix::ALL_V6
            };
            netlink.add_route(&Route::to(all).via(gateway).on(inside))?;
        }
        Ok::<_, hushwire_netlink::Error>(())
    })
    .expect("a way out");
}

#[test]
fn wg_quick() {
    require_tools(&["bash", "ip", "nft", "wg-quick"]).expect("the tools of the cases");
    let lab = Lab::new().expect("a lab");
    let host = lab.host("cases").expect("a host");
    furnish(&host);
    let cases = cases();
    assert_eq!(cases.len(), 52);
    crate::replay_on(&host, cases.into_iter(), &BTreeMap::new());
}

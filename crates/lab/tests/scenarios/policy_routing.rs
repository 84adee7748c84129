//! The default route through the tunnel, as wg-quick sets it up: everything but what the daemon itself has marked.

use crate::common::{Shell, World, ping, pings_at_once};

#[test]
fn what_is_marked_goes_around_the_tunnel_and_all_else_through_it() {
    let world = World::nat();
    let World { one, two, key2, .. } = &world;
    world.endpoint_of_2("10.0.0.100:20000");
    ping(one, "192.168.241.2");

    // An IPv6 way out that leads nowhere: the tunnel must not be tempted by it.
    one.address("eth0", "fc00::9/96").unwrap();
    one.route_via("::/0", "fc00::1").unwrap();
    two.address("wg2", "192.168.99.7/32").unwrap();
    two.address("wg2", "abab::1111/128").unwrap();
    one.sysctl("net.ipv4.conf.eth0.rp_filter", "0").unwrap();
    world.wg(&format!(
        "wg1 fwmark 51820 peer {} allowed-ips 192.168.99.7,abab::1111",
        key2.public
    ));
    for family in ["-4", "-6"] {
        one.sh(&format!(
            "ip {family} route add default dev wg1 table 51820"
        ));
        one.sh(&format!(
            "ip {family} rule add not fwmark 51820 table 51820"
        ));
        one.sh(&format!(
            "ip {family} rule add table main suppress_prefixlength 0"
        ));
    }
    pings_at_once(one, 100, "192.168.99.7");
    pings_at_once(one, 100, "abab::1111");

    assert_eq!(world.show("wg1 fwmark"), "0xca6c");
    world.wg("wg1 fwmark 0");
    assert_eq!(world.show("wg1 fwmark"), "off");
}

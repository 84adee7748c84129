//! A packet that no peer takes is answered, so that its sender need not wait until it gives up.

use hushwire_lab::Host;

use crate::common::{Shell, World, ping};

/// What ping prints when it gets an error for an answer.
#[track_caller]
fn complaint(host: &Host, address: &str) -> String {
    match host.output(&["ping", "-n", "-c", "1", "-W", "5", address]) {
        Ok(output) => panic!("answered: {}", output.stdout),
        Err(error) => error
            .output()
            .map(|output| output.stdout.clone())
            .unwrap_or_default(),
    }
}

#[test]
fn the_host_itself_is_told() {
    let world = World::loopback_v4();
    ping(&world.one, "192.168.241.2");
    // On the interface's own network, but no peer's.
    let text = complaint(&world.one, "192.168.241.77");
    assert!(text.contains("Destination Host Unreachable"), "{text}");
    let text = complaint(&world.one, "fd00::77");
    assert!(text.contains("Address unreachable"), "{text}");
    ping(&world.one, "192.168.241.2");
}

/// A third host's packets are forwarded into the tunnel under the address of the host that has it; when there is no peer
/// for them, the third host is told, back along the route by which it sent.
#[test]
fn a_host_that_is_hidden_behind_the_tunnels_own_address_is_told() {
    let world = World::nat();
    let World {
        middle,
        one,
        two,
        key1,
        ..
    } = &world;
    world.endpoint_of_2("10.0.0.100:20000");
    ping(one, "192.168.241.2");
    two.sh_with_input(
        "nft -f -",
        "table ip nat {\n\
             chain out {\n\
                 type nat hook postrouting priority srcnat;\n\
                 ip saddr 10.0.0.0/24 ip daddr 192.168.241.0/24 snat to 192.168.241.2\n\
             }\n\
         }\n",
    );
    two.sysctl("net.ipv4.ip_forward", "1").unwrap();
    middle.sysctl("net.ipv4.conf.all.rp_filter", "1").unwrap();
    middle.route_via("192.168.241.1/32", "10.0.0.100").unwrap();
    ping(middle, "192.168.241.1");

    world.wg(&format!("wg2 peer {} remove", key1.public));
    let text = complaint(middle, "192.168.241.1");
    assert!(text.contains("Destination Host Unreachable"), "{text}");
}

//! One end behind a router that hides it and forgets silent flows after two seconds.

use std::thread;
use std::time::Duration;

use crate::common::{Shell, World, ping};

#[test]
fn a_keepalive_turned_on_later_keeps_the_way_back_open() {
    let world = World::nat();
    world.wg(&format!(
        "wg1 peer {} endpoint 10.0.0.100:20000 persistent-keepalive 1",
        world.key2.public
    ));
    ping(&world.one, "192.168.241.2");
    ping(&world.two, "192.168.241.1");
    assert_eq!(world.seen_endpoint("wg2"), "10.0.0.1:10000");
    // The silence is the test: longer than the router remembers.
    thread::sleep(Duration::from_secs(3));
    ping(&world.two, "192.168.241.1");
}

/// Without a keepalive the way back closes: this is what the keepalive is for, and it shows that the router forgets.
#[test]
fn without_a_keepalive_the_way_back_closes() {
    let world = World::nat();
    world.endpoint_of_2("10.0.0.100:20000");
    ping(&world.one, "192.168.241.2");
    thread::sleep(Duration::from_secs(3));
    assert!(
        world
            .two
            .output(&["ping", "-n", "-c", "1", "-W", "1", "192.168.241.1"])
            .is_err()
    );
    // The hidden end opens it again by speaking.
    ping(&world.one, "192.168.241.2");
    ping(&world.two, "192.168.241.1");
}

#[test]
fn a_ping_bound_to_the_interface_goes_through_even_when_its_mark_is_changed_on_the_way() {
    let world = World::nat();
    world.endpoint_of_2("10.0.0.100:20000");
    let bound = "ping -n -I wg1 -c 1 -W 10 192.168.241.2";
    world.one.sh(bound);
    world.one.sh_with_input(
        "nft -f -",
        "table ip marking {\n\
             chain out {\n\
                 type route hook output priority mangle;\n\
                 meta mark set 1\n\
             }\n\
         }\n",
    );
    ping(&world.one, "192.168.241.2");
    world.one.sh(bound);
}

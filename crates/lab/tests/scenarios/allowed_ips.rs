//! The table of allowed addresses, as the tools set and show it.

use crate::common::{Key, World, start};

fn bare() -> World {
    let world = World::empty();
    start(&world.middle, "wg0");
    world
}

fn joined(addresses: impl Iterator<Item = String>) -> String {
    addresses.collect::<Vec<_>>().join(",")
}

#[test]
fn peers_are_shown_in_the_order_they_came_with_all_their_addresses() {
    let world = bare();
    let World { key1, key2, .. } = &world;
    world.wg(&format!("wg0 peer {}", key1.public));
    let addresses = joined((1..=197).map(|number| format!("abcd::{number}")));
    world.wg(&format!("wg0 peer {} allowed-ips {addresses}", key2.public));

    let text = world.show("wg0 allowed-ips");
    let [first, second] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert_eq!(first, format!("{}\t(none)", key1.public));
    let mut words = second.split_whitespace();
    assert_eq!(words.next(), Some(key2.public.as_str()));
    assert_eq!(words.count(), 197);
}

/// `allowed_ip=-` of the newer control protocol, which Debian's wg(8) is too old to send.
#[test]
fn single_addresses_are_removed_and_the_others_stay() {
    let world = bare();
    let World { middle, key1, .. } = &world;
    let v4 = (1..=197).map(|number| format!("192.168.0.{number}/32"));
    let v6 = (1..=197).map(|number| format!("abcd::{number}/128"));
    world.wg(&format!(
        "wg0 peer {} allowed-ips {}",
        key1.public,
        joined(v4.chain(v6))
    ));
    let shown = || {
        world
            .show("wg0 allowed-ips")
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown().len(), 1 + 394);

    let gone = [
        "192.168.0.1/32",
        "192.168.0.20/32",
        "192.168.0.100/32",
        "abcd::1/128",
        "abcd::20/128",
        "abcd::100/128",
    ];
    let lines: String = gone
        .iter()
        .map(|address| format!("allowed_ip=-{address}\n"))
        .collect();
    let get = middle.uapi("wg0", "get=1\n\n").unwrap();
    let public = get
        .lines()
        .find(|line| line.starts_with("public_key="))
        .expect("the peer");
    let answer = middle
        .uapi(
            "wg0",
            &format!("set=1\n{public}\nupdate_only=true\n{lines}\n"),
        )
        .unwrap();
    assert_eq!(answer, "errno=0\n\n");
    let left = shown();
    assert_eq!(left.len(), 1 + 388);
    assert!(
        gone.iter()
            .all(|gone| !left.iter().any(|address| address == gone))
    );
    // One that is not there is not there: no error.
    let answer = middle
        .uapi(
            "wg0",
            &format!("set=1\n{public}\nallowed_ip=-10.0.0.0/8\n\n"),
        )
        .unwrap();
    assert_eq!(answer, "errno=0\n\n");
    assert_eq!(shown().len(), 1 + 388);
}

#[test]
fn a_prefix_belongs_to_the_peer_that_was_given_it_last() {
    let world = bare();
    let World { key1, key2, .. } = &world;
    world.wg(&format!(
        "wg0 peer {} allowed-ips 10.0.0.0/8,10.1.0.0/16,fd00::/64",
        key1.public
    ));
    world.wg(&format!(
        "wg0 peer {} allowed-ips 10.1.0.0/16,fd00::/64",
        key2.public
    ));
    let expected = format!(
        "{}\t10.0.0.0/8\n{}\t10.1.0.0/16 fd00::/64",
        key1.public, key2.public
    );
    assert_eq!(world.show("wg0 allowed-ips"), expected);
}

#[test]
fn prefixes_that_hold_each_other_are_replaced_as_a_whole() {
    let world = bare();
    let peer = Key::generate(&world.middle, "peer").public;
    for (many, one) in [
        (
            "0.0.0.0/0,10.0.0.0/8,100.0.0.0/10,172.16.0.0/12,192.168.0.0/16",
            "0.0.0.0/0",
        ),
        ("::/0,1700::/111,5000::/4,e000::/37,9000::/75", "::/0"),
    ] {
        world.wg(&format!("wg0 peer {peer} allowed-ips {many}"));
        assert_eq!(
            world.show("wg0 allowed-ips").split_whitespace().count(),
            1 + 5
        );
        world.wg(&format!("wg0 peer {peer} allowed-ips {one}"));
        assert_eq!(world.show("wg0 allowed-ips"), format!("{peer}\t{one}"));
    }
    world
        .middle
        .output(&["wg", "set", "wg0", "peer", &peer, "allowed-ips", ""])
        .unwrap();
    assert_eq!(world.show("wg0 allowed-ips"), format!("{peer}\t(none)"));
}

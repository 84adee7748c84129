//! Changes that do not fit into one message: many peers, and peers with many allowed IPs.

use hushwire_lab::vm::Check;

use crate::pair::Pair;
use crate::{check, config};

pub(crate) const CHECKS: &[Check] = &[
    check("many::peers", peers),
    check("many::allowed_ips", allowed_ips),
];

/// The sections of some peers, each saying all there is to say.
fn sections(numbers: impl Iterator<Item = u32>) -> String {
    let section = |number| {
        format!(
            "[Peer]\nPublicKey = {}\nPresharedKey = {}\nEndpoint = 192.0.2.9:{}\nPersistentKeepalive = {}\nAllowedIPs = {}, {}\n",
            config::key(number),
            config::key(number + 2_000_000),
            number + 1,
            number % 99 + 1,
            config::allowed_ip(number as u32, 0),
            config::allowed_ip(number as u32, 1)
        )
    };
    numbers.map(u64::from).map(section).collect()
}

fn peers() {
    let pair = Pair::new();
    let file = pair.file("conf", &(config::interface() + &sections(0..5000)));
    pair.quietly(&format!("setconf wg0 {file}"));
    assert_eq!(pair.dump().lines().count(), 5001);
    // Half of them go, others come.
    let file = pair.file("conf", &(config::interface() + &sections(2500..5500)));
    pair.quietly(&format!("syncconf wg0 {file}"));
    let file = pair.file("conf", &sections((1000..6000).step_by(10)));
    pair.quietly(&format!("addconf wg0 {file}"));
    let removals: Vec<String> = (2500..5000)
        .step_by(25)
        .map(|number| format!("peer {} remove", config::key(number)))
        .collect();
    pair.quietly(&format!("set wg0 {}", removals.join(" ")));
    let file = pair.file("conf", &sections(0..1));
    pair.quietly(&format!("setconf wg0 {file}"));
}

fn allowed_ips() {
    let pair = Pair::new();
    let text = [
        config::peer(0, 3),
        config::peer(1, 20_000),
        config::peer(10_000, 3),
    ];
    let file = pair.file("conf", &text.concat());
    pair.quietly(&format!("setconf wg0 {file}"));
    assert_eq!(pair.dump().matches(',').count(), 2 + 19_999 + 2);
    // Single ones go and come, again more than one message holds.
    let list = |sign: char, first: u32| {
        let entries = (first..20_000)
            .step_by(8)
            .map(|index| format!("{sign}{}", config::allowed_ip(1, index)));
        entries.collect::<Vec<_>>().join(",")
    };
    let key = config::key(1);
    pair.quietly(&format!("set wg0 peer {key} allowed-ips {}", list('-', 0)));
    assert_eq!(pair.dump().matches(',').count(), 2 + 17_499 + 2);
    pair.quietly(&format!("set wg0 peer {key} allowed-ips {}", list('+', 0)));
    pair.quietly(&format!(
        "set wg0 peer {} allowed-ips {}",
        config::key(2),
        list('+', 1)
    ));
    let file = pair.file("conf", &config::peer(1, 10_000));
    pair.quietly(&format!("syncconf wg0 {file}"));
    pair.quietly(&format!("addconf wg0 {file}"));
}

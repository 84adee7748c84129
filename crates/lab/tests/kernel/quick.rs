//! Interfaces of the kernel's brought up and down by `hushwire`, without a daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use hushwire_lab::vm::Check;
use hushwire_lab::{Host, Lab};
use hushwire_netlink::RouteFilter;

use crate::{check, config};

pub(crate) const CHECKS: &[Check] = &[
    check("quick::up_reload_down", up_reload_down),
    check("quick::roll_back", roll_back),
];

/// More than anything takes on an emulated processor.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Runs a verb on the file of `wg0`; what it says, and whether it went well.
fn hushwire(host: &Host, words: &[&str]) -> (bool, String) {
    let mut command = host.command(&["hushwire"]);
    command.args(words).arg("/run/wg0.conf");
    let mut process = host.spawn(command).unwrap();
    let status = process.wait(LIMIT).unwrap();
    (status.success(), process.output().stderr)
}

pub(crate) fn write(host: &Host, text: &str) {
    host.run(|| {
        fs::write("/run/wg0.conf", text)?;
        fs::set_permissions("/run/wg0.conf", fs::Permissions::from_mode(0o600))
    })
    .unwrap();
}

/// Names of links, and destinations of routes with their tables.
fn state(host: &Host) -> (Vec<String>, Vec<String>) {
    let mut netlink = host.netlink();
    let links = netlink.links().unwrap().into_iter().map(|link| link.name);
    let links = links.collect();
    let routes = netlink.routes(RouteFilter::default()).unwrap();
    let shown = routes.iter().filter(|route| route.destination.is_ipv4());
    let shown = shown.map(|route| format!("{} {}", route.destination, route.table));
    (links, shown.collect())
}

fn up_reload_down() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    host.up("lo").unwrap();
    let before = state(&host);
    let text = format!(
        "{}Address = 10.7.0.1/24\nMTU = 1400\n{}",
        config::interface(),
        config::peer(1, 3)
    );
    write(&host, &text);
    let (done, said) = hushwire(&host, &["up", "--backend=kernel"]);
    assert!(done, "{said}");
    assert!(
        said.starts_with("[#] ip link add dev wg0 type wireguard\n[#] wg addconf"),
        "{said}"
    );
    let link = host.netlink().link("wg0").unwrap().unwrap();
    assert_eq!(
        (link.kind.as_deref(), link.mtu, link.up),
        (Some("wireguard"), 1400, true)
    );
    let (_, routes) = state(&host);
    assert!(routes.contains(&"10.7.0.0/24 254".to_owned()), "{routes:?}");

    write(
        &host,
        &text.replace("1400", "1300").replace("10.7.0.1", "10.8.0.1"),
    );
    let (done, said) = hushwire(&host, &["reload"]);
    assert!(done, "{said}");
    assert!(!said.contains("syncconf"), "the device is the same: {said}");
    assert_eq!(host.netlink().link("wg0").unwrap().unwrap().mtu, 1300);
    let (_, routes) = state(&host);
    assert!(routes.contains(&"10.8.0.0/24 254".to_owned()), "{routes:?}");
    let (done, said) = hushwire(&host, &["reload"]);
    assert!(done && said == "wg0 is what its file says\n", "{said}");

    let (done, said) = hushwire(&host, &["down"]);
    assert!(done, "{said}");
    assert_eq!(state(&host), before);
}

fn roll_back() {
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let before = state(&host);
    write(
        &host,
        &format!(
            "{}PostUp = echo no more >&2; exit 7\n{}",
            config::interface(),
            config::peer(1, 3)
        ),
    );
    let (done, said) = hushwire(&host, &["up", "--backend=kernel"]);
    assert!(!done && said.contains("\nno more\n"), "{said}");
    assert_eq!(state(&host), before, "{said}");
}

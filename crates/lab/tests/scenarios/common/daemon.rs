//! The daemon under test.

use std::env;

use hushwire_lab::{Host, Implementation};

/// The daemon that the scenarios run.
pub(crate) fn implementation() -> Implementation {
    let Ok(name) = env::var("HUSHWIRE_TEST_IMPLEMENTATION") else {
        return Implementation::Hushwired;
    };
    let known = Implementation::ALL
        .into_iter()
        .find(|known| known.name() == name);
    known.unwrap_or_else(|| panic!("HUSHWIRE_TEST_IMPLEMENTATION: there is no `{name}`"))
}

/// Starts the daemon as wg-quick and the network test scripts do: by `daemon NAME`, which puts itself into the
/// background and returns once the device and its control socket are usable. It ends with the lab.
#[track_caller]
pub(crate) fn start(host: &Host, interface: &str) {
    start_with(host, interface, &[]);
}

/// As [`start`], with environment variables.
#[track_caller]
pub(crate) fn start_with(host: &Host, interface: &str, environment: &[(&str, &str)]) {
    let implementation = implementation();
    let binary = implementation.binary().unwrap();
    let mut command = host.command(&[binary.as_os_str()]);
    if matches!(
        implementation,
        Implementation::Boringtun | Implementation::Gotatun
    ) {
        command.arg("--disable-drop-privileges");
    }
    // A system call that is on no list, or a layer that is missing, is to be noticed.
    command.env("HUSHWIRE_SANDBOX", "strict");
    // WireGuard's own scripts listen on ports below 10.
    command.env("HUSHWIRE_LOW_PORTS", "1");
    command.arg(interface).envs(environment.iter().copied());
    host.spawn(command)
        .and_then(|process| process.finish(super::SOON))
        .unwrap();
    if implementation != Implementation::Hushwired {
        // wireguard-go's background process still looks its device up by name, so it must not be moved away yet.
        super::eventually("the daemon to answer", || {
            host.uapi(interface, "get=1\n\n").is_ok()
        });
    }
}

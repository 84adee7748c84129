//! Hosts, containers above all, on which IPv6 is switched off.

use std::fs;

use hushwire_quick::QuickFile;

use super::error::Error;

/// Whether IPv6 is to be left out because nothing on this host has it, so that leaving it out lets
/// nothing past the tunnel.
pub(super) fn is_left_out(file: &QuickFile) -> Result<bool, Error> {
    if !uses_ipv6(file) || is_on("default") {
        return Ok(false);
    }
    let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    if is_used(&addresses) {
        return Err(Error::Ipv6);
    }
    Ok(true)
}

/// Whether there is an IPv6 address or prefix in a file. An endpoint may have one in any case.
fn uses_ipv6(file: &QuickFile) -> bool {
    let text = String::from_utf8_lossy(&file.passthrough);
    let allowed = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let is_allowed = key.trim().eq_ignore_ascii_case("AllowedIPs");
        is_allowed.then(|| value.contains(':'))
    });
    let mut addresses = file.addresses.iter();
    addresses.any(|address| address.contains(':')) || allowed.into_iter().any(|v6| v6)
}

fn is_on(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    fs::read_to_string(path).is_ok_and(|value| value.trim() == "0")
}

/// `addresses` is in the form of /proc/net/if_inet6, where a line ends with the interface.
fn is_used(addresses: &str) -> bool {
    addresses
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .any(|name| name != "lo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_no_use_of_ipv6() {
        let lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
        let eth = "fe80000000000000021122fffe334455 02 40 20 80     eth0\n";
        assert!(!is_used(""));
        assert!(!is_used(lo));
        assert!(is_used(&format!("{lo}{eth}")));
    }

    #[test]
    fn an_address_or_a_prefix_is_a_use_of_ipv6() {
        let uses = |text: &str| uses_ipv6(&QuickFile::parse(text.as_bytes()).unwrap());
        assert!(uses("[Interface]\nAddress = 10.0.0.1/8, fd00::1/64\n"));
        assert!(uses("[Peer]\nallowedips=::/0\n"));
        assert!(!uses(
            "[Interface]\nAddress = 10.0.0.1\n[Peer]\nEndpoint = [fd00::1]:5\n"
        ));
    }
}

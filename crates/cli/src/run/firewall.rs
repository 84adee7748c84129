//! What default routes through a tunnel need of the firewall, as wg-quick(8) sets it up.
//!
//! The mark of the tunnel's own packets is put on the answers to them too, so that a strict
//! reverse path filter knows that they did not come the wrong way. And packets from elsewhere to
//! the tunnel's addresses are dropped: through them somebody on the same network could find out
//! what goes through the tunnel (CVE-2019-14899).

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use hushwire_netlink::IpFamily;

use super::configuration::warn;

/// Tables of nftables for a tunnel. They are deleted when this is dropped.
pub(super) struct Firewall {
    table: String,
    families: Vec<&'static str>,
}

impl Firewall {
    /// Sets the rules up for the families that have default routes. Without nft(8) or the rights
    /// there are none, which is told on standard error: most hosts do without.
    pub(super) fn set_up(
        interface: &str,
        mark: u32,
        addresses: &[IpAddr],
        families: &[IpFamily],
    ) -> Self {
        let mut firewall = Self {
            table: table_name(interface),
            families: Vec::new(),
        };
        for family in families {
            let is_v4 = *family == IpFamily::V4;
            let own = addresses
                .iter()
                .filter(|address| address.is_ipv4() == is_v4);
            let family = if is_v4 { "ip" } else { "ip6" };
            let script = rules(&firewall.table, family, interface, mark, own);
            match nft(&script) {
                Ok(()) => firewall.families.push(family),
                Err(error) => warn(&format_args!(
                    "no firewall rules for {interface}: {error}; with \
                     net.ipv4.conf.*.rp_filter=1 nothing will come in (install nftables)"
                )),
            }
        }
        firewall
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        for family in self.families.drain(..) {
            if let Err(error) = nft(&format!("delete table {family} {}\n", self.table)) {
                warn(&format_args!(
                    "the firewall table {family} {} is left: {error}",
                    self.table
                ));
            }
        }
    }
}

/// A name for a table out of the name of an interface, which may have characters that no table
/// can.
fn table_name(interface: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = interface
        .chars()
        .map(|c| if legal(c) { c } else { '_' })
        .collect();
    format!("hushwire-{name}")
}

fn rules<'a>(
    table: &str,
    family: &str,
    interface: &str,
    mark: u32,
    addresses: impl Iterator<Item = &'a IpAddr>,
) -> String {
    let mut drops = String::new();
    for address in addresses {
        let _ = writeln!(
            drops,
            "    iifname != \"{interface}\" {family} daddr {address} fib saddr type != local drop"
        );
    }
    // The first two lines take away what a tunnel of this name that was killed has left.
    format!(
        "add table {family} {table}
delete table {family} {table}
table {family} {table} {{
  chain preraw {{
    type filter hook prerouting priority -300
{drops}  }}
  chain premangle {{
    type filter hook prerouting priority -150
    meta l4proto udp meta mark set ct mark
  }}
  chain postmangle {{
    type filter hook postrouting priority -150
    meta l4proto udp mark {mark} ct mark set mark
  }}
}}
"
    )
}

/// Runs a script of nft(8), all of it or nothing.
fn nft(script: &str) -> io::Result<()> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("nft: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Should it end before it has read all, it says why itself.
        let _ = stdin.write_all(script.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it failed").to_owned();
    Err(io::Error::other(format!("nft: {first}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_become_names_of_tables() {
        assert_eq!(table_name("wg0"), "hushwire-wg0");
        assert_eq!(table_name("a=b+c.d-e"), "hushwire-a_b_c.d-e");
    }

    #[test]
    fn every_address_of_the_family_is_guarded() {
        let addresses: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let script = rules("t", "ip", "wg0", 51820, addresses.iter());
        for address in addresses {
            let rule = format!("iifname != \"wg0\" ip daddr {address} fib saddr");
            assert!(script.contains(&rule), "{script}");
        }
        assert!(script.contains("mark 51820 ct mark set mark"), "{script}");
    }
}

use std::sync::atomic::{AtomicU16, Ordering};

use hushwire_netlink::conntrack;

use crate::{Host, Result};

/// Each binding gets its ports from a range of this size.
const RANGE: u16 = 100;
/// The first port of the first range.
const FIRST_PORT: u16 = 20_000;
/// How many ranges there are before the first comes again.
const RANGES: u16 = 400;

/// A host that hides others behind its own address, as the router of a home does.
///
/// What the hosts behind it send out of the outside interface gets that interface's address as its source, and a port
/// from 20000 up. From outside, only answers come in.
#[derive(Debug)]
pub struct Nat<'a> {
    host: &'a Host,
    outside: String,
    range: AtomicU16,
}

impl<'a> Nat<'a> {
    /// Makes a router of a host, whose interfaces and addresses are there already. `outside` is the interface towards
    /// the world. Needs nft(8).
    ///
    /// # Errors
    /// When nftables is not installed or the kernel cannot do NAT.
    pub fn new(host: &'a Host, outside: &str) -> Result<Self> {
        let nat = Self {
            host,
            outside: outside.to_owned(),
            range: AtomicU16::new(0),
        };
        host.forward()?;
        nat.load_rules()?;
        Ok(nat)
    }

    /// Forgets all connections and gives every flow another port from now on, as a router does that was restarted.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn rebind(&self) -> Result<()> {
        self.range.fetch_add(1, Ordering::Relaxed);
        self.load_rules()?;
        self.forget()
    }

    /// Forgets all connections; what comes from outside is shut out until the inside speaks again.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget(&self) -> Result<()> {
        Ok(self.host.run(conntrack::flush)?)
    }

    /// Sets after how many seconds of silence a UDP flow is forgotten: one that was never answered, and one that was.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_udp_timeouts(&self, unanswered: u32, answered: u32) -> Result<()> {
        let parameter = "net.netfilter.nf_conntrack_udp_timeout";
        self.host.sysctl(parameter, &unanswered.to_string())?;
        self.host
            .sysctl(&format!("{parameter}_stream"), &answered.to_string())
    }

    /// The ports that flows get now.
    #[must_use]
    pub fn ports(&self) -> std::ops::RangeInclusive<u16> {
        let first = FIRST_PORT + self.range.load(Ordering::Relaxed) % RANGES * RANGE;
        first..=first + RANGE - 1
    }

    fn load_rules(&self) -> Result<()> {
        let rules = ruleset(&self.outside, &self.ports());
        self.host
            .output_with_input(&["nft", "-f", "-"], &rules)
            .map(|_| ())
    }
}

/// The rules, which take the place of the former ones in one step.
fn ruleset(outside: &str, ports: &std::ops::RangeInclusive<u16>) -> String {
    let (first, last) = (ports.start(), ports.end());
    format!(
        "table inet hushwire_lab
delete table inet hushwire_lab
table inet hushwire_lab {{
    chain source {{
        type nat hook postrouting priority srcnat
        oifname \"{outside}\" meta l4proto {{ tcp, udp }} masquerade to :{first}-{last}
        oifname \"{outside}\" masquerade
    }}
    chain through {{
        type filter hook forward priority filter
        iifname \"{outside}\" ct state new,invalid drop
    }}
    chain here {{
        type filter hook input priority filter
        iifname \"{outside}\" meta l4proto {{ tcp, udp }} ct state new,invalid drop
    }}
}}
"
    )
}

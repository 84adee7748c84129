//! What default routes through a tunnel need of the firewall.
//!
//! The mark of the tunnel's own packets is put on the answers to them too, so that a strict
//! reverse path filter knows that they did not come the wrong way. And packets from elsewhere to
//! the tunnel's addresses are dropped: through them somebody on the same network could find out
//! what goes through the tunnel (CVE-2019-14899).

use std::fmt::Write as _;
use std::net::IpAddr;

use hushwire_netlink::IpFamily;

/// A program that takes firewall rules, all of a script or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// nft(8).
    Nft,
    /// iptables-restore(8).
    Iptables,
    /// ip6tables-restore(8).
    Ip6tables,
}

impl Tool {
    /// Its command line.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Nft => "nft -f /dev/fd/63",
            Self::Iptables => "iptables-restore -n",
            Self::Ip6tables => "ip6tables-restore -n",
        }
    }

    /// The program and the arguments with which it reads a script from standard input.
    pub(crate) const fn argv(self) -> (&'static str, [&'static str; 2]) {
        match self {
            Self::Nft => ("nft", ["-f", "-"]),
            Self::Iptables => ("iptables-restore", ["-n", "--"]),
            Self::Ip6tables => ("ip6tables-restore", ["-n", "--"]),
        }
    }

    /// The makes of iptables for a family.
    #[must_use]
    pub const fn iptables(family: IpFamily) -> Self {
        match family {
            IpFamily::V4 => Self::Iptables,
            IpFamily::V6 => Self::Ip6tables,
        }
    }
}

/// Rules for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Who reads them.
    pub tool: Tool,
    /// The rules in its language.
    pub text: String,
}

/// Rules, and what takes them away again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The rules.
    pub install: Script,
    /// What takes them away.
    pub remove: Script,
}

/// What is to be guarded.
#[derive(Clone, Debug)]
pub struct Guarded<'a> {
    /// The interface.
    pub interface: &'a str,
    /// The mark of the tunnel's own packets.
    pub mark: u32,
    /// The family of the default route.
    pub family: IpFamily,
    /// The interface's addresses of that family.
    pub addresses: &'a [IpAddr],
}

impl Guarded<'_> {
    /// The rules for a tool, and what takes them away.
    #[must_use]
    pub fn guard(&self, tool: Tool) -> Guard {
        Guard {
            install: self.script(tool),
            remove: self.removal(tool),
        }
    }

    fn script(&self, tool: Tool) -> Script {
        let text = match tool {
            Tool::Nft => self.nft(),
            Tool::Iptables | Tool::Ip6tables => self.iptables(),
        };
        Script { tool, text }
    }

    fn removal(&self, tool: Tool) -> Script {
        let text = match tool {
            Tool::Nft => {
                let name = table_name(self.interface);
                let family = nft_family(self.family);
                // So that one that somebody else has deleted is no error.
                format!("add table {family} {name}\ndelete table {family} {name}\n")
            }
            Tool::Iptables | Tool::Ip6tables => delete_all(&self.iptables()),
        };
        Script { tool, text }
    }

    fn nft(&self) -> String {
        let interface = self.interface;
        let table = format!("{} {}", nft_family(self.family), table_name(interface));
        let word = nft_family(self.family);
        // First what a tunnel of this name that was killed may have left is taken away.
        let mut text = format!("add table {table}\ndelete table {table}\nadd table {table}\n");
        for (chain, hook, priority) in [
            ("preraw", "prerouting", -300),
            ("premangle", "prerouting", -150),
            ("postmangle", "postrouting", -150),
        ] {
            let _ = writeln!(
                text,
                "add chain {table} {chain} {{ type filter hook {hook} priority {priority}; }}"
            );
        }
        for address in self.addresses {
            let _ = writeln!(
                text,
                "add rule {table} preraw iifname != \"{interface}\" {word} daddr {address} \
                 fib saddr type != local drop"
            );
        }
        let mark = self.mark;
        let _ = writeln!(
            text,
            "add rule {table} postmangle meta l4proto udp mark {mark} ct mark set mark\n\
             add rule {table} premangle meta l4proto udp meta mark set ct mark"
        );
        text
    }

    fn iptables(&self) -> String {
        let interface = self.interface;
        let comment = format!("-m comment --comment \"{}\"", marker(interface));
        let mut text = "*raw\n".to_owned();
        for address in self.addresses {
            let _ = writeln!(
                text,
                "-I PREROUTING ! -i {interface} -d {address} -m addrtype ! --src-type LOCAL \
                 -j DROP {comment}"
            );
        }
        let mark = self.mark;
        let _ = writeln!(
            text,
            "COMMIT\n*mangle\n\
             -I POSTROUTING -m mark --mark {mark} -p udp -j CONNMARK --save-mark {comment}\n\
             -I PREROUTING -p udp -j CONNMARK --restore-mark {comment}\nCOMMIT"
        );
        text
    }
}

/// Turns insertions into deletions.
fn delete_all(text: &str) -> String {
    text.replace("\n-I ", "\n-D ")
}

const fn nft_family(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "ip",
        IpFamily::V6 => "ip6",
    }
}

fn marker(interface: &str) -> String {
    format!("wg-quick(8) rule for {interface}")
}

/// The name of an interface's table. Of its letters, nft(8) does not take `=` and `+`.
fn table_name(interface: &str) -> String {
    format!("wg-quick-{}", interface.replace(['=', '+'], "_"))
}

/// What takes away the tables of an interface that `nft list tables` shows; none if there are none.
#[must_use]
pub fn nft_leftovers(tables: &str, interface: &str) -> Option<Script> {
    let suffix = format!(" {}", table_name(interface));
    let mut text = String::new();
    for table in tables.lines().filter(|line| line.ends_with(&suffix)) {
        let _ = writeln!(text, "delete {table}");
    }
    let tool = Tool::Nft;
    (!text.is_empty()).then_some(Script { tool, text })
}

/// What takes away the rules of an interface that `iptables-save` shows; none if there are none.
#[must_use]
pub fn iptables_leftovers(rules: &str, interface: &str, tool: Tool) -> Option<Script> {
    let comment = format!("-m comment --comment \"{}\"", marker(interface));
    let mut text = String::new();
    let mut found = false;
    for line in rules.lines() {
        if let Some(rule) = line.strip_prefix("-A ").filter(|_| line.contains(&comment)) {
            found = true;
            let _ = writeln!(text, "-D {rule}");
        } else if line.starts_with('*') || line == "COMMIT" {
            let _ = writeln!(text, "{line}");
        }
    }
    found.then_some(Script { tool, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(addresses: &[IpAddr]) -> Guarded<'_> {
        Guarded {
            interface: "wg0",
            mark: 51820,
            family: IpFamily::V4,
            addresses,
        }
    }

    #[test]
    fn every_address_is_guarded() {
        let addresses: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let nft = guarded(&addresses).script(Tool::Nft).text;
        let iptables = guarded(&addresses).script(Tool::Iptables).text;
        for address in addresses {
            assert!(
                nft.contains(&format!("!= \"wg0\" ip daddr {address} fib")),
                "{nft}"
            );
            assert!(
                iptables.contains(&format!("! -i wg0 -d {address} ")),
                "{iptables}"
            );
        }
        assert!(nft.contains("mark 51820 ct mark set mark"), "{nft}");
    }

    #[test]
    fn letters_that_nft_does_not_take() {
        assert_eq!(table_name("wg0"), "wg-quick-wg0");
        assert_eq!(table_name("a=b+c.d-e"), "wg-quick-a_b_c.d-e");
    }

    #[test]
    fn only_the_interfaces_own_tables_are_left_over() {
        let tables = "table ip filter\ntable ip wg-quick-wg0\ntable ip6 wg-quick-wg0\n\
                      table ip wg-quick-wg01\n";
        let script = nft_leftovers(tables, "wg0").unwrap();
        assert_eq!(
            script.text,
            "delete table ip wg-quick-wg0\ndelete table ip6 wg-quick-wg0\n"
        );
        assert_eq!(nft_leftovers("table ip filter\n", "wg0"), None);
    }

    #[test]
    fn only_rules_with_the_comment_are_left_over() {
        let saved = "# Generated\n*raw\n:PREROUTING ACCEPT [0:0]\n\
            -A PREROUTING -d 10.0.0.1/32 -m comment --comment \"wg-quick(8) rule for wg0\" -j DROP\n\
            -A PREROUTING -d 10.0.0.9/32 -m comment --comment \"wg-quick(8) rule for wg01\" -j DROP\n\
            COMMIT\n";
        let script = iptables_leftovers(saved, "wg0", Tool::Iptables).unwrap();
        assert_eq!(
            script.text,
            "*raw\n-D PREROUTING -d 10.0.0.1/32 -m comment \
             --comment \"wg-quick(8) rule for wg0\" -j DROP\nCOMMIT\n"
        );
        assert_eq!(iptables_leftovers(saved, "wg2", Tool::Iptables), None);
    }

    #[test]
    fn what_was_inserted_is_deleted() {
        let guarded = guarded(&[]);
        let script = guarded.script(Tool::Iptables).text;
        let removal = guarded.removal(Tool::Iptables).text;
        assert_eq!(script.matches("\n-I ").count(), 2);
        assert_eq!(removal.matches("\n-D ").count(), 2);
        assert!(!removal.contains("-I "));
    }
}

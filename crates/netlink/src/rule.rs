use std::fmt;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{Netlink, Prefix, Result};

/// A rule of the routing policy (ip-rule(8)): which packets ask which table. Made with [`Rule::ask`] and refined:
/// `Rule::ask(IpFamily::V4, 51820).unless_mark(51820)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The packets of which family.
    pub family: IpFamily,
    /// The routing table to ask.
    pub table: u32,
    /// The lowest is asked first. None: the kernel puts it before the rules that are there, all but the first.
    pub priority: Option<u32>,
    /// Only packets with this firewall mark.
    pub mark: Option<u32>,
    /// Only packets from here.
    pub source: Option<Prefix>,
    /// The rule is for those packets that do not match (`not`).
    pub inverted: bool,
    /// Routes with this prefix length or a shorter one do not count (`suppress_prefixlength`).
    pub suppress_prefix_length: Option<u32>,
}

/// One of the two families of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Rule {
    /// All packets of a family ask this table.
    #[must_use]
    pub fn ask(family: IpFamily, table: u32) -> Self {
        Self {
            family,
            table,
            priority: None,
            mark: None,
            source: None,
            inverted: false,
            suppress_prefix_length: None,
        }
    }

    /// Only packets with this firewall mark.
    #[must_use]
    pub fn mark(self, mark: u32) -> Self {
        Self {
            mark: Some(mark),
            ..self
        }
    }

    /// Only packets without this firewall mark.
    #[must_use]
    pub fn unless_mark(self, mark: u32) -> Self {
        Self {
            inverted: true,
            ..self.mark(mark)
        }
    }

    /// Only packets from a source in this prefix, which must be of the rule's family.
    #[must_use]
    pub fn source(self, source: Prefix) -> Self {
        Self {
            source: Some(source.network()),
            ..self
        }
    }

    /// At this place in the order.
    #[must_use]
    pub fn priority(self, priority: u32) -> Self {
        Self {
            priority: Some(priority),
            ..self
        }
    }

    /// Without the table's routes of this prefix length or shorter; 0 leaves out default routes only.
    #[must_use]
    pub fn suppress_prefix_length(self, length: u32) -> Self {
        Self {
            suppress_prefix_length: Some(length),
            ..self
        }
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = match self.family {
            IpFamily::V4 => AddressFamily::Inet,
            IpFamily::V6 => AddressFamily::Inet6,
        };
        message.header.action = RuleAction::ToTable;
        message.header.src_len = self.source.map_or(0, |source| source.length());
        if self.inverted {
            message.header.flags |= RuleFlags::Invert;
        }
        let attributes = &mut message.attributes;
        attributes.push(RuleAttribute::Table(self.table));
        attributes.extend(self.priority.map(RuleAttribute::Priority));
        attributes.extend(self.mark.map(RuleAttribute::FwMark));
        attributes.extend(
            self.source
                .map(|source| RuleAttribute::Source(source.network().address())),
        );
        attributes.extend(
            self.suppress_prefix_length
                .map(RuleAttribute::SuppressPrefixLen),
        );
        message
    }
}

impl Netlink {
    /// Adds a rule.
    ///
    /// # Errors
    /// When there is such a rule already (see [`crate::Error::is_already_there`]).
    pub fn add_rule(&mut self, rule: &Rule) -> Result<()> {
        let message = RouteNetlinkMessage::NewRule(rule.message());
        self.request(message, NLM_F_CREATE | NLM_F_EXCL, || {
            format!("add rule {rule}")
        })
    }

    /// Deletes the first rule that matches in all that is given.
    ///
    /// # Errors
    /// When there is none (see [`crate::Error::is_missing`]).
    pub fn delete_rule(&mut self, rule: &Rule) -> Result<()> {
        let message = RouteNetlinkMessage::DelRule(rule.message());
        self.request(message, 0, || format!("delete rule {rule}"))
    }

    /// The rules of a family that ask a table, in their order.
    ///
    /// # Errors
    /// When the kernel refuses the request.
    pub fn rules(&mut self, family: IpFamily) -> Result<Vec<Rule>> {
        let mut message = RuleMessage::default();
        message.header.family = Rule::ask(family, 0).message().header.family;
        let answers = self.dump(&RouteNetlinkMessage::GetRule(message), || {
            "list the rules".to_owned()
        })?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| parse_rule(answer, family))
            .collect())
    }
}

impl fmt::Display for Rule {
    /// In the words of ip-rule(8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inverted {
            f.write_str("not ")?;
        }
        match self.source {
            Some(source) => write!(f, "from {source}")?,
            None => f.write_str("from all")?,
        }
        if let Some(mark) = self.mark {
            write!(f, " fwmark {mark:#x}")?;
        }
        write!(f, " lookup {}", self.table)?;
        if let Some(length) = self.suppress_prefix_length {
            write!(f, " suppress_prefixlength {length}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " priority {priority}")?;
        }
        Ok(())
    }
}

pub(crate) fn parse_rule(message: RouteNetlinkMessage, family: IpFamily) -> Option<Rule> {
    let RouteNetlinkMessage::NewRule(message) = message else {
        return None;
    };
    if message.header.action != RuleAction::ToTable {
        return None;
    }
    let mut rule = Rule::ask(family, u32::from(message.header.table));
    rule.inverted = message.header.flags.contains(RuleFlags::Invert);
    // The kernel leaves out a priority of zero.
    rule.priority = Some(0);
    for attribute in message.attributes {
        match attribute {
            RuleAttribute::Table(table) => rule.table = table,
            RuleAttribute::Priority(priority) => rule.priority = Some(priority),
            RuleAttribute::FwMark(mark) => rule.mark = Some(mark),
            RuleAttribute::Source(address) => {
                rule.source = Some(Prefix::new(address, message.header.src_len).ok()?);
            }
            // The kernel says "none" as -1.
            RuleAttribute::SuppressPrefixLen(length) => {
                rule.suppress_prefix_length = Some(length).filter(|length| *length != u32::MAX);
            }
            _ => {}
        }
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_one_would_type_it() {
        let rule = Rule::ask(IpFamily::V4, 51820)
            .unless_mark(51820)
            .priority(7);
        assert_eq!(
            rule.to_string(),
            "not from all fwmark 0xca6c lookup 51820 priority 7"
        );
        let rule = Rule::ask(IpFamily::V6, 254)
            .source("fd00::1/64".parse().unwrap())
            .suppress_prefix_length(0);
        assert_eq!(
            rule.to_string(),
            "from fd00::/64 lookup 254 suppress_prefixlength 0"
        );
    }
}

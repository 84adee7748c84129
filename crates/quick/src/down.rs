//! Taking an interface down.

use std::ops::RangeInclusive;
use std::path::Path;

use hushwire_netlink::{IpFamily, MAIN_TABLE, Rule};

use crate::Failure;
use crate::file::QuickFile;
use crate::operation::{Event, Operation};
use crate::plan::{self, Routing};
use crate::save;
use crate::transaction::Transaction;

/// The tables `default`, `main` and `local`. Rules for them are the system's, even where the mark of
/// a tunnel has such a number; wg-quick(8) spares them because it looks for the number, and they are
/// shown by name.
const SYSTEM_TABLES: RangeInclusive<u32> = 253..=255;

/// Takes an interface down that [`crate::up`] or wg-quick(8) has brought up from this file. It
/// must be there.
///
/// # Errors
/// What failed. It has been told. After a failed `PreDown` the interface is still up; a failed
/// `PostDown` changes nothing.
pub fn down(
    file: &QuickFile,
    path: &Path,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let done = take_down(file, path, transaction);
    if let Err(failure) = &done {
        transaction.explain(failure);
    }
    done
}

fn take_down(
    file: &QuickFile,
    path: &Path,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let interface = transaction.interface();
    transaction.run_all(plan::hooks(Event::PreDown, file, interface))?;
    if file.save_config {
        let operation = save::operation(file, path, transaction.system)?;
        transaction.run(&operation)?;
    }
    let dns = plan::dns(file, transaction.system);
    transaction.hold();
    delete(file, transaction)?;
    if let Some(dns) = dns {
        transaction.attempt(&Operation::UnsetDns(dns));
    }
    transaction.remove_firewall();
    transaction.reset();
    transaction.run_all(plan::hooks(Event::PostDown, file, interface))
}

/// Deletes the rules and the interface.
fn delete(file: &QuickFile, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    if Routing::of(file) == Routing::Auto {
        match transaction.system.device() {
            Ok(device) if device.fwmark != 0 && plan::has_default(&device) => {
                for family in [IpFamily::V4, IpFamily::V6] {
                    delete_rules(family, device.fwmark, transaction)?;
                }
            }
            Ok(_) => {}
            Err(error) => transaction.say(&format!("Unable to access interface: {error}")),
        }
    }
    transaction.run(&Operation::DeleteLink)
}

/// Takes away what belongs to an interface that is gone, but for what went with it: the rules of
/// its mark, and its firewall. What cannot be taken away is told.
pub fn sweep(mark: u32, transaction: &mut Transaction<'_>) {
    for family in [IpFamily::V4, IpFamily::V6] {
        let rules = transaction.system.rules(family).unwrap_or_default();
        let is_ours = |rule: &Rule| mark != 0 && rule.table == mark && is_tunnel(rule);
        if !rules.iter().any(is_ours) {
            continue;
        }
        for rule in own_rules(&rules, mark) {
            transaction.attempt(&Operation::DeleteRule(rule));
        }
    }
    transaction.remove_firewall();
}

/// Deletes the rules of a table, and with each the rule of the main table that was made with it.
pub(crate) fn delete_rules(
    family: IpFamily,
    table: u32,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let rules = transaction.system.rules(family)?;
    for rule in own_rules(&rules, table) {
        transaction.run(&Operation::DeleteRule(rule))?;
    }
    Ok(())
}

/// The rules that ask a table, and those of the main table that belong to them. Other tunnels have
/// rules like the latter, and keep them: ours is the one right before its companion, or else one
/// that no other tunnel can have made.
fn own_rules(rules: &[Rule], table: u32) -> Vec<Rule> {
    let is_own = |rule: &Rule| {
        rule.table == table && (is_tunnel(rule) || !SYSTEM_TABLES.contains(&rule.table))
    };
    let (own, others): (Vec<Rule>, Vec<Rule>) = rules.iter().copied().partition(is_own);
    let suppressing: Vec<Rule> = others.iter().copied().filter(is_suppressing).collect();
    let tunnels = others.iter().filter(|rule| is_tunnel(rule)).count();
    let mut surplus = suppressing.len().saturating_sub(tunnels);
    let mut deleted = own.clone();
    for companion in own.iter().filter(|rule| is_tunnel(rule)) {
        let before = companion
            .priority
            .and_then(|priority| priority.checked_sub(1));
        let left = |rule: &&Rule| !deleted.contains(rule);
        let exact = suppressing
            .iter()
            .filter(left)
            .find(|rule| rule.priority == before);
        let other = || suppressing.iter().rfind(left);
        let found = match exact {
            Some(rule) => Some(*rule),
            None if surplus > 0 => other().copied(),
            None => None,
        };
        surplus = surplus.saturating_sub(usize::from(found.is_some()));
        deleted.extend(found);
    }
    deleted
}

/// Whether this is the rule of a default-route tunnel: the mark has the number of the table.
fn is_tunnel(rule: &Rule) -> bool {
    rule.inverted && rule.mark == Some(rule.table)
}

fn is_suppressing(rule: &Rule) -> bool {
    *rule
        == Rule {
            priority: rule.priority,
            ..Rule::ask(rule.family, MAIN_TABLE).suppress_prefix_length(0)
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(table: u32, priority: u32) -> [Rule; 2] {
        let [ask, main] = plan::default_rules(IpFamily::V4, table);
        [main.priority(priority - 1), ask.priority(priority)]
    }

    fn deleted(rules: &[Rule], table: u32) -> Vec<u32> {
        let own = own_rules(rules, table);
        own.iter().filter_map(|rule| rule.priority).collect()
    }

    #[test]
    fn another_tunnel_keeps_its_rules() {
        let main = Rule::ask(IpFamily::V4, MAIN_TABLE).priority(32766);
        let mut rules = [tunnel(51821, 32763), tunnel(51820, 32765)].concat();
        rules.push(main);
        assert_eq!(deleted(&rules, 51820), [32765, 32764]);
        assert_eq!(deleted(&rules, 51821), [32763, 32762]);
        assert_eq!(deleted(&rules, 5), []);
    }

    /// `down` of a tunnel with `FwMark = 254` took `from all lookup main` away, and with it the
    /// whole network.
    #[test]
    fn the_rules_of_the_system_stay() {
        for table in [253, 254, 255] {
            let system = [(255, 0), (254, 32766), (253, 32767)]
                .map(|(table, priority)| Rule::ask(IpFamily::V4, table).priority(priority));
            assert_eq!(deleted(&system, table), []);
            let rules = [&system[..], &tunnel(table, 32765)].concat();
            assert_eq!(deleted(&rules, table), [32765, 32764]);
        }
    }

    #[test]
    fn a_rule_that_no_tunnel_needs_goes() {
        let [main, ask] = tunnel(51820, 32765);
        let rules = [main.priority(100), ask];
        assert_eq!(deleted(&rules, 51820), [32765, 100]);
    }

    #[test]
    fn without_its_companion_a_rule_goes_alone() {
        let [_, ask] = tunnel(51820, 32765);
        let rules = [tunnel(51821, 32763).as_slice(), &[ask]].concat();
        assert_eq!(deleted(&rules, 51820), [32765]);
    }

    #[test]
    fn rules_of_the_user_for_the_table_go_with_it() {
        let own = Rule::ask(IpFamily::V4, 51820).mark(7).priority(9);
        let rules = [&[own][..], &tunnel(51820, 32765)].concat();
        assert_eq!(deleted(&rules, 51820), [9, 32765, 32764]);
    }
}

//! Operations done one after the other, told as they are done, and undone if need be.

use std::io::Write;

use hushwire_config::raw;
use hushwire_netlink::{IpFamily, Rule};

use crate::operation::Operation;
use crate::system::System;
use crate::{Failure, Interrupt};

/// Does operations and remembers what undoes them.
pub struct Transaction<'a> {
    interface: &'a str,
    /// The system, for looks at it.
    pub system: &'a mut dyn System,
    output: &'a mut dyn Write,
    interrupt: Option<&'a Interrupt>,
    undo: Vec<Operation>,
    count: usize,
    /// Whether lines of the script are said of looks that fail on the way back.
    is_drop_in: bool,
}

impl<'a> Transaction<'a> {
    /// Nothing done yet. Every operation is told on `output`.
    pub fn new(interface: &'a str, system: &'a mut dyn System, output: &'a mut dyn Write) -> Self {
        Self {
            interface,
            system,
            output,
            interrupt: None,
            undo: Vec::new(),
            count: 0,
            is_drop_in: false,
        }
    }

    /// Stops before the next operation once the end was asked for.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: &'a Interrupt) -> Self {
        self.interrupt = Some(interrupt);
        self
    }

    /// Says everything that wg-quick(8) says when it goes back.
    #[must_use]
    pub fn as_drop_in(mut self) -> Self {
        self.is_drop_in = true;
        self
    }

    /// The interface.
    #[must_use]
    pub fn interface(&self) -> &'a str {
        self.interface
    }

    /// Does something, and says so before.
    ///
    /// # Errors
    /// That of the operation, or that of a signal.
    pub fn run(&mut self, operation: &Operation) -> Result<(), Failure> {
        if let Some(interrupt) = self.interrupt {
            interrupt.check()?;
        }
        self.tell(operation);
        let undo = self.system.perform(operation)?;
        self.undo.extend(undo);
        self.count += 1;
        Ok(())
    }

    /// Does operations until one fails.
    ///
    /// # Errors
    /// As [`Transaction::run`].
    pub fn run_all(
        &mut self,
        operations: impl IntoIterator<Item = Operation>,
    ) -> Result<(), Failure> {
        operations
            .into_iter()
            .try_for_each(|operation| self.run(&operation))
    }

    /// Says something on a line of its own.
    pub fn say(&mut self, text: &str) {
        let mut line = raw::encode(text).into_owned();
        line.push(b'\n');
        // Whoever started us and does not read this has no use for it.
        let _ = self.output.write_all(&line);
    }

    /// Says why something failed, if that was not said yet.
    pub fn explain(&mut self, failure: &Failure) {
        if let Some(said) = &failure.said {
            self.say(said);
        }
        if let Some(hint) = failure.hint.filter(|_| !self.is_drop_in) {
            self.say(&format!("  hint: {hint}"));
        }
    }

    /// How many operations were done.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Undoes everything, the last first. What cannot be undone is told, and the rest still is.
    pub fn roll_back(&mut self) {
        self.hold();
        while let Some(operation) = self.undo.pop() {
            self.attempt(&operation);
        }
    }

    /// Undoes the making of an interface, in the order of wg-quick(8). Its addresses and routes
    /// and its daemon go with the interface.
    pub fn roll_back_link(&mut self) {
        self.hold();
        let undo = std::mem::take(&mut self.undo);
        let mut has_firewall = false;
        for operation in &undo {
            match operation {
                Operation::UnsetDns(_) => self.attempt(operation),
                Operation::RemoveFirewall(_) => has_firewall = true,
                _ => {}
            }
        }
        if has_firewall {
            self.remove_firewall();
        }
        if self.is_drop_in
            && let Err(error) = self.system.device()
        {
            self.say(&format!("Unable to access interface: {error}"));
        }
        for wanted in [IpFamily::V4, IpFamily::V6] {
            for operation in &undo {
                match operation {
                    // Somebody else may have deleted it.
                    Operation::DeleteRule(rule) if rule.family == wanted && self.has(rule) => {
                        self.attempt(operation);
                    }
                    _ => {}
                }
            }
        }
        if undo.contains(&Operation::NeglectMarks) {
            self.attempt(&Operation::NeglectMarks);
        }
        if self.is_drop_in || matches!(self.system.link(), Ok(Some(_))) {
            self.attempt(&Operation::DeleteLink);
        }
    }

    fn has(&mut self, rule: &Rule) -> bool {
        let rules = self.system.rules(rule.family);
        rules.map_or(true, |rules| rules.contains(rule))
    }

    /// Goes on to the end, whoever asks for it before.
    pub fn hold(&self) {
        if let Some(interrupt) = self.interrupt {
            interrupt.hold();
        }
    }

    /// Forgets who asked for the end so far.
    pub fn reset(&self) {
        if let Some(interrupt) = self.interrupt {
            interrupt.reset();
        }
    }

    /// Takes all firewall rules of the interface away.
    pub fn remove_firewall(&mut self) {
        for script in self.system.firewall_leftovers() {
            self.attempt(&Operation::RemoveFirewall(script));
        }
    }

    /// Does something whose failure is told and stops nothing.
    pub fn attempt(&mut self, operation: &Operation) {
        self.tell(operation);
        if let Err(failure) = self.system.perform(operation) {
            self.explain(&failure);
        }
    }

    fn tell(&mut self, operation: &Operation) {
        if let Some(command) = operation.command(self.interface) {
            self.say(&format!("[#] {command}"));
        }
    }
}

//! The running system, changed.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use hushwire_config::raw;
use hushwire_config::update::DeviceUpdate;
use hushwire_netlink::{IpFamily, MAIN_TABLE, Route, Rule};

use super::System;
use super::live::{Live, SRC_VALID_MARK};
use crate::Failure;
use crate::configure;
use crate::firewall::{Guard, Script, Tool};
use crate::operation::{Change, Daemon, InterfaceRoute, Operation, SavedFile};
use crate::words::{self, family_of};

/// How long a daemon may take to notice that its interface is gone.
const DAEMON_LIMIT: Duration = Duration::from_secs(2);
/// How long to wait before the next look at it.
const DAEMON_LOOK: Duration = Duration::from_millis(5);

/// What bash is told to do with a hook: what the script does, with the variables of the script
/// that hooks are known to use. There it is a function that does it, so that a hook may say `return`
/// and `local`; those that seem to get one, others do not, for bash would say of their mistakes that
/// they are the environment's.
const HOOK: &str = "INTERFACE=$1; CONFIG_FILE=$2; hook=$3; shift 3; \
     case $hook in \
     *return*|*local*) execute_hooks() { eval \"$hook\"; }; execute_hooks ;; \
     *) eval \"$hook\" ;; \
     esac";

impl Live<'_> {
    /// Does something and gives what undoes it.
    pub(super) fn do_it(&mut self, operation: &Operation) -> Result<Option<Operation>, Failure> {
        match operation {
            Operation::CreateLink => self.create_link().map(|()| Some(Operation::DeleteLink)),
            Operation::StartDaemon(daemon) => self
                .start_daemon(daemon)
                .map(|()| Some(Operation::DeleteLink)),
            Operation::DeleteLink => self.delete_link().map(|()| None),
            Operation::Hook(hook) => self.hook(&hook.command).map(|()| None),
            Operation::Configure(text) => {
                let update = configure::read(&text.0, self.interrupt)?;
                self.change(&update).map(|()| None)
            }
            Operation::Change(change) => {
                self.change(&change.update)?;
                let undo = change.undo.clone().map(Change::from);
                Ok(undo.map(|undo| Operation::Change(Rc::new(undo))))
            }
            Operation::SetMark(mark) => self.set_mark(*mark).map(Some),
            Operation::AddAddress(word) => self.change_address(word, true).map(Some),
            Operation::DeleteAddress(word) => self.change_address(word, false).map(Some),
            Operation::SetMtuUp(word) => self.set_mtu_up(word),
            Operation::SetDns(dns) => self
                .set_dns(dns)
                .map(|()| Some(Operation::UnsetDns(dns.clone()))),
            Operation::UnsetDns(dns) => self
                .unset_dns(dns)
                .map(|()| Some(Operation::SetDns(dns.clone()))),
            Operation::ReplaceDns { old, new } => self.replace_dns(old.as_ref(), new).map(Some),
            Operation::AddRoute(route) => self
                .change_route(route, true)
                .map(|()| Some(Operation::DeleteRoute(route.clone()))),
            Operation::DeleteRoute(route) => self
                .change_route(route, false)
                .map(|()| Some(Operation::AddRoute(route.clone()))),
            Operation::AddRule(rule) => self.add_rule(rule).map(Some),
            Operation::DeleteRule(rule) => self.delete_rule(rule).map(Some),
            Operation::HeedMarks => heed_marks("1").map(|()| Some(Operation::NeglectMarks)),
            Operation::NeglectMarks => self.neglect_marks().map(|()| None),
            Operation::AddFirewall(guard) => self
                .firewall(&guard.install)
                .map(|()| Some(Operation::RemoveFirewall(guard.remove.clone()))),
            Operation::DropFirewall(guard) => self
                .firewall(&guard.remove)
                .map(|()| Some(Operation::AddFirewall(guard.clone()))),
            Operation::ReplaceFirewall { old, new } => self.replace_firewall(old, new).map(Some),
            Operation::RemoveFirewall(script) => self.firewall(script).map(|()| None),
            Operation::Save(file) => save(file, &self.environment.name()).map(|()| None),
        }
    }

    fn create_link(&mut self) -> Result<(), Failure> {
        let name = self.interface.clone();
        let created = self.netlink.get_mut().create_wireguard(&name);
        created.map_err(|error| Failure::refused(&error))
    }

    fn start_daemon(&mut self, daemon: &Daemon) -> Result<(), Failure> {
        let mut command = self.command(&daemon.program);
        if let Some(name) = &daemon.started_as {
            command.arg0(name);
        }
        if daemon.low_ports {
            // hushwired gives the right to them up unless it is asked not to.
            command.env("HUSHWIRE_LOW_PORTS", "1");
        }
        self.runner().run(command.arg(&self.interface), None)
    }

    fn delete_link(&mut self) -> Result<(), Failure> {
        let index = self.index()?;
        let deleted = self.netlink.get_mut().delete(index);
        deleted.map_err(|error| Failure::refused(&error))?;
        // Or an `up` right after this one would find its socket in use.
        let end = Instant::now().checked_add(DAEMON_LIMIT);
        while end.is_some_and(|end| Instant::now() < end) && self.is_wireguard()? {
            thread::sleep(DAEMON_LOOK);
        }
        Ok(())
    }

    fn hook(&mut self, command: &str) -> Result<(), Failure> {
        let mut bash = self.command("bash");
        bash.args(["-e", "-o", "pipefail", "-O", "extglob", "-c", HOOK])
            .arg(&self.environment.program)
            .arg(&self.interface)
            .arg(&self.environment.config_file)
            .arg(OsStr::from_bytes(&raw::encode(command)));
        self.runner().run(&mut bash, None)
    }

    fn change(&mut self, update: &DeviceUpdate) -> Result<(), Failure> {
        let mut device = self.interfaces.open(OsStr::new(&self.interface));
        device.change(update).map_err(|error| {
            Failure::new(format!("Unable to modify interface: {error}"))
                .with_hint(error.explanation())
        })
    }

    fn set_mark(&mut self, mark: u32) -> Result<Operation, Failure> {
        let before = self.device().map_or(0, |device| device.fwmark);
        let update = DeviceUpdate {
            fwmark: Some(mark),
            ..DeviceUpdate::default()
        };
        self.change(&update)?;
        Ok(Operation::SetMark(before))
    }

    fn change_address(&mut self, word: &str, add: bool) -> Result<Operation, Failure> {
        let kind = match family_of(word) {
            IpFamily::V4 => "inet",
            IpFamily::V6 => "inet6",
        };
        let prefix = words::address(word).ok_or_else(|| {
            Failure::new(format!(
                "Error: {kind} prefix is expected rather than \"{word}\"."
            ))
        })?;
        let index = self.index()?;
        let netlink = self.netlink.get_mut();
        let word = word.to_owned();
        if add {
            let added = netlink.add_bare_address(index, prefix);
            added.map_err(|error| Failure::refused(&error))?;
            return Ok(Operation::DeleteAddress(word));
        }
        let deleted = netlink.delete_address(index, prefix);
        deleted.map_err(|error| Failure::refused(&error))?;
        Ok(Operation::AddAddress(word))
    }

    fn set_mtu_up(&mut self, word: &str) -> Result<Option<Operation>, Failure> {
        let mtu =
            words::mtu(word).ok_or_else(|| Failure::bad_word(word, "Invalid \"mtu\" value"))?;
        let index = self.index()?;
        let before = self.link()?;
        let netlink = self.netlink.get_mut();
        netlink
            .set_mtu(index, mtu)
            .and_then(|()| netlink.set_up(index))
            .map_err(|error| Failure::refused(&error))?;
        // A link that was down is one that was made just now.
        let was_up = before.filter(|link| link.up);
        Ok(was_up.map(|link| Operation::SetMtuUp(link.mtu.to_string())))
    }

    fn change_route(&mut self, route: &InterfaceRoute, add: bool) -> Result<(), Failure> {
        let word = &route.destination;
        let destination = words::address(word).ok_or_else(|| {
            Failure::new(format!(
                "Error: inet prefix is expected rather than \"{word}\"."
            ))
        })?;
        let table = match &route.table {
            Some(word) => words::table(word)
                .ok_or_else(|| Failure::bad_word(word, "\"table\" value is invalid"))?,
            None => MAIN_TABLE,
        };
        let route = Route::to(destination).on(self.index()?).table(table);
        let netlink = self.netlink.get_mut();
        let changed = if add {
            netlink.add_route(&route)
        } else {
            netlink.delete_route(&route)
        };
        changed.map_err(|error| Failure::refused(&error))
    }

    /// Other tunnels have rules like this one. The kernel puts a new one before the others, and
    /// that very one must be taken away again, for their order is what makes them work.
    fn add_rule(&mut self, rule: &Rule) -> Result<Operation, Failure> {
        let netlink = self.netlink.get_mut();
        let added = netlink.add_rule(rule);
        added.map_err(|error| Failure::refused(&error))?;
        let alike = |other: &Rule| {
            Rule {
                priority: rule.priority,
                ..*other
            } == *rule
        };
        let ours = netlink
            .rules(rule.family)?
            .into_iter()
            .filter(alike)
            .min_by_key(|rule| rule.priority);
        Ok(Operation::DeleteRule(ours.unwrap_or(*rule)))
    }

    fn delete_rule(&mut self, rule: &Rule) -> Result<Operation, Failure> {
        let deleted = self.netlink.get_mut().delete_rule(rule);
        deleted.map_err(|error| Failure::refused(&error))?;
        Ok(Operation::AddRule(*rule))
    }

    /// Only as long as no other tunnel may have come to rely on it.
    fn neglect_marks(&mut self) -> Result<(), Failure> {
        let is_needed = self
            .rules(IpFamily::V4)?
            .iter()
            .any(|rule| rule.inverted && rule.mark == Some(rule.table));
        if is_needed {
            return Ok(());
        }
        heed_marks("0")
    }

    /// With nft(8), all at once.
    fn replace_firewall(&mut self, old: &Guard, new: &Guard) -> Result<Operation, Failure> {
        if new.install.tool == Tool::Nft {
            self.firewall(&new.install)?;
        } else {
            self.firewall(&old.remove)?;
            self.firewall(&new.install).inspect_err(|_| {
                let _ = self.firewall(&old.install);
            })?;
        }
        Ok(Operation::ReplaceFirewall {
            old: new.clone(),
            new: old.clone(),
        })
    }

    fn firewall(&mut self, script: &Script) -> Result<(), Failure> {
        let (program, arguments) = script.tool.argv();
        let mut command = self.command(program);
        self.runner()
            .run(command.args(arguments), Some(script.text.as_bytes()))
    }
}

fn heed_marks(value: &str) -> Result<(), Failure> {
    fs::write(SRC_VALID_MARK, value).map_err(|error| {
        const KEY: &str = "net.ipv4.conf.all.src_valid_mark";
        let is_forbidden = matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        );
        Failure::new(if is_forbidden {
            format!("sysctl: permission denied on key \"{KEY}\"")
        } else {
            format!("sysctl: setting key \"{KEY}\": {error}")
        })
    })
}

/// Writes a file beside the old one and then puts it in its place: one of the two is always whole.
fn save(file: &SavedFile, program: &str) -> Result<(), Failure> {
    let mut temporary = file.path.clone().into_os_string();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let result = write(temporary, &file.text)
        .map_err(|_| "Could not write configuration file")
        .and_then(|()| {
            fs::rename(temporary, &file.path).map_err(|_| "Could not move configuration file")
        });
    result.map_err(|what| {
        let _ = fs::remove_file(temporary);
        Failure::new(format!("{program}: {what}"))
    })
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use zeroize::Zeroizing;

    use super::*;
    use crate::{Environment, Interrupt};

    #[test]
    fn a_command_runs_in_a_function_of_a_strict_bash() {
        let interrupt = Interrupt::never().unwrap();
        let environment = Environment {
            program: "wg-quick".to_owned(),
            path: std::env::var_os("PATH").unwrap(),
            config_file: "/etc/wireguard/wg0.conf".into(),
        };
        let mut live = Live::new("wg0", environment, &interrupt).unwrap();
        for (command, status) in [
            ("return 3", 3),
            ("return; false", 0),
            ("local x=5; exit $x", 5),
            ("false; true", 1),
            ("false | true", 1),
            (
                "[[ $INTERFACE == @(wg0|wg1) && $CONFIG_FILE == /etc/* ]]",
                0,
            ),
            ("exit $#", 0),
        ] {
            let ended = live
                .hook(command)
                .map_or_else(|failure| failure.status, |()| 0);
            assert_eq!(ended, status, "{command}");
        }
    }

    #[test]
    fn a_saved_file_is_its_owners_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wg0.conf");
        fs::write(&path, "old").unwrap();
        fs::write(directory.path().join("wg0.conf.tmp"), "left over").unwrap();
        let text = Rc::new(Zeroizing::new(b"new".to_vec()));
        let file = SavedFile {
            path: path.clone(),
            text,
        };
        save(&file, "x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_stays() {
        let file = SavedFile {
            path: "/nowhere/at/all.conf".into(),
            text: Rc::new(Zeroizing::new(Vec::new())),
        };
        let failure = save(&file, "x").unwrap_err();
        assert_eq!(failure.to_string(), "x: Could not write configuration file");
    }
}

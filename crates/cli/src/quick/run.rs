//! Carrying a verb out.

use std::io;
use std::process::ExitCode;

use hushwire_quick::{
    DryRun, Environment, Failure, Interrupt, Live, Located, Options, QuickFile, System, Transaction,
};

use zeroize::Zeroizing;

use super::arguments::{Arguments, Manner, Verb};
use super::{Program, context};

/// A file, and what is to be done with it.
pub(super) struct Job<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) arguments: &'a Arguments,
    pub(super) located: Located,
    /// The file as it is.
    pub(super) text: Zeroizing<Vec<u8>>,
    /// The file understood, without the keys that stand elsewhere.
    pub(super) file: QuickFile,
}

impl Job<'_> {
    /// Does it, and gives the exit status. What went wrong has been told.
    pub(super) fn run(&self) -> ExitCode {
        match self.prepare() {
            Ok(code) => code,
            Err(failure) => self.program.die(&failure),
        }
    }

    fn prepare(&self) -> Result<ExitCode, Failure> {
        let mut interrupt = Interrupt::catch().map_err(|error| Failure::new(error.to_string()))?;
        if self.program.manner == Manner::Own && self.arguments.verb == Verb::Up {
            interrupt = interrupt.with_parent();
        }
        let environment = context::environment(self.program.started_as, &self.located.path);
        let mut live = Live::new(&self.located.interface, environment.clone(), &interrupt)?;
        let done = if self.arguments.dry_run {
            let mut dry = match self.arguments.verb {
                Verb::Reload if live.is_wireguard()? => DryRun::of_existing(live)?,
                _ => DryRun::new(live),
            };
            self.with(&mut dry, &environment, &interrupt)
        } else {
            self.with(&mut live, &environment, &interrupt)
        };
        Ok(match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => ExitCode::from(failure.status),
        })
    }

    fn with(
        &self,
        system: &mut dyn System,
        environment: &Environment,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let interface = &self.located.interface;
        let refuse = |why: String| {
            let _ = self.program.die(&why);
            Err(Failure::silent(1))
        };
        match self.arguments.verb {
            Verb::Up if system.link()?.is_some() => {
                return refuse(format!("`{interface}' already exists"));
            }
            Verb::Down | Verb::Save | Verb::Reload if !system.is_wireguard()? => {
                return refuse(format!("`{interface}' is not a WireGuard interface"));
            }
            _ => {}
        }
        // The last thing before anything is touched. A rehearsal reads no keys and runs no commands.
        let filled = match self.arguments.verb {
            Verb::Up | Verb::Reload if !self.arguments.dry_run => {
                match super::fill_in(&self.text, &self.located, Some(interrupt)) {
                    Ok(filled) => filled,
                    Err(error) => return refuse(error.to_string()),
                }
            }
            _ => None,
        };
        let file = filled.as_ref().unwrap_or(&self.file);
        let mut stdout;
        let mut stderr;
        let output: &mut dyn io::Write = if self.arguments.dry_run {
            stdout = io::stdout();
            &mut stdout
        } else {
            stderr = io::stderr();
            &mut stderr
        };
        let mut transaction = Transaction::new(interface, system, output).with_interrupt(interrupt);
        if self.program.manner == Manner::DropIn {
            transaction = transaction.as_drop_in();
        }
        let path = &self.located.path;
        match self.arguments.verb {
            Verb::Up => {
                let daemon = context::daemon(&environment.path);
                let options = Options::new(self.arguments.backend, daemon);
                hushwire_quick::up(file, &options, &mut transaction)
            }
            Verb::Down => hushwire_quick::down(&self.file, path, &mut transaction),
            Verb::Save => hushwire_quick::save(&self.file, path, &mut transaction),
            Verb::Strip => Ok(()),
            Verb::Reload => {
                let changed = hushwire_quick::reload(file, interrupt, &mut transaction)?;
                if !changed {
                    transaction.say(&format!("{interface} is what its file says"));
                }
                Ok(())
            }
        }
    }
}

//! The life cycle of a WireGuard interface, as wg-quick(8) has it: a config file becomes a plan of
//! typed operations, which is told as it is carried out, and undone when it fails.
//!
//! * [`Located`] and [`QuickFile`]: which file, and what it says;
//! * [`keys`]: those that the file does not hold, but tells the place of;
//! * [`Operation`](operation::Operation): one thing done to the system; every one has the command
//!   line that wg-quick(8) would run for it;
//! * [`System`]: what is looked at and changed: the running one ([`Live`]), or one that
//!   only pretends ([`DryRun`]);
//! * [`Transaction`]: operations done in order, and undone;
//! * [`up()`], [`down()`], [`save()`], [`reload()`]: the plans.
//!
//! A plan is made step by step, with a look at the system before each: commands of the file may
//! change what the next step finds.
#![forbid(unsafe_code)]

mod check;
mod configure;
mod down;
mod failure;
pub mod file;
pub mod firewall;
mod interrupt;
pub mod keys;
mod locate;
pub mod operation;
pub mod plan;
mod reload;
mod save;
mod system;
mod transaction;
mod up;
pub mod words;

use std::path::Path;

pub use check::{Findings, check};
pub use down::{down, sweep};
pub use failure::Failure;
pub use file::QuickFile;
pub use interrupt::Interrupt;
pub use locate::{LocateError, Located};
pub use operation::{Daemon, Operation};
pub use reload::reload;
pub use save::operation as save_operation;
pub use system::{Around, DryRun, Environment, Live, System, find_program};
pub use transaction::Transaction;
pub use up::{Backend, Options, up};

/// Writes the state of an interface into its file.
///
/// # Errors
/// What failed. It has been told.
pub fn save(
    file: &QuickFile,
    path: &Path,
    transaction: &mut Transaction<'_>,
) -> Result<(), Failure> {
    let done = save::operation(file, path, transaction.system)
        .and_then(|operation| transaction.run(&operation));
    if let Err(failure) = &done {
        transaction.explain(failure);
    }
    done
}

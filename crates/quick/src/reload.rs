//! Making a running interface what its file says, without touching what is the same.

mod device;
mod network;

use hushwire_config::conf::Mode;
use hushwire_config::device::Device;

use crate::file::QuickFile;
use crate::transaction::Transaction;
use crate::{Failure, Interrupt, configure};

/// Makes a running interface what the file says: keys and peers, addresses, MTU, name servers,
/// routes and rules. Commands are not run. Sessions of peers that stay are kept, and so is the
/// endpoint of a peer that has been heard from in the last three minutes: it may have roamed.
/// A failure, or a signal, undoes what was done.
///
/// True if there was something to change.
///
/// # Errors
/// What failed. It has been told.
pub fn reload(
    file: &QuickFile,
    interrupt: &Interrupt,
    transaction: &mut Transaction<'_>,
) -> Result<bool, Failure> {
    let done = converge(file, interrupt, transaction);
    if let Err(failure) = &done {
        transaction.explain(failure);
        transaction.roll_back();
    }
    done
}

fn converge(
    file: &QuickFile,
    interrupt: &Interrupt,
    transaction: &mut Transaction<'_>,
) -> Result<bool, Failure> {
    let parsed = configure::parse_lines(&file.passthrough)?;
    let wanted = configure::update(&parsed.config, Mode::Replace, interrupt)?;
    let runtime = read(transaction)?;
    let before = transaction.count();
    let marks = network::Marks::new(file, &parsed.config, &runtime, transaction)?;
    network::drop_defaults(&marks, transaction)?;
    device::change(&parsed.config, &wanted, &runtime, &marks, transaction)?;
    let addresses_changed = network::addresses(file, transaction)?;
    network::mtu(file, transaction)?;
    network::dns(file, transaction)?;
    network::routes(file, &runtime, &marks, transaction)?;
    network::add_defaults(&marks, addresses_changed, transaction)?;
    Ok(transaction.count() > before)
}

fn read(transaction: &mut Transaction<'_>) -> Result<Device, Failure> {
    transaction
        .system
        .device()
        .map_err(|error| Failure::new(format!("Unable to access interface: {error}")))
}

//! The commands of `PreUp`, `PostUp`, `PreDown` and `PostDown`.

use std::io::{self, Write};
use std::process::Command;

use hushwire_config::conf::Spanned;
use hushwire_config::text::Line;

use super::error::Error;

/// Runs commands one after the other in a bash each, as wg-quick(8) does, until one fails. `%i`
/// stands for the interface.
pub(super) fn run(
    key: &'static str,
    interface: &str,
    commands: &[Spanned<Line>],
) -> Result<(), Error> {
    for command in commands {
        let command = command.replace("%i", interface);
        let _ = writeln!(io::stderr(), "[#] {command}");
        let status = Command::new("bash")
            .args(["-c", &command])
            .status()
            .map_err(|source| Error::HookNotStarted { key, source })?;
        if !status.success() {
            return Err(Error::Hook {
                key,
                command,
                status,
            });
        }
    }
    Ok(())
}

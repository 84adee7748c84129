//! Which program this is: the name it was started under decides.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::manual::{self, COMMANDS, PROGRAM};
use crate::{daemon, demo, help, quick, run, share, wg};

/// The program `hushwired`, whatever name it was started under.
#[must_use]
pub fn hushwired() -> ExitCode {
    let mut words = env::args_os();
    let name = words.next().unwrap_or_else(|| "hushwired".into());
    daemon::main(&name, &words.collect::<Vec<_>>())
}

/// The program `hushwire`. Under the names `hushwired` and `wireguard-go` it is the daemon, under
/// `wg` the command of that name.
#[must_use]
pub fn hushwire() -> ExitCode {
    let mut words = env::args_os();
    let name = words.next().unwrap_or_else(|| "hushwire".into());
    let words: Vec<OsString> = words.collect();
    match Path::new(&name).file_name().and_then(OsStr::to_str) {
        Some("hushwired" | "wireguard-go") => daemon::main(&name, &words),
        Some("wg") => wg::main(&name, &words),
        Some("wg-quick") => quick::wg_quick(&name, &words),
        _ => command(&name, &words),
    }
}

fn command(name: &OsStr, words: &[OsString]) -> ExitCode {
    let Some((verb, operands)) = words.split_first() else {
        let _ = write!(std::io::stderr(), "{}", usage());
        return ExitCode::FAILURE;
    };
    match verb.to_str() {
        Some("-h" | "--help" | "help") => {
            let _ = write!(std::io::stdout(), "{}", usage());
            return ExitCode::SUCCESS;
        }
        Some("-V" | "--version" | "version") => {
            let _ = writeln!(std::io::stdout(), "hushwire {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    // What the manual does not know is no command.
    let Some(command) = verb.to_str().and_then(manual::command) else {
        let verb = verb.to_string_lossy();
        return fail(
            name,
            &format!("there is no command `{verb}`; `hushwire --help` lists them"),
        );
    };
    if let [word] = operands
        && (word == "--help" || word == "-h")
    {
        let _ = write!(std::io::stdout(), "{}", help::command(command.name));
        return ExitCode::SUCCESS;
    }
    match command.name {
        "demo" => demo::main(name, operands),
        "run" => run::main(name, operands),
        "completion" => share::completion(name, operands),
        "manual" => share::manual(name, operands),
        verb => wg::run(name, words, wg::Spelling::Own)
            .or_else(|| quick::command(name, words))
            .unwrap_or_else(|| fail(name, &format!("{verb} is not part of this version"))),
    }
}

fn usage() -> String {
    format!(
        "Usage: hushwire{}\n\n{}\n\
         `hushwire COMMAND --help` and `hushwire manual` tell more.\n\
         The daemon is `hushwired`, or `hushwire` under that name; under the name `wg` it is wg(8).\n",
        PROGRAM.usage(false),
        help::commands(COMMANDS.iter())
    )
}

/// Says on standard error why a program ends without having done its work.
pub(crate) fn fail(name: &OsStr, why: &str) -> ExitCode {
    let name = Path::new(name).file_name().unwrap_or(name);
    let _ = writeln!(std::io::stderr(), "{}: {why}", name.to_string_lossy());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_lists_every_command() {
        let usage = usage();
        for command in COMMANDS {
            assert!(
                usage.contains(&format!("\n  {} ", command.name)),
                "{}",
                command.name
            );
        }
    }
}

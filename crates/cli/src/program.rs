//! Which program this is: the name it was started under decides.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::{daemon, demo, quick, run, wg};

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
    let Some(verb) = words.first() else {
        let _ = write!(std::io::stderr(), "{USAGE}");
        return ExitCode::FAILURE;
    };
    if let Some(code) = wg::run(name, words, wg::Spelling::Own) {
        return code;
    }
    if let Some(code) = quick::command(name, words) {
        return code;
    }
    match verb.to_str() {
        Some("demo") => demo::main(name, words.get(1..).unwrap_or_default()),
        Some("run") => run::main(name, words.get(1..).unwrap_or_default()),
        Some("-h" | "--help" | "help") => {
            let _ = write!(std::io::stdout(), "{USAGE}");
            ExitCode::SUCCESS
        }
        Some("-V" | "--version" | "version") => {
            let _ = writeln!(std::io::stdout(), "hushwire {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            let verb = verb.to_string_lossy();
            fail(
                name,
                &format!("there is no command `{verb}`; `hushwire --help` lists them"),
            )
        }
    }
}

/// Says on standard error why a program ends without having done its work.
pub(crate) fn fail(name: &OsStr, why: &str) -> ExitCode {
    let name = Path::new(name).file_name().unwrap_or(name);
    let _ = writeln!(std::io::stderr(), "{}: {why}", name.to_string_lossy());
    ExitCode::FAILURE
}

const USAGE: &str = "\
Usage: hushwire COMMAND [ARGUMENT]...

  demo        two hosts on this machine, a tunnel between them, and what it can do
  run CONF    bring a configuration up in the foreground, take it down at the end
  show        what interfaces, peers and sessions there are
  showconf    an interface's configuration
  set         change an interface
  setconf     give an interface the configuration in a file, and nothing else
  addconf     add the configuration in a file to what an interface has
  syncconf    as setconf, without interrupting the peers that stay
  genkey      make a private key
  genpsk      make a pre-shared key
  pubkey      read a private key, print its public key

The daemon is `hushwired`, or `hushwire` under that name.
";

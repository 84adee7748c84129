//! Development tasks: `cargo xtask --help`.

#![forbid(unsafe_code)]

mod apt;
mod bench;
mod cargo_tool;
mod error;
mod fresh_root;
mod fuzz;
mod install;
mod instructions;
mod kernel;
mod models;
mod nightly;
mod package;
mod packages;
mod paths;
mod peers;
mod process;
mod soak;
mod stamp;
mod supply_chain;
mod test_task;

use std::process::ExitCode;

use error::{Error, Result};
use paths::Paths;

const HELP: &str = "\
Development tasks of hushwire.

Usage: cargo xtask TASK [OPTIONS]

Tasks:
  install-peers   Install what the tests need: Debian packages for missing
                  tools (root or sudo), and WireGuard programs of other makes,
                  a kernel (no privilege needed) and a fresh Debian (root or
                  sudo) into target/peers
  install         Lay out programs, links, units, manual pages and completion
                  below a folder; `install --help`
  package         Build the Debian package; `package --help`
  test            install-peers, then all tests of the workspace, the
                  laboratory's too (root or sudo); `test --help`
  bench           Measure tunnels of hushwired beside those of other makes
                  (root or sudo), or time small pieces of work (`bench micro`);
                  `bench --help`
  soak            Use, disturb and reconfigure tunnels for an hour, and count what
                  is lost, stuck or leaked (root or sudo); `soak --help`
  fuzz            Run the fuzz targets, or make their corpora small;
                  `fuzz --help`
  models          Run what threads share in every interleaving (loom); a part
                  of `test`
  miri            Interpret what can be of the tests of crates with `unsafe`;
                  needs a nightly toolchain with Miri
  sanitize        Run the tests of crates with `unsafe` under AddressSanitizer;
                  needs a nightly toolchain
  instructions    Count the instructions of the pure parts and compare them
                  with the committed baseline; `instructions --help`
  supply-chain    Licences, duplicates, sources and known holes of the dependencies,
                  and whether two builds are the same; `supply-chain --help`

Options:
  -h, --help      Show this help
";

fn main() -> ExitCode {
    match dispatch(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((task, rest)) = arguments.split_first() else {
        return Err(Error::Usage("no task given".to_owned()));
    };
    let paths = Paths::new();
    match task.as_str() {
        "-h" | "--help" | "help" => {
            print!("{HELP}");
            Ok(())
        }
        // What these do is all said there.
        "install-peers" | "models" | "miri" | "sanitize" if asks_help(rest) => {
            print!("{HELP}");
            Ok(())
        }
        "install-peers" => {
            no_more(rest)?;
            packages::install()?;
            peers::install(&paths)?;
            kernel::install(&paths)?;
            fresh_root::install(&paths)?;
            cargo_tool::CARGO_DEB.install(&paths)?;
            cargo_tool::CARGO_DENY.install(&paths).map(drop)
        }
        "install" if asks_help(rest) => {
            print!("{}", install::Options::HELP);
            Ok(())
        }
        "install" => install::install(&paths, &install::Options::parse(rest)?),
        "package" if asks_help(rest) => {
            print!("{}", package::Options::HELP);
            Ok(())
        }
        "package" => package::package(&paths, &package::Options::parse(rest)?),
        "test" if asks_help(rest) => {
            print!("{}", test_task::Options::HELP);
            Ok(())
        }
        "test" => test_task::test(&paths, &test_task::Options::parse(rest)?),
        "bench" if asks_help(rest) => {
            print!("{}", bench::Options::HELP);
            Ok(())
        }
        "bench" => bench::bench(&paths, rest),
        "soak" if asks_help(rest) => {
            print!("{}", soak::Options::HELP);
            Ok(())
        }
        "soak" => soak::soak(&paths, rest),
        "soak-try" => soak::try_it(rest),
        "fuzz" if asks_help(rest) => {
            print!("{}", fuzz::Options::HELP);
            Ok(())
        }
        "fuzz" => fuzz::fuzz(&paths, &fuzz::Options::parse(rest)?),
        "instructions" if asks_help(rest) => {
            print!("{}", instructions::Options::HELP);
            Ok(())
        }
        "instructions" => instructions::instructions(&paths, instructions::Options::parse(rest)?),
        "models" => {
            no_more(rest)?;
            models::models(&paths)
        }
        "miri" => {
            no_more(rest)?;
            nightly::miri(&paths)
        }
        "sanitize" => {
            no_more(rest)?;
            nightly::sanitize(&paths)
        }
        "supply-chain" if asks_help(rest) => {
            print!("{}", supply_chain::Options::HELP);
            Ok(())
        }
        "supply-chain" => supply_chain::supply_chain(&paths, &supply_chain::Options::parse(rest)?),
        "bench-measure" => bench::measure(&paths, rest),
        other => Err(Error::Usage(format!("unknown task `{other}`"))),
    }
}

fn asks_help(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "-h" || argument == "--help")
}

fn no_more(rest: &[String]) -> Result<()> {
    rest.first().map_or(Ok(()), |extra| {
        Err(Error::Usage(format!("unexpected argument `{extra}`")))
    })
}

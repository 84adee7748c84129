//! The kernel's own WireGuard, in a virtual machine with a kernel of Debian's ([`hushwire_lab::vm`]): the tools beside
//! the standard ones on the same device, and tunnels to hushwired. Needs what `cargo xtask install-peers` installs.

mod answer;
mod change;
mod change_many;
mod config;
mod default_routes;
mod pair;
mod quick;
mod rekey;
mod show;
mod swap;
mod tunnel;
mod two_ends;

use std::process::ExitCode;

use hushwire_lab::vm::{self, Check};

fn main() -> ExitCode {
    let checks: Vec<Check> = [
        rekey::CHECKS,
        tunnel::CHECKS,
        swap::CHECKS,
        show::CHECKS,
        change::CHECKS,
        change_many::CHECKS,
        quick::CHECKS,
        default_routes::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    vm::main(&checks)
}

/// A check that works for as long as it takes.
const fn check(name: &'static str, run: fn()) -> Check {
    Check {
        name,
        patient: false,
        run,
    }
}

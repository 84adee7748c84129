//! A virtual machine with a kernel of Debian's, in which checks run that need the kernel's own WireGuard.
//!
//! A test program hands its checks to [`main`]. Started by cargo it boots QEMU, which needs no hardware support, with
//! itself as the first process and little else: our binaries, Debian's newest wg(8) and wg-quick(8), and a handful of
//! tools. There it runs the checks, [`crate::Lab`] and all, and reports over a serial line; outside, the report becomes the output of an
//! ordinary test program.
//!
//! `cargo xtask install-peers` puts the kernel, its modules and these two where this module looks for them.

mod cpio;
mod guest;
mod harness;
mod image;
mod machine;
mod report;

use std::process::ExitCode;

/// wg(8) of wireguard-tools inside the machine: the words a command line begins with. It comes with its own C library,
/// because it may be newer than the one of the system outside.
pub const REFERENCE_WG: [&str; 6] = [
    "/reference/ld-linux-x86-64.so.2",
    "--library-path",
    "/reference",
    "--argv0",
    "wg",
    "/reference/wg",
];

/// wg-quick(8) of wireguard-tools inside the machine, which finds that wg(8).
pub const REFERENCE_WG_QUICK: &str = "/reference/bin/wg-quick";

/// Something to be found out in the machine. It fails by a panic.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, by which it is chosen and reported.
    pub name: &'static str,
    /// Whether it mostly waits: such a check runs beside the others.
    pub patient: bool,
    /// What it does.
    pub run: fn(),
}

/// The whole of a test program's `main` function, outside of the machine and inside.
#[must_use]
pub fn main(checks: &[Check]) -> ExitCode {
    if guest::is_here() {
        guest::main(checks)
    } else {
        harness::main(checks)
    }
}

//! `cargo xtask models`: what threads share, in every interleaving of a few of them (loom).
//!
//! Those of the protocol are compiled with `--cfg loom`, which puts loom's locks and atomics into the
//! crate itself; in a target folder of their own, or everything else would be built anew each time.

use std::process::Command;

use crate::error::Result;
use crate::paths::Paths;
use crate::process::{cargo, run};

pub(crate) fn models(paths: &Paths) -> Result<()> {
    run(&mut of_the_protocol(paths))?;
    run(cargo().current_dir(paths.root()).args([
        "test",
        "--package",
        "hushwire-engine",
        "--test",
        "models",
    ]))
}

/// The models of `hushwire-proto`. Those of the engine are among its ordinary tests.
pub(crate) fn of_the_protocol(paths: &Paths) -> Command {
    let mut command = cargo();
    command
        .current_dir(paths.root())
        .env("RUSTFLAGS", "--cfg loom")
        .args(["test", "--release", "--package", "hushwire-proto", "--lib"])
        .args(["--no-default-features", "--features", "std"])
        .arg("--target-dir")
        .arg(paths.target().join("loom"))
        .arg("models::");
    command
}

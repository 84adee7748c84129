//! `cargo xtask miri` and `cargo xtask sanitize`: the tests of the crates with `unsafe` under
//! interpreters and instruments that only the nightly toolchain has. No part of `cargo xtask test`.

use std::process::Command;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{output, run};

/// What Miri can interpret: no system calls but the simplest, no C, so none of aws-lc-rs.
const INTERPRETED: &[(&str, &[&str])] = &[
    ("hushwire-aead", &["layout", "poly1305", "chacha20"]),
    ("hushwire-io", &["offload", "udp::cmsg", "udp::segment"]),
    ("hushwire-netlink", &["attribute", "prefix"]),
];

/// The crates with `unsafe` whose tests run under AddressSanitizer, and which tests do not.
const SANITIZED: &[(&str, &[&str])] = &[
    // AddressSanitizer has an allocator of its own, which knows nothing of mallopt(3).
    ("hushwire-io", &["what_was_freed_in_any_thread_goes_back"]),
    ("hushwire-netlink", &[]),
    ("hushwire-aead", &[]),
];

/// Where instrumented code runs; with a target named, build scripts are left as they are.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs what can be interpreted.
pub(crate) fn miri(paths: &Paths) -> Result<()> {
    output(nightly(paths).args(["miri", "--version"])).map_err(|_| {
        Error::Machine(
            "the nightly toolchain lacks Miri: `rustup +nightly component add miri rust-src`"
                .into(),
        )
    })?;
    for (package, filters) in INTERPRETED {
        let mut command = nightly(paths);
        command
            // Property tests look for the folder that they are in; each case takes long.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", "16")
            .args(["miri", "test", "--package", package, "--lib", "--"])
            .args(*filters);
        run(&mut command)?;
    }
    Ok(())
}

/// Runs the tests of the crates with `unsafe` with AddressSanitizer in them. Some need root.
pub(crate) fn sanitize(paths: &Paths) -> Result<()> {
    for (package, left_out) in SANITIZED {
        let mut command = nightly(paths);
        command
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .args(["test", "--package", package, "--lib", "--tests"])
            .args(["--target", TARGET, "--target-dir"])
            .arg(paths.target().join("sanitize"))
            .arg("--");
        for test in *left_out {
            command.args(["--skip", test]);
        }
        run(&mut command)?;
    }
    Ok(())
}

/// The cargo of the nightly toolchain.
fn nightly(paths: &Paths) -> Command {
    let mut command = Command::new("rustup");
    command
        .current_dir(paths.root())
        .args(["run", "nightly", "cargo"]);
    command
}

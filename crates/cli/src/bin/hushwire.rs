//! The `hushwire` binary: everything that people type.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hushwire::hushwire()
}

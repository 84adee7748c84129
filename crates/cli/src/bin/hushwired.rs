//! The `hushwired` binary: the data-plane daemon.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hushwire::hushwired()
}

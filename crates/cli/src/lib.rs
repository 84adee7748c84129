//! A complete WireGuard: the `hushwired` daemon and the `hushwire` command.
//!
//! This library is what the two binaries share: argument parsing, printing, exit codes. What is
//! done is done by the crates below it.
#![forbid(unsafe_code)]

mod daemon;
mod demo;
mod device;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hardening;
mod help;
mod keys;
mod manual;
mod program;
mod quick;
mod run;
mod share;
mod signals;
mod status;
mod wg;

pub use program::{hushwire, hushwired};

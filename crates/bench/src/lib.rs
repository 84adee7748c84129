//! The measuring side of hushwire: named pieces of work that can be timed or counted.
//!
//! [`cases::all`] is the table of them. The program `hushwire-bench` times them ([`micro`]) or does
//! one of them a number of times, which is what `cargo xtask instructions` counts under callgrind.
//!
//! It also plays a [`crowd`] of peers for a daemon that is measured from outside: their
//! configuration, and their [`handshakes`]; and it makes what an attacker would send to such a daemon
//! ([`hostile`]).
#![forbid(unsafe_code)]

pub mod case;
pub mod cases;
pub mod crowd;
pub mod handshakes;
pub mod hostile;
pub mod micro;
mod random;

pub use case::{Case, Runner};

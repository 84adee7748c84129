//! The measuring side of hushwire: named pieces of work that can be timed or counted.
//!
//! [`cases::all`] is the table of them. The program `hushwire-bench` times them ([`micro`]) or does
//! one of them a number of times, which is what `cargo xtask instructions` counts under callgrind.
#![forbid(unsafe_code)]

pub mod case;
pub mod cases;
pub mod micro;
mod random;

pub use case::{Case, Runner};

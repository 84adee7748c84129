//! The life cycle of a WireGuard interface, as wg-quick(8) has it.
#![forbid(unsafe_code)]

pub mod file;
mod locate;

pub use file::QuickFile;
pub use locate::{LocateError, Located};

//! A device's text forms: each read back from what was printed, and conversations with one in memory.

mod locked;
#[path = "../memory/mod.rs"]
mod memory;
mod round_trip;
mod shown_round_trip;
mod strategy;
mod uapi_cases;

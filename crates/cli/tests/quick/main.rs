//! The life cycle of interfaces, on hosts of the laboratory. Needs root.

#[path = "../common/mod.rs"]
mod common;

mod differential;
mod disk_full;
mod faults;
mod iptables;
mod keys;
mod killed;
mod killed_save;
mod own;
mod reload;
mod resolved;
mod state;

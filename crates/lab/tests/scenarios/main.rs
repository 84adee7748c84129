//! Whole tunnels in the laboratory: what WireGuard's own network test scripts check, told as tests of ours, and tunnels
//! between hushwired and daemons of other makes. Needs root and the tools that `cargo xtask install-peers` installs.
//!
//! `HUSHWIRE_TEST_IMPLEMENTATION` (`hushwired`, `wireguard-go`, `boringtun`, `gotatun`) names the daemon that the
//! scenarios run; without it that is hushwired. A scenario that passes with another make is a sound scenario.

mod common;

mod adversity;
mod allowed_ips;
mod clients;
mod counters;
mod helpers;
mod interop;
mod keys;
mod life_cycle;
mod memory_limit;
mod nat;
mod nested;
mod policy_routing;
mod queues;
mod recovery;
mod refusals;
mod rekey;
mod restarts;
mod roaming;
mod sandbox;
mod secrets;
mod source_address;
mod system_calls;
mod traffic;
mod under_load;
mod unreachable;
mod volume;
mod wg_quick;

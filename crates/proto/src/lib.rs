//! The WireGuard protocol with no clock, no socket and no randomness of its own.
//!
//! [`Device`] is a whole multi-peer WireGuard device as a state machine: datagrams, plaintext
//! packets, time and randomness go in as arguments, datagrams and plaintext packets come out. It
//! never reads a clock, never blocks and never panics on input.
//!
//! The verbs are those of other sans-I/O protocol crates: [`Device::handle_datagram`],
//! [`Device::handle_plaintext`], [`Device::handle_timeout`], [`Device::poll_timeout`] and
//! [`Device::poll_transmit`]. `examples/two_endpoints.rs` runs two devices in memory.
//!
//! A program with threads of its own for the data path (as `hushwire-engine`) takes [`Tables`] out
//! of the device: shared, lock-free snapshots of the allowed-IPs table and of the receiver
//! indices, from which it reaches [`Peer`]s and their [`Keypair`]s. There is one protocol
//! implementation, not two.
//!
//! The crate is `no_std` + `alloc` without its default features; the cryptographic primitives then
//! come from the caller's own [`crypto::Crypto`].
//!
//! "The paper" is *WireGuard: Next Generation Kernel Network Tunnel* by Jason A. Donenfeld,
//! revision of 2020.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", loom))]
extern crate std;

pub mod allowed_ips;
pub mod constants;
pub mod cookie;
pub mod crypto;
pub mod decapsulate;
pub mod device;
pub mod ecn;
pub mod handshake;
pub mod key;
pub mod keypair;
pub mod messages;
#[cfg(all(test, loom))]
mod models;
mod noise;
pub mod packet;
pub mod path;
pub mod peer;
#[cfg(feature = "provider")]
pub mod provider;
pub mod ratelimiter;
pub mod replay;
pub mod staging;
mod sync;
pub mod tables;
pub mod tai64n;
pub mod time;

pub use allowed_ips::AllowedIps;
pub use device::Device;
pub use keypair::Keypair;
pub use peer::Peer;
pub use tables::Tables;

//! The laboratory: whole networks on one machine, for tests, benchmarks and demonstrations.
//!
//! A [`Lab`] is a private world. Its [`Host`]s are network namespaces, joined by links that may have [`Faults`] or by a
//! host that does [`Nat`]; programs run on a host as on a machine of their own, WireGuard daemons of several makes among
//! them ([`Implementation`], [`Tunnel`]).
//!
//! ```no_run
//! use hushwire_lab::Lab;
//!
//! # fn main() -> hushwire_lab::Result<()> {
//! let lab = Lab::new()?;
//! let (alice, bob) = (lab.host("alice")?, lab.host("bob")?);
//! lab.link(&alice, "eth0", &bob, "eth0")?;
//! alice.address("eth0", "10.0.0.1/24")?;
//! bob.address("eth0", "10.0.0.2/24")?;
//! alice.ping("10.0.0.2")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Nothing is left behind
//!
//! Namespaces have no names, so they go when nothing holds them any more. Every program runs in the lab's own process
//! namespace, whose first process ends when a pipe to us closes: so the kernel ends all of them, those too that put
//! themselves into the background, when the [`Lab`] is dropped and even when our own process is killed. What is mounted
//! is seen by the lab alone.
//!
//! # Rights
//!
//! Root, or [`hushwire_netlink::user_namespace::become_root_in_user_namespace`] first.
#![forbid(unsafe_code)]

mod datagram;
mod error;
mod faults;
mod faulty_link;
mod flood;
mod frame;
mod host;
mod implementation;
mod iperf;
mod lab;
mod lane;
mod nat;
mod plug;
mod process;
mod stream;
mod tools;
mod tunnel;
mod uapi;
mod udp_queue;
mod usage;
pub mod vm;
mod wait;
mod wire;
mod world;

pub use datagram::Datagram;
pub use error::{Error, Result};
pub use faults::Faults;
pub use faulty_link::FaultyLink;
pub use flood::{Flood, Flooded};
pub use host::Host;
pub use implementation::{Daemon, Implementation, peers_directory};
pub use iperf::{Iperf, Throughput};
pub use lab::Lab;
pub use lane::LaneCounts;
pub use nat::Nat;
pub use process::{Output, Process};
pub use stream::send_and_compare;
pub use tools::require_tools;
pub use tunnel::{KeyPair, Tunnel, TunnelEnd, TunnelOptions};
pub use udp_queue::UdpQueue;
pub use usage::Usage;
pub use wait::wait_until;
pub use wire::Wire;

//! The running WireGuard device: threads, queues and the UAPI server.
//!
//! [`Engine::start`] takes a TUN device and runs four threads: *egress* (TUN to UDP), *ingress*
//! (UDP to TUN), *control* (handshakes, timers, changes of device and routes) and, with a control
//! socket, *uapi*; with [`Options::helpers`] also some that seal and open for the first two. The
//! protocol itself is `hushwire-proto`; the data path takes shared keypairs out of it and never waits
//! for its lock.
#![forbid(unsafe_code)]

mod binding;
mod bounded;
mod clock;
mod control;
mod convert;
mod dataplane;
mod egress;
mod handoff;
// Not in the module, whose files the models compile with loom's locks.
#[cfg(test)]
#[path = "handoff/tests.rs"]
mod handoff_tests;
mod handshake_queue;
mod ingress;
mod lane;
mod log;
mod memory;
mod outbox;
mod random;
mod receive_buffer;
mod recheck;
mod report;
mod run;
pub mod sandbox;
mod send_buffer;
mod start;
mod stats;
mod status;
mod sync;
mod turnstile;
pub mod uapi;
mod unreachable;
mod wait;

pub use handoff::default_helpers;
pub use lane::default_queues;
pub use log::{Level, Logger};
pub use report::OffloadReport;
pub use start::{Engine, Failed, Options, StartError, Stopper};
pub use stats::{DropReason, HandshakeEvent, Stats};
pub use status::NO_SESSION;

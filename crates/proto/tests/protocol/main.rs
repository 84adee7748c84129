//! The protocol on a virtual clock: one test for each sentence of the paper and for each mistake
//! that other implementations have shipped.
//!
//! Nothing here sleeps, opens a socket or reads a clock. [`harness::Net`] carries datagrams
//! between devices, moves time from one event to the next and writes everything down.

mod allowed_ips;
mod clocks;
mod configuration;
mod constants;
mod cookies;
mod counters;
mod ecn;
mod handshake;
mod harness;
mod hostile;
mod keepalive;
mod keypairs;
mod padding;
mod recovery;
mod reference;
mod rekey;
mod replay;
mod retries;
mod roaming;
mod simulation;
mod soak;
mod staged;
mod timeouts;

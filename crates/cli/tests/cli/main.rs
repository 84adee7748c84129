//! The binaries, as people and programs start them.

#[path = "../common/mod.rs"]
mod common;

mod arguments;
mod compose;
mod configurations;
mod daemon;
mod debian;
mod demo;
mod examples;
mod keys;
mod many_peers;
mod micro_vm;
mod refused;
mod run;
mod share;
mod status;

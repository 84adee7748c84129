//! What the scenarios share.

mod daemon;
mod load;
mod pair;
mod shell;
mod topology;

pub(crate) use daemon::{implementation, start};
pub(crate) use load::{
    bytes_arrive_unchanged, every_kind_of_traffic, one_at_a_time, ping, pings_at_once, tcp,
};
pub(crate) use pair::{Pair, faulty_link, tunnel_on_eth0};
pub(crate) use shell::Shell;
pub(crate) use topology::{Key, PORT_1, World, write};

use std::time::Duration;

use hushwire_lab::wait_until;

/// Longer than anything takes that comes about at all; only a failing test waits so long.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Waits until a condition holds; `what` says in the failure what was waited for.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    wait_until(SOON, what, condition).unwrap();
}

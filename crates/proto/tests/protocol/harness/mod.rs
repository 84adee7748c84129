//! Devices on a network without sockets and on a clock without time.

mod chance;
pub(crate) mod fields;
pub(crate) mod forge;
pub(crate) mod host;
pub(crate) mod net;
pub(crate) mod packets;
pub(crate) mod paper;
pub(crate) mod random;
pub(crate) mod trace;
pub(crate) mod wire;

pub(crate) use host::Style;
pub(crate) use net::{A, B, C, Net};
pub(crate) use wire::{Datagram, Fate, Kind};

/// Runs a test once for each way to own a device.
pub(crate) fn each_style(test: impl Fn(Style)) {
    test(Style::Embedder);
    test(Style::DataPath);
}

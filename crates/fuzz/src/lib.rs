//! The bodies of the fuzz targets: each takes an input, does something with it, and panics where
//! what must hold does not.
//!
//! The programs in `fuzz/` hand these functions to libFuzzer (`cargo xtask fuzz`);
//! `tests/corpus.rs` runs them over the committed corpora, as they are and changed a little.
#![forbid(unsafe_code)]

mod aead;
mod command_line;
mod conf;
mod datagram;
mod input;
mod netlink_reply;
mod offload;
mod tun_packet;
mod uapi_set;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, that of its program and of the folder of its corpus.
    pub name: &'static str,
    /// What it does with an input. Panics where something is wrong.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "aead",
        run: aead::run,
    },
    Target {
        name: "command_line",
        run: command_line::run,
    },
    Target {
        name: "conf",
        run: conf::run,
    },
    Target {
        name: "datagram",
        run: datagram::run,
    },
    Target {
        name: "netlink_reply",
        run: netlink_reply::run,
    },
    Target {
        name: "offload",
        run: offload::run,
    },
    Target {
        name: "tun_packet",
        run: tun_packet::run,
    },
    Target {
        name: "uapi_set",
        run: uapi_set::run,
    },
];

/// A config file by its grammar, with mistakes, as the target `conf` makes them of such an input.
#[must_use]
pub fn config_file(input: &[u8]) -> Vec<u8> {
    conf::grammar::file(&mut input::Input(input))
}

/// Runs the target of this name.
///
/// # Panics
/// When there is none, or it finds something.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(input);
}

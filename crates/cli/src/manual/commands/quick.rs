//! Configurations up and down: wg-quick(8), and what goes beyond it.

use super::{BACKEND, DRY_RUN, KEYS_ELSEWHERE, NOTHING, RETRIES};
use crate::manual::{Command, Term};

pub(super) const UP: Command = Command {
    name: "up",
    summary: "bring a configuration up, and leave it there",
    options: &[DRY_RUN, BACKEND],
    synopsis: "CONF",
    description: &[
        "Makes the interface that the file _CONF_ describes, in the form of wg-quick(8), with its peers, addresses \
         and routes. A _CONF_ that is the name of an interface stands for _/etc/wireguard/CONF.conf_.",
        "What is done is told on standard error, each line after *[#]* in the words of the command that would do \
         the same. A failure, a signal, or the end of the process that started it undoes everything. What cannot \
         work is refused before anything is touched, with its line and column.",
        KEYS_ELSEWHERE,
    ],
    environment: &[
        Term {
            word: "HUSHWIRE_BACKEND",
            meaning: "as *--backend*",
        },
        Term {
            word: "WG_QUICK_USERSPACE_IMPLEMENTATION",
            meaning: "the daemon to start where the kernel has no WireGuard, in the place of hushwired",
        },
        RETRIES,
    ],
    standard: Some("wg-quick"),
    ..NOTHING
};

pub(super) const DOWN: Command = Command {
    name: "down",
    summary: "take a configuration down again",
    options: &[DRY_RUN],
    synopsis: "CONF",
    description: &["Takes down what *hushwire up* with the same _CONF_ has made."],
    standard: Some("wg-quick"),
    ..NOTHING
};

pub(super) const RELOAD: Command = Command {
    name: "reload",
    summary: "make a running interface what its configuration says now",
    options: &[DRY_RUN],
    synopsis: "CONF",
    description: &[
        "Changes keys, peers, addresses, MTU, name servers, routes and rules where they are not what the file \
         _CONF_ says, and nothing else: the sessions of peers that stay are kept. The endpoint of a peer that has \
         been heard from in the last three minutes stays too, for it may have roamed. Commands are not run.",
        "Each change is told: *+* is new, *-* is gone, *~* has changed, *=* was left alone on purpose. A failure \
         undoes what was done.",
    ],
    environment: &[RETRIES],
    examples: &[Term {
        word: "hushwire reload --dry-run wg0",
        meaning: "What would be changed to make wg0 what /etc/wireguard/wg0.conf says.",
    }],
    ..NOTHING
};

pub(super) const SAVE: Command = Command {
    name: "save",
    summary: "write what an interface has now into its configuration",
    synopsis: "CONF",
    description: &[
        "Writes keys, peers, addresses and the like as they are now into the file _CONF_, where they take the \
         place of what was there.",
    ],
    standard: Some("wg-quick"),
    ..NOTHING
};

pub(super) const STRIP: Command = Command {
    name: "strip",
    summary: "print the part of a configuration that wg(8) understands",
    synopsis: "CONF",
    description: &[
        "Prints the file _CONF_ without what only wg-quick(8) knows, and with the keys that it tells the place \
         of: see *hushwire-up*(1).",
    ],
    examples: &[Term {
        word: "hushwire syncconf wg0 <(hushwire strip wg0)",
        meaning: "Takes over what was changed in /etc/wireguard/wg0.conf.",
    }],
    standard: Some("wg-quick"),
    ..NOTHING
};

//! Keys: wg(8).

use super::NOTHING;
use crate::manual::{Command, Term};

pub(super) const GENKEY: Command = Command {
    name: "genkey",
    summary: "make a private key",
    description: &[
        "Prints a new private key. It warns if it goes to a file that everybody may read.",
    ],
    examples: &[Term {
        word: "(umask 077; hushwire genkey > private.key)",
        meaning: "A key in a file of its own.",
    }],
    standard: Some("wg"),
    ..NOTHING
};

pub(super) const GENPSK: Command = Command {
    name: "genpsk",
    summary: "make a pre-shared key",
    description: &[
        "Prints a new pre-shared key. It warns if it goes to a file that everybody may read.",
    ],
    standard: Some("wg"),
    ..NOTHING
};

pub(super) const PUBKEY: Command = Command {
    name: "pubkey",
    summary: "read a private key, print its public key",
    description: &["Reads the private key from standard input."],
    examples: &[Term {
        word: "hushwire pubkey < private.key",
        meaning: "The public key that belongs to a private key.",
    }],
    standard: Some("wg"),
    ..NOTHING
};

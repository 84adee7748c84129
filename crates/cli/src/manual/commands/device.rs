//! Interfaces looked at and changed: wg(8).

use super::{NOTHING, RETRIES, TIMEOUT};
use crate::manual::{Command, Opt, Term};

pub(super) const SHOW: Command = Command {
    name: "show",
    summary: "what interfaces, peers and sessions there are",
    options: &[
        Opt {
            name: "--json",
            value: None,
            summary: "JSON instead of text",
        },
        Opt {
            name: "--show-keys",
            value: None,
            summary: "show private and pre-shared keys",
        },
        TIMEOUT,
    ],
    synopsis: "[INTERFACE | all | interfaces] [SELECTOR]",
    description: &[
        "Shows an interface, or all of them, for people to read; with a _SELECTOR_, lines for programs, in which \
         fields are separated by tabs; with `interfaces` their names, on one line.",
        "With *--json* it prints one object with the field `interfaces`, a list. The fields of an interface are \
         `name`, `public_key`, `has_private_key`, `private_key` (only with *--show-keys*), `listen_port`, \
         `fwmark` and `peers`; those of a peer `public_key`, `has_preshared_key`, `preshared_key` (only with \
         *--show-keys*), `endpoint`, `allowed_ips`, `latest_handshake` (seconds since 1970), `rx_bytes`, \
         `tx_bytes` and `persistent_keepalive` (seconds). What there is not, is `null`. Names and meanings of \
         fields do not change; new ones may come.",
    ],
    terms: &[
        Term {
            word: "public-key",
            meaning: "the interface's public key",
        },
        Term {
            word: "private-key",
            meaning: "its private key",
        },
        Term {
            word: "listen-port",
            meaning: "its UDP port",
        },
        Term {
            word: "fwmark",
            meaning: "the mark of its packets, or `off`",
        },
        Term {
            word: "peers",
            meaning: "the public keys of the peers, as all below a line each",
        },
        Term {
            word: "preshared-keys",
            meaning: "key and pre-shared key",
        },
        Term {
            word: "endpoints",
            meaning: "key and endpoint",
        },
        Term {
            word: "allowed-ips",
            meaning: "key and prefixes, blanks between them",
        },
        Term {
            word: "latest-handshakes",
            meaning: "key and time in seconds since 1970; 0 is never",
        },
        Term {
            word: "transfer",
            meaning: "key, bytes received, bytes sent",
        },
        Term {
            word: "persistent-keepalive",
            meaning: "key and seconds, or `off`",
        },
        Term {
            word: "dump",
            meaning: "everything: a line for the interface, one for each peer",
        },
    ],
    environment: &[
        Term {
            word: "WG_COLOR_MODE",
            meaning: "`always` or `never`; else there are colours on a terminal",
        },
        Term {
            word: "WG_HIDE_KEYS",
            meaning: "`never`: as *--show-keys*",
        },
    ],
    examples: &[
        Term {
            word: "hushwire show wg0 endpoints",
            meaning: "Where the datagrams of the peers of wg0 go.",
        },
        Term {
            word: "hushwire show --json | jq '.interfaces[].name'",
            meaning: "The names of all interfaces.",
        },
    ],
    standard: Some("wg"),
};

pub(super) const SHOWCONF: Command = Command {
    name: "showconf",
    summary: "an interface's configuration, in the form that setconf reads",
    options: &[TIMEOUT],
    synopsis: "INTERFACE",
    description: &["Prints the configuration, private and pre-shared keys included."],
    standard: Some("wg"),
    ..NOTHING
};

pub(super) const SET: Command = Command {
    name: "set",
    summary: "change an interface: options, peers, allowed IPs",
    options: &[TIMEOUT],
    synopsis: "INTERFACE [listen-port PORT] [fwmark MARK] [private-key FILE] [peer KEY [remove] \
               [preshared-key FILE] [endpoint HOST:PORT] [persistent-keepalive SECONDS] \
               [allowed-ips [+|-]IP[/LENGTH][,[+|-]IP[/LENGTH]]...]]...",
    description: &[
        "Changes what is named and nothing else. Everything is read before anything is changed. The options of \
         the interface come first; those after a *peer* are that peer's, which is made if it is not there.",
    ],
    terms: &[
        Term {
            word: "listen-port",
            meaning: "the UDP port, or the name of a service; 0 lets the system choose",
        },
        Term {
            word: "fwmark",
            meaning: "the mark of the interface's packets: a number, 0x and hex digits, or `off`",
        },
        Term {
            word: "private-key",
            meaning: "a file with the private key; an empty one takes the key away",
        },
        Term {
            word: "peer",
            meaning: "the public key of the peer that the options after it are about",
        },
        Term {
            word: "remove",
            meaning: "the peer goes",
        },
        Term {
            word: "preshared-key",
            meaning: "a file with the pre-shared key; an empty one takes the key away",
        },
        Term {
            word: "endpoint",
            meaning: "where the peer is: an address or a name, and a port",
        },
        Term {
            word: "persistent-keepalive",
            meaning: "seconds between keepalives, or `off`",
        },
        Term {
            word: "allowed-ips",
            meaning: "the prefixes that are the peer's, commas between them; an empty list is none. A prefix with \
                      `+` or `-` comes or goes, and the others stay",
        },
    ],
    environment: &[RETRIES],
    examples: &[Term {
        word: "hushwire set wg0 peer \"$KEY\" allowed-ips +10.1.0.0/16,-10.2.0.0/16",
        meaning: "Gives the peer one network and takes another from it.",
    }],
    standard: Some("wg"),
};

pub(super) const SETCONF: Command = Command {
    name: "setconf",
    summary: "give an interface the configuration in a file, and nothing else",
    options: &[TIMEOUT],
    synopsis: "INTERFACE FILE",
    description: &[
        "The interface has afterwards what the file says: without a private key, a port or a mark in the file it \
         has none, and peers that are not in it are gone. All sessions end; *syncconf* keeps them. Nothing is \
         changed unless all of the file could be read.",
    ],
    environment: &[RETRIES],
    standard: Some("wg"),
    ..NOTHING
};

pub(super) const ADDCONF: Command = Command {
    name: "addconf",
    summary: "add the configuration in a file to what an interface has",
    options: &[TIMEOUT],
    synopsis: "INTERFACE FILE",
    description: &["As *setconf*, but what the file does not name stays."],
    environment: &[RETRIES],
    standard: Some("wg"),
    ..NOTHING
};

pub(super) const SYNCCONF: Command = Command {
    name: "syncconf",
    summary: "as setconf, without interrupting the peers that stay",
    options: &[TIMEOUT],
    synopsis: "INTERFACE FILE",
    description: &[
        "Compares the file with what the interface has, and changes the difference. A peer that stays keeps its \
         session, and its endpoint if the file has none.",
    ],
    environment: &[RETRIES],
    examples: &[Term {
        word: "wg syncconf wg0 <(wg-quick strip wg0)",
        meaning: "Takes over what was changed in /etc/wireguard/wg0.conf.",
    }],
    standard: Some("wg"),
    ..NOTHING
};

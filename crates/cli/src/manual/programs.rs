//! The programs: `hushwire` itself, and what it is under other names.

use super::commands::{
    DISABLE, DISABLE_VARIABLE, HELPERS, HELPERS_VARIABLE, MEMORY_LIMIT, MEMORY_LIMIT_VARIABLE,
    NOTHING, QUEUES, QUEUES_VARIABLE, RETRIES, SANDBOX, SANDBOX_VARIABLE,
};
use super::{Command, Opt, Term};

/// The program `hushwire` as a whole.
pub(crate) const PROGRAM: Command = Command {
    name: "hushwire",
    summary: "WireGuard: tunnels up and down, looked at and changed",
    synopsis: "COMMAND [ARGUMENT]...",
    description: &[
        "*hushwire* is everything that people type to work with WireGuard interfaces: those of its own daemon, \
         *hushwired*(8), those of other daemons with a control socket in _/var/run/wireguard_, and those of the Linux \
         kernel.",
        "Under the name *wg* it is wg(8): the commands of that program, with its outputs, messages and exit statuses. \
         Under the names *hushwired* and *wireguard-go* it is the daemon.",
    ],
    ..NOTHING
};

/// The program `hushwired`.
pub(crate) const DAEMON: Command = Command {
    name: "hushwired",
    summary: "a WireGuard device in user space",
    options: &[
        Opt {
            name: "--foreground",
            value: None,
            summary: "do not go to the background; also *-f*",
        },
        DISABLE,
        QUEUES,
        HELPERS,
        MEMORY_LIMIT,
        SANDBOX,
        Opt {
            name: "--user",
            value: Some("NAME"),
            summary: "become this user, who keeps CAP_NET_ADMIN alone",
        },
        Opt {
            name: "--low-ports",
            value: None,
            summary: "keep CAP_NET_BIND_SERVICE, to listen on ports below 1024",
        },
        Opt {
            name: "--help",
            value: None,
            summary: "say this; also *-h*",
        },
        Opt {
            name: "--version",
            value: None,
            summary: "say the version",
        },
    ],
    synopsis: "INTERFACE",
    description: &[
        "Makes the interface and its control socket, _/var/run/wireguard/INTERFACE.sock_, and returns when both are \
         usable. The device ends, and takes interface and socket with it, on SIGINT, SIGTERM and SIGHUP, and when \
         either of the two is removed.",
        "With *--foreground* the exit status is 0 after that, and 1 if the device could not be made, or has failed \
         since; the log says why.",
    ],
    environment: &[
        Term {
            word: "LOG_LEVEL",
            meaning: "`verbose`, `error` (if not set) or `silent`; in the background nothing is logged unless it is set",
        },
        DISABLE_VARIABLE,
        QUEUES_VARIABLE,
        HELPERS_VARIABLE,
        MEMORY_LIMIT_VARIABLE,
        SANDBOX_VARIABLE,
        Term {
            word: "HUSHWIRE_LOW_PORTS",
            meaning: "`1`: as *--low-ports*",
        },
        Term {
            word: "WG_PROCESS_FOREGROUND",
            meaning: "`1`: as *--foreground*",
        },
        Term {
            word: "WG_TUN_FD, WG_UAPI_FD",
            meaning: "descriptors of a TUN device and of a listening control socket to be used",
        },
        Term {
            word: "WG_TUN_NAME_FILE",
            meaning: "a file to write the name of the interface to",
        },
    ],
    ..NOTHING
};

/// What `hushwire` is under the name `wg`.
pub(crate) const WG: Command = Command {
    name: "wg",
    summary: "WireGuard interfaces looked at and changed",
    synopsis: "[COMMAND] [ARGUMENT]...",
    description: &[
        "This is *hushwire*(1) under another name: wg(8) of wireguard-tools, with the outputs, messages and exit \
         statuses of that program. Without a command it is *wg show*.",
    ],
    ..NOTHING
};

/// What `hushwire` is under the name `wg-quick`.
pub(crate) const WG_QUICK: Command = Command {
    name: "wg-quick",
    summary: "WireGuard interfaces up and down, from configurations",
    synopsis: "up | down | save | strip CONFIG_FILE | INTERFACE",
    description: &[
        "This is *hushwire*(1) under another name: wg-quick(8) of wireguard-tools, with its files, order of \
         operations, messages and exit statuses. An _INTERFACE_ stands for _/etc/wireguard/INTERFACE.conf_; a \
         _CONFIG_FILE_ is the name of an interface and *.conf*.",
        "*up* makes the interface with its peers, addresses, name servers and routes; *down* takes it away; *save* \
         writes what it has now into the file; *strip* prints the part of the file that wg(8) understands. What is \
         done is told on standard error, each line after *[#]*. A failure or a signal undoes it.",
        "A prefix of length 0 among the allowed IPs gets a table of its own, rules of the routing policy that keep \
         the packets of the tunnel itself out of it, and firewall rules, by nft(8) or iptables(8).",
    ],
    terms: &[
        Term {
            word: "Address",
            meaning: "addresses of the interface, with commas between them; may be there more than once",
        },
        Term {
            word: "DNS",
            meaning: "addresses of name servers, and domains to search; may be there more than once",
        },
        Term {
            word: "MTU",
            meaning: "in bytes; if there is none, what fits the way to the endpoints",
        },
        Term {
            word: "Table",
            meaning: "the table of routes to the allowed IPs: a number or a name, `off`, or `auto`, as if it were not \
                      there",
        },
        Term {
            word: "PreUp, PostUp, PreDown, PostDown",
            meaning: "commands for bash, in which %i is the interface; may be there more than once",
        },
        Term {
            word: "PrivateKeyFile, PrivateKeyCredential, PrivateKeyCommand",
            meaning: "where the private key is: see *hushwire-up*(1), which has it for peers too",
        },
        Term {
            word: "SaveConfig",
            meaning: "`true`: *down* saves first",
        },
    ],
    environment: &[
        Term {
            word: "WG_QUICK_USERSPACE_IMPLEMENTATION",
            meaning: "the daemon to start where the kernel has no WireGuard, in the place of hushwired",
        },
        RETRIES,
    ],
    ..NOTHING
};

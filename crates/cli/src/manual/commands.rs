//! The commands, in the order in which they are listed.

use super::{Command, Operand, Opt, Term};

const NOTHING: Command = Command {
    name: "",
    summary: "",
    options: &[],
    synopsis: "",
    operands: &[],
    description: &[],
    terms: &[],
    environment: &[],
    examples: &[],
    standard: false,
};

const TIMEOUT: Opt = Opt {
    name: "--timeout",
    value: Some("SECONDS"),
    summary: "how long the device may take to answer, 30 seconds if not said; under the name `wg` there is no limit",
};

const RETRIES: Term = Term {
    word: "WG_ENDPOINT_RESOLUTION_RETRIES",
    meaning: "how often to ask again for the address of an endpoint: a number, 15 if not set, or `infinity`",
};

const DRY_RUN: Opt = Opt {
    name: "--dry-run",
    value: None,
    summary: "show what would be done, and do nothing",
};

const BACKEND: Opt = Opt {
    name: "--backend",
    value: Some("WHO"),
    summary: "who runs the device: `kernel`, `userspace`, or `auto`, the kernel if it can",
};

const DISABLE: Opt = Opt {
    name: "--disable",
    value: Some("OFFLOAD[,OFFLOAD]..."),
    summary: "do without these offloads: tun-checksum, tun-tso4, tun-tso6, tun-uso, tun-tcp-merge4, tun-tcp-merge6, \
              tun-udp-merge, udp-gso, udp-gro, all",
};

const DISABLE_VARIABLE: Term = Term {
    word: "HUSHWIRE_DISABLE",
    meaning: "as *--disable*",
};

const SANDBOX: Opt = Opt {
    name: "--sandbox",
    value: Some("MODE"),
    summary: "what is given up once everything is open: `on`, all that the system lets go of, if not said; `strict`, \
              where a layer that is missing is an error, and any system call that is not on the list the end; `off`, \
              nothing, for debugging",
};

const SANDBOX_VARIABLE: Term = Term {
    word: "HUSHWIRE_SANDBOX",
    meaning: "as *--sandbox*",
};

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
    operands: &[Operand::Interface],
    description: &[
        "Makes the interface and its control socket, _/var/run/wireguard/INTERFACE.sock_, and returns when both are \
         usable. The device ends, and takes interface and socket with it, on SIGINT and SIGTERM, and when either of \
         the two is removed.",
    ],
    environment: &[
        Term {
            word: "LOG_LEVEL",
            meaning: "`verbose`, `error` (if not set) or `silent`; in the background nothing is logged unless it is set",
        },
        DISABLE_VARIABLE,
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

/// The commands of `hushwire`.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        summary: "two hosts on this machine, a tunnel between them, and what it can do",
        description: &[
            "Makes two hosts out of network namespaces, starts a daemon on each, joins them by a tunnel, pings and \
             sends through it for some seconds, and shows what came of it. Leaves nothing behind. Needs no root where \
             ordinary users may make user namespaces.",
        ],
        ..NOTHING
    },
    Command {
        name: "run",
        summary: "bring a configuration up in the foreground, take it down at the end",
        options: &[
            Opt {
                name: "--name",
                value: Some("INTERFACE"),
                summary: "the interface's name, if it is not that of the file",
            },
            Opt {
                name: "--container",
                value: None,
                summary: "leave name servers alone; so it is in a container anyway",
            },
            DISABLE,
            SANDBOX,
        ],
        synopsis: "CONF",
        operands: &[Operand::Configuration],
        description: &[
            "Brings up the interface that the file _CONF_ describes, in the form of wg-quick(8), with its addresses, \
             routes and name servers, and takes it all down again on SIGINT or SIGTERM. A _CONF_ without a slash that \
             is no file stands for _/etc/wireguard/CONF.conf_.",
            "Needs no right but CAP_NET_ADMIN. What a container is seldom allowed to do, that is to change \
             *src_valid_mark* and the firewall, is tried, and its failure told.",
        ],
        environment: &[
            Term {
                word: "LOG_LEVEL",
                meaning: "`verbose`, `error` (if not set) or `silent`",
            },
            DISABLE_VARIABLE,
            SANDBOX_VARIABLE,
            Term {
                word: "NOTIFY_SOCKET",
                meaning: "told when everything is up (systemd, *Type=notify*)",
            },
            RETRIES,
        ],
        examples: &[Term {
            word: "hushwire run ./wg0.conf",
            meaning: "The interface wg0, until Ctrl-C.",
        }],
        ..NOTHING
    },
    Command {
        name: "up",
        summary: "bring a configuration up, and leave it there",
        options: &[DRY_RUN, BACKEND],
        synopsis: "CONF",
        operands: &[Operand::Configuration],
        description: &[
            "Makes the interface that the file _CONF_ describes, in the form of wg-quick(8), with its peers, addresses \
             and routes. A _CONF_ that is the name of an interface stands for _/etc/wireguard/CONF.conf_.",
            "What is done is told on standard error, each line after *[#]* in the words of the command that would do \
             the same. A failure, a signal, or the end of the process that started it undoes everything. What cannot \
             work is refused before anything is touched, with its line and column.",
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
        ..NOTHING
    },
    Command {
        name: "down",
        summary: "take a configuration down again",
        options: &[DRY_RUN],
        synopsis: "CONF",
        operands: &[Operand::Configuration],
        description: &["Takes down what *hushwire up* with the same _CONF_ has made."],
        ..NOTHING
    },
    Command {
        name: "reload",
        summary: "make a running interface what its configuration says now",
        options: &[DRY_RUN],
        synopsis: "CONF",
        operands: &[Operand::Configuration],
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
    },
    Command {
        name: "save",
        summary: "write what an interface has now into its configuration",
        synopsis: "CONF",
        operands: &[Operand::Configuration],
        description: &[
            "Writes keys, peers, addresses and the like as they are now into the file _CONF_, where they take the \
             place of what was there.",
        ],
        ..NOTHING
    },
    Command {
        name: "strip",
        summary: "print the part of a configuration that wg(8) understands",
        synopsis: "CONF",
        operands: &[Operand::Configuration],
        description: &["Prints the file _CONF_ without what only wg-quick(8) knows."],
        examples: &[Term {
            word: "hushwire syncconf wg0 <(hushwire strip wg0)",
            meaning: "Takes over what was changed in /etc/wireguard/wg0.conf.",
        }],
        ..NOTHING
    },
    Command {
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
        operands: &[Operand::Interfaces, Operand::Selector],
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
        standard: true,
    },
    Command {
        name: "showconf",
        summary: "an interface's configuration, in the form that setconf reads",
        options: &[TIMEOUT],
        synopsis: "INTERFACE",
        operands: &[Operand::Interface],
        description: &["Prints the configuration, private and pre-shared keys included."],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "set",
        summary: "change an interface: options, peers, allowed IPs",
        options: &[TIMEOUT],
        synopsis: "INTERFACE [listen-port PORT] [fwmark MARK] [private-key FILE] [peer KEY [remove] \
                   [preshared-key FILE] [endpoint HOST:PORT] [persistent-keepalive SECONDS] \
                   [allowed-ips [+|-]IP[/LENGTH][,[+|-]IP[/LENGTH]]...]]...",
        operands: &[Operand::Interface, Operand::SetWords],
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
        standard: true,
    },
    Command {
        name: "setconf",
        summary: "give an interface the configuration in a file, and nothing else",
        options: &[TIMEOUT],
        synopsis: "INTERFACE FILE",
        operands: &[Operand::Interface, Operand::File],
        description: &[
            "The interface has afterwards what the file says: without a private key, a port or a mark in the file it \
             has none, and peers that are not in it are gone. All sessions end; *syncconf* keeps them. Nothing is \
             changed unless all of the file could be read.",
        ],
        environment: &[RETRIES],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "addconf",
        summary: "add the configuration in a file to what an interface has",
        options: &[TIMEOUT],
        synopsis: "INTERFACE FILE",
        operands: &[Operand::Interface, Operand::File],
        description: &["As *setconf*, but what the file does not name stays."],
        environment: &[RETRIES],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "syncconf",
        summary: "as setconf, without interrupting the peers that stay",
        options: &[TIMEOUT],
        synopsis: "INTERFACE FILE",
        operands: &[Operand::Interface, Operand::File],
        description: &[
            "Compares the file with what the interface has, and changes the difference. A peer that stays keeps its \
             session, and its endpoint if the file has none.",
        ],
        environment: &[RETRIES],
        examples: &[Term {
            word: "wg syncconf wg0 <(wg-quick strip wg0)",
            meaning: "Takes over what was changed in /etc/wireguard/wg0.conf.",
        }],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "genkey",
        summary: "make a private key",
        description: &[
            "Prints a new private key. It warns if it goes to a file that everybody may read.",
        ],
        examples: &[Term {
            word: "(umask 077; hushwire genkey > private.key)",
            meaning: "A key in a file of its own.",
        }],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "genpsk",
        summary: "make a pre-shared key",
        description: &[
            "Prints a new pre-shared key. It warns if it goes to a file that everybody may read.",
        ],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "pubkey",
        summary: "read a private key, print its public key",
        description: &["Reads the private key from standard input."],
        examples: &[Term {
            word: "hushwire pubkey < private.key",
            meaning: "The public key that belongs to a private key.",
        }],
        standard: true,
        ..NOTHING
    },
    Command {
        name: "completion",
        summary: "print the completion of a shell: bash, zsh or fish",
        synopsis: "bash|zsh|fish",
        operands: &[Operand::Shell],
        description: &[
            "Prints a script that completes command lines of *hushwire* and *wg* in this shell.",
        ],
        examples: &[Term {
            word: "source <(hushwire completion bash)",
            meaning: "Completion in this shell, for as long as it runs.",
        }],
        ..NOTHING
    },
    Command {
        name: "manual",
        summary: "print a page of this manual, or write all of it to files",
        options: &[Opt {
            name: "--write",
            value: Some("DIRECTORY"),
            summary: "write all pages, and the completions of all shells, below this directory, laid out as below \
                      _/usr/share_",
        }],
        synopsis: "[PAGE]",
        operands: &[Operand::Page],
        description: &[
            "Prints the page with this name, or else *hushwire*(1), in the form that man(1) reads.",
        ],
        examples: &[
            Term {
                word: "hushwire manual hushwire-show | man -l -",
                meaning: "The page of *hushwire show*.",
            },
            Term {
                word: "hushwire manual --write \"$DESTDIR/usr/share\"",
                meaning: "What a package installs beside the binaries.",
            },
        ],
        ..NOTHING
    },
];

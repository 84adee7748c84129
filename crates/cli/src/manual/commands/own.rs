//! The commands that nobody else has.

use super::{
    DISABLE, DISABLE_VARIABLE, HELPERS, HELPERS_VARIABLE, KEYS_ELSEWHERE, MEMORY_LIMIT,
    MEMORY_LIMIT_VARIABLE, NOTHING, QUEUES, QUEUES_VARIABLE, RETRIES, SANDBOX, SANDBOX_VARIABLE,
    TIMEOUT,
};
use crate::manual::{Command, Opt, Term};

pub(super) const DEMO: Command = Command {
    name: "demo",
    summary: "two hosts on this machine, a tunnel between them, and what it can do",
    description: &[
        "Makes two hosts out of network namespaces, starts a daemon on each, joins them by a tunnel, pings and \
         sends through it for some seconds, and shows what came of it. Leaves nothing behind. Needs no root where \
         ordinary users may make user namespaces.",
    ],
    ..NOTHING
};

pub(super) const RUN: Command = Command {
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
        QUEUES,
        HELPERS,
        MEMORY_LIMIT,
        SANDBOX,
    ],
    synopsis: "CONF",
    description: &[
        "Brings up the interface that the file _CONF_ describes, in the form of wg-quick(8), with its addresses, \
         routes and name servers, and takes it all down again on SIGINT, SIGTERM or SIGHUP. A _CONF_ without a slash that \
         is no file stands for _/etc/wireguard/CONF.conf_.",
        "Needs no right but CAP_NET_ADMIN. What a container is seldom allowed to do, that is to change \
         *src_valid_mark* and the firewall, is tried, and its failure told.",
        KEYS_ELSEWHERE,
    ],
    environment: &[
        Term {
            word: "LOG_LEVEL",
            meaning: "`verbose`, `error` (if not set) or `silent`",
        },
        DISABLE_VARIABLE,
        QUEUES_VARIABLE,
        HELPERS_VARIABLE,
        MEMORY_LIMIT_VARIABLE,
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
};

pub(super) const STATUS: Command = Command {
    name: "status",
    summary: "how devices are doing: what is wrong, off, or dropped",
    options: &[
        Opt {
            name: "--json",
            value: None,
            summary: "JSON instead of text",
        },
        TIMEOUT,
    ],
    synopsis: "[INTERFACE]",
    description: &[
        "Tells what is wrong with an interface, or with all of them, and what to do about it; then what its daemon \
         makes use of: threads, memory, offloads of the kernel, the layers of its sandbox; and what became of \
         handshakes and packets. There is no key in it. The first thing to look at when a tunnel is slow or silent.",
        "Only *hushwired* and *hushwire run* tell all that. Of the kernel's interfaces, and of other daemons, there \
         is what the kernel tells of any interface.",
        "With *--json* it prints one object with the field `interfaces`, a list. All names are in docs/status.md, \
         and do not change; new ones may come.",
    ],
    environment: &[Term {
        word: "WG_COLOR_MODE",
        meaning: "`always` or `never`; else there are colours on a terminal",
    }],
    examples: &[
        Term {
            word: "hushwire status wg0",
            meaning: "What is wrong with wg0.",
        },
        Term {
            word: "hushwire status --json | jq '.interfaces[].problems'",
            meaning: "What is wrong with any interface, for programs.",
        },
    ],
    ..NOTHING
};

pub(super) const COMPLETION: Command = Command {
    name: "completion",
    summary: "print the completion of a shell: bash, zsh or fish",
    synopsis: "bash|zsh|fish",
    description: &[
        "Prints a script that completes command lines of *hushwire* and *wg* in this shell.",
    ],
    examples: &[Term {
        word: "source <(hushwire completion bash)",
        meaning: "Completion in this shell, for as long as it runs.",
    }],
    ..NOTHING
};

pub(super) const MANUAL: Command = Command {
    name: "manual",
    summary: "print a page of this manual, or write all of it to files",
    options: &[Opt {
        name: "--write",
        value: Some("DIRECTORY"),
        summary: "write all pages, and the completions of all shells, below this directory, laid out as below \
                  _/usr/share_",
    }],
    synopsis: "[PAGE]",
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
};

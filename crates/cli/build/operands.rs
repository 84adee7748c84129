//! What stands in the place of each operand of a command: completion asks.

use Operand::{Configuration, File, Interface, Interfaces, Page, Selector, SetWords, Shell};

/// What stands in the place of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An interface.
    Interface,
    /// An interface, `all` or `interfaces`.
    Interfaces,
    /// What `show` shows of an interface.
    Selector,
    /// A file.
    File,
    /// The file of a configuration, or its name in /etc/wireguard.
    Configuration,
    /// The words of `set`.
    SetWords,
    /// The name of a shell.
    Shell,
    /// The name of a manual page.
    Page,
}

/// The operands of the commands that have some.
const OPERANDS: &[(&str, &[Operand])] = &[
    ("run", &[Configuration]),
    ("up", &[Configuration]),
    ("down", &[Configuration]),
    ("reload", &[Configuration]),
    ("save", &[Configuration]),
    ("strip", &[Configuration]),
    ("show", &[Interfaces, Selector]),
    ("status", &[Interface]),
    ("showconf", &[Interface]),
    ("set", &[Interface, SetWords]),
    ("setconf", &[Interface, File]),
    ("addconf", &[Interface, File]),
    ("syncconf", &[Interface, File]),
    ("completion", &[Shell]),
    ("manual", &[Page]),
];

impl Operand {
    /// What the scripts call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Interface => "interface",
            Interfaces => "interfaces",
            Selector => "selector",
            File => "file",
            Configuration => "configuration",
            SetWords => "set",
            Shell => "shell",
            Page => "page",
        }
    }
}

/// The names of the operands of a command, in order.
pub(crate) fn names(command: &str) -> String {
    let found = OPERANDS.iter().find(|(name, _)| *name == command);
    let kinds = found.map_or(&[][..], |(_, kinds)| *kinds);
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(" ")
}

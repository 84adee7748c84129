//! The completion of bash.

use crate::manual::{self, COMMANDS, DAEMON, Operand};

/// The script, for `hushwire` and `wg`.
pub(crate) fn script() -> String {
    let names = |standard: bool| {
        let commands = COMMANDS.iter();
        let names = commands.filter(|one| one.standard || !standard);
        names.map(|one| one.name).collect::<Vec<_>>().join(" ")
    };
    let mut options = String::new();
    let mut operands = String::new();
    for command in COMMANDS {
        let of_command = command.options.iter().map(|option| option.name);
        let list = of_command.collect::<Vec<_>>().join(" ");
        options += &format!("        {}) echo \"{list}\" ;;\n", command.name);
        let kinds = command.operands.iter().map(|kind| kind_name(*kind));
        let list = kinds.collect::<Vec<_>>().join(" ");
        operands += &format!("        {}) echo \"{list}\" ;;\n", command.name);
    }
    let selectors = manual::command("show");
    let selectors = selectors.map_or_else(String::new, |show| {
        show.terms
            .iter()
            .map(|one| one.word)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let daemon = DAEMON.options.iter().map(|option| option.name);
    TEMPLATE
        .replace("@ALL@", &names(false))
        .replace("@STANDARD@", &names(true))
        .replace("@OPTIONS@", options.trim_end())
        .replace("@OPERANDS@", operands.trim_end())
        .replace("@SELECTORS@", &selectors)
        .replace("@VALUED@", &valued(" | "))
        .replace("@PAGES@", &page_names())
        .replace("@DAEMON@", &daemon.collect::<Vec<_>>().join(" "))
}

/// The options that a value follows.
pub(crate) fn valued(separator: &str) -> String {
    let options = COMMANDS.iter().flat_map(|command| command.options);
    let mut names: Vec<&str> = options
        .filter(|option| option.value.is_some())
        .map(|option| option.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(separator)
}

/// The names of all manual pages.
pub(crate) fn page_names() -> String {
    let commands = COMMANDS.iter();
    commands.fold("hushwire hushwired".to_owned(), |names, command| {
        names + " hushwire-" + command.name
    })
}

/// What the scripts call a kind of operand.
pub(crate) const fn kind_name(operand: Operand) -> &'static str {
    match operand {
        Operand::Interface => "interface",
        Operand::Interfaces => "interfaces",
        Operand::Selector => "selector",
        Operand::File => "file",
        Operand::Configuration => "configuration",
        Operand::SetWords => "set",
        Operand::Shell => "shell",
        Operand::Page => "page",
    }
}

const TEMPLATE: &str = include_str!("completion.bash");

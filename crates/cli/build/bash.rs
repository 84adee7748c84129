//! The completion of bash.

use crate::manual::{self, COMMANDS, DAEMON, commands_of};
use crate::operands;

/// The script, for `hushwire`, `hushwired`, `wg` and `wg-quick`.
pub(crate) fn script() -> String {
    let names = |program: &str| {
        let names = commands_of(program).map(|one| one.name);
        names.collect::<Vec<_>>().join(" ")
    };
    let mut options = String::new();
    let mut kinds = String::new();
    for command in COMMANDS {
        let of_command = command.options.iter().map(|option| option.name);
        let list = of_command.collect::<Vec<_>>().join(" ");
        options += &format!("        {}) echo \"{list}\" ;;\n", command.name);
        let list = operands::names(command.name);
        kinds += &format!("        {}) echo \"{list}\" ;;\n", command.name);
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
        .replace("@ALL@", &names("hushwire"))
        .replace("@WG@", &names("wg"))
        .replace("@WG_QUICK@", &names("wg-quick"))
        .replace("@OPTIONS@", options.trim_end())
        .replace("@OPERANDS@", kinds.trim_end())
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
    commands.fold(
        "hushwire hushwired wg wg-quick".to_owned(),
        |names, command| names + " hushwire-" + command.name,
    )
}

const TEMPLATE: &str = include_str!("completion.bash");

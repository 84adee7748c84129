//! The completion of zsh.

use crate::bash::{page_names, valued};
use crate::manual::{self, COMMANDS, Command, DAEMON, Term, commands_of, plain};
use crate::operands;

/// The script, for `hushwire`, `hushwired`, `wg` and `wg-quick`.
pub(crate) fn script() -> String {
    let commands = |program: &str| {
        let commands = commands_of(program);
        described(commands.map(|one| (one.name, one.summary)))
    };
    let terms = |name: &str| {
        let command = manual::command(name);
        let terms: &[Term] = command.map_or(&[], |command| command.terms);
        described(terms.iter().map(|term| (term.word, term.meaning)))
    };
    let mut options = String::new();
    let mut of_operands = String::new();
    for Command {
        name,
        options: of_command,
        ..
    } in COMMANDS
    {
        let list = described(of_command.iter().map(|one| (one.name, one.summary)));
        options += &format!("    {name}) found=({list}) ;;\n");
        let kinds = operands::names(name);
        of_operands += &format!("    {name}) kinds=({kinds}) ;;\n");
    }
    let daemon = DAEMON.options.iter();
    let daemon = daemon.map(|option| (option.name, option.summary));
    TEMPLATE
        .replace("@ALL@", &commands("hushwire"))
        .replace("@WG@", &commands("wg"))
        .replace("@WG_QUICK@", &commands("wg-quick"))
        .replace("@OPTIONS@", options.trim_end())
        .replace("@OPERANDS@", of_operands.trim_end())
        .replace("@SELECTORS@", &terms("show"))
        .replace("@SET@", &terms("set"))
        .replace("@VALUED@", &valued("|"))
        .replace("@PAGES@", &page_names())
        .replace("@DAEMON@", &described(daemon))
}

/// Words and what they mean, in the form of `_describe`, each in single quotes.
fn described<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let words = pairs.map(|(word, meaning)| {
        let meaning = plain(meaning).replace('\'', "'\\''");
        format!("'{}:{meaning}'", word.replace(':', "\\:"))
    });
    words.collect::<Vec<_>>().join(" ")
}

const TEMPLATE: &str = include_str!("completion.zsh");

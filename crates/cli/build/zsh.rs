//! The completion of zsh.

use crate::bash::{kind_name, page_names, valued};
use crate::manual::{self, COMMANDS, Command, DAEMON, Term, plain};

/// The script, for `hushwire` and `wg`.
pub(crate) fn script() -> String {
    let commands = |standard: bool| {
        let commands = COMMANDS.iter();
        let commands = commands.filter(|one| one.standard || !standard);
        described(commands.map(|one| (one.name, one.summary)))
    };
    let terms = |name: &str| {
        let command = manual::command(name);
        let terms: &[Term] = command.map_or(&[], |command| command.terms);
        described(terms.iter().map(|term| (term.word, term.meaning)))
    };
    let mut options = String::new();
    let mut operands = String::new();
    for Command {
        name,
        options: of_command,
        operands: kinds,
        ..
    } in COMMANDS
    {
        let list = described(of_command.iter().map(|one| (one.name, one.summary)));
        options += &format!("    {name}) found=({list}) ;;\n");
        let kinds = kinds.iter().map(|kind| kind_name(*kind));
        let kinds = kinds.collect::<Vec<_>>().join(" ");
        operands += &format!("    {name}) kinds=({kinds}) ;;\n");
    }
    let daemon = DAEMON.options.iter();
    let daemon = daemon.map(|option| (option.name, option.summary));
    TEMPLATE
        .replace("@ALL@", &commands(false))
        .replace("@STANDARD@", &commands(true))
        .replace("@OPTIONS@", options.trim_end())
        .replace("@OPERANDS@", operands.trim_end())
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

//! The usage texts.

use std::ffi::OsStr;

use super::Spelling;
use crate::help;
use crate::manual::{self, COMMANDS};

/// The usage of `wg` as a whole.
pub(super) fn all(program: &OsStr) -> String {
    let program = program.to_string_lossy();
    let commands = help::commands(COMMANDS.iter().filter(|command| command.standard));
    format!(
        "Usage: {program} COMMAND [ARGUMENT]...\n\n{commands}\n\
         Without a command: `{program} show`. A command without its arguments shows its usage.\n"
    )
}

/// The usage of a command.
pub(super) fn of(program: &OsStr, spelling: Spelling, verb: &str) -> String {
    let Some(command) = manual::command(verb) else {
        return String::new();
    };
    let own = spelling == Spelling::Own;
    let mut text = format!(
        "Usage: {} {verb}{}\n",
        program.to_string_lossy(),
        command.usage(own)
    );
    if verb == "show" {
        let selectors: Vec<&str> = command.terms.iter().map(|term| term.word).collect();
        text.push_str(&format!("\nSelectors: {}\n", selectors.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use hushwire_config::show::Selector;

    use super::*;

    #[test]
    fn the_selectors_that_are_listed_are_those_there_are() {
        let listed = manual::command("show").unwrap().terms.iter();
        let listed: Vec<&str> = listed.map(|term| term.word).collect();
        let known: Vec<&str> = Selector::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(listed, known);
    }
}

//! The usage texts.

use std::ffi::OsStr;

use super::Spelling;
use crate::help;
use crate::manual::{self, WG};

/// The usage of `wg` as a whole.
pub(super) fn all(program: &OsStr) -> String {
    let commands = help::commands(manual::commands_of(WG.name));
    format!(
        "{}\nCommands:\n\n{commands}\nA command without its arguments shows its usage.\n",
        help::of(&WG, &program.to_string_lossy())
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

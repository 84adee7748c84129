//! The help texts of commands, out of the definition that the manual is made of.

use crate::manual::{self, Command, Term, plain};

/// Columns of a line.
const WIDTH: usize = 80;

/// The help text of a command of `hushwire`.
pub(crate) fn command(name: &str) -> String {
    manual::command(name)
        .map(|command| of(command, &format!("hushwire {name}")))
        .unwrap_or_default()
}

/// All there is to say about a command or program, for people who have asked. `spoken` is what they typed.
pub(crate) fn of(command: &Command, spoken: &str) -> String {
    let mut text = format!("Usage: {spoken}{}\n", command.usage(true));
    for paragraph in command.description {
        text.push('\n');
        wrap(&mut text, &plain(paragraph), 0, 0);
    }
    let options = command.options.iter().map(|option| {
        let value = option.value.map(|value| format!(" {value}"));
        let name = format!("{}{}", option.name, value.unwrap_or_default());
        (name, option.summary)
    });
    list(&mut text, "Options", options);
    let title = match command.name {
        "show" => "Selectors",
        "wg-quick" => "Settings of [Interface]",
        _ => "Words",
    };
    list(&mut text, title, command.terms.iter().map(pair));
    list(
        &mut text,
        "Environment",
        command.environment.iter().map(pair),
    );
    list(&mut text, "Examples", command.examples.iter().map(pair));
    text
}

/// Commands and what they do, a line each.
pub(crate) fn commands(commands: impl Iterator<Item = &'static Command>) -> String {
    commands.fold(String::new(), |text, command| {
        text + &format!("  {:11} {}\n", command.name, command.summary)
    })
}

fn pair(term: &Term) -> (String, &'static str) {
    (term.word.to_owned(), term.meaning)
}

fn list(text: &mut String, title: &str, items: impl Iterator<Item = (String, &'static str)>) {
    let items: Vec<_> = items.collect();
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title}:\n"));
    let widest = items.iter().map(|(word, _)| word.len()).max();
    let column = widest.unwrap_or_default().min(22) + 4;
    for (word, meaning) in items {
        text.push_str("  ");
        text.push_str(&word);
        let mut used = word.len() + 2;
        if used + 2 > column {
            text.push('\n');
            used = 0;
        }
        text.push_str(&" ".repeat(column - used));
        wrap(text, &plain(meaning), column, column);
    }
}

/// Appends words in lines, the first of which begins at a column, and the others after an indent.
pub(crate) fn wrap(text: &mut String, words: &str, mut column: usize, indent: usize) {
    let mut first = true;
    for word in words.split(' ') {
        let length = word.chars().count();
        if !first && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if !first {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
        first = false;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::COMMANDS;

    #[test]
    fn lines_fit_a_terminal_and_nothing_is_lost() {
        for command in COMMANDS {
            let text = super::command(command.name);
            let lines = text.lines().skip(1);
            for line in lines {
                assert!(line.chars().count() <= WIDTH, "{line}");
                assert_eq!(line, line.trim_end());
            }
            for term in command.terms {
                assert!(
                    text.contains(&format!("\n  {}", term.word)),
                    "{}",
                    term.word
                );
            }
        }
    }
}

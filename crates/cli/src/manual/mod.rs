//! What there is to say about every command: the one definition that usage texts, man pages and the completion of
//! shells are made of. The build script compiles it too.

mod commands;
mod programs;

pub(crate) use commands::COMMANDS;
pub(crate) use programs::{DAEMON, PROGRAM, WG, WG_QUICK};

/// A command, or a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    /// What people type.
    pub(crate) name: &'static str,
    /// What it does, in a line that begins with a small letter and ends without a full stop.
    pub(crate) summary: &'static str,
    /// Options, which stand before the operands.
    pub(crate) options: &'static [Opt],
    /// Operands as the usage shows them.
    pub(crate) synopsis: &'static str,
    /// The description, a paragraph each. `*bold*` and `_argument_` are marked.
    pub(crate) description: &'static [&'static str],
    /// Words with a meaning, such as the options of `set`.
    pub(crate) terms: &'static [Term],
    /// Environment variables.
    pub(crate) environment: &'static [Term],
    /// Command lines, and what they do.
    pub(crate) examples: &'static [Term],
    /// The program of wireguard-tools that has it too, and under whose name it is there.
    pub(crate) standard: Option<&'static str>,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// What its value is called; none if it has no value.
    pub(crate) value: Option<&'static str>,
    /// What it does.
    pub(crate) summary: &'static str,
}

/// A word and what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) word: &'static str,
    pub(crate) meaning: &'static str,
}

impl Command {
    /// The options and operands of a usage line.
    pub(crate) fn usage(&self, with_options: bool) -> String {
        let mut line = String::new();
        for option in self.options.iter().filter(|_| with_options) {
            let value = option.value.map(|value| format!(" {value}"));
            line += &format!(" [{}{}]", option.name, value.unwrap_or_default());
        }
        if !self.synopsis.is_empty() {
            line += " ";
            line += self.synopsis;
        }
        line
    }
}

/// The commands that there are under the name of a program.
pub(crate) fn commands_of(program: &str) -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .filter(move |command| program == PROGRAM.name || command.standard == Some(program))
}

/// The command of this name.
pub(crate) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Without the marks of `*bold*` and `_argument_`.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut italic = false;
    for char in text.chars() {
        match char {
            '*' => {}
            '_' if italic => italic = false,
            '_' if !before.is_alphanumeric() => italic = true,
            char => out.push(char),
        }
        before = char;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_no_part_of_the_text() {
        assert_eq!(
            plain("*set* _FILE_, rx_bytes, _a_."),
            "set FILE, rx_bytes, a."
        );
    }
}

//! The completion of fish.

use crate::bash::{page_names, valued};
use crate::manual::{self, DAEMON, Opt, commands_of, plain};
use crate::operands;

/// The script for `hushwire` or `wg`.
pub(crate) fn script(program: &str) -> String {
    let own = program == "hushwire";
    let mut lines = String::new();
    let mut cases = String::new();
    for command in commands_of(program) {
        let name = command.name;
        lines += &format!(
            "complete -c {program} -n '__{program}_place command' -a {name} -d {}\n",
            quote(command.summary)
        );
        for option in command.options.iter().filter(|_| own) {
            lines += &format!(
                "complete -c {program} -n '__{program}_command {name}'{}\n",
                flag(option)
            );
        }
        let kinds = operands::names(name);
        cases += &format!("        case {name}\n            set kinds {kinds}\n");
    }
    let show = manual::command("show");
    for term in show.map_or(&[][..], |show| show.terms) {
        lines += &format!(
            "complete -c {program} -n '__{program}_place selector' -a {} -d {}\n",
            term.word,
            quote(term.meaning)
        );
    }
    let set = manual::command("set");
    for term in set.map_or(&[][..], |set| set.terms) {
        lines += &format!(
            "complete -c {program} -n '__{program}_set_option {}' -a {} -d {}\n",
            term.word,
            term.word,
            quote(term.meaning)
        );
    }
    TEMPLATE
        .replace("@OPERANDS@", cases.trim_end())
        .replace("@LINES@", lines.trim_end())
        .replace("@VALUED@", &valued(" "))
        .replace("@PAGES@", &page_names())
        .replace("@PROGRAM@", program)
}

/// The script for `wg-quick`: a command, and a configuration.
pub(crate) fn quick_script() -> String {
    let mut text = "# Completion of wg-quick for fish. Made by the build, from the definition of the commands.\n\n\
                    complete -c wg-quick -f\n"
        .to_owned();
    for command in commands_of("wg-quick") {
        text += &format!(
            "complete -c wg-quick -n 'test (count (commandline -opc)) = 1' -a {} -d {}\n",
            command.name,
            quote(command.summary)
        );
    }
    let second = "complete -c wg-quick -n 'test (count (commandline -opc)) = 2'";
    text += &format!("{second} -F\n");
    text + &format!("{second} -a '(path basename -E /etc/wireguard/*.conf 2>/dev/null)'\n")
}

/// The script for `hushwired`.
pub(crate) fn daemon_script() -> String {
    let mut text = "# Completion of hushwired for fish. Made by the build, from the definition of the commands.\n\n\
                    complete -c hushwired -f\n"
        .to_owned();
    for option in DAEMON.options {
        text += &format!("complete -c hushwired{}\n", flag(option));
    }
    text
}

/// An option as `complete` wants it.
fn flag(option: &Opt) -> String {
    let long = option.name.trim_start_matches('-');
    let value = if option.value.is_some() { " -x" } else { "" };
    format!(" -l {long}{value} -d {}", quote(option.summary))
}

/// A word in single quotes.
fn quote(text: &str) -> String {
    let text = plain(text).replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{text}'")
}

const TEMPLATE: &str = include_str!("completion.fish");

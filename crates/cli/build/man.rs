//! Man pages, in the macros of man(7).

use crate::manual::{COMMANDS, Command, DAEMON, Opt, PROGRAM, Term, WG, WG_QUICK, commands_of};

/// The pages: where each goes, and its text.
pub(crate) fn pages(version: &str) -> Vec<(String, String)> {
    let mut pages = vec![
        file(1, "hushwire", program_page(&PROGRAM, 1, version)),
        file(8, "hushwired", page(&DAEMON, "hushwired", 8, version)),
        file(8, "wg", program_page(&WG, 8, version)),
        file(8, "wg-quick", page(&WG_QUICK, "wg-quick", 8, version)),
    ];
    for command in COMMANDS {
        let name = format!("hushwire-{}", command.name);
        let text = page(command, &name, 1, version);
        pages.push(file(1, &name, text));
    }
    pages
}

fn file(section: u8, name: &str, text: String) -> (String, String) {
    (format!("man/man{section}/{name}.{section}"), text)
}

fn program_page(program: &Command, section: u8, version: &str) -> String {
    let mut text = heading(program, program.name, section, version);
    text += ".SH COMMANDS\n";
    for command in commands_of(program.name) {
        text += &format!(".TP\n\\fB{}\\fR\n", escape(command.name));
        let summary = capital(command.summary);
        text += &line(&format!("{summary}. See *hushwire-{}*(1).", command.name));
    }
    text += ".SH EXIT STATUS\n0 if it went well, else 1.\n";
    text += ".SH SEE ALSO\n";
    let others = [
        (PROGRAM.name, 1),
        (DAEMON.name, 8),
        (WG.name, 8),
        (WG_QUICK.name, 8),
    ];
    let others = others.iter().filter(|(name, _)| *name != program.name);
    let others: Vec<String> = others
        .map(|(name, section)| format!(".BR {name} ({section})"))
        .collect();
    text + &others.join(",\n") + "\n"
}

fn page(command: &Command, name: &str, section: u8, version: &str) -> String {
    let mut text = heading(command, name, section, version);
    let options = command.options.iter();
    text += &terms(
        "OPTIONS",
        options.map(|option| (name_of(option), option.summary)),
    );
    let title = match command.name {
        "show" => "SELECTORS",
        "wg-quick" => "KEYS OF THE INTERFACE SECTION",
        _ => "WORDS",
    };
    text += &terms(title, command.terms.iter().map(pair));
    text += &terms("ENVIRONMENT", command.environment.iter().map(pair));
    if !command.examples.is_empty() {
        text += ".SH EXAMPLES\n";
        for Term { word, meaning } in command.examples {
            text += &format!(".TP\n.nf\n{}\n.fi\n", guarded(&escape(word)));
            text += &line(meaning);
        }
    }
    text += ".SH EXIT STATUS\n0 if it went well, else 1.\n";
    text += ".SH SEE ALSO\n";
    text += if section == 8 {
        ".BR hushwire (1)\n"
    } else {
        ".BR hushwire (1),\n.BR hushwired (8)"
    };
    if let Some(program) = command.standard {
        text += &format!(",\n.BR {program} (8)");
    }
    text + "\n"
}

fn heading(command: &Command, name: &str, section: u8, version: &str) -> String {
    let title = name.to_uppercase();
    let spoken = name.replace("hushwire-", "hushwire ");
    let mut text = format!(
        ".TH \"{title}\" \"{section}\" \"\" \"hushwire {version}\" \"hushwire\"\n\
         .SH NAME\n{} \\- {}\n.SH SYNOPSIS\n\\fB{}\\fR{}\n",
        escape(name),
        escape(command.summary),
        escape(&spoken),
        escape(&command.usage(true)),
    );
    if let Some(program) = command.standard {
        text += &format!(
            ".br\n\\fB{} {}\\fR{}\n",
            escape(program),
            command.name,
            escape(&command.usage(false))
        );
    }
    text += ".SH DESCRIPTION\n";
    for (index, paragraph) in command.description.iter().enumerate() {
        if index > 0 {
            text += ".PP\n";
        }
        text += &line(paragraph);
    }
    text
}

fn terms<'a>(title: &str, terms: impl Iterator<Item = (String, &'a str)>) -> String {
    let mut text = String::new();
    for (word, meaning) in terms {
        if text.is_empty() {
            text = format!(".SH {title}\n");
        }
        text += &format!(".TP\n\\fB{}\\fR\n", escape(&word));
        text += &line(&format!("{}.", capital(meaning)));
    }
    text
}

fn pair(term: &Term) -> (String, &'static str) {
    (term.word.to_owned(), term.meaning)
}

fn name_of(option: &Opt) -> String {
    match option.value {
        Some(value) => format!("{} {value}", option.name),
        None => option.name.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A line of text: `*bold*` and `_italic_` between blanks and punctuation are what they say, backquotes make bold too.
fn line(text: &str) -> String {
    let mut out = String::new();
    let mut open = None;
    let mut before = ' ';
    let escaped = escape(text);
    for char in escaped.chars() {
        match (char, open) {
            ('*' | '`', Some(mark)) if mark == char => {
                out += "\\fR";
                open = None;
            }
            ('_', Some('_')) => {
                out += "\\fR";
                open = None;
            }
            ('*' | '`', None) => {
                out += "\\fB";
                open = Some(char);
            }
            ('_', None) if !before.is_alphanumeric() => {
                out += "\\fI";
                open = Some(char);
            }
            _ => out.push(char),
        }
        before = char;
    }
    guarded(&out) + "\n"
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// A line that is no request, whatever it begins with.
fn guarded(text: &str) -> String {
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text.to_owned()
    }
}

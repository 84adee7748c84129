//! The usage texts.

use std::ffi::OsStr;

use hushwire_config::show::Selector;

use super::Spelling;

/// The commands: name and what it does.
const COMMANDS: [(&str, &str); 9] = [
    ("show", "what interfaces, peers and sessions there are"),
    (
        "showconf",
        "an interface's configuration, in the form that setconf reads",
    ),
    ("set", "change an interface: options, peers, allowed IPs"),
    (
        "setconf",
        "give an interface the configuration in a file, and nothing else",
    ),
    (
        "addconf",
        "add the configuration in a file to what an interface has",
    ),
    (
        "syncconf",
        "as setconf, without interrupting the peers that stay",
    ),
    ("genkey", "make a private key"),
    ("genpsk", "make a pre-shared key"),
    ("pubkey", "read a private key, print its public key"),
];

/// The usage of `wg` as a whole.
pub(super) fn all(program: &OsStr) -> String {
    let program = program.to_string_lossy();
    let mut text = format!("Usage: {program} COMMAND [ARGUMENT]...\n\n");
    for (name, what) in COMMANDS {
        text.push_str(&format!("  {name:9} {what}\n"));
    }
    text.push_str(&format!(
        "\nWithout a command: `{program} show`. A command without its arguments shows its usage.\n"
    ));
    text
}

/// The usage of `show`.
pub(super) fn show(program: &OsStr, spelling: Spelling) -> String {
    let selectors: Vec<&str> = Selector::ALL.iter().map(|one| one.name()).collect();
    let own = match spelling {
        Spelling::Standard => "",
        Spelling::Own => " [--json] [--show-keys] [--timeout SECONDS]",
    };
    format!(
        "Usage: {} show{own} [INTERFACE | all | interfaces] [SELECTOR]\n\nSelectors: {}\n",
        program.to_string_lossy(),
        selectors.join(", ")
    )
}

/// The usage of a command whose operands stand in this text.
pub(super) fn of(program: &OsStr, spelling: Spelling, verb: &str, operands: &str) -> String {
    let own = match spelling {
        Spelling::Standard => "",
        Spelling::Own => " [--timeout SECONDS]",
    };
    format!(
        "Usage: {} {verb}{own} {operands}\n",
        program.to_string_lossy()
    )
}

/// The operands of `set`.
pub(super) const SET: &str = "INTERFACE [listen-port PORT] [fwmark MARK] [private-key FILE] \
    [peer KEY [remove] [preshared-key FILE] [endpoint HOST:PORT] [persistent-keepalive SECONDS] \
    [allowed-ips [+|-]IP[/LENGTH][,[+|-]IP[/LENGTH]]...]]...";

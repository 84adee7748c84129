//! The man pages and the completions of shells, which the build has made out of the definition of the commands.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::program::fail;

/// Files as below `/usr/share`: path and text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/share.rs"));

/// The shells, and where the completion for each is.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/hushwire"),
    ("zsh", "zsh/site-functions/_hushwire"),
    ("fish", "fish/vendor_completions.d/hushwire.fish"),
];

/// The command `completion`, with the words after it.
pub(crate) fn completion(name: &OsStr, words: &[OsString]) -> ExitCode {
    let shell = match words {
        [shell] => SHELLS.iter().find(|(known, _)| shell == known),
        _ => None,
    };
    match shell.and_then(|(_, path)| text(path)) {
        Some(text) => print(text),
        None => fail(
            name,
            "completion wants the name of a shell: bash, zsh or fish",
        ),
    }
}

/// The command `manual`, with the words after it.
pub(crate) fn manual(name: &OsStr, words: &[OsString]) -> ExitCode {
    match words {
        [] => page(name, OsStr::new("hushwire")),
        [option, directory] if option == "--write" && !directory.is_empty() => {
            match write_all(Path::new(directory)) {
                Ok(()) => ExitCode::SUCCESS,
                Err((path, error)) => fail(name, &format!("cannot write {path}: {error}")),
            }
        }
        [word] if !word.as_encoded_bytes().starts_with(b"-") => page(name, word),
        _ => fail(name, "manual wants a page, or --write and a directory"),
    }
}

fn page(name: &OsStr, page: &OsStr) -> ExitCode {
    let found = pages().find(|(known, _)| page == *known);
    match found {
        Some((_, text)) => print(text),
        None => {
            let names: Vec<&str> = pages().map(|(name, _)| name).collect();
            let page = page.to_string_lossy();
            let names = names.join(", ");
            fail(name, &format!("there is no page `{page}`, but {names}"))
        }
    }
}

/// The manual pages: name without section, and text.
fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(|(path, text)| {
        let file = path.strip_prefix("man/")?.rsplit('/').next()?;
        Some((file.rsplit_once('.')?.0, *text))
    })
}

fn text(path: &str) -> Option<&'static str> {
    let file = FILES.iter().find(|(known, _)| *known == path);
    file.map(|(_, text)| *text)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn write_all(directory: &Path) -> Result<(), (String, io::Error)> {
    for (path, text) in FILES {
        let path = directory.join(path);
        let written = match path.parent() {
            Some(parent) => fs::create_dir_all(parent),
            None => Ok(()),
        };
        written
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| (path.display().to_string(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::COMMANDS;

    #[test]
    fn every_command_has_a_page_and_every_shell_completes_it() {
        let pages: Vec<&str> = pages().map(|(name, _)| name).collect();
        assert!(pages.contains(&"hushwire") && pages.contains(&"hushwired"));
        for command in COMMANDS {
            let page = format!("hushwire-{}", command.name);
            assert!(pages.contains(&page.as_str()), "no page {page}");
            for (shell, path) in SHELLS {
                let script = text(path).unwrap();
                let is_blank = |part: &str| {
                    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase())
                };
                assert!(
                    !script.split('@').any(is_blank),
                    "{shell}: something is left to be filled in"
                );
                let words = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                for word in [command.name]
                    .into_iter()
                    .chain(command.terms.iter().map(|term| term.word))
                {
                    assert!(words.clone().any(|one| one == word), "{shell}: no `{word}`");
                }
                for option in command.options {
                    let long = option.name.trim_start_matches('-');
                    assert!(
                        words.clone().any(|one| one.trim_start_matches('-') == long),
                        "{shell}: no `{}`",
                        option.name
                    );
                }
            }
        }
        assert!(pages.contains(&"wg") && pages.contains(&"wg-quick"));
        assert_eq!(pages.len(), COMMANDS.len() + 4);
    }

    #[test]
    fn what_a_program_has_not_is_not_completed_for_it() {
        for program in ["wg", "wg-quick"] {
            let script = text(&format!("fish/vendor_completions.d/{program}.fish")).unwrap();
            for command in COMMANDS {
                let line = format!("-a {} ", command.name);
                let has = command.standard == Some(program);
                assert_eq!(script.contains(&line), has, "{program} {}", command.name);
            }
        }
    }
}

//! The manual pages and the completion of shells, read by those who are to read them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common::{Directory, HUSHWIRE, Outcome, run, run_as};
use crate::refused::assert_refused;
use hushwire_lab::require_tools;

fn hushwire(words: &[&str]) -> Outcome {
    run_as(HUSHWIRE, "hushwire", words, "")
}

/// A directory with programs that answer completion's questions: two interfaces, two peers.
fn programs(directory: &Directory) -> String {
    let script = "#!/bin/sh\n[ \"$2\" = interfaces ] && echo wg0 wg1\n\
                  [ \"$2 $3\" = 'wg0 peers' ] && printf 'abc+/=\\nxyz=\\n'\nexit 0\n";
    for name in ["hushwire", "wg", "wg-quick"] {
        let path = directory.write(name, script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}:/usr/bin:/bin", directory.path().display())
}

/// What a shell says when it runs a text in the directory.
fn ask(shell: &str, options: &[&str], text: &str, directory: &Directory) -> Vec<String> {
    require_tools(&[shell]).unwrap();
    let mut command = Command::new(shell);
    command
        .args(options)
        .args(["-c", text])
        .env("PATH", programs(directory))
        .env("HOME", directory.path())
        .current_dir(directory.path());
    let outcome = run(command, "");
    assert_eq!(outcome.stderr, "", "{shell}: {text}");
    let mut lines: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Completes a line in all three shells.
fn complete(line: &str) -> [Vec<String>; 3] {
    [in_bash(line), in_zsh(line), in_fish(line)]
}

fn in_bash(line: &str) -> Vec<String> {
    let directory = Directory::new();
    let script = hushwire(&["completion", "bash"]).stdout;
    let file = directory.write("completion", &script);
    let text = format!(
        "set -u; source {}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; compopt() {{ :; }}\n\
         _hushwire; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    ask("bash", &["--norc"], &text, &directory)
}

/// What would be shown is collected before the shell's own machinery, which needs a terminal.
fn in_zsh(line: &str) -> Vec<String> {
    let directory = Directory::new();
    let script = hushwire(&["completion", "zsh"]).stdout;
    let file = directory.write("completion", &script);
    let words: Vec<&str> = line.split(' ').collect();
    let current = words.last().unwrap();
    let text = format!(
        "compdef() {{ : }}
         offer() {{ local word; for word in \"$@\"; do [[ $word == {current}* ]] && print -r -- $word; done; true }}
         compadd() {{ [[ $1 == -- ]] && shift; offer \"$@\" }}
         _describe() {{ offer ${{(@P)2%%:*}} }}
         _files() {{ print FILES }}
         _call_program() {{ shift; eval \"$@\" }}
         source {}
         words=({}) CURRENT={}
         _hushwire",
        file.display(),
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        words.len()
    );
    ask("zsh", &["-f"], &text, &directory)
}

fn in_fish(line: &str) -> Vec<String> {
    let directory = Directory::new();
    let program = line.split(' ').next().unwrap();
    let share = directory.path().join("share");
    assert_eq!(
        hushwire(&["manual", "--write", share.to_str().unwrap()]).code(),
        Some(0)
    );
    let file = share.join(format!("fish/vendor_completions.d/{program}.fish"));
    let text = format!("source {}; complete -C '{line}'", file.display());
    let lines = ask("fish", &["--no-config"], &text, &directory);
    let words = lines.iter().filter_map(|line| line.split('\t').next());
    words.map(str::to_owned).collect()
}

fn assert_completes(line: &str, expected: &[&str]) {
    for (shell, words) in ["bash", "zsh", "fish"].into_iter().zip(complete(line)) {
        assert_eq!(words, expected, "{shell}: {line}");
    }
}

#[test]
fn commands_are_completed() {
    assert_completes("hushwire sho", &["show", "showconf"]);
    assert_completes("wg gen", &["genkey", "genpsk"]);
    assert_completes("hushwire comp", &["completion"]);
    for words in complete("wg comp") {
        assert!(
            !words.contains(&"completion".to_owned()),
            "not wg's: {words:?}"
        );
    }
}

#[test]
fn interfaces_and_selectors_are_completed() {
    assert_completes("hushwire show ", &["all", "interfaces", "wg0", "wg1"]);
    assert_completes("wg setconf ", &["wg0", "wg1"]);
    assert_completes("wg show wg0 pe", &["peers", "persistent-keepalive"]);
    assert_completes("hushwire show --json --timeout 5 wg", &["wg0", "wg1"]);
    assert_completes("hushwire show --s", &["--show-keys"]);
}

#[test]
fn the_words_of_set_are_completed_by_its_grammar() {
    assert_completes(
        "wg set wg0 ",
        &["fwmark", "listen-port", "peer", "private-key"],
    );
    assert_completes("wg set wg0 listen-port 5 f", &["fwmark"]);
    assert_completes("wg set wg0 peer ", &["abc+/=", "xyz="]);
    assert_completes(
        "wg set wg0 peer xyz= ",
        &[
            "allowed-ips",
            "endpoint",
            "peer",
            "persistent-keepalive",
            "preshared-key",
            "remove",
        ],
    );
    assert_completes("wg set wg0 peer xyz= remove ", &["peer"]);
    assert_completes(
        "hushwire set --timeout 3 wg0 peer xyz= persistent-keepalive ",
        &["off"],
    );
}

#[test]
fn configurations_are_completed() {
    assert_completes("wg-quick ", &["down", "save", "strip", "up"]);
    for line in ["wg-quick up ./hushw", "hushwire up --dry-run ./hushw"] {
        let [bash, zsh, fish] = complete(line);
        assert_eq!(bash, ["./hushwire"], "{line}");
        assert_eq!(zsh, ["FILES"], "{line}");
        assert_eq!(fish, ["./hushwire"], "{line}");
    }
}

#[test]
fn shells_and_pages_are_completed() {
    assert_completes("hushwire completion ", &["bash", "fish", "zsh"]);
    assert_completes("hushwire manual hushwire-sy", &["hushwire-syncconf"]);
}

#[test]
fn what_is_written_is_what_is_printed() {
    let directory = Directory::new();
    let share = directory.path().join("usr/share");
    let write = hushwire(&["manual", "--write", share.to_str().unwrap()]);
    assert_eq!((write.code(), write.stderr.as_str()), (Some(0), ""));
    let read = |path: &str| fs::read_to_string(share.join(path)).unwrap();
    assert_eq!(read("man/man1/hushwire.1"), hushwire(&["manual"]).stdout);
    assert_eq!(
        read("man/man8/hushwired.8"),
        hushwire(&["manual", "hushwired"]).stdout
    );
    assert_eq!(
        read("zsh/site-functions/_hushwire"),
        hushwire(&["completion", "zsh"]).stdout
    );
    let bash = hushwire(&["completion", "bash"]).stdout;
    for name in ["hushwire", "hushwired", "wg", "wg-quick"] {
        assert_eq!(read(&format!("bash-completion/completions/{name}")), bash);
    }
}

#[test]
fn what_there_is_not_is_said() {
    assert_refused(&hushwire(&["completion"]), &["bash, zsh or fish"]);
    assert_refused(&hushwire(&["completion", "csh"]), &["bash, zsh or fish"]);
    assert_refused(&hushwire(&["manual", "wgx"]), &["`wgx`", "hushwire-show"]);
    assert_refused(&hushwire(&["manual", "--write"]), &["--write"]);
    let occupied = Path::new("/dev/null/share").to_str().unwrap();
    assert_refused(
        &hushwire(&["manual", "--write", occupied]),
        &["/dev/null/share"],
    );
}

#[test]
fn every_page_is_set_without_a_warning() {
    require_tools(&["groff"]).unwrap();
    let directory = Directory::new();
    let share = directory.path().to_str().unwrap();
    assert_eq!(hushwire(&["manual", "--write", share]).code(), Some(0));
    let mut count = 0;
    for section in ["man/man1", "man/man8"] {
        for entry in fs::read_dir(directory.path().join(section)).unwrap() {
            let path = entry.unwrap().path();
            let mut command = Command::new("groff");
            command
                .args(["-man", "-Tutf8", "-ww", "-P-cbou"])
                .arg(&path);
            let page = run(command, "");
            assert_eq!(page.stderr, "", "{}", path.display());
            assert_eq!(page.code(), Some(0), "{}", path.display());
            for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
                assert!(
                    page.stdout.contains(heading),
                    "{heading}: {}",
                    path.display()
                );
            }
            count += 1;
        }
    }
    assert!(count > 10, "{count} pages");
}

#[test]
fn every_command_tells_about_itself() {
    let usage = hushwire(&["--help"]).stdout;
    let commands: Vec<&str> = usage
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .collect();
    assert!(commands.contains(&"show") && commands.len() > 10, "{usage}");
    for command in commands {
        let help = hushwire(&[command, "--help"]);
        assert_eq!(
            (help.code(), help.stderr.as_str()),
            (Some(0), ""),
            "{command}"
        );
        let start = format!("Usage: hushwire {command}");
        assert!(help.stdout.starts_with(&start), "{}", help.stdout);
    }
}

//! What a tool answers: its exit status and all that it prints.

use std::process::Command;
use std::time::Duration;

use hushwire_lab::vm::REFERENCE_WG;
use hushwire_lab::{Error, Host};

/// More than anything takes on an emulated processor.
const LIMIT: Duration = Duration::from_secs(120);

/// One of the two tools that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// wg(8) of wireguard-tools.
    Standard,
    /// hushwire under the name `wg`.
    Ours,
}

impl Tool {
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Standard => &REFERENCE_WG,
            Self::Ours => &["wg"],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The first place in which two answers differ.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.code != other.code {
            let [ours, theirs] = [self, other].map(|answer| {
                let first = answer.stderr.lines().next().unwrap_or_default();
                format!("{:?} ({first})", answer.code)
            });
            return Some(format!("exit status: {ours} against {theirs}"));
        }
        first_difference("stderr", &self.stderr, &other.stderr)
            .or_else(|| first_difference("stdout", &self.stdout, &other.stdout))
    }
}

/// The first line in which two texts differ. The whole of them may be megabytes.
pub(crate) fn first_difference(what: &str, one: &str, two: &str) -> Option<String> {
    if one == two {
        return None;
    }
    let (mut ones, mut twos) = (one.split_inclusive('\n'), two.split_inclusive('\n'));
    let mut number = 1;
    loop {
        match (ones.next(), twos.next()) {
            (a, b) if a != b => {
                let [a, b] = [a, b].map(|line| shortened(line.unwrap_or("nothing")));
                return Some(format!("{what}, line {number}: {a} against {b}"));
            }
            _ => number += 1,
        }
    }
}

fn shortened(line: &str) -> String {
    let start: String = line.chars().take(600).collect();
    format!("{start:?}, {} bytes", line.len())
}

/// Runs a tool on a host.
#[track_caller]
pub(crate) fn ask(host: &Host, tool: Tool, words: &[&str]) -> Answer {
    ask_with(host, tool, words, &[])
}

/// Runs a tool with environment variables.
#[track_caller]
pub(crate) fn ask_with(
    host: &Host,
    tool: Tool,
    words: &[&str],
    environment: &[(&str, &str)],
) -> Answer {
    let line = [tool.command(), words].concat();
    let mut command = host.command(&line);
    command.envs(environment.iter().copied());
    answer_of(host, command)
}

/// Runs a tool as an ordinary user.
#[track_caller]
pub(crate) fn ask_without_rights(host: &Host, tool: Tool, words: &[&str]) -> Answer {
    let nobody = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
    ];
    let line = [&nobody, tool.command(), words].concat();
    answer_of(host, host.command(&line))
}

#[track_caller]
fn answer_of(host: &Host, command: Command) -> Answer {
    let finished = host
        .spawn(command)
        .and_then(|process| process.finish(LIMIT));
    let (code, output) = match finished {
        Ok(output) => (Some(0), output),
        Err(Error::Failed { code, output, .. }) => (code, output),
        Err(error) => panic!("{error}"),
    };
    Answer {
        code,
        stdout: output.stdout,
        stderr: output.stderr,
    }
}

/// Runs a tool that must succeed, and gives what it printed.
#[track_caller]
pub(crate) fn tell(host: &Host, tool: Tool, words: &[&str]) -> String {
    let answer = ask(host, tool, words);
    assert_eq!(
        (answer.code, answer.stderr.as_str()),
        (Some(0), ""),
        "{tool:?}: {words:.200?}"
    );
    answer.stdout
}

//! The cases as they are written down.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A run of wg(8), and what came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) group: String,
    /// The program's name and its arguments.
    pub(super) argv: Vec<String>,
    #[serde(default)]
    pub(super) stdin: String,
    /// Files in the working directory.
    #[serde(default)]
    pub(super) files: BTreeMap<String, File>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Daemons that answer with a text.
    #[serde(default)]
    pub(super) uapi: Vec<Uapi>,
    /// Daemons of ours.
    #[serde(default)]
    pub(super) daemons: Vec<String>,
    /// Sockets to which nobody listens.
    #[serde(default)]
    pub(super) stale_sockets: Vec<String>,
    /// Permissions of the sockets, octal.
    pub(super) sock_mode: Option<String>,
    pub(super) run_as_uid: Option<u32>,
    /// Whether standard output is a terminal.
    #[serde(default)]
    pub(super) tty: bool,
    /// The file that standard output is.
    pub(super) stdout_file: Option<StdoutFile>,
    /// What is run before.
    #[serde(default)]
    pub(super) setup: Vec<Step>,
    /// `sorted-lines`: the order of lines on standard output means nothing.
    pub(super) compare: Option<String>,
    /// Whether the order of lines means nothing in what is run afterwards.
    #[serde(default)]
    pub(super) sort_after: bool,
    pub(super) expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum File {
    Text(String),
    Other {
        #[serde(default)]
        data: String,
        mode: Option<String>,
        #[serde(default)]
        dir: bool,
    },
}

#[derive(Deserialize)]
pub(super) struct Uapi {
    pub(super) iface: String,
    pub(super) get: Option<String>,
    pub(super) set: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct StdoutFile {
    pub(super) name: String,
    pub(super) mode: String,
}

#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) argv: Vec<String>,
    #[serde(default)]
    pub(super) stdin: String,
}

/// What is to come of it. Of what is not there, nothing is expected.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) exit: i32,
    pub(super) stdout: Option<String>,
    pub(super) stdout_any: Option<Vec<String>>,
    /// What standard output is like: `key`, `version`, `usage`, or `fresh`, the configuration of a device just made.
    pub(super) stdout_form: Option<String>,
    pub(super) stderr: Option<String>,
    pub(super) stderr_contains: Option<Vec<String>>,
    /// The line before a usage text on standard error; empty for none.
    pub(super) usage: Option<String>,
    /// What each daemon was sent, connection by connection.
    pub(super) sent: Option<BTreeMap<String, Vec<String>>>,
    /// What is run afterwards.
    pub(super) after: Vec<After>,
    /// What is in files at the end.
    pub(super) files: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct After {
    pub(super) argv: Vec<String>,
    pub(super) exit: i32,
    pub(super) stdout: String,
}

/// A case in which ours does otherwise.
#[derive(Deserialize)]
pub(super) struct Deviation {
    pub(super) reason: String,
    pub(super) expect: Expect,
}

impl Case {
    /// Whether the outcome depends on the second it is run in.
    pub(super) fn shows_the_time(&self) -> bool {
        let replies = self.uapi.iter().filter_map(|one| one.get.as_deref());
        replies.into_iter().any(|reply| reply.contains("@NOW"))
    }
}

pub(super) fn read(text: &str) -> Vec<Case> {
    #[derive(Deserialize)]
    struct Document {
        cases: Vec<Case>,
    }
    let document: Document = serde_json::from_str(text).expect("a file of cases");
    document.cases
}

/// The bytes of a text in Latin-1.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| char as u8).collect()
}

/// The text of bytes in Latin-1.
pub(super) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

//! Two hosts with the same kernel devices: what the standard tool does to the one, ours does to the other.

use std::fs;

use hushwire_lab::{Host, Lab};

use crate::answer::{Tool, ask, first_difference};

/// Two hosts that begin the same. Below /run they see the same files.
pub(crate) struct Pair {
    standard: Host,
    ours: Host,
    _lab: Lab,
}

impl Pair {
    /// Each host has a device `wg0` of which nothing is set.
    pub(crate) fn new() -> Self {
        let lab = Lab::new().unwrap();
        let [standard, ours] = ["standard", "ours"].map(|name| {
            let host = lab.host(name).unwrap();
            host.netlink().create_wireguard("wg0").unwrap();
            host
        });
        Self {
            standard,
            ours,
            _lab: lab,
        }
    }

    /// The host that our tool works on.
    pub(crate) fn ours(&self) -> &Host {
        &self.ours
    }

    /// Writes a file below /run of both hosts, and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = format!("/run/{name}");
        self.ours.run(|| fs::write(&path, text)).unwrap();
        path
    }

    /// Runs either tool on its host. They must say the same and leave the same behind.
    #[track_caller]
    pub(crate) fn both(&self, words: &[&str]) -> crate::answer::Answer {
        let standard = ask(&self.standard, Tool::Standard, words);
        let ours = ask(&self.ours, Tool::Ours, words);
        if let Some(difference) = ours.difference(&standard) {
            panic!("{words:.300?}: ours against the standard tool's: {difference}");
        }
        self.same_state(words);
        ours
    }

    /// As [`Pair::both`], the words in one line, separated by spaces.
    #[track_caller]
    pub(crate) fn line(&self, line: &str) -> crate::answer::Answer {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.both(&words)
    }

    /// As [`Pair::line`]; the tools must succeed and say nothing.
    #[track_caller]
    pub(crate) fn quietly(&self, line: &str) {
        let answer = self.line(line);
        assert_eq!(
            (answer.code, answer.stdout.as_str(), answer.stderr.as_str()),
            (Some(0), "", ""),
            "{line:.300}"
        );
    }

    /// The device of our host, as the standard tool tells it.
    #[track_caller]
    pub(crate) fn dump(&self) -> String {
        crate::answer::tell(&self.ours, Tool::Standard, &["show", "wg0", "dump"])
    }

    #[track_caller]
    fn same_state(&self, words: &[&str]) {
        let [standard, ours] = [&self.standard, &self.ours]
            .map(|host| crate::answer::tell(host, Tool::Standard, &["show", "wg0", "dump"]));
        if let Some(difference) = first_difference("the device", &ours, &standard) {
            panic!("after {words:.300?}: ours against the standard tool's: {difference}");
        }
    }
}

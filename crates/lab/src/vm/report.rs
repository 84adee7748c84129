//! What the machine says over the serial line: one line for each check, and the lines of a failure before it.

use std::time::Duration;

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The machine is up, and so many checks are going to run.
    Begin(usize),
    /// A line about the failure that is reported next.
    About(String),
    /// A check passed or failed, and how long it took.
    Done {
        name: String,
        passed: bool,
        took: Duration,
    },
    /// Nothing follows.
    End,
}

impl Line {
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Begin(count) => format!("begin {count}"),
            Self::About(text) => format!("| {text}"),
            Self::Done { name, passed, took } => {
                let word = if *passed { "ok" } else { "failed" };
                format!("{word} {} {name}", took.as_millis())
            }
            Self::End => "end".to_owned(),
        }
    }

    /// None for what is no line of a report, such as a complaint of the firmware.
    pub(super) fn decode(line: &str) -> Option<Self> {
        let line = line.trim_end_matches(['\r', '\n']);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "begin" => rest.parse().ok().map(Self::Begin),
            "|" => Some(Self::About(rest.to_owned())),
            "ok" | "failed" => {
                let (millis, name) = rest.split_once(' ')?;
                Some(Self::Done {
                    name: name.to_owned(),
                    passed: word == "ok",
                    took: Duration::from_millis(millis.parse().ok()?),
                })
            }
            "end" => Some(Self::End),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_as_it_was_written() {
        let done = |passed| Line::Done {
            name: "tunnel::over IPv6".to_owned(),
            passed,
            took: Duration::from_millis(1234),
        };
        let about = ["", "left: `a b`", "| nested"].map(|text| Line::About(text.to_owned()));
        let lines = [Line::Begin(12), done(true), done(false), Line::End];
        for line in lines.into_iter().chain(about) {
            let wire = format!("{}\r\n", line.encode()); // as a terminal ends its lines
            assert_eq!(Line::decode(&wire), Some(line));
        }
    }

    #[test]
    fn what_is_no_report_is_none() {
        for line in ["", "SeaBIOS (version 1.16)", "ok", "ok x y", "begin many"] {
            assert_eq!(Line::decode(line), None, "{line:?}");
        }
    }
}

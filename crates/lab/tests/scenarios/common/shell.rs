//! Command lines on hosts, as one would type them.

use hushwire_lab::{Error, Host};

/// Command lines on a host. Words are separated by spaces; nothing is quoted.
pub(crate) trait Shell {
    /// Runs a command that must succeed and gives what it printed.
    fn sh(&self, line: &str) -> String;

    /// Runs a command that must fail and gives the exit code and what it said on standard error.
    fn sh_fails(&self, line: &str) -> (Option<i32>, String);

    /// Gives an input to a command that must succeed.
    fn sh_with_input(&self, line: &str, input: &str) -> String;
}

impl Shell for Host {
    #[track_caller]
    fn sh(&self, line: &str) -> String {
        match self.output(&words(line)) {
            Ok(output) => output.stdout.trim_end().to_owned(),
            Err(error) => panic!("on {}: {error}", self.name()),
        }
    }

    #[track_caller]
    fn sh_fails(&self, line: &str) -> (Option<i32>, String) {
        match self.output(&words(line)) {
            Ok(output) => panic!("on {}: `{line}` succeeded: {output:?}", self.name()),
            Err(Error::Failed { code, output, .. }) => (code, output.stderr),
            Err(error) => panic!("on {}: {error}", self.name()),
        }
    }

    #[track_caller]
    fn sh_with_input(&self, line: &str, input: &str) -> String {
        match self.output_with_input(&words(line), input) {
            Ok(output) => output.stdout.trim_end().to_owned(),
            Err(error) => panic!("on {}: {error}", self.name()),
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

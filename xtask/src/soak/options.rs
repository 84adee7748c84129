//! The command line of the soak.

use std::time::Duration;

use crate::error::{Error, Result};

/// What the command line asks of the soak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) time: Duration,
    /// How often a daemon is started again.
    pub(crate) restarts: u32,
    /// Another seed is another order of events.
    pub(crate) seed: u64,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask soak [--hours N | --minutes N] [--restarts N] [--seed N]

Runs three tunnels of hushwired in the laboratory, over a link with loss, behind
a router that gives other ports, and between addresses that change, with streams
whose bytes are compared, while peers come and go and settings change. A fourth
daemon is started again and again. Ends with what was lost, stuck or leaked, and
fails if anything was.

  --hours N       How long (default 1)
  --minutes N     How long, at least 2
  --restarts N    Restarts of the fourth daemon (default 1000)
  --seed N        Another order of events (default 1)
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            time: Duration::from_secs(3600),
            restarts: 1000,
            seed: 1,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let number = |text: Option<&String>| {
                let number = text.and_then(|text| text.parse::<u32>().ok());
                number.ok_or_else(|| Error::Usage(format!("{word} needs a whole number")))
            };
            match word.as_str() {
                "--hours" => options.time = minutes(number(words.next())?.saturating_mul(60))?,
                "--minutes" => options.time = minutes(number(words.next())?)?,
                "--restarts" => options.restarts = number(words.next())?,
                "--seed" => options.seed = number(words.next())?.into(),
                other => {
                    return Err(Error::Usage(format!("unknown argument `{other}` of soak")));
                }
            }
        }
        Ok(options)
    }
}

fn minutes(number: u32) -> Result<Duration> {
    if number < 2 {
        let text = "a soak takes two minutes at least: sessions are renewed after that";
        return Err(Error::Usage(text.to_owned()));
    }
    Ok(Duration::from_secs(u64::from(number) * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_read() {
        assert_eq!(parse("").expect("valid").time, Duration::from_secs(3600));
        let options = parse("--minutes 10 --restarts 7 --seed 3").expect("valid");
        assert_eq!(options.time, Duration::from_secs(600));
        assert_eq!((options.restarts, options.seed), (7, 3));
        assert_eq!(parse("--hours 2").expect("valid").time.as_secs(), 7200);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--hours",
            "--hours 0",
            "--minutes 1",
            "--minutes x",
            "--fast",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

//! The command line of the bench.

use std::path::PathBuf;

use super::candidate::Candidate;
use super::plan::Plan;
use crate::error::{Error, Result};

/// What the command line asks of the bench.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    pub(crate) rounds: usize,
    /// Seconds of each throughput measurement.
    pub(crate) seconds: u32,
    pub(crate) json: Option<PathBuf>,
    pub(crate) candidates: Vec<Candidate>,
    /// How many peers are idle.
    pub(crate) peers: u32,
    /// Hostile packets a second.
    pub(crate) rate: u32,
}

impl Options {
    pub(crate) const HELP: &'static str = "\
Usage: cargo xtask bench [--rounds N] [--seconds N] [--quick] [--json FILE] [--only NAME,...]
       cargo xtask bench scaling|handshakes|idle|flood [the same options] [--peers N] [--rate N]
       cargo xtask bench micro [--only CASE]... [--json FILE]

Measures whole tunnels between two hosts of the laboratory, both ends on this
machine: hushwired, the peers of other makes, and the bare link. In each round
every metric is taken of all of them in turn; the table shows medians.

  --rounds N      Rounds (default 5)
  --seconds N     Seconds of each throughput measurement (default 3)
  --quick         Two rounds of one second
  --json FILE     Write all samples, medians and ratios to FILE
  --only NAME,... Only these of: veth, hushwired, wireguard-go, boringtun, gotatun
  --peers N       How many peers are idle (default 20000)
  --rate N        Hostile packets a second, up to 100000 (default 20000)

`bench scaling` measures throughput with 1, 4 and 16 streams, and one stream with
1, 100 and 10,000 peers configured. `bench handshakes` counts the handshakes a
second that a daemon answers on one core. `bench idle` configures peers
that never speak, measures memory, and how long our `wg setconf` and `wg show dump` take.
`bench flood` measures one stream, half a second alone and half a second while strangers
send hostile packets from spoofed addresses, in turn, for each kind of packet; they go
through a cable inside the laboratory only.

`bench micro` times small pieces of work instead (the cipher by implementation,
size and batch, the handshake, routing, the replay window, checksums, splitting
and joining, parsing); its --only takes part of a case's name.
";

    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let (plan, arguments) = Plan::split(arguments);
        let mut options = Self {
            plan,
            rounds: 5,
            seconds: 3,
            json: None,
            candidates: plan.candidates().to_vec(),
            peers: 20_000,
            rate: 20_000,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| Error::Usage(format!("{word} needs a value")))
            };
            match word.as_str() {
                "--rounds" => options.rounds = positive(word, value()?)?,
                "--seconds" => options.seconds = positive(word, value()?)?,
                "--quick" => (options.rounds, options.seconds) = (2, 1),
                "--peers" => options.peers = positive(word, value()?)?,
                "--rate" => options.rate = positive(word, value()?)?,
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--only" => {
                    options.candidates = value()?
                        .split(',')
                        .map(Candidate::parse)
                        .collect::<Result<_>>()?;
                }
                other => {
                    return Err(Error::Usage(format!("unknown argument `{other}` of bench")));
                }
            }
        }
        options.check()?;
        Ok(options)
    }

    /// The bare link answers no handshakes and has no peers.
    fn check(&self) -> Result<()> {
        let needs_daemon = matches!(self.plan, Plan::Handshakes | Plan::Idle | Plan::Flood);
        if needs_daemon && self.candidates.contains(&Candidate::Veth) {
            return Err(Error::Usage("veth is no daemon".to_owned()));
        }
        Ok(())
    }
}

fn positive<N: std::str::FromStr + PartialOrd + Default>(option: &str, text: &str) -> Result<N> {
    let number = text.parse().ok().filter(|number| *number > N::default());
    number.ok_or_else(|| Error::Usage(format!("{option} needs a number from 1, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(
            &line
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn options_are_read() {
        let options = parse("--rounds 7 --json /tmp/x --only veth,gotatun").expect("valid");
        let expected = Options {
            plan: Plan::Tunnels,
            rounds: 7,
            seconds: 3,
            json: Some("/tmp/x".into()),
            candidates: vec![Candidate::Veth, Candidate::Gotatun],
            peers: 20_000,
            rate: 20_000,
        };
        assert_eq!(options, expected);
        assert_eq!(parse("--quick").expect("valid").seconds, 1);
        let options = parse("handshakes --rounds 2").expect("valid");
        assert_eq!((options.plan, options.rounds), (Plan::Handshakes, 2));
        assert!(!options.candidates.contains(&Candidate::Veth));
        assert_eq!(parse("idle --peers 5").expect("valid").peers, 5);
        assert_eq!(parse("flood --rate 5").expect("valid").rate, 5);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--rounds",
            "--rounds 0",
            "--rounds x",
            "--only",
            "--only kernel",
            "fast",
            "idle --only veth",
            "idle --peers 0",
            "flood --only veth",
            "flood --rate 0",
            "--rounds 2 idle",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

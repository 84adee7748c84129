//! How many queues and helpers a device gets.

use std::fmt;

/// More would be more threads than any processor has cores to spare for one tunnel.
const MAX: usize = 64;

/// What there may be several of.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) option: &'static str,
    /// The environment variable with the number.
    variable: &'static str,
    name: &'static str,
    least: usize,
    /// As many as the processor is worth.
    auto: fn() -> usize,
}

pub(crate) const QUEUES: Kind = Kind {
    option: "--queues",
    variable: "HUSHWIRE_QUEUES",
    name: "queues",
    least: 1,
    auto: hushwire_engine::default_queues,
};

pub(crate) const HELPERS: Kind = Kind {
    option: "--helpers",
    variable: "HUSHWIRE_HELPERS",
    name: "helpers",
    least: 0,
    auto: hushwire_engine::default_helpers,
};

/// What is no number of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoCount(String);

impl fmt::Display for NoCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Kind {
    /// A number, or `auto`.
    pub(crate) fn parse(&self, text: &str) -> Result<usize, NoCount> {
        let Self {
            option,
            variable,
            name,
            least,
            auto,
        } = self;
        if text == "auto" {
            return Ok(auto());
        }
        let number = text.parse().ok();
        number
            .filter(|number| (*least..=MAX).contains(number))
            .ok_or_else(|| {
                NoCount(format!(
                    "`{text}` is no number of {name}: {option} and {variable} take {least} to {MAX}, or `auto`"
                ))
            })
    }

    /// As the flag says, or else the environment, or else as many as the processor is worth.
    pub(super) fn choose(
        &self,
        flag: Option<usize>,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<usize, NoCount> {
        match (flag, environment(self.variable)) {
            (Some(number), _) => Ok(number),
            (None, Some(text)) => self.parse(&text),
            (None, None) => Ok((self.auto)()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_auto() {
        for (kind, least) in [(QUEUES, 1), (HELPERS, 0)] {
            assert_eq!(kind.parse("4"), Ok(4));
            assert_eq!(kind.parse(&least.to_string()), Ok(least));
            assert_eq!(kind.parse("auto"), Ok((kind.auto)()));
            for wrong in ["65", "-1", "two", ""] {
                let error = kind.parse(wrong).unwrap_err().to_string();
                assert!(error.contains(&format!("`{wrong}`")), "{error}");
                assert!(error.contains(kind.option), "{error}");
            }
        }
        assert!(QUEUES.parse("0").is_err());
    }

    #[test]
    fn the_flag_wins_over_the_environment_and_that_over_the_processor() {
        let says = |text: Option<&str>| {
            let text = text.map(str::to_owned);
            move |variable: &str| text.clone().filter(|_| variable == "HUSHWIRE_QUEUES")
        };
        assert_eq!(QUEUES.choose(Some(2), &says(Some("3"))), Ok(2));
        assert_eq!(QUEUES.choose(None, &says(Some("3"))), Ok(3));
        assert_eq!(QUEUES.choose(None, &says(None)), Ok((QUEUES.auto)()));
        assert!(QUEUES.choose(None, &says(Some("x"))).is_err());
    }
}

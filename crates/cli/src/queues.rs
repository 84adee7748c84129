//! How many queues a device gets, by flag and by environment.

use std::fmt;

/// The environment variable with the number of queues.
pub(crate) const VARIABLE: &str = "HUSHWIRE_QUEUES";
pub(crate) const OPTION: &str = "--queues";

/// More would be more threads than any processor has cores to spare for one tunnel.
const MAX: usize = 64;

/// How many queues: a number from 1 to 64, or as many as the processor is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queues(Option<usize>);

/// What is no number of queues.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoNumber(String);

impl fmt::Display for NoNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no number of queues: {OPTION} and {VARIABLE} take 1 to {MAX}, or `auto`",
            self.0
        )
    }
}

impl Queues {
    pub(crate) fn parse(text: &str) -> Result<Self, NoNumber> {
        if text == "auto" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(count) if (1..=MAX).contains(&count) => Ok(Self(Some(count))),
            _ => Err(NoNumber(text.to_owned())),
        }
    }

    /// What the environment variable says, as far as it is set.
    pub(crate) fn from_environment(value: Option<&str>) -> Result<Self, NoNumber> {
        value
            .filter(|value| !value.is_empty())
            .map_or_else(|| Ok(Self::default()), Self::parse)
    }

    /// `self`, or `other` where this says nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    pub(crate) fn count(self) -> usize {
        self.0.unwrap_or_else(hushwire_engine::default_queues)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_auto() {
        assert_eq!(Queues::parse("4").unwrap().count(), 4);
        assert_eq!(
            Queues::parse("auto").unwrap().count(),
            hushwire_engine::default_queues()
        );
        for wrong in ["0", "65", "-1", "two", ""] {
            let error = Queues::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")), "{error}");
        }
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let environment = Queues::from_environment(Some("3")).unwrap();
        assert_eq!(Queues::parse("2").unwrap().or(environment).count(), 2);
        assert_eq!(Queues::default().or(environment).count(), 3);
        assert_eq!(Queues::from_environment(Some("")), Ok(Queues::default()));
        assert!(Queues::from_environment(Some("x")).is_err());
    }
}

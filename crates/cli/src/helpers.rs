//! How many helpers a device gets, by flag and by environment.

use std::fmt;

/// The environment variable with the number of helpers.
pub(crate) const VARIABLE: &str = "HUSHWIRE_HELPERS";
pub(crate) const OPTION: &str = "--helpers";

/// More would be more threads than any processor has cores to spare for one tunnel.
const MAX: usize = 64;

/// How many helpers: a number from 0 to 64, or as many as the processor is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Helpers(Option<usize>);

/// What is no number of helpers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoNumber(String);

impl fmt::Display for NoNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no number of helpers: {OPTION} and {VARIABLE} take 0 to {MAX}, or `auto`",
            self.0
        )
    }
}

impl Helpers {
    pub(crate) fn parse(text: &str) -> Result<Self, NoNumber> {
        if text == "auto" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(count) if count <= MAX => Ok(Self(Some(count))),
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
        self.0.unwrap_or_else(hushwire_engine::default_helpers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_auto() {
        assert_eq!(Helpers::parse("0").unwrap().count(), 0);
        assert_eq!(Helpers::parse("4").unwrap().count(), 4);
        let auto = Helpers::parse("auto").unwrap().count();
        assert_eq!(auto, hushwire_engine::default_helpers());
        for wrong in ["65", "-1", "two", ""] {
            let error = Helpers::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")), "{error}");
        }
    }

    #[test]
    fn the_flag_wins_over_the_environment() {
        let environment = Helpers::from_environment(Some("3")).unwrap();
        assert_eq!(Helpers::parse("0").unwrap().or(environment).count(), 0);
        assert_eq!(Helpers::default().or(environment).count(), 3);
        assert_eq!(Helpers::from_environment(Some("")), Ok(Helpers::default()));
        assert!(Helpers::from_environment(Some("x")).is_err());
    }
}

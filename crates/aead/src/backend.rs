//! Which implementation seals and opens.

use core::fmt;

/// An implementation of the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// aws-lc-rs, one packet at a time; it picks its own assembly for the processor.
    AwsLc,
}

impl Backend {
    /// The implementation that new keys of this process use.
    #[must_use]
    pub const fn current() -> Self {
        Self::AwsLc
    }

    /// A short name for status displays.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backend_in_use_has_a_name() {
        assert_eq!(Backend::current().to_string(), "aws-lc");
    }
}

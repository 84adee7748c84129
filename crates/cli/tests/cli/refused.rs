//! Refusals.

use crate::common::Outcome;

/// Asserts that a program failed as it should: exit status 1, nothing on standard output, and one
/// line on standard error with all the parts.
pub(crate) fn assert_refused(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.code(), Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    for part in parts {
        assert!(outcome.stderr.contains(part), "no `{part}`: {outcome:?}");
    }
}

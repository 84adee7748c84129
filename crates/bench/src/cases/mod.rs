//! The table of what is measured.

mod aead;
mod checksum;
mod handshake;
mod offload;
mod parsing;
mod replay;
mod routing;

use crate::case::Case;

/// Every case, in the order in which tables show them.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        aead::cases(),
        handshake::cases(),
        routing::cases(),
        replay::cases(),
        checksum::cases(),
        offload::cases(),
        parsing::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_its_own_name_and_can_be_run() {
        let cases = all();
        let names: BTreeSet<&str> = cases.iter().map(Case::name).collect();
        assert_eq!(names.len(), cases.len());
        for case in &cases {
            // Each checks its own results, so two turns also say that the work is done right.
            case.prepare()(2);
        }
    }

    #[test]
    fn only_what_is_the_same_everywhere_is_counted() {
        let counted = all().into_iter().filter(|case| {
            let machine_dependent = case.name().starts_with("aead/");
            assert!(!(machine_dependent && case.turns_to_count().is_some()));
            case.turns_to_count().is_some()
        });
        assert!(counted.count() > 15);
    }
}

//! What wg(8) was seen to do, done by ours: `tests/cases/wg.json`. Where ours does otherwise, and means to, is in
//! `tests/cases/deviations.json`, and nowhere else.

mod case;
mod fake;
mod judge;
mod own;
mod program;
mod quick;
mod stage;

use std::collections::BTreeMap;

use case::{Case, Deviation};
use hushwire_lab::{Host, Lab, require_tools};
use stage::Stage;

const CASES: &str = include_str!("../cases/wg.json");
/// Where people are told.
const DOCUMENT: &str = include_str!("../../../../docs/wg.md");
const DEVIATIONS: &str = include_str!("../cases/deviations.json");

/// How often a case is tried that shows the time of day, which may go on to the next second under its feet.
const CLOCK_TRIES: usize = 10;

fn cases() -> Vec<Case> {
    case::read(CASES)
}

fn deviations() -> BTreeMap<String, Deviation> {
    serde_json::from_str(DEVIATIONS).expect("deviations.json")
}

fn replay(groups: &[&str]) {
    require_tools(&["bash", "cat"]).expect("the tools of the cases");
    let lab = Lab::new().expect("a lab");
    let host = lab.host("cases").expect("a host");
    let wanted = |case: &Case| groups.contains(&case.group.as_str());
    replay_on(&host, cases().into_iter().filter(wanted), &deviations());
}

fn replay_on(
    host: &Host,
    cases: impl Iterator<Item = Case>,
    deviations: &BTreeMap<String, Deviation>,
) {
    let stage = Stage::new(host);
    let mut failures = Vec::new();
    let mut count = 0;
    for mut case in cases {
        count += 1;
        if let Some(deviation) = deviations.get(&case.id) {
            case.expect = deviation.expect.clone();
        }
        let tries = if case.shows_the_time() {
            CLOCK_TRIES
        } else {
            1
        };
        let mut complaints = Vec::new();
        for _ in 0..tries {
            complaints = judge::judge(&case, &stage.play(&case));
            if complaints.is_empty() {
                break;
            }
        }
        if !complaints.is_empty() {
            failures.push(format!("{}: {}", case.id, complaints.join("\n    ")));
        }
    }
    assert!(count > 0, "no case");
    let number = failures.len();
    assert!(
        failures.is_empty(),
        "{number} of {count} cases:\n{}",
        failures.join("\n")
    );
}

#[test]
fn usage_and_keys() {
    replay(&["top", "sub", "key"]);
}

#[test]
fn show() {
    replay(&["show", "showconf", "uget"]);
}

#[test]
fn set() {
    replay(&["set"]);
}

#[test]
fn files() {
    replay(&["setconf", "addconf", "syncconf", "sync"]);
}

#[test]
fn names_and_sockets() {
    replay(&["name", "stale", "perm"]);
}

#[test]
fn with_a_daemon() {
    replay(&["go"]);
}

#[test]
fn every_case_is_replayed() {
    let replayed = [
        "top", "sub", "key", "show", "showconf", "uget", "set", "setconf", "addconf", "syncconf",
        "sync", "name", "stale", "perm", "go",
    ];
    let cases = cases();
    assert_eq!(cases.len(), 308);
    let lost = cases
        .iter()
        .find(|case| !replayed.contains(&case.group.as_str()));
    assert_eq!(lost.map(|case| &case.id), None);
}

#[test]
fn every_deviation_is_one() {
    let cases = cases();
    for (id, deviation) in deviations() {
        let case = cases.iter().find(|case| case.id == id);
        let case = case.unwrap_or_else(|| panic!("there is no case {id}"));
        assert_ne!(case.expect, deviation.expect, "{id} is no deviation");
        assert!(!deviation.reason.is_empty(), "{id} has no reason");
        assert!(
            DOCUMENT.contains(&format!("`{id}`")),
            "{id} is not in docs/wg.md"
        );
    }
}

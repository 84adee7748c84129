//! No system calls but those on a list (seccomp(2)).
//!
//! Three filters lie over each other, and the kernel takes the strictest answer. The first ends
//! the process at calls that only an intruder makes. The second says ENOSYS to calls that C
//! libraries try and do without, opening files among them. The third has the list of what the
//! threads do; anything else fails with EPERM. Not with the end of the process: a C
//! library that tries something new, and would go on without, must not cost the tunnel. With
//! [`Mode::Strict`](super::Mode::Strict) it does, which is how the tests know that the lists are
//! whole.

mod lists;
mod rule;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::ThreadClass;
use super::report::LayerState;
use rule::Rule;

/// The filters of all classes of threads.
pub(super) struct Filters {
    /// For every thread, the oldest first.
    common: [BpfProgram; 2],
    /// One for each class.
    classes: Vec<BpfProgram>,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

impl Filters {
    /// Builds them for this machine and this process.
    pub(super) fn new(strict: bool) -> Result<Self, String> {
        let otherwise = if strict {
            SeccompAction::KillProcess
        } else {
            SeccompAction::Errno(libc::EPERM.cast_unsigned())
        };
        let no_such_call = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
        let hostile = table(&lists::hostile())?;
        let done_without = table(&lists::done_without())?;
        let common = [
            filter(hostile, SeccompAction::Allow, SeccompAction::KillProcess)?,
            filter(done_without, SeccompAction::Allow, no_such_call)?,
        ];
        let classes = ThreadClass::ALL.into_iter().map(|class| {
            let rules = table(&lists::of(class))?;
            filter(rules, otherwise.clone(), SeccompAction::Allow)
        });
        Ok(Self {
            common,
            classes: classes.collect::<Result<_, String>>()?,
        })
    }

    /// Limits the calling thread, and those that it starts. A thread that inherits filters needs
    /// only its own.
    pub(super) fn apply(&self, class: ThreadClass, inherits: bool) -> LayerState {
        let common = if inherits { &[][..] } else { &self.common };
        let own = self.classes.get(class as usize);
        for program in common.iter().chain(own) {
            if let Err(error) = apply_filter(program) {
                return LayerState::Missing(error.to_string());
            }
        }
        LayerState::On(String::new())
    }
}

fn table(list: &[Rule]) -> Result<Rules, String> {
    let mut rules = Rules::new();
    for rule in list {
        let chain = rules.entry(rule.number()).or_default();
        chain.extend(rule.conditions()?);
    }
    // A call that is allowed as it is needs no conditions from elsewhere.
    for rule in list.iter().filter(|rule| rule.is_unconditional()) {
        rules.insert(rule.number(), Vec::new());
    }
    Ok(rules)
}

fn filter(
    rules: Rules,
    otherwise: SeccompAction,
    action: SeccompAction,
) -> Result<BpfProgram, String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH);
    let filter = architecture
        .and_then(|architecture| SeccompFilter::new(rules, otherwise, action, architecture))
        .and_then(BpfProgram::try_from);
    filter.map_err(|error| format!("the filter cannot be built: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// The layers do not rely on each other, so this one is tried without the others, which refuse the same.
    #[test]
    fn files_are_closed_by_this_layer_alone() {
        let filters = Filters::new(false).unwrap();
        for class in ThreadClass::ALL {
            let apply = || {
                let applied = filters.apply(class, false);
                assert_eq!(applied, LayerState::On(String::new()), "{class:?}");
                [
                    fs::read("/proc/self/status").map(drop),
                    fs::write("/dev/null", "x"),
                    fs::create_dir("/proc/hushwire-test"),
                ]
                .map(|tried| tried.err().and_then(|error| error.raw_os_error()))
            };
            let tried = thread::scope(|scope| scope.spawn(apply).join().unwrap());
            let expected = [libc::ENOSYS, libc::ENOSYS, libc::EPERM].map(Some);
            assert_eq!(tried, expected, "{class:?}");
        }
    }

    #[test]
    fn every_filter_can_be_built() {
        for strict in [false, true] {
            let filters = Filters::new(strict).unwrap();
            assert_eq!(filters.classes.len(), ThreadClass::ALL.len());
        }
    }

    #[test]
    fn no_thread_needs_what_the_process_has_not() {
        let process = table(&lists::of(ThreadClass::Process)).unwrap();
        for class in ThreadClass::ALL {
            for rule in lists::of(class) {
                let allowed = process.get(&rule.number());
                let conditions = rule.conditions().unwrap();
                assert!(
                    allowed.is_some_and(|allowed| allowed.is_empty()
                        || conditions.iter().all(|one| allowed.contains(one))),
                    "{class:?}: call {}",
                    rule.number()
                );
            }
        }
    }

    #[test]
    fn nothing_hostile_is_on_a_list() {
        let hostile = lists::hostile();
        for class in ThreadClass::ALL {
            let list = lists::of(class);
            let both = hostile
                .iter()
                .filter(|bad| bad.is_unconditional())
                .find(|bad| list.iter().any(|good| good.number() == bad.number()));
            assert!(both.is_none(), "{class:?}: {:?}", both.map(Rule::number));
        }
    }
}

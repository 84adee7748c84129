//! No files: Landlock (landlock(7)).

use std::fs;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::ThreadClass;
use super::report::LayerState;
use crate::uapi::DIRECTORY;

/// The newest rules that were tested. An older kernel has fewer of them.
const RULES: ABI = ABI::V7;

/// Nothing of the file system can be opened, made, changed or executed any more, no TCP port
/// bound or reached, no process outside signalled, no abstract socket outside connected. The
/// thread that removes the control socket's file at the end may remove from its directory.
pub(super) fn close(class: ThreadClass) -> LayerState {
    let may_remove = matches!(class, ThreadClass::Process | ThreadClass::Uapi);
    // Without its directory there is no file to remove; with a rule left out it would stay.
    let is_there = may_remove && fs::exists(DIRECTORY).unwrap_or(true);
    let directory = is_there.then(|| PathFd::new(DIRECTORY)).transpose();
    let status = directory
        .map_err(|error| error.to_string())
        .and_then(|directory| restrict(directory).map_err(|error| error.to_string()));
    match status {
        Ok(status) => state(&status),
        Err(error) => LayerState::Missing(error),
    }
}

fn restrict(directory: Option<PathFd>) -> Result<RestrictionStatus, RulesetError> {
    let rule = directory.map(|directory| PathBeneath::new(directory, AccessFs::RemoveFile));
    Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .add_rules(rule.map(Ok::<_, RulesetError>))?
        .restrict_self()
}

fn state(status: &RestrictionStatus) -> LayerState {
    let version = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => format!("ABI {}", effective_abi as i32),
        LandlockStatus::NotEnabled => {
            return LayerState::Missing(
                "switched off in this kernel (boot option lsm=)".to_owned(),
            );
        }
        LandlockStatus::NotImplemented => {
            return LayerState::Missing("this kernel has no Landlock".to_owned());
        }
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => LayerState::On(version),
        RulesetStatus::PartiallyEnforced => LayerState::Partial(format!(
            "{version} of this kernel; {} knows more",
            RULES as i32
        )),
        RulesetStatus::NotEnforced => LayerState::Missing("not enforced".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// The filters of system calls refuse the same; here they are not there.
    #[test]
    fn files_are_closed_by_this_layer_alone() {
        let name = format!("hushwire-test-files-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, "x").unwrap();
        let tried = ThreadClass::ALL.map(|class| {
            let file = file.clone();
            let tried = thread::spawn(move || {
                let state = close(class);
                let tried = [
                    ("read", fs::read(&file).map(drop)),
                    ("write", fs::write(&file, "y")),
                    ("make", fs::create_dir(file.with_extension("new"))),
                    ("remove", fs::remove_file(&file)),
                    ("list", fs::read_dir("/").map(drop)),
                    ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
                ];
                (state, tried)
            });
            (class, tried.join())
        });
        let left = fs::read(&file);
        fs::remove_file(&file).unwrap();
        assert_eq!(left.unwrap(), b"x");
        for (class, tried) in tried {
            let (state, tried) = tried.unwrap();
            assert!(matches!(state, LayerState::On(_) | LayerState::Partial(_)));
            for (what, result) in tried {
                let refused = result.map_err(|error| error.kind());
                assert_eq!(
                    refused,
                    Err(io::ErrorKind::PermissionDenied),
                    "{class:?} {what}"
                );
            }
        }
    }
}

//! The test programs, and how each is run.

use std::path::PathBuf;

use serde_json::Value;

use crate::error::Result;
use crate::paths::Paths;
use crate::process::{cargo, output};

/// Tests that mostly wait, for protocol timers of minutes or as scanners do, by program and modules, or that keep one
/// processor busy for minutes, as an emulated machine does: they run beside all the others.
const PATIENT: &[(&str, &[&str])] = &[
    ("lab::scenarios", &["recovery::", "rekey::"]),
    ("lab::attack", &["silence::"]),
    ("lab::kernel", &[]),
];

/// One test program that cargo built.
pub(super) struct Program {
    /// Crate and target, such as `hushwire_lab::netns_basic`.
    pub(super) name: String,
    pub(super) executable: PathBuf,
    /// The package's folder, where cargo would run it.
    pub(super) folder: PathBuf,
}

impl Program {
    /// How to run it: at once, or its patient tests apart. A caller's own filters leave it whole, because they and the
    /// name of a module would add up, not narrow each other down.
    pub(super) fn jobs(&self, filters: &[String]) -> Vec<Job<'_>> {
        let patience = PATIENT.iter().find(|(program, _)| *program == self.name);
        let modules = patience.map(|(_, modules)| *modules);
        let whole = Job {
            program: self,
            name: self.name.clone(),
            arguments: filters.to_vec(),
            patient: modules.is_some_and(<[_]>::is_empty),
        };
        let Some(modules) = modules.filter(|modules| filters.is_empty() && !modules.is_empty())
        else {
            return vec![whole];
        };
        let patient = Job {
            name: format!("{}, {}", self.name, modules.join(" ")),
            arguments: modules.iter().map(|&module| module.to_owned()).collect(),
            patient: true,
            ..whole.clone()
        };
        let skips = modules
            .iter()
            .flat_map(|&module| ["--skip".to_owned(), module.to_owned()]);
        let rest = Job {
            arguments: skips.collect(),
            ..whole
        };
        vec![patient, rest]
    }
}

/// One run of a test program.
#[derive(Clone)]
pub(super) struct Job<'a> {
    pub(super) program: &'a Program,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// Whether it waits more than it works.
    pub(super) patient: bool,
}

/// Builds the test programs as the calling user and finds out what they are.
pub(super) fn build(paths: &Paths) -> Result<Vec<Program>> {
    eprintln!("+ cargo test --workspace --no-run");
    let messages = output(cargo().current_dir(paths.root()).args([
        "test",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]))?;
    let mut programs: Vec<Program> = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| program(&serde_json::from_slice(line).ok()?))
        .collect();
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

fn program(message: &Value) -> Option<Program> {
    if message.get("reason")? != "compiler-artifact" || message.pointer("/profile/test")? != true {
        return None;
    }
    let executable = PathBuf::from(message.get("executable")?.as_str()?);
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    let target = message.pointer("/target/name")?.as_str()?.replace('-', "_");
    let folder = manifest.parent()?.to_path_buf();
    let package = folder.file_name()?.to_string_lossy().into_owned();
    Some(Program {
        name: format!("{package}::{target}"),
        executable,
        folder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patient_tests_run_apart_and_none_is_lost() {
        let program = |name: &str| Program {
            name: name.to_owned(),
            executable: PathBuf::new(),
            folder: PathBuf::new(),
        };
        let scenarios = program("lab::scenarios");
        let jobs = scenarios.jobs(&[]);
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[0].arguments, ["recovery::", "rekey::"]);
        assert_eq!(
            jobs[1].arguments,
            ["--skip", "recovery::", "--skip", "rekey::"]
        );
        assert!(jobs[0].patient && !jobs[1].patient);
        assert_eq!(scenarios.jobs(&["mtu".to_owned()]).len(), 1);
        assert_eq!(program("proto::hushwire_proto").jobs(&[]).len(), 1);
        let kernel = program("lab::kernel");
        for filters in [vec![], vec!["swap".to_owned()]] {
            let jobs = kernel.jobs(&filters);
            assert!(jobs.len() == 1 && jobs[0].patient && jobs[0].arguments == filters);
        }
    }
}

//! On what was measured, and what.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::{Map, Value, json};

use super::options::Options;

/// The machine, the programs and the options of a run.
pub(crate) fn describe(options: &Options) -> Value {
    let programs: Map<String, Value> = options
        .candidates
        .iter()
        .filter_map(|candidate| {
            let program = candidate.implementation()?.binary().ok()?;
            Some((
                candidate.name().to_owned(),
                Value::from(version(Command::new(program))),
            ))
        })
        .collect();
    json!({
        "processor": processor(),
        "processors": thread::available_parallelism().map_or(0, usize::from),
        "kernel": file("/proc/sys/kernel/osrelease"),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "idle_peers": options.peers,
        "programs": programs,
    })
}

fn processor() -> Option<String> {
    let text = file("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn file(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The first line of what a program says about itself.
fn version(mut command: Command) -> Option<String> {
    let output = command.arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next()?.trim().to_owned())
}

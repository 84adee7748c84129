//! `cargo xtask bench`: whole tunnels between two hosts of the laboratory, hushwired beside the others.

mod candidate;
mod crowd;
mod flood;
mod machine;
mod measure;
mod metric;
mod options;
mod plan;
mod report;

use std::fs;
use std::path::Path;
use std::process::Command;

use candidate::Candidate;
use measure::Setup;
use metric::{Metric, Samples};
pub(crate) use options::Options;
use plan::Plan;

use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::process::{again_as_root, cargo, is_root, run};
use crate::{instructions, packages, peers};

/// Builds and installs what is measured, then measures; as an ordinary user the latter through sudo.
pub(crate) fn bench(paths: &Paths, arguments: &[String]) -> Result<()> {
    if let Some((word, rest)) = arguments.split_first()
        && word == "micro"
    {
        let program = instructions::build(paths)?;
        return run(Command::new(program).arg("micro").args(rest));
    }
    Options::parse(arguments)?;
    packages::install()?;
    peers::install(paths)?;
    run(cargo().current_dir(paths.root()).args([
        "build",
        "--release",
        "--package",
        "hushwire",
        "--bins",
    ]))?;
    instructions::build(paths)?;
    if is_root()? {
        return measure(paths, arguments);
    }
    again_as_root(
        "measure: that makes network namespaces and TUN devices",
        "bench-measure",
        arguments,
    )
}

/// The measurement itself; needs root and everything in place.
pub(crate) fn measure(paths: &Paths, arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if options.plan == Plan::Flood {
        return flood::flood(&options, &paths.release("hushwire-bench"));
    }
    let mut samples = Samples::default();
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Each round begins with another candidate, so that none is always the one after the slowest.
        let mut order = options.candidates.clone();
        let shift = round % order.len().max(1);
        order.rotate_left(shift);
        match options.plan {
            Plan::Tunnels => tunnels(&options, &order, &mut samples)?,
            _ => apart(
                &options,
                &order,
                &paths.release("hushwire-bench"),
                &mut samples,
            )?,
        }
    }
    let metrics = options.plan.metrics();
    println!("{}", report::table(&samples, metrics, &options.candidates));
    if let Some(file) = &options.json {
        let value = report::json(
            &samples,
            metrics,
            &options.candidates,
            &machine::describe(&options),
        );
        fs::write(file, format!("{value:#}\n")).map_err(Error::file("write", file))?;
        println!("written to {}", file.display());
    }
    Ok(())
}

/// Sets all tunnels up, then takes one metric after the other of all of them.
fn tunnels(options: &Options, order: &[Candidate], samples: &mut Samples) -> Result<()> {
    let setups = order
        .iter()
        .map(|&candidate| Setup::new(candidate))
        .collect::<Result<Vec<_>>>()?;
    for measurement in measure::Measurement::ALL {
        for setup in &setups {
            let values = setup.take(measurement, options.seconds)?;
            keep(setup.candidate(), values, samples);
        }
    }
    for setup in &setups {
        if let Some(megabytes) = setup.peak_memory()? {
            samples.add(Metric::PeakMemory, setup.candidate(), megabytes);
        }
    }
    Ok(())
}

/// Measures one after the other, each alone on the machine.
fn apart(
    options: &Options,
    order: &[Candidate],
    program: &Path,
    samples: &mut Samples,
) -> Result<()> {
    for &candidate in order {
        let values = match (options.plan, candidate.implementation()) {
            (Plan::Handshakes, Some(daemon)) => crowd::handshakes(daemon, program)?,
            (Plan::Idle, Some(daemon)) => crowd::idle(daemon, program, options.peers)?,
            _ => Setup::new(candidate)?.scaling(options.seconds, program)?,
        };
        keep(candidate, values, samples);
    }
    Ok(())
}

fn keep(candidate: Candidate, values: Vec<(Metric, f64)>, samples: &mut Samples) {
    for (metric, value) in values {
        eprintln!(
            "  {:<14}{:<33}{value:>10.2} {}",
            candidate.name(),
            metric.title(),
            metric.unit()
        );
        samples.add(metric, candidate, value);
    }
}

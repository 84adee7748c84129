//! `cargo xtask soak`: tunnels that are used, disturbed and reconfigured for hours, and what is lost, stuck or leaked by
//! then.

mod census;
mod events;
mod options;
mod report;
mod restarts;
mod scene;
mod traffic;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use census::Census;
use events::Events;
pub(crate) use options::Options;
use report::Report;
use scene::Scene;

use crate::error::{Error, Result};
use crate::packages;
use crate::paths::Paths;
use crate::process::{again_as_root, cargo, is_root, run};

/// Between two looks at the tunnels, and two events.
const BEAT: Duration = Duration::from_secs(1);
/// At the end nothing is disturbed any more for so long, so that what is in use then is what is left.
const CALM: Duration = Duration::from_secs(15);

/// Builds what is tried, then tries it; as an ordinary user the latter through sudo.
pub(crate) fn soak(paths: &Paths, arguments: &[String]) -> Result<()> {
    Options::parse(arguments)?;
    packages::install()?;
    let build = ["build", "--release", "--package", "hushwire", "--bins"];
    run(cargo().current_dir(paths.root()).args(build))?;
    if is_root()? {
        return try_it(arguments);
    }
    again_as_root(
        "soak: that makes network namespaces and TUN devices",
        "soak-try",
        arguments,
    )
}

/// The trial itself; needs root and everything in place.
pub(crate) fn try_it(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let scene = Scene::new()?;
    let report = Report::default();
    let stop = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        for place in scene.places() {
            let (report, stop) = (&report, &stop);
            scope.spawn(move || traffic::flow(place, report, stop));
        }
        let restarts = scope.spawn(|| restarts::again_and_again(options.restarts, &report, &stop));
        let outcome = disturb(&scene, &options, &report);
        stop.store(true, Ordering::Relaxed);
        let restarted = restarts
            .join()
            .map_err(|_| Error::Machine("the restarts panicked".to_owned()))?;
        outcome.and_then(|census| restarted.map(|()| census))
    });
    let census = outcome?;
    report.expect_renewals(options.time);
    println!("{}", report.table(options.time, &census));
    report.verdict(&census)
}

/// Lets things happen until the time is over, and counts what the daemons hold.
fn disturb(scene: &Scene, options: &Options, report: &Report) -> Result<Census> {
    let start = Instant::now();
    let mut events = Events::new(scene, options.seed);
    let mut census = Census::default();
    let settled = options.time / 5;
    let mut told = 0;
    while start.elapsed() < options.time {
        thread::sleep(BEAT);
        let time = start.elapsed();
        if time + CALM < options.time {
            events.next(report)?;
        } else {
            events.calm_down()?;
        }
        report.look_at_handshakes(scene)?;
        census.take(scene, time >= settled)?;
        let minutes = time.as_secs() / 60;
        if minutes > told {
            told = minutes;
            eprintln!("{minutes} min: {}", report.line());
        }
    }
    census.finish(scene)?;
    Ok(census)
}

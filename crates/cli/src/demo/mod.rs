//! `hushwire demo`: two hosts on one machine, a tunnel between them, and what it can do.
//!
//! Nothing of it is seen outside, and nothing is left when it ends, however it ends: the
//! laboratory's hosts and programs go with the last descriptor that this process holds.

mod error;
mod ping;
mod rights;
mod show;
mod site;
mod stream;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::time::Duration;

use crate::program::fail;
use crate::signals::EndRequests;
use error::Error;
use ping::Rtt;
use show::Screen;
use site::{Site, Tunnel};

/// How long data flows in each direction.
const STREAM_TIME: Duration = Duration::from_secs(3);
/// Echo requests for each figure; the first one sets the tunnel up.
const PINGS: usize = 10;

/// The exit status after SIGINT, by the shell's custom.
const INTERRUPTED: i32 = 130;

/// Runs the command with the words after `demo`.
pub(crate) fn main(name: &OsStr, words: &[OsString]) -> ExitCode {
    if let Some(word) = words.first() {
        let word = word.to_string_lossy();
        return fail(name, &format!("demo takes no arguments such as `{word}`"));
    }
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &format!("demo: {error}")),
    }
}

fn demonstrate() -> Result<(), Error> {
    // First of all, since it takes a process with one thread.
    rights::obtain()?;
    // Caught even if the shell has had us ignore SIGINT, as it does with what runs in the
    // background. Ending is all there is to do.
    let _interrupts = EndRequests::catch()
        .and_then(|requests| requests.watch(|| std::process::exit(INTERRUPTED)))
        .map_err(|error| Error::System("catching signals", error))?;
    let screen = Screen::new();
    let tunnel = Tunnel::start()?;
    let (alice, bob) = (&tunnel.alice, &tunnel.bob);
    screen.line(&format!(
        "two hosts, alice and bob, with a WireGuard tunnel between them\n\
         \x20 alice  {alice}\n  bob    {bob}\n"
    ));
    let mut rtts = Vec::new();
    for (from, to) in [(alice, bob), (bob, alice)] {
        for address in to.inner() {
            let rtt = from.host.run(|| ping::ping(address, PINGS))?;
            screen.line(&format!(
                "ping  {} -> {}  {address:<10}  {rtt}",
                from.name, to.name
            ));
            rtts.push(rtt);
        }
    }
    screen.line("");
    let there = stream(&screen, alice, bob)?;
    let back = stream(&screen, bob, alice)?;
    let best = rtts.iter().map(Rtt::typical).min().unwrap_or_default();
    let report = tunnel.finish()?;
    screen.line(&show::table(&report, best, [there, back]));
    Ok(())
}

/// Sends for some seconds, and returns bits per second.
fn stream(screen: &Screen, from: &Site, to: &Site) -> Result<f64, Error> {
    let label = format!("tcp   {} -> {}", from.name, to.name);
    let rate = stream::run(&from.host, &to.host, to.inner_v4(), STREAM_TIME, |rate| {
        screen.live(&format!("{label}  {}", show::rate(rate)));
    })?;
    screen.settle(&format!("{label}  {}", show::rate(rate)));
    Ok(rate)
}

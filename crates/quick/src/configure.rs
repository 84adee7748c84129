//! The lines of a file that are for wg(8), made into a change of a device: `wg addconf`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hushwire_config::conf::{Config, Dialect, Mode, Parsed, parse};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::raw;
use hushwire_config::resolve::{Retries, resolve};
use hushwire_config::update::DeviceUpdate;

use crate::{Failure, Interrupt};

/// How long to wait before the next look whether the end was asked for.
const LOOK: Duration = Duration::from_millis(50);

/// Reads the lines and looks up the endpoints, saying on standard error what wg(8) says.
pub(crate) fn read(text: &[u8], interrupt: &Interrupt) -> Result<DeviceUpdate, Failure> {
    let parsed = parse_lines(text)?;
    for warning in &parsed.warnings {
        if let Some(message) = warning.problem.standard_message() {
            say(&message);
        }
    }
    update(&parsed.config, Mode::Add, interrupt)
}

/// Reads the lines.
pub(crate) fn parse_lines(text: &[u8]) -> Result<Parsed, Failure> {
    parse(text, Dialect::Wg).map_err(|error| {
        for warning in error.warnings() {
            if let Some(message) = warning.problem.standard_message() {
                say(&message);
            }
        }
        say(&error.standard_message());
        Failure::silent(1)
    })
}

/// The change that a file asks for. Looks up the endpoints, on a thread that is left behind when
/// the end is asked for.
pub(crate) fn update(
    config: &Config,
    mode: Mode,
    interrupt: &Interrupt,
) -> Result<DeviceUpdate, Failure> {
    let endpoints: Vec<Endpoint> = config
        .peers
        .iter()
        .filter_map(|peer| peer.endpoint.as_ref())
        .map(|endpoint| endpoint.value.clone())
        .collect();
    let mut addresses = look_up_all(endpoints, interrupt)?.into_iter();
    config.to_update(mode, |_| addresses.next().ok_or_else(|| Failure::silent(1)))
}

fn look_up_all(
    endpoints: Vec<Endpoint>,
    interrupt: &Interrupt,
) -> Result<Vec<SocketAddr>, Failure> {
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let retries = Retries::from_env().map_err(|error| Failure::new(error.to_string()))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || look_up_on(&endpoints, retries, &sender));
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => interrupt.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::silent(1)),
        }
    }
}

fn look_up_on(
    endpoints: &[Endpoint],
    retries: Retries,
    sender: &Sender<Result<Vec<SocketAddr>, Failure>>,
) {
    let addresses = endpoints
        .iter()
        .map(|endpoint| resolve(endpoint, retries, |retry| say(&format!("{retry}\n"))))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(format!("{error}\nConfiguration parsing error")));
    // Nobody listens any more if the end was asked for.
    let _ = sender.send(addresses);
}

fn say(text: &str) {
    let _ = io::stderr().write_all(&raw::encode(text));
}

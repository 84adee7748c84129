//! A daemon with a crowd of peers, which `hushwire-bench` plays.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hushwire_lab::{Daemon, Host, Implementation, Lab};

use super::metric::{Metric, median};
use crate::error::{Error, Result};
use crate::process::output;

const INTERFACE: &str = "wg1";
const PORT: u16 = 51820;

/// Peers that take turns in the handshake run: so many that none comes again within 20 ms.
const SPEAKERS: u32 = 2_000;
/// Handshakes of one sample.
const HANDSHAKES: u32 = 20_000;
/// Handshakes under way at a time: enough to keep a daemon busy, too few for any to feel under load.
const WINDOW: u32 = 16;

/// How often our tool is run for a figure; the median counts.
const TOOL_RUNS: usize = 3;
/// How long it may take.
const TOOL_LIMIT: Duration = Duration::from_secs(300);
/// How long a daemon is left alone after it was configured; a garbage collector has run by then.
const REST: Duration = Duration::from_secs(3);

/// Handshakes a second that a daemon answers on one core, with the crowd on another.
pub(crate) fn handshakes(
    implementation: Implementation,
    program: &Path,
) -> Result<Vec<(Metric, f64)>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err(Error::Machine(
            "a daemon on one core and its peers on another need two".to_owned(),
        ));
    }
    let lab = Lab::new()?;
    let (client, server) = (lab.host("client")?, lab.host("server")?);
    lab.link(&client, "eth0", &server, "eth0")?;
    client.address("eth0", "10.0.0.1/24")?;
    server.address("eth0", "10.0.0.2/24")?;
    let binary = implementation.binary()?;
    let mut command = server.command(&["taskset", "-c", "0"]);
    command.arg(binary).args(["-f", INTERFACE]);
    let daemon = implementation.start_command(&server, INTERFACE, command)?;
    server.up(INTERFACE)?;
    configure(&server, &daemon, program, SPEAKERS)?;

    let mut command = client.command(&["taskset", "-c", "1"]);
    command.arg(program).arg("handshakes");
    command.arg(format!("10.0.0.2:{PORT}"));
    command.args([SPEAKERS, HANDSHAKES, WINDOW].map(|number| number.to_string()));
    let said = client.spawn(command)?.finish(Duration::from_secs(120))?;
    let rate = answered_rate(&said.stdout)?;
    Ok(vec![(Metric::Handshakes, rate)])
}

/// The rate in `RATE ANSWERED LOST`; a run with many losses is none.
fn answered_rate(line: &str) -> Result<f64> {
    let words: Vec<f64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match words[..] {
        [rate, answered, lost] if lost * 100.0 <= answered => Ok(rate),
        _ => Err(Error::Machine(format!(
            "more than 1 % of the handshakes were lost (rate, answered, lost): {}",
            line.trim()
        ))),
    }
}

/// The memory of a daemon with many peers that never speak, and how long it took to take them, in one request and from
/// our tool, and to show them.
pub(crate) fn idle(
    implementation: Implementation,
    program: &Path,
    peers: u32,
) -> Result<Vec<(Metric, f64)>> {
    let lab = Lab::new()?;
    let host = lab.host("server")?;
    let daemon = implementation.start(&host, INTERFACE)?;
    host.up(INTERFACE)?;
    let time = configure(&host, &daemon, program, peers)?;
    thread::sleep(REST);
    let memory = daemon.process().usage()?.memory as f64 / 1e6;
    let mut values = vec![
        (Metric::IdlePeersMemory, memory),
        (Metric::IdlePeersTime, time.as_secs_f64()),
    ];
    // Of the others, boringtun breaks a long conversation off now and then.
    if matches!(
        implementation,
        Implementation::Hushwired | Implementation::WireguardGo
    ) {
        values.extend(with_tool(&host)?);
    }
    Ok(values)
}

/// How long our tool takes to give a device the configuration that it has, and to show it, in milliseconds.
fn with_tool(host: &Host) -> Result<[(Metric, f64); 2]> {
    let tool = Implementation::Hushwired
        .binary()?
        .with_file_name("hushwire");
    let tool = tool.to_string_lossy();
    let run = |words: &[&str]| {
        let words = [&[&*tool], words].concat();
        let start = Instant::now();
        let said = host.output_within(TOOL_LIMIT, &words)?;
        Ok((said.stdout, start.elapsed().as_secs_f64() * 1e3))
    };
    let median_of = |words: &[&str]| {
        let times = (0..TOOL_RUNS).map(|_| run(words).map(|(_, time)| time));
        let times = times.collect::<Result<Vec<f64>>>()?;
        median(&times).ok_or_else(|| Error::Machine("nothing was timed".to_owned()))
    };
    let file = Scratch::new();
    let (configuration, _) = run(&["showconf", "--timeout", "300", INTERFACE])?;
    fs::write(&file.0, configuration).map_err(Error::file("write", &file.0))?;
    let path = file.0.to_string_lossy();
    Ok([
        (
            Metric::IdlePeersSetconf,
            median_of(&["setconf", "--timeout", "300", INTERFACE, &path])?,
        ),
        (
            Metric::IdlePeersDump,
            median_of(&["show", "--timeout", "300", INTERFACE, "dump"])?,
        ),
    ])
}

/// A file that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("hushwire-bench-{}.conf", std::process::id());
        Self(env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a device the server of so many of the crowd, and says how long the device took.
fn configure(host: &Host, daemon: &Daemon, program: &Path, peers: u32) -> Result<Duration> {
    let server = lines(program, "server", PORT.into())?;
    let peers = lines(program, "peers", peers)?;
    request(host, daemon.interface(), &format!("{server}{peers}"))
}

/// Adds so many of the crowd to a device that somebody else has set up.
pub(crate) fn add_peers(host: &Host, interface: &str, program: &Path, peers: u32) -> Result<()> {
    request(host, interface, &lines(program, "peers", peers)?).map(|_| ())
}

fn lines(program: &Path, what: &str, number: u32) -> Result<String> {
    let text = output(Command::new(program).args([what, &number.to_string()]))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn request(host: &Host, interface: &str, lines: &str) -> Result<Duration> {
    let start = Instant::now();
    let answer = host.uapi(interface, &format!("set=1\n{lines}\n"))?;
    let time = start.elapsed();
    if answer.contains("errno=0\n") {
        return Ok(time);
    }
    Err(Error::Machine(format!(
        "{interface} refused its peers: {}",
        answer.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_many_losses_is_none() {
        assert_eq!(
            answered_rate("12345.6 19990 10\n").expect("a rate"),
            12345.6
        );
        assert!(answered_rate("12345.6 100 19900\n").is_err());
        assert!(answered_rate("").is_err());
    }
}

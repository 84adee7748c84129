//! What a flood of hostile packets leaves of an established TCP stream.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hushwire_lab::{
    Datagram, Flood, Host, Implementation, Iperf, KeyPair, Lab, Tunnel, TunnelOptions, Wire,
};
use serde_json::{Value, json};

use super::machine;
use super::metric::median;
use super::options::Options;
use crate::error::{Error, Result};
use crate::process::output;

/// Where the server is for the attackers.
const VICTIM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The port of the tunnel's right end ([`Tunnel`]).
const PORT: u16 = 51822;
/// Nobody has this one.
const CLOSED_PORT: u16 = 9;
/// Different datagrams of a kind; they are sent again and again.
const DATAGRAMS: u32 = 20_000;
/// Longer than a measurement with all that belongs to it.
const FLOOD_LIMIT: Duration = Duration::from_secs(120);

/// How long the stream is alone, and how long it is not.
const MOMENT: Duration = Duration::from_millis(500);
/// A stream that has brought so many bytes flows.
const FLOWING: u64 = 10_000_000;
/// Seconds by which a stream outlasts the moments.
const GRACE: u32 = 2;

/// What is sent, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    title: &'static str,
    /// The kind by the name that `hushwire-bench hostile` has for it.
    kind: &'static str,
    port: u16,
    /// So small that each datagram comes in pieces.
    mtu: usize,
}

const fn row(title: &'static str, kind: &'static str) -> Row {
    Row {
        title,
        kind,
        port: PORT,
        mtu: 1500,
    }
}

const ROWS: [Row; 11] = [
    Row {
        port: CLOSED_PORT,
        ..row("garbage to a closed port", "garbage")
    },
    row("garbage", "garbage"),
    row("garbage shaped as messages", "shaped-garbage"),
    row("initiations, right MAC1", "right-mac1"),
    row("responses, right MAC1", "responses"),
    row("strangers' initiations", "strangers"),
    row("replayed initiations", "replays"),
    row("data, unknown index", "unknown-index"),
    row("data, live index", "live-index"),
    row("cookie replies", "cookie-replies"),
    Row {
        mtu: 576,
        ..row("data, live index, fragments", "live-index")
    },
];

/// The samples of one row.
#[derive(Debug, Default)]
struct Samples {
    alone: Vec<f64>,
    flooded: Vec<f64>,
    kept: Vec<f64>,
    sent: Vec<f64>,
    answers: Vec<f64>,
    memory: Vec<f64>,
}

/// Measures, prints the table, and writes it to a file if asked to.
pub(crate) fn flood(options: &Options, program: &Path) -> Result<()> {
    let mut results = Vec::new();
    for &candidate in &options.candidates {
        let Some(implementation) = candidate.implementation() else {
            continue;
        };
        let mut samples: Vec<Samples> = ROWS.iter().map(|_| Samples::default()).collect();
        for round in 0..options.rounds {
            eprintln!(
                "{}: round {} of {}",
                candidate.name(),
                round + 1,
                options.rounds
            );
            let scene = Scene::new(implementation, program)?;
            for (row, samples) in ROWS.iter().zip(&mut samples) {
                scene.take(*row, options, program, samples)?;
            }
        }
        println!("{}", table(candidate.name(), options.rate, &samples));
        results.push(as_json(candidate.name(), &samples));
    }
    if let Some(file) = &options.json {
        let value =
            json!({ "run": machine::describe(options), "rate": options.rate, "results": results });
        fs::write(file, format!("{value:#}\n")).map_err(Error::file("write", file))?;
        println!("written to {}", file.display());
    }
    Ok(())
}

/// A tunnel between two hosts, of which the right one is attacked from elsewhere.
struct Scene {
    client: Host,
    server: Host,
    wire: Wire,
    tunnel: Tunnel,
    /// The receiver index of a session.
    live_index: String,
    _lab: Lab,
}

impl Scene {
    fn new(implementation: Implementation, program: &Path) -> Result<Self> {
        let lab = Lab::new()?;
        let (client, server) = (lab.host("client")?, lab.host("server")?);
        lab.link(&client, "eth0", &server, "eth0")?;
        client.address("eth0", "10.0.0.1/24")?;
        server.address("eth0", "10.0.0.2/24")?;
        let wire = lab.wire(&server, "eth1")?;
        server.address("eth1", &format!("{VICTIM}/32"))?;
        let left = KeyPair::generate(&client)?;
        let right = server_keys(program)?;
        let tunnel = Tunnel::with_keys(
            (&client, implementation, "10.0.0.1"),
            left,
            (&server, implementation, "10.0.0.2"),
            right,
            &TunnelOptions::default(),
        )?;
        super::crowd::add_peers(&server, &tunnel.right.interface, program, 1)?;
        client.ping(&tunnel.right.ipv4)?;
        let mut command = client.command(&[program]);
        command.arg("session").arg(format!("10.0.0.2:{PORT}"));
        let said = client.spawn(command)?.finish(Duration::from_secs(20))?;
        Ok(Self {
            live_index: said.stdout.trim().to_owned(),
            client,
            server,
            wire,
            tunnel,
            _lab: lab,
        })
    }

    /// One stream, for a moment alone, for a moment under the flood, and so on: what else slows the machine down slows
    /// both.
    fn take(
        &self,
        row: Row,
        options: &Options,
        program: &Path,
        samples: &mut Samples,
    ) -> Result<()> {
        let frames = self.frames(row, program)?;
        let flood = Flood::new(options.rate, FLOOD_LIMIT)?;
        let pairs = options.seconds.saturating_mul(1000) / MOMENT.as_millis() as u32;
        let _ = self.wire.heard();
        let (mut alone, mut flooded) = (Sum::default(), Sum::default());
        thread::scope(|scope| {
            let stream = scope.spawn(|| self.stream(options.seconds * 2 + GRACE));
            let outcome = self.wait_for_stream().and_then(|()| {
                (0..pairs).try_for_each(|_| {
                    alone.add(self.moment(None)?);
                    flooded.add(self.moment(Some((&flood, &frames)))?);
                    Ok(())
                })
            });
            let stream = stream
                .join()
                .map_err(|_| Error::Machine("the stream panicked".to_owned()))?;
            outcome.and(stream)
        })?;
        let answers = self.wire.heard().len() as f64 / flooded.flood_seconds.max(f64::MIN_POSITIVE);
        let sent = flooded.sent as f64 / flooded.flood_seconds.max(f64::MIN_POSITIVE);
        let memory = self.tunnel.right.daemon.process().usage()?.memory as f64 / 1e6;
        let [alone, flooded] = [alone, flooded].map(|sum| sum.gigabits_per_second());
        eprintln!(
            "  {:<30}{alone:>8.2}{flooded:>8.2} Gbit/s{:>8.1} k/s{answers:>8.0} answers/s",
            row.title,
            sent / 1e3
        );
        samples.alone.push(alone);
        samples.flooded.push(flooded);
        samples.kept.push(flooded / alone);
        samples.sent.push(sent);
        samples.answers.push(answers);
        samples.memory.push(memory);
        Ok(())
    }

    fn stream(&self, seconds: u32) -> Result<()> {
        let to = &self.tunnel.right.ipv4;
        let iperf = Iperf::tcp().seconds(seconds);
        iperf.run(&self.client, &self.server, to)?;
        Ok(())
    }

    /// Bytes that have come out of the tunnel.
    fn received(&self) -> Result<u64> {
        let interface = &self.tunnel.right.interface;
        let link = self.server.netlink().link(interface);
        let link = link.map_err(hushwire_lab::Error::from)?;
        let gone = || Error::Machine(format!("{interface} is gone"));
        Ok(link.ok_or_else(gone)?.counters.received_bytes)
    }

    fn wait_for_stream(&self) -> Result<()> {
        let before = self.received()?;
        let flows = || self.received().is_ok_and(|now| now > before + FLOWING);
        Ok(hushwire_lab::wait_until(FLOOD_LIMIT, "the stream", flows)?)
    }

    /// What comes through in a moment, after a shorter one in which the stream gets used to it.
    fn moment(&self, flood: Option<(&Flood, &[Vec<u8>])>) -> Result<Sum> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let stop = &stop;
            let flood =
                flood.map(|(flood, frames)| scope.spawn(|| flood.run(&self.wire, frames, stop)));
            thread::sleep(MOMENT / 5);
            let (start, before) = (Instant::now(), self.received()?);
            thread::sleep(MOMENT * 4 / 5);
            let mut sum = Sum {
                bytes: self.received()? - before,
                seconds: start.elapsed().as_secs_f64(),
                ..Sum::default()
            };
            stop.store(true, Ordering::Relaxed);
            if let Some(flood) = flood {
                let flooded = flood
                    .join()
                    .map_err(|_| Error::Machine("the flood panicked".to_owned()))??;
                sum.sent = flooded.sent;
                sum.flood_seconds = flooded.time.as_secs_f64();
            }
            Ok(sum)
        })
    }

    fn frames(&self, row: Row, program: &Path) -> Result<Vec<Vec<u8>>> {
        let count = DATAGRAMS.to_string();
        let words = ["hostile", row.kind, &count, &self.live_index];
        let bytes = output(Command::new(program).args(words))?;
        let mut frames = Vec::new();
        for (number, payload) in (0..).zip(split(&bytes)) {
            let datagram = Datagram {
                from: source(number),
                to: SocketAddr::new(VICTIM.into(), row.port),
                payload: payload.to_vec(),
            };
            for packet in datagram.packets(row.mtu, number).unwrap_or_default() {
                frames.push(self.wire.frame(&packet)?);
            }
        }
        Ok(frames)
    }
}

/// Moments together.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    bytes: u64,
    seconds: f64,
    sent: u64,
    flood_seconds: f64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.seconds += other.seconds;
        self.sent += other.sent;
        self.flood_seconds += other.flood_seconds;
    }

    fn gigabits_per_second(self) -> f64 {
        self.bytes as f64 * 8.0 / self.seconds.max(f64::MIN_POSITIVE) / 1e9
    }
}

/// The keys of the crowd's server, which attackers know half of.
fn server_keys(program: &Path) -> Result<KeyPair> {
    let text = output(Command::new(program).arg("server-keys"))?;
    let text = String::from_utf8_lossy(&text);
    let keys: Vec<[u8; 32]> = text.split_whitespace().filter_map(from_hex).collect();
    match keys[..] {
        [private, public] => Ok(KeyPair::new(private, public)),
        _ => Err(Error::Machine(format!(
            "{} printed no two keys",
            program.display()
        ))),
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    bytes?.try_into().ok()
}

/// The datagrams of `hushwire-bench hostile`: each behind its length in two bytes, the lower first.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut datagrams = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let Some((datagram, rest)) = rest.split_at_checked(u16::from_le_bytes(*length).into())
        else {
            break;
        };
        datagrams.push(datagram);
        bytes = rest;
    }
    datagrams
}

/// Another address and port for each, all over the Internet.
fn source(number: u32) -> SocketAddr {
    let [a, b, c, d] = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
    let ip = Ipv4Addr::new(11 + a % 80, b, c, d);
    SocketAddr::new(ip.into(), 1024 + (number % 60_000) as u16)
}

fn table(name: &str, rate: u32, samples: &[Samples]) -> String {
    let mut text = format!(
        "{name}, {rate} hostile packets a second\n{:<30}{:>10}{:>10}{:>10}{:>8}{:>12}{:>8}\n",
        "", "sent/s", "alone", "flooded", "kept", "answers/s", "MB"
    );
    for (row, samples) in ROWS.iter().zip(samples) {
        let of = |values| median(values).unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "{:<30}{:>10.0}{:>10.2}{:>10.2}{:>7.0}%{:>12.0}{:>8.1}",
            row.title,
            of(&samples.sent),
            of(&samples.alone),
            of(&samples.flooded),
            of(&samples.kept) * 100.0,
            of(&samples.answers),
            of(&samples.memory),
        );
    }
    text.push_str(
        "alone, flooded: one TCP stream in Gbit/s; kept: what the flood leaves of it; MB: the attacked daemon's memory;\n\
         the closed port is what the flood costs on this machine whoever is attacked\n",
    );
    text
}

fn as_json(name: &str, samples: &[Samples]) -> Value {
    let rows: Vec<Value> = ROWS
        .iter()
        .zip(samples)
        .map(|(row, samples)| {
            json!({
                "flood": row.title,
                "alone": samples.alone,
                "flooded": samples.flooded,
                "kept": median(&samples.kept),
                "sent_per_second": samples.sent,
                "answers_per_second": samples.answers,
                "memory_mb": samples.memory,
            })
        })
        .collect();
    json!({ "implementation": name, "rows": rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_told_apart_by_their_lengths() {
        let bytes = [2, 0, b'a', b'b', 0, 0, 1, 0, b'c', 9, 0, b'd'];
        assert_eq!(split(&bytes), [&b"ab"[..], b"", b"c"]);
        assert!(split(&[]).is_empty());
    }

    #[test]
    fn keys_are_read_in_hexadecimal() {
        assert_eq!(from_hex(&"0a".repeat(32)), Some([10; 32]));
        assert_eq!(from_hex("0a"), None);
        assert_eq!(from_hex(&"zz".repeat(32)), None);
    }

    #[test]
    fn a_row_of_the_table_says_what_is_kept() {
        let mut samples: Vec<Samples> = ROWS.iter().map(|_| Samples::default()).collect();
        samples[1].kept = vec![0.5, 0.9, 0.8];
        let text = table("hushwired", 20_000, &samples);
        let line = text.lines().find(|line| line.starts_with("garbage  "));
        assert!(line.expect("the row").contains(" 80%"), "{text}");
    }
}

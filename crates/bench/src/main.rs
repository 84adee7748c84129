//! Times cases, does one of them a number of times, or plays the peers of a daemon. `cargo xtask
//! bench` and `cargo xtask instructions` call it.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use hushwire_bench::handshakes::Plan;
use hushwire_bench::hostile::{Attacker, Kind};
use hushwire_bench::{Case, cases, crowd, handshakes, hostile, micro};

/// How long a daemon may be silent before handshakes count as lost.
const PATIENCE: Duration = Duration::from_millis(500);

const HELP: &str = "\
Usage: hushwire-bench micro [--only NAME]... [--json FILE]
       hushwire-bench list
       hushwire-bench run CASE TURNS
       hushwire-bench server PORT
       hushwire-bench peers COUNT
       hushwire-bench handshakes ADDRESS:PORT PEERS COUNT WINDOW
       hushwire-bench server-keys
       hushwire-bench session ADDRESS:PORT
       hushwire-bench hostile KIND COUNT INDEX

  micro   Time all cases, or those whose name contains a NAME
  list    The cases whose instructions can be counted, and over how many turns
  run     Do a case so many times, for a program that counts instructions
  server  Lines for the control socket that make a device the server of a crowd
  peers   Lines for the control socket that add so many of the crowd to a device
  handshakes
          Have PEERS of the crowd do COUNT handshakes with the server, WINDOW at
          a time; prints handshakes a second, how many were answered, how many
          were lost
  server-keys
          The private and the public key of the crowd's server in hexadecimal
  session Shake hands with the server once, as the first of the crowd; prints
          the receiver index that the server gave the session
  hostile COUNT datagrams of KIND for the server, each behind its length in two
          bytes, the lower first; INDEX is that of a session. Kinds: garbage,
          shaped-garbage, right-mac1, responses, strangers, replays,
          unknown-index, live-index, cookie-replies
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hushwire-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result<(), Box<dyn Error>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["micro", options @ ..] => time(options),
        ["list"] => {
            list();
            Ok(())
        }
        ["run", name, turns] => run(name, turns.parse()?),
        ["server", port] => {
            print!("{}", crowd::server_lines(port.parse()?));
            Ok(())
        }
        ["peers", count] => {
            print!("{}", crowd::peer_lines(count.parse()?));
            Ok(())
        }
        ["handshakes", server, peers, count, window] => shake_hands(&Plan {
            server: server.parse()?,
            peers: peers.parse()?,
            count: count.parse()?,
            window: window.parse()?,
            patience: PATIENCE,
        }),
        ["server-keys"] => {
            let [private, public] = crowd::server_keys();
            println!("{private} {public}");
            Ok(())
        }
        ["session", server] => {
            println!("{}", hostile::session(server.parse()?, PATIENCE)?);
            Ok(())
        }
        ["hostile", kind, count, index] => print_hostile(kind, count.parse()?, index.parse()?),
        ["-h" | "--help" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("unknown arguments\n{HELP}").into()),
    }
}

fn time(options: &[&str]) -> Result<(), Box<dyn Error>> {
    let (mut only, mut json) = (Vec::new(), None);
    for pair in options.chunks(2) {
        match pair {
            ["--only", name] => only.push(*name),
            ["--json", file] => json = Some(*file),
            _ => return Err(format!("unknown option or no value: {}", pair.join(" ")).into()),
        }
    }
    let mut cases = cases::all();
    cases.retain(|case| only.is_empty() || only.iter().any(|part| case.name().contains(part)));
    if cases.is_empty() {
        return Err(format!("no case is called {}", only.join(" or ")).into());
    }
    let timings = micro::time(&cases);
    print!("{}", micro::table(&timings));
    if let Some(file) = json {
        let text = format!("{:#}\n", micro::json(&timings));
        fs::write(file, text).map_err(|error| format!("cannot write {file}: {error}"))?;
        println!("written to {file}");
    }
    Ok(())
}

fn shake_hands(plan: &Plan) -> Result<(), Box<dyn Error>> {
    let outcome = handshakes::measure(plan)?;
    let (rate, answered, lost) = (outcome.rate(), outcome.answered, outcome.lost);
    println!("{rate:.1} {answered} {lost}");
    Ok(())
}

fn print_hostile(kind: &str, count: u32, index: u32) -> Result<(), Box<dyn Error>> {
    let kind = Kind::parse(kind).ok_or_else(|| format!("no kind is called {kind}\n{HELP}"))?;
    let mut attacker = Attacker::new(1, index);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for _ in 0..count {
        let datagram = attacker.datagram(kind);
        out.write_all(&u16::try_from(datagram.len())?.to_le_bytes())?;
        out.write_all(&datagram)?;
    }
    Ok(out.flush()?)
}

fn list() {
    for case in cases::all() {
        if let Some(turns) = case.turns_to_count() {
            println!("{} {turns}", case.name());
        }
    }
}

fn run(name: &str, turns: u64) -> Result<(), Box<dyn Error>> {
    let case: Case = cases::all()
        .into_iter()
        .find(|case| case.name() == name)
        .ok_or_else(|| format!("no case is called {name}: see `hushwire-bench list`"))?;
    case.prepare()(turns);
    Ok(())
}

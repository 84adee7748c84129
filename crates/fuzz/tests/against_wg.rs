//! Generated config files through Debian's own wg(8): it says the same words and sends the same
//! bytes to the device as we do. Needs root.
//!
//! Debian's is older than the wg(8) that ours follows, and files with what only one of the two
//! knows are left out: signs before allowed IPs, ports above 65535 (`docs/wg.md`). So are hosts
//! that would have to be looked up.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use hushwire_config::conf::{Dialect, Mode, Spanned, parse};
use hushwire_config::endpoint::Endpoint;
use hushwire_config::raw;
use hushwire_config::uapi::set;
use hushwire_fuzz::config_file;
use hushwire_lab::{Host, Lab, require_tools};

/// Files that are compared.
const FILES: usize = 300;

/// At least so many of them must be ones that both take.
const TAKEN_MIN: usize = 30;

const WG: &str = "/usr/bin/wg";
const INTERFACE: &str = "wgfuzz";

#[test]
fn generated_files_mean_to_debians_wg_what_they_mean_to_us() {
    require_tools(&["wg"]).unwrap();
    let lab = Lab::new().unwrap();
    let host = lab.host("alice").unwrap();
    let device = Device::listen(&host);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wg.conf");
    let mut random = Random(0x5eed);
    let (mut compared, mut taken) = (0, 0);
    while compared < FILES {
        let mut text = config_file(&random.bytes());
        if random.next().is_multiple_of(2) {
            text = mended(&text);
        }
        let Some(ours) = ours(&text) else { continue };
        compared += 1;
        taken += usize::from(ours.sent.is_some());
        fs::write(&path, &text).unwrap();
        let theirs = device.setconf(&host, &path);
        assert_eq!(theirs, ours, "{}", raw::decode(&text));
    }
    assert!(taken >= TAKEN_MIN, "{taken} of {compared} are files at all");
}

/// A file without the lines that are wrong, which few files are by chance.
fn mended(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    while let Err(error) = parse(&lines.join(&b'\n'), Dialect::Wg) {
        lines.remove(error.diagnostics()[0].span.line as usize - 1);
    }
    lines.join(&b'\n')
}

/// What came of a file.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    stderr: String,
    sent: Option<String>,
}

/// What we make of it; `None` if Debian's wg cannot be asked.
fn ours(text: &[u8]) -> Option<Outcome> {
    let lower = text.to_ascii_lowercase();
    let signed = lower.split(|&byte| byte == b'\n').any(|line| {
        line.starts_with(b"allow") && line.iter().any(|byte| matches!(byte, b'+' | b'-'))
    });
    // The name of an interface may stand for a number.
    if signed || text.contains(&b'%') {
        return None;
    }
    let outcome = match parse(text, Dialect::Wg) {
        Err(error) => {
            let replaced = error.endpoints();
            if replaced.iter().any(is_name) {
                return None;
            }
            Outcome {
                stderr: said(error.warnings()) + &error.standard_message(),
                sent: None,
            }
        }
        Ok(parsed) => {
            let peers = parsed.config.peers.iter();
            let mut endpoints = peers.filter_map(|peer| peer.endpoint.as_ref());
            if endpoints.any(is_name) || parsed.replaced_endpoints.iter().any(is_name) {
                return None;
            }
            let resolve = |endpoint: &Spanned<Endpoint>| match &endpoint.value {
                Endpoint::Numeric(address) => Ok(*address),
                Endpoint::Name(name) => Err(name.host().to_owned()),
            };
            let update = parsed.config.to_update(Mode::Replace, resolve).unwrap();
            let mut sent = Vec::new();
            set::write(&mut sent, &update).unwrap();
            Outcome {
                stderr: said(&parsed.warnings),
                sent: Some(String::from_utf8(sent).unwrap()),
            }
        }
    };
    let unlike = ["Port is greater", "Servname not supported"];
    let unlike = unlike.iter().any(|start| outcome.stderr.contains(start));
    (!unlike).then_some(outcome)
}

fn is_name(endpoint: &Spanned<Endpoint>) -> bool {
    matches!(endpoint.value, Endpoint::Name(_))
}

fn said(warnings: &[hushwire_config::conf::Diagnostic]) -> String {
    let messages = warnings
        .iter()
        .filter_map(|warning| warning.problem.standard_message());
    messages.fold(String::new(), |said, message| said + &message)
}

/// A device that takes everything and tells what it was sent. Its socket goes with the host.
struct Device {
    sent: Receiver<Vec<u8>>,
}

impl Device {
    fn listen(host: &Host) -> Self {
        let path = format!("/run/wireguard/{INTERFACE}.sock");
        let listener = host.run(|| UnixListener::bind(path)).unwrap();
        let (sender, sent) = channel();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.ends_with(b"\n\n") {
                    match stream.read(&mut buffer) {
                        Ok(length @ 1..) => request.extend(&buffer[..length]),
                        _ => break,
                    }
                }
                let _ = stream.write_all(b"errno=0\n\n");
                // wg(8) tries the socket before it speaks.
                if !request.is_empty() && sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { sent }
    }

    fn setconf(&self, host: &Host, path: &Path) -> Outcome {
        let mut command = Command::new(WG);
        command.args([b"setconf", INTERFACE.as_bytes()].map(std::ffi::OsStr::from_bytes));
        command.arg(path).env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
        let output = host.run(|| command.output()).unwrap();
        let sent = output.status.success().then(|| {
            let sent = self.sent.recv_timeout(Duration::from_secs(60));
            String::from_utf8(sent.expect("what was sent")).unwrap()
        });
        Outcome {
            stderr: raw::decode(&output.stderr).into_owned(),
            sent,
        }
    }
}

/// SplitMix64 from a seed: the same files in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = 8 + self.next() % 60;
        (0..len).map(|_| self.next() as u8).collect()
    }
}

//! What the demonstration prints.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ping::milliseconds;
use super::site::Report;

/// Standard output. Writing to one that nobody reads any more is no failure of ours.
pub(super) struct Screen {
    is_terminal: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: io::stdout().is_terminal(),
        }
    }

    pub(super) fn line(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{text}");
    }

    /// A line that changes while one looks; shown on a terminal only.
    pub(super) fn live(&self, text: &str) {
        if self.is_terminal {
            let mut stdout = io::stdout();
            let _ = write!(stdout, "\r{text:<60}");
            let _ = stdout.flush();
        }
    }

    /// The last state of a line that changed.
    pub(super) fn settle(&self, text: &str) {
        self.live("");
        let start = if self.is_terminal { "\r" } else { "" };
        self.line(&format!("{start}{text}"));
    }
}

/// A rate in bits per second.
pub(super) fn rate(bits: f64) -> String {
    if bits >= 1e9 {
        format!("{:.2} Gbit/s", bits / 1e9)
    } else {
        format!("{:.1} Mbit/s", bits / 1e6)
    }
}

/// A number of bytes.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes >= 1e9 {
        format!("{:.2} GB", bytes / 1e9)
    } else {
        format!("{:.2} MB", bytes / 1e6)
    }
}

/// The table at the end, of the first host.
pub(super) fn table(report: &Report, rtt: Duration, [there, back]: [f64; 2]) -> String {
    let peer = &report.peer;
    let handshake = peer.last_handshake.map_or_else(
        || "never".to_owned(),
        |at| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let ago = now.unwrap_or_default().saturating_sub(at);
            format!("{:.0} s ago", ago.as_secs_f64())
        },
    );
    let (on, off) = offloads(&report.offloads);
    let rows = [
        (
            "rate",
            format!("{} there, {} back", rate(there), rate(back)),
        ),
        ("round trip", format!("{:.3} ms", milliseconds(rtt))),
        ("handshake", handshake),
        (
            "bytes",
            format!(
                "{} sent, {} received",
                size(peer.tx_bytes),
                size(peer.rx_bytes)
            ),
        ),
        ("offloads", on),
        ("not in use", off),
    ];
    let mut text = String::from("\n");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {name:<12}{value}");
    }
    text
}

/// Splits a line of the daemon's log into the offloads in use and the others with the reason.
fn offloads(line: &str) -> (String, String) {
    let (on, off): (Vec<&str>, Vec<&str>) = line
        .split("; ")
        .filter(|entry| !entry.is_empty())
        .partition(|entry| entry.ends_with(" on"));
    let on: Vec<&str> = on
        .iter()
        .map(|entry| entry.trim_end_matches(" on"))
        .collect();
    (on.join(" "), off.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_unit_that_suits_them() {
        assert_eq!(rate(6.1234e9), "6.12 Gbit/s");
        assert_eq!(rate(999e6), "999.0 Mbit/s");
        assert_eq!(rate(0.0), "0.0 Mbit/s");
    }

    #[test]
    fn offloads_not_in_use_come_with_their_reason() {
        let line = "tun-tso4 on; tun-uso off (switched off); udp-gso4 on";
        let expected = (
            "tun-tso4 udp-gso4".to_owned(),
            "tun-uso off (switched off)".to_owned(),
        );
        assert_eq!(offloads(line), expected);
        assert_eq!(offloads(""), (String::new(), String::new()));
    }
}

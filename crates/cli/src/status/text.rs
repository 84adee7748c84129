//! For people: what is wrong, then everything else, a line each.

use hushwire_config::show::{self, Style};
use hushwire_config::status::{Count, Feature, Status};

use super::problems::Problem;
use super::{Report, Runner};
use crate::help::wrap;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";

/// Columns before a value.
const COLUMN: usize = 14;

const PLAIN: Style = Style {
    colour: false,
    show_keys: false,
};

/// The text about these devices, an empty line between them.
pub(super) fn of(reports: &[Report], colour: bool) -> String {
    let blocks = reports.iter().map(|report| {
        let mut page = Page {
            text: String::new(),
            colour,
        };
        page.report(report);
        page.text
    });
    blocks.collect::<Vec<_>>().join("\n")
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn report(&mut self, report: &Report) {
        let name = &report.name;
        let heading = [self.code(GREEN), self.code(BOLD)].concat();
        let (green, reset) = (self.code(GREEN), self.code(RESET));
        self.text += &format!("{heading}interface{reset}: {green}{name}{reset}\n");
        for problem in &report.problems {
            self.problem(problem);
        }
        let status = &report.status;
        self.runner(&report.runner, status);
        self.row("link", &link(status));
        if report.runner != Runner::Hushwire {
            return;
        }
        self.row("peers", &peers(status));
        self.row("threads", &threads(status));
        self.row("memory", &memory(status));
        self.row("handshakes", &counts(&status.handshakes));
        self.row("dropped", &counts(&status.dropped));
        self.row("sockets", &counts(&status.udp));
        self.row("buffers", &sizes(&status.buffers));
        self.features("offloads", &status.offloads);
        self.features("sandbox", &status.sandbox);
    }

    fn problem(&mut self, problem: &Problem) {
        self.label(RED, "problem");
        wrap(&mut self.text, &problem.what, COLUMN, COLUMN);
        self.text += &" ".repeat(COLUMN);
        let advice = format!("→ {}", problem.advice);
        wrap(&mut self.text, &advice, COLUMN, COLUMN + 2);
    }

    fn runner(&mut self, runner: &Runner, status: &Status) {
        let text = match runner {
            Runner::Kernel => "none: the kernel has it, and tells no more".to_owned(),
            Runner::Hushwire => daemon(status),
            Runner::Other(program) => {
                let program = program.as_deref().unwrap_or("not known");
                format!("{program}: it tells no status, only hushwired does")
            }
        };
        self.row("daemon", &text);
    }

    /// Those that are on together, each of the others on a line of its own.
    fn features(&mut self, label: &str, features: &[Feature]) {
        let (on, others): (Vec<_>, Vec<_>) =
            features.iter().partition(|feature| feature.state == "on");
        let on: Vec<String> = on.into_iter().map(described).collect();
        match (on.as_slice(), features) {
            ([], []) => {}
            ([], _) => self.row(label, "none is on"),
            _ => self.row(label, &on.join(", ")),
        }
        for feature in others {
            self.text += &" ".repeat(COLUMN);
            let text = format!("{}: {}", feature.name, state(feature));
            wrap(&mut self.text, &text, COLUMN, COLUMN + 2);
        }
    }

    fn row(&mut self, label: &str, value: &str) {
        self.label("", label);
        wrap(&mut self.text, value, COLUMN, COLUMN);
    }
}

impl Page {
    fn label(&mut self, colour: &str, label: &str) {
        let (colour, bold) = (self.code(colour), self.code(BOLD));
        let reset = self.code(RESET);
        let blanks = " ".repeat(COLUMN.saturating_sub(label.len() + 3));
        self.text += &format!("  {colour}{bold}{label}{reset}:{blanks}");
    }

    fn code<'a>(&self, code: &'a str) -> &'a str {
        if self.colour { code } else { "" }
    }
}

fn daemon(status: &Status) -> String {
    let mut text = format!("hushwire {}", status.version);
    if let Some(pid) = status.pid {
        text += &format!(", process {pid}");
    }
    if let Some(seconds) = status.uptime {
        let uptime = written(|out| show::time(out, PLAIN, seconds));
        text += &match uptime.as_str() {
            "" => ", just started".to_owned(),
            uptime => format!(", running for {uptime}"),
        };
    }
    text
}

fn link(status: &Status) -> String {
    let state = match status.up {
        Some(true) => "up",
        Some(false) => "down",
        None => return "not in this network namespace".to_owned(),
    };
    match status.mtu {
        Some(mtu) => format!("{state}, MTU {mtu}"),
        None => state.to_owned(),
    }
}

fn peers(status: &Status) -> String {
    let mut text = number(status.peers);
    if let Some(unanswered) = status.unanswered.filter(|peers| *peers > 0) {
        text += &format!(", without an answer: {unanswered}");
    }
    text + &format!(", allowed IPs: {}", number(status.allowed_ips))
}

fn threads(status: &Status) -> String {
    let mut text = format!(
        "{}, queues: {}",
        number(status.threads),
        number(status.queues)
    );
    if let Some(helpers) = status.helpers.filter(|helpers| *helpers > 0) {
        text += &format!(", helpers: {helpers} ({} buffers)", number(status.helped));
    }
    text
}

fn memory(status: &Status) -> String {
    let resident = status.memory_resident.map_or_else(unknown, size);
    let mut text = format!("{resident} resident");
    if let Some(waiting) = status.memory_waiting.filter(|bytes| *bytes > 0) {
        text += &format!(", {} of packets that wait", size(waiting));
    }
    match (status.memory_limit, status.memory_reserved) {
        (Some(limit), Some(reserved)) => {
            text + &format!("; {} spoken for, of {}", size(reserved), size(limit))
        }
        (Some(limit), None) => text + &format!("; limit {}", size(limit)),
        (None, _) => text + ", no limit",
    }
}

/// Those that are not zero.
fn counts(counts: &[Count]) -> String {
    let counts = counts.iter().filter(|count| count.count > 0);
    let counts: Vec<String> = counts
        .map(|count| format!("{} {}", count.name, count.count))
        .collect();
    match counts.as_slice() {
        [] => "nothing".to_owned(),
        counts => counts.join(", "),
    }
}

fn sizes(counts: &[Count]) -> String {
    let sizes: Vec<String> = counts
        .iter()
        .map(|count| format!("{} {}", count.name, size(count.count)))
        .collect();
    match sizes.as_slice() {
        [] => "no sockets".to_owned(),
        sizes => sizes.join(", "),
    }
}

/// `landlock (ABI 7)`.
fn described(feature: &Feature) -> String {
    match feature.detail.as_str() {
        "" => feature.name.clone(),
        detail => format!("{} ({detail})", feature.name),
    }
}

/// `off (no --user)`.
fn state(feature: &Feature) -> String {
    match feature.detail.as_str() {
        "" => feature.state.clone(),
        detail => format!("{} ({detail})", feature.state),
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(unknown, |number| number.to_string())
}

fn unknown() -> String {
    "not known".to_owned()
}

fn size(bytes: u64) -> String {
    written(|out| show::bytes(out, PLAIN, bytes))
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut text = Vec::new();
    // Memory takes all.
    let _ = write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::testing;

    #[test]
    fn problems_come_first_and_say_what_to_do() {
        let text = of(&[testing::troubled()], false);
        let expected = "\
interface: wg0
  problem:    1 peer has not answered the last handshake
              → `hushwire show wg0` has the peers' endpoints: is the other end
                up, does its firewall let UDP in, has it this one's public key?
  problem:    12 packets dropped on the way out: no peer has the destination
              among its allowed IPs
              → `hushwire set wg0 peer KEY allowed-ips +ADDRESS` gives it to a
                peer
  problem:    udp-gso4 is off: refused by the kernel: EIO
              → nothing is lost, but it is slower: a device on the way out, or
                IPsec, does not go with it
  problem:    sandbox: seccomp is missing: not in this kernel
              → the other layers hold; `--sandbox strict` refuses to start
                without all
  daemon:     hushwire 0.1.0, process 4711, running for 1 hour, 1 minute, 1
              second
  link:       up, MTU 1420
  peers:      3, without an answer: 1, allowed IPs: 7
  threads:    5, queues: 1, helpers: 1 (1234 buffers)
  memory:     11.44 MiB resident, no limit
  handshakes: accepted 5
  dropped:    no-peer 12
  sockets:    nothing
  buffers:    send4 416.00 KiB, receive4 416.00 KiB
  offloads:   tun-tso4
              udp-gso4: refused (refused by the kernel: EIO)
  sandbox:    none is on
              user: off (no --user)
              seccomp: missing (not in this kernel)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn colours_change_nothing_else() {
        let reports = [testing::troubled(), testing::of_kernel()];
        let coloured = of(&reports, true);
        assert!(coloured.starts_with("\x1b[32m\x1b[1minterface\x1b[0m: \x1b[32mwg0\x1b[0m\n"));
        assert!(coloured.contains("  \x1b[31m\x1b[1mproblem\x1b[0m:    1 peer"));
        let mut plain = coloured;
        for code in [RESET, BOLD, RED, GREEN] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, of(&reports, false));
    }

    #[test]
    fn of_others_there_is_little_to_tell() {
        let other = testing::of_other(Some("wireguard-go"));
        let text = of(
            &[testing::of_kernel(), other, testing::of_other(None)],
            false,
        );
        let expected = "\
interface: wg1
  daemon:     none: the kernel has it, and tells no more
  link:       up, MTU 1420

interface: wg2
  daemon:     wireguard-go: it tells no status, only hushwired does
  link:       not in this network namespace

interface: wg2
  daemon:     not known: it tells no status, only hushwired does
  link:       not in this network namespace
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_limit_of_memory_and_what_waits() {
        let status = Status {
            memory_resident: Some(10 << 20),
            memory_waiting: Some(1 << 10),
            memory_limit: Some(24 << 20),
            memory_reserved: Some(18 << 20),
            ..Status::default()
        };
        let text = "10.00 MiB resident, 1.00 KiB of packets that wait; \
                    18.00 MiB spoken for, of 24.00 MiB";
        assert_eq!(memory(&status), text);
    }
}

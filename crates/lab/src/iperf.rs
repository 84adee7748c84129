use std::time::Duration;

use serde_json::Value;

use crate::{Error, Host, Process, Result, wait_until};

/// How long the server may take until it listens, and how much longer than measured a client may run.
const GRACE: Duration = Duration::from_secs(30);

/// A measurement with iperf3(1).
///
/// ```no_run
/// # use hushwire_lab::{Iperf, Lab};
/// # fn main() -> hushwire_lab::Result<()> {
/// # let lab = Lab::new()?;
/// # let (alice, bob) = (lab.host("alice")?, lab.host("bob")?);
/// let four_streams = Iperf::tcp().streams(4).seconds(5).run(&alice, &bob, "10.0.0.2")?;
/// println!("{:.2} Gbit/s", four_streams.bits_per_second / 1e9);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iperf {
    /// Bytes of payload in a datagram; none is TCP.
    datagram: Option<u32>,
    streams: u32,
    reverse: bool,
    seconds: u32,
    rate: u64,
    port: u16,
}

/// What got through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    /// Bits of payload a second that arrived.
    pub bits_per_second: f64,
    /// Bytes of payload that arrived.
    pub bytes: u64,
    /// How long was measured, in seconds.
    pub seconds: f64,
    /// Datagrams a second that arrived; none for TCP.
    pub packets_per_second: Option<f64>,
    /// The share of the datagrams sent that did not arrive, from 0 to 1; none for TCP.
    pub loss: Option<f64>,
    /// Segments that were sent again; none for UDP.
    pub retransmits: Option<u64>,
    /// Processor use of the client program in percent of one core.
    pub client_processor: f64,
    /// Processor use of the server program in percent of one core.
    pub server_processor: f64,
}

impl Iperf {
    /// One TCP stream from the client to the server for five seconds.
    #[must_use]
    pub fn tcp() -> Self {
        Self {
            datagram: None,
            streams: 1,
            reverse: false,
            seconds: 5,
            rate: 0,
            port: 5201,
        }
    }

    /// One UDP flow of datagrams with this many bytes of payload, as fast as they go, for five seconds.
    #[must_use]
    pub fn udp(bytes: u32) -> Self {
        Self {
            datagram: Some(bytes),
            ..Self::tcp()
        }
    }

    /// So many streams at once.
    #[must_use]
    pub fn streams(self, streams: u32) -> Self {
        Self { streams, ..self }
    }

    /// From the server to the client.
    #[must_use]
    pub fn reverse(self) -> Self {
        Self {
            reverse: true,
            ..self
        }
    }

    /// For so many seconds.
    #[must_use]
    pub fn seconds(self, seconds: u32) -> Self {
        Self { seconds, ..self }
    }

    /// At so many bits a second and stream; 0 is as fast as they go.
    #[must_use]
    pub fn rate(self, bits_per_second: u64) -> Self {
        Self {
            rate: bits_per_second,
            ..self
        }
    }

    /// Over this TCP port of the server instead of 5201, and the same of UDP.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Measures between two hosts. `address` is the server's as the client reaches it.
    ///
    /// # Errors
    /// When iperf3 is not installed, or the hosts do not reach each other.
    pub fn run(&self, client: &Host, server: &Host, address: &str) -> Result<Throughput> {
        let _server = self.start_server(server)?;
        let words = self.client_command(address);
        let limit = Duration::from_secs(u64::from(self.seconds)) + GRACE;
        let output = client.output_within(limit, &words)?;
        self.read(&output.stdout)
            .map_err(|reason| Error::unexpected(format!("`{}`", words.join(" ")), reason))
    }

    fn start_server(&self, host: &Host) -> Result<Process> {
        let port = self.port.to_string();
        let mut server = host.spawn(host.command(&["iperf3", "-s", "-1", "-p", &port]))?;
        let waited = host.run(|| {
            wait_until(GRACE, "iperf3 -s", || {
                !server.is_running() || somebody_listens(self.port)
            })
        });
        if !server.is_running() {
            server.finish(GRACE)?;
            return Err(Error::unexpected("iperf3 -s", "ended before it was used"));
        }
        waited.map(|()| server)
    }

    fn client_command(&self, address: &str) -> Vec<String> {
        let mut words = vec!["iperf3".to_owned(), "-c".to_owned(), address.to_owned()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        option("-p", self.port.to_string());
        option("-t", self.seconds.to_string());
        option("-P", self.streams.to_string());
        option("-b", self.rate.to_string());
        option("--connect-timeout", GRACE.as_millis().to_string());
        if let Some(bytes) = self.datagram {
            option("-l", bytes.to_string());
            words.push("-u".to_owned());
        }
        if self.reverse {
            words.push("-R".to_owned());
        }
        words.push("-J".to_owned());
        words
    }

    /// Takes the figures out of a report, or says what is wrong with it.
    fn read(&self, report: &str) -> std::result::Result<Throughput, String> {
        let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
        if let Some(error) = report.get("error").and_then(Value::as_str) {
            return Err(error.to_owned());
        }
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        let need = |path: &str| number(path).ok_or_else(|| format!("the report has no {path}"));
        let bytes = need("/end/sum_received/bytes")?;
        let seconds = need("/end/sum_received/seconds")?;
        let packets = self.datagram.map(|length| bytes / f64::from(length.max(1)));
        let loss = match packets {
            Some(packets) => Some(1.0 - packets / need("/end/sum_sent/packets")?.max(1.0)),
            None => None,
        };
        Ok(Throughput {
            bits_per_second: bytes * 8.0 / seconds.max(f64::MIN_POSITIVE),
            bytes: bytes as u64,
            seconds,
            packets_per_second: packets.map(|packets| packets / seconds.max(f64::MIN_POSITIVE)),
            loss: loss.map(|share| share.clamp(0.0, 1.0)),
            retransmits: number("/end/sum_sent/retransmits").map(|count| count as u64),
            client_processor: need("/end/cpu_utilization_percent/host_total")?,
            server_processor: need("/end/cpu_utilization_percent/remote_total")?,
        })
    }
}

/// Whether a TCP socket of the calling thread's network namespace listens on a port (proc_pid_net(5), /proc/PID/net/tcp).
fn somebody_listens(port: u16) -> bool {
    ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .any(|table| table.lines().any(|line| is_listener(line, port)))
}

/// The second field is `ADDRESS:PORT` in hexadecimal, the fourth the state, where 0A is listening.
fn is_listener(line: &str, port: u16) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = fields.next().and_then(|local| local.rsplit_once(':'));
    local.is_some_and(|(_, text)| u16::from_str_radix(text, 16) == Ok(port))
        && fields.nth(1) == Some("0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tcp_report_is_read() {
        let report = r#"{"end": {
            "sum_sent": {"bytes": 1100, "seconds": 2.0, "retransmits": 3},
            "sum_received": {"bytes": 1000, "seconds": 2.0},
            "cpu_utilization_percent": {"host_total": 40.5, "remote_total": 50.5}}}"#;
        let throughput = Iperf::tcp().read(report).unwrap();
        assert_eq!(
            throughput,
            Throughput {
                bits_per_second: 4000.0,
                bytes: 1000,
                seconds: 2.0,
                packets_per_second: None,
                loss: None,
                retransmits: Some(3),
                client_processor: 40.5,
                server_processor: 50.5,
            }
        );
    }

    #[test]
    fn a_udp_report_counts_what_arrived() {
        let report = r#"{"end": {
            "sum_sent": {"bytes": 6400, "seconds": 2.0, "packets": 100},
            "sum_received": {"bytes": 1600, "seconds": 2.0, "packets": 100},
            "cpu_utilization_percent": {"host_total": 1, "remote_total": 2}}}"#;
        let throughput = Iperf::udp(64).read(report).unwrap();
        assert_eq!(throughput.packets_per_second, Some(12.5));
        assert_eq!(throughput.loss, Some(0.75));
        assert_eq!(throughput.retransmits, None);
    }

    #[test]
    fn a_bad_report_says_what_is_wrong() {
        assert_eq!(
            Iperf::tcp().read(r#"{"error": "no route"}"#).unwrap_err(),
            "no route"
        );
        assert_eq!(
            Iperf::tcp().read(r#"{"end": {}}"#).unwrap_err(),
            "the report has no /end/sum_received/bytes"
        );
        assert!(Iperf::tcp().read("").is_err());
    }

    #[test]
    fn listeners_are_told_from_connections() {
        let line = "   0: 00000000:1451 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1";
        assert!(is_listener(line, 5201));
        assert!(!is_listener(line, 5202));
        assert!(!is_listener(&line.replace(" 0A ", " 01 "), 5201));
        assert!(!is_listener("  sl  local_address rem_address   st", 5201));
    }

    #[test]
    fn options_reach_the_command_line() {
        let words = Iperf::udp(64)
            .reverse()
            .streams(4)
            .seconds(2)
            .rate(1000)
            .port(7)
            .client_command("a");
        let line = words.join(" ");
        assert_eq!(
            line,
            "iperf3 -c a -p 7 -t 2 -P 4 -b 1000 --connect-timeout 30000 -l 64 -u -R -J"
        );
    }
}

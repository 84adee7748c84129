//! One tunnel, and what can be measured of it.

use std::path::Path;

use hushwire_lab::{Host, Implementation, Iperf, Lab, Tunnel, TunnelOptions, Usage};

use super::candidate::Candidate;
use super::crowd;
use super::metric::{Metric, median};
use crate::error::{Error, Result};

/// One run of a tool, which may give several metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measurement {
    Ping,
    TcpOne,
    TcpFour,
    TcpReverse,
    UdpSmall,
    UdpLarge,
}

impl Measurement {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ping,
        Self::TcpOne,
        Self::TcpFour,
        Self::TcpReverse,
        Self::UdpSmall,
        Self::UdpLarge,
    ];
}

/// Two hosts on a cable with a tunnel between them, or without one for the bare link.
pub(crate) struct Setup {
    candidate: Candidate,
    client: Host,
    server: Host,
    /// The server's address, inside the tunnel if there is one.
    address: String,
    tunnel: Option<Tunnel>,
}

impl Setup {
    pub(crate) fn new(candidate: Candidate) -> Result<Self> {
        let lab = Lab::new()?;
        let (client, server) = (lab.host("client")?, lab.host("server")?);
        lab.link(&client, "eth0", &server, "eth0")?;
        client.address("eth0", "10.0.0.1/24")?;
        server.address("eth0", "10.0.0.2/24")?;
        let tunnel = match candidate.implementation() {
            None => None,
            Some(implementation) => Some(tunnel(&client, &server, implementation)?),
        };
        let address = tunnel
            .as_ref()
            .map_or_else(|| "10.0.0.2".to_owned(), |tunnel| tunnel.right.ipv4.clone());
        client.ping(&address)?;
        Ok(Self {
            candidate,
            client,
            server,
            address,
            tunnel,
        })
    }

    pub(crate) fn candidate(&self) -> Candidate {
        self.candidate
    }

    pub(crate) fn take(
        &self,
        measurement: Measurement,
        seconds: u32,
    ) -> Result<Vec<(Metric, f64)>> {
        match measurement {
            Measurement::Ping => Ok(vec![(Metric::Ping, self.ping()?)]),
            Measurement::TcpOne => self.tcp_with_processor(seconds),
            Measurement::TcpFour => self.tcp(Metric::TcpFour, Iperf::tcp().streams(4), seconds),
            Measurement::TcpReverse => {
                self.tcp(Metric::TcpReverse, Iperf::tcp().reverse(), seconds)
            }
            Measurement::UdpSmall => self.udp(Metric::UdpSmall, 64, seconds),
            Measurement::UdpLarge => self.udp(Metric::UdpLarge, 1372, seconds),
        }
    }

    /// Throughput by streams, and by peers that both ends have.
    pub(crate) fn scaling(&self, seconds: u32, program: &Path) -> Result<Vec<(Metric, f64)>> {
        let mut values = Vec::new();
        for (metric, streams) in [
            (Metric::TcpOne, 1),
            (Metric::TcpFour, 4),
            (Metric::TcpSixteen, 16),
        ] {
            values.extend(self.tcp(metric, Iperf::tcp().streams(streams), seconds)?);
        }
        let Some(tunnel) = &self.tunnel else {
            return Ok(values);
        };
        for (metric, peers) in [
            (Metric::TcpHundredPeers, 100),
            (Metric::TcpTenThousandPeers, 10_000),
        ] {
            for (host, end) in [(&self.client, &tunnel.left), (&self.server, &tunnel.right)] {
                crowd::add_peers(host, &end.interface, program, peers - 1)?;
            }
            values.extend(self.tcp(metric, Iperf::tcp(), seconds)?);
        }
        Ok(values)
    }

    /// The most memory either daemon ever had, in megabytes of 10^6 bytes.
    pub(crate) fn peak_memory(&self) -> Result<Option<f64>> {
        let Some(tunnel) = &self.tunnel else {
            return Ok(None);
        };
        let peaks = usage(tunnel)?.map(|usage| usage.peak_memory as f64 / 1e6);
        Ok(peaks.into_iter().reduce(f64::max))
    }

    /// The median round trip in microseconds of pings that are far enough apart for all to fall asleep between them.
    fn ping(&self) -> Result<f64> {
        let words = ["ping", "-n", "-c", "200", "-i", "0.01", &self.address];
        let output = self.client.output(&words)?;
        let times: Vec<f64> = output.stdout.lines().filter_map(round_trip).collect();
        median(&times).ok_or_else(|| Error::Machine("ping printed no round trip".to_owned()))
    }

    fn tcp(&self, metric: Metric, iperf: Iperf, seconds: u32) -> Result<Vec<(Metric, f64)>> {
        let result = iperf
            .seconds(seconds)
            .run(&self.client, &self.server, &self.address)?;
        Ok(vec![(metric, result.bits_per_second / 1e9)])
    }

    fn tcp_with_processor(&self, seconds: u32) -> Result<Vec<(Metric, f64)>> {
        let before = self.tunnel.as_ref().map(usage).transpose()?;
        let result =
            Iperf::tcp()
                .seconds(seconds)
                .run(&self.client, &self.server, &self.address)?;
        let after = self.tunnel.as_ref().map(usage).transpose()?;
        let mut values = vec![(Metric::TcpOne, result.bits_per_second / 1e9)];
        if let (Some(before), Some(after)) = (before, after) {
            let used: f64 = after
                .iter()
                .zip(&before)
                .map(|(after, before)| after.since(before).processor.as_secs_f64())
                .sum();
            values.push((Metric::ProcessorPerGb, used / (result.bytes as f64 / 1e9)));
        }
        Ok(values)
    }

    fn udp(&self, metric: Metric, bytes: u32, seconds: u32) -> Result<Vec<(Metric, f64)>> {
        let result =
            Iperf::udp(bytes)
                .seconds(seconds)
                .run(&self.client, &self.server, &self.address)?;
        Ok(result
            .packets_per_second
            .map(|packets| (metric, packets / 1e3))
            .into_iter()
            .collect())
    }
}

fn tunnel(client: &Host, server: &Host, implementation: Implementation) -> Result<Tunnel> {
    let ends = (
        (client, implementation, "10.0.0.1"),
        (server, implementation, "10.0.0.2"),
    );
    Ok(Tunnel::between(ends.0, ends.1, &TunnelOptions::default())?)
}

fn usage(tunnel: &Tunnel) -> Result<[Usage; 2]> {
    Ok([
        tunnel.left.daemon.process().usage()?,
        tunnel.right.daemon.process().usage()?,
    ])
}

/// The `time=` of a line of ping's, in microseconds.
fn round_trip(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once("time=")?;
    let milliseconds: f64 = rest.strip_suffix(" ms")?.parse().ok()?;
    Some(milliseconds * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_read_in_microseconds() {
        let line = "64 bytes from 10.241.1.2: icmp_seq=3 ttl=64 time=0.109 ms";
        assert_eq!(round_trip(line), Some(109.0));
        assert_eq!(round_trip("--- 10.241.1.2 ping statistics ---"), None);
    }
}

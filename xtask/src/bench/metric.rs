//! What is measured, and the samples of it.

use std::collections::BTreeMap;

use super::candidate::Candidate;

/// One figure of a tunnel.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Metric {
    TcpOne,
    TcpFour,
    TcpSixteen,
    TcpHundredPeers,
    TcpTenThousandPeers,
    TcpReverse,
    UdpSmall,
    UdpLarge,
    Handshakes,
    Ping,
    ProcessorPerGb,
    PeakMemory,
    IdlePeersMemory,
    IdlePeersTime,
    IdlePeersSetconf,
    IdlePeersDump,
}

impl Metric {
    /// The name in the JSON report.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::TcpOne => "tcp_1_stream",
            Self::TcpFour => "tcp_4_streams",
            Self::TcpSixteen => "tcp_16_streams",
            Self::TcpHundredPeers => "tcp_100_peers",
            Self::TcpTenThousandPeers => "tcp_10000_peers",
            Self::TcpReverse => "tcp_reverse",
            Self::UdpSmall => "udp_64_bytes",
            Self::UdpLarge => "udp_1372_bytes",
            Self::Handshakes => "handshakes_answered",
            Self::Ping => "ping_idle",
            Self::ProcessorPerGb => "processor_per_gb",
            Self::PeakMemory => "peak_memory",
            Self::IdlePeersMemory => "idle_peers_memory",
            Self::IdlePeersTime => "idle_peers_time",
            Self::IdlePeersSetconf => "idle_peers_setconf",
            Self::IdlePeersDump => "idle_peers_show_dump",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::TcpOne => "TCP, one stream",
            Self::TcpFour => "TCP, four streams",
            Self::TcpSixteen => "TCP, sixteen streams",
            Self::TcpHundredPeers => "TCP, one stream, 100 peers",
            Self::TcpTenThousandPeers => "TCP, one stream, 10,000 peers",
            Self::TcpReverse => "TCP, one stream, reverse",
            Self::UdpSmall => "UDP flood, 64 bytes, received",
            Self::UdpLarge => "UDP flood, 1372 bytes, received",
            Self::Handshakes => "handshakes answered on one core",
            Self::Ping => "ping, idle, median round trip",
            Self::ProcessorPerGb => "processor time, both ends",
            Self::PeakMemory => "peak memory, larger end",
            Self::IdlePeersMemory => "idle peers, resident",
            Self::IdlePeersTime => "idle peers, to configure",
            Self::IdlePeersSetconf => "idle peers, wg setconf",
            Self::IdlePeersDump => "idle peers, wg show dump",
        }
    }

    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::TcpOne
            | Self::TcpFour
            | Self::TcpSixteen
            | Self::TcpHundredPeers
            | Self::TcpTenThousandPeers
            | Self::TcpReverse => "Gbit/s",
            Self::UdpSmall | Self::UdpLarge => "k packets/s",
            Self::Handshakes => "1/s",
            Self::Ping => "us",
            Self::ProcessorPerGb => "s/GB",
            Self::PeakMemory | Self::IdlePeersMemory => "MB",
            Self::IdlePeersTime => "s",
            Self::IdlePeersSetconf | Self::IdlePeersDump => "ms",
        }
    }

    /// Whether a larger value is a better one.
    pub(crate) fn more_is_better(self) -> bool {
        match self {
            Self::TcpOne
            | Self::TcpFour
            | Self::TcpSixteen
            | Self::TcpHundredPeers
            | Self::TcpTenThousandPeers
            | Self::TcpReverse
            | Self::UdpSmall
            | Self::UdpLarge
            | Self::Handshakes => true,
            Self::Ping
            | Self::ProcessorPerGb
            | Self::PeakMemory
            | Self::IdlePeersMemory
            | Self::IdlePeersTime
            | Self::IdlePeersSetconf
            | Self::IdlePeersDump => false,
        }
    }
}

/// Every sample of a run.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    values: BTreeMap<(Metric, Candidate), Vec<f64>>,
}

impl Samples {
    pub(crate) fn add(&mut self, metric: Metric, candidate: Candidate, value: f64) {
        self.values
            .entry((metric, candidate))
            .or_default()
            .push(value);
    }

    pub(crate) fn of(&self, metric: Metric, candidate: Candidate) -> &[f64] {
        self.values
            .get(&(metric, candidate))
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn median(&self, metric: Metric, candidate: Candidate) -> Option<f64> {
        median(self.of(metric, candidate))
    }

    /// The median of the best of the peers of other makes.
    pub(crate) fn best_peer(&self, metric: Metric) -> Option<f64> {
        let medians = Candidate::PEERS
            .into_iter()
            .filter_map(|peer| self.median(metric, peer));
        if metric.more_is_better() {
            medians.max_by(f64::total_cmp)
        } else {
            medians.min_by(f64::total_cmp)
        }
    }
}

/// The middle value, or the mean of the middle two; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_none_one_odd_and_even() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 7.0]), Some(6.0));
    }

    #[test]
    fn the_best_peer_is_the_fastest_or_the_smallest_and_never_ourselves() {
        let mut samples = Samples::default();
        for metric in [Metric::TcpOne, Metric::Ping] {
            samples.add(metric, Candidate::Hushwired, 0.0);
            samples.add(metric, Candidate::Hushwired, 100.0);
            samples.add(metric, Candidate::Veth, 1000.0);
            samples.add(metric, Candidate::WireguardGo, 7.0);
            samples.add(metric, Candidate::Gotatun, 3.0);
        }
        assert_eq!(samples.best_peer(Metric::TcpOne), Some(7.0));
        assert_eq!(samples.best_peer(Metric::Ping), Some(3.0));
        assert_eq!(samples.best_peer(Metric::UdpSmall), None);
    }
}

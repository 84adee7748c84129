//! What is to be measured: the kinds of runs.

use super::candidate::Candidate;
use super::metric::Metric;

/// A kind of run, the first word of the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plan {
    /// Whole tunnels: throughput, latency, cost.
    Tunnels,
    /// Throughput by number of streams and of peers.
    Scaling,
    /// Handshakes answered on one core.
    Handshakes,
    /// Peers that never speak.
    Idle,
    /// A stream while hostile packets pour in.
    Flood,
}

impl Plan {
    const NAMED: [(&'static str, Self); 4] = [
        ("scaling", Self::Scaling),
        ("handshakes", Self::Handshakes),
        ("idle", Self::Idle),
        ("flood", Self::Flood),
    ];

    /// The plan that the arguments ask for, and the arguments that are left.
    pub(crate) fn split(arguments: &[String]) -> (Self, &[String]) {
        arguments
            .split_first()
            .and_then(|(word, rest)| {
                let (_, plan) = Self::NAMED.into_iter().find(|(name, _)| name == word)?;
                Some((plan, rest))
            })
            .unwrap_or((Self::Tunnels, arguments))
    }

    /// What a table of this run shows.
    pub(crate) fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Tunnels => &[
                Metric::TcpOne,
                Metric::TcpFour,
                Metric::TcpReverse,
                Metric::UdpSmall,
                Metric::UdpLarge,
                Metric::Ping,
                Metric::ProcessorPerGb,
                Metric::PeakMemory,
            ],
            Self::Scaling => &[
                Metric::TcpOne,
                Metric::TcpFour,
                Metric::TcpSixteen,
                Metric::TcpHundredPeers,
                Metric::TcpTenThousandPeers,
            ],
            Self::Handshakes => &[Metric::Handshakes],
            // It has a table of its own.
            Self::Flood => &[],
            Self::Idle => &[
                Metric::IdlePeersMemory,
                Metric::IdlePeersTime,
                Metric::IdlePeersSetconf,
                Metric::IdlePeersDump,
            ],
        }
    }

    /// Who is measured unless the command line says otherwise.
    pub(crate) fn candidates(self) -> &'static [Candidate] {
        match self {
            Self::Tunnels | Self::Scaling => &Candidate::ALL,
            // The others answer a hundred handshakes a second and cookies beyond that.
            Self::Handshakes | Self::Flood => &[Candidate::Hushwired, Candidate::WireguardGo],
            Self::Idle => &[
                Candidate::Hushwired,
                Candidate::WireguardGo,
                Candidate::Boringtun,
                Candidate::Gotatun,
            ],
        }
    }
}

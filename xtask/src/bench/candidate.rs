//! Who is measured.

use hushwire_lab::Implementation;

use crate::error::{Error, Result};

/// An implementation beside which, or as which, the tunnel runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Candidate {
    /// No tunnel at all: what the machine gives.
    Veth,
    Hushwired,
    WireguardGo,
    Boringtun,
    Gotatun,
}

impl Candidate {
    pub(crate) const ALL: [Self; 5] = [
        Self::Veth,
        Self::Hushwired,
        Self::WireguardGo,
        Self::Boringtun,
        Self::Gotatun,
    ];

    /// The peers of other makes.
    pub(crate) const PEERS: [Self; 3] = [Self::WireguardGo, Self::Boringtun, Self::Gotatun];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Veth => "veth",
            Self::Hushwired => "hushwired",
            Self::WireguardGo => "wireguard-go",
            Self::Boringtun => "boringtun",
            Self::Gotatun => "gotatun",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|candidate| candidate.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                Error::Usage(format!("unknown implementation `{name}`: one of {names}"))
            })
    }

    /// The daemon; `None` for the bare link.
    pub(crate) fn implementation(self) -> Option<Implementation> {
        match self {
            Self::Veth => None,
            Self::Hushwired => Some(Implementation::Hushwired),
            Self::WireguardGo => Some(Implementation::WireguardGo),
            Self::Boringtun => Some(Implementation::Boringtun),
            Self::Gotatun => Some(Implementation::Gotatun),
        }
    }
}

//! How a device is doing: what a daemon tells of itself beside its configuration.
//!
//! The names that [`Status::numbers`], [`Status::flags`] and the lists use are the same on the
//! control socket and in JSON, and part of the interface: docs/status.md says what they mean.

/// What a daemon tells of one device. What it does not tell is `None`, or not in its list.
///
/// There is no key in it, and nothing about single peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The daemon's version. Whoever tells none tells no status.
    pub version: String,
    /// Whether the interface is up.
    pub up: Option<bool>,
    /// Whether handshakes are answered with cookies just now, because too many come.
    pub under_load: Option<bool>,
    /// Whether the device has a private key, without which it says nothing.
    pub has_private_key: Option<bool>,
    /// The daemon's process.
    pub pid: Option<u64>,
    /// Seconds since the device was started.
    pub uptime: Option<u64>,
    /// The interface's MTU in bytes.
    pub mtu: Option<u64>,
    /// How many peers there are.
    pub peers: Option<u64>,
    /// Peers that have not answered a handshake, and with which there is no session.
    pub unanswered: Option<u64>,
    /// How many allowed IPs there are, of all peers.
    pub allowed_ips: Option<u64>,
    /// Queues of the TUN device, each with sockets of its own.
    pub queues: Option<u64>,
    /// Threads that the device works with, clients of the control socket not counted.
    pub threads: Option<u64>,
    /// How many of these threads help the others with sealing and opening.
    pub helpers: Option<u64>,
    /// Buffers that helpers have sealed or opened; they tell when they go to sleep.
    pub helped: Option<u64>,
    /// Bytes of memory that the daemon takes now (its resident set).
    pub memory_resident: Option<u64>,
    /// Bytes that it may take; `None` if there is no limit.
    pub memory_limit: Option<u64>,
    /// Bytes of the limit that are spoken for: what the process and all that is configured may
    /// come to take.
    pub memory_reserved: Option<u64>,
    /// Bytes of packets that wait for a session.
    pub memory_waiting: Option<u64>,
    /// The layers of the sandbox: `on`, `partial`, `off` or `missing`.
    pub sandbox: Vec<Feature>,
    /// What the kernel may do for many packets at once: `on`, `off`, `unsupported` or `refused`.
    pub offloads: Vec<Feature>,
    /// Bytes that the sockets may hold, as the kernel counts.
    pub buffers: Vec<Count>,
    /// What became of handshake messages.
    pub handshakes: Vec<Count>,
    /// Packets dropped, by reason.
    pub dropped: Vec<Count>,
    /// What went wrong at the sockets since they were opened.
    pub udp: Vec<Count>,
}

/// Something that can be on or off, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// A word for its state, in the same letters.
    pub state: String,
    /// The reason, or what it means; may be empty.
    pub detail: String,
}

/// A number with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// The number.
    pub count: u64,
}

impl Feature {
    /// A feature in a state.
    #[must_use]
    pub fn new(name: &str, state: &str, detail: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: state.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

impl Count {
    /// A number with a name.
    #[must_use]
    pub fn new(name: &str, count: u64) -> Self {
        Self {
            name: name.to_owned(),
            count,
        }
    }
}

impl Status {
    /// What is or is not, by name.
    #[must_use]
    pub const fn flags(&self) -> [(&'static str, Option<bool>); 3] {
        [
            ("up", self.up),
            ("has_private_key", self.has_private_key),
            ("under_load", self.under_load),
        ]
    }

    pub(crate) fn flag_mut(&mut self, name: &str) -> Option<&mut Option<bool>> {
        Some(match name {
            "up" => &mut self.up,
            "has_private_key" => &mut self.has_private_key,
            "under_load" => &mut self.under_load,
            _ => return None,
        })
    }

    /// The single numbers by name.
    #[must_use]
    pub const fn numbers(&self) -> [(&'static str, Option<u64>); 14] {
        [
            ("pid", self.pid),
            ("uptime", self.uptime),
            ("mtu", self.mtu),
            ("peers", self.peers),
            ("unanswered", self.unanswered),
            ("allowed_ips", self.allowed_ips),
            ("queues", self.queues),
            ("threads", self.threads),
            ("helpers", self.helpers),
            ("helped", self.helped),
            ("memory_resident", self.memory_resident),
            ("memory_limit", self.memory_limit),
            ("memory_reserved", self.memory_reserved),
            ("memory_waiting", self.memory_waiting),
        ]
    }

    pub(crate) fn number_mut(&mut self, name: &str) -> Option<&mut Option<u64>> {
        Some(match name {
            "pid" => &mut self.pid,
            "uptime" => &mut self.uptime,
            "mtu" => &mut self.mtu,
            "peers" => &mut self.peers,
            "unanswered" => &mut self.unanswered,
            "allowed_ips" => &mut self.allowed_ips,
            "queues" => &mut self.queues,
            "threads" => &mut self.threads,
            "helpers" => &mut self.helpers,
            "helped" => &mut self.helped,
            "memory_resident" => &mut self.memory_resident,
            "memory_limit" => &mut self.memory_limit,
            "memory_reserved" => &mut self.memory_reserved,
            "memory_waiting" => &mut self.memory_waiting,
            _ => return None,
        })
    }

    /// The lists of features by name.
    #[must_use]
    pub const fn features(&self) -> [(&'static str, &Vec<Feature>); 2] {
        [("sandbox", &self.sandbox), ("offloads", &self.offloads)]
    }

    pub(crate) fn features_mut(&mut self, name: &str) -> Option<&mut Vec<Feature>> {
        Some(match name {
            "sandbox" => &mut self.sandbox,
            "offloads" => &mut self.offloads,
            _ => return None,
        })
    }

    /// The lists of numbers by name.
    #[must_use]
    pub const fn counts(&self) -> [(&'static str, &Vec<Count>); 4] {
        [
            ("buffers", &self.buffers),
            ("handshakes", &self.handshakes),
            ("dropped", &self.dropped),
            ("udp", &self.udp),
        ]
    }

    pub(crate) fn counts_mut(&mut self, name: &str) -> Option<&mut Vec<Count>> {
        Some(match name {
            "buffers" => &mut self.buffers,
            "handshakes" => &mut self.handshakes,
            "dropped" => &mut self.dropped,
            "udp" => &mut self.udp,
            _ => return None,
        })
    }
}

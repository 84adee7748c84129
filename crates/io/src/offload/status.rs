//! Which offloads of a TUN device are in use, and why the others are not.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::io;

/// One thing that the kernel may do for many packets at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offload {
    /// The kernel may hand out packets whose transport checksum is partial (`TUN_F_CSUM`).
    /// The other offloads of the reading side depend on it.
    Checksum,
    /// The kernel may hand out TCP super-packets over IPv4 (`TUN_F_TSO4`).
    Tso4,
    /// The kernel may hand out TCP super-packets over IPv6 (`TUN_F_TSO6`).
    Tso6,
    /// The kernel may hand out UDP super-packets (`TUN_F_USO4 | TUN_F_USO6`, which it accepts
    /// only together; Linux 6.2).
    Uso,
    /// TCP packets over IPv4 are merged before they are written.
    TcpMerge4,
    /// TCP packets over IPv6 are merged before they are written.
    TcpMerge6,
    /// UDP datagrams are merged before they are written (Linux 6.2).
    UdpMerge,
}

impl Offload {
    /// All of them, in the order in which a status report lists them.
    pub const ALL: [Self; 7] = [
        Self::Checksum,
        Self::Tso4,
        Self::Tso6,
        Self::Uso,
        Self::TcpMerge4,
        Self::TcpMerge6,
        Self::UdpMerge,
    ];

    /// The name in status reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checksum => "tun-checksum",
            Self::Tso4 => "tun-tso4",
            Self::Tso6 => "tun-tso6",
            Self::Uso => "tun-uso",
            Self::TcpMerge4 => "tun-tcp-merge4",
            Self::TcpMerge6 => "tun-tcp-merge6",
            Self::UdpMerge => "tun-udp-merge",
        }
    }
}

impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which offloads to try for. All, unless something is known to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffloadSet {
    /// [`Offload::Checksum`]. Without it there is no `tso4`, `tso6` or `uso` either.
    pub checksum: bool,
    /// [`Offload::Tso4`].
    pub tso4: bool,
    /// [`Offload::Tso6`].
    pub tso6: bool,
    /// [`Offload::Uso`].
    pub uso: bool,
    /// [`Offload::TcpMerge4`].
    pub tcp_merge4: bool,
    /// [`Offload::TcpMerge6`].
    pub tcp_merge6: bool,
    /// [`Offload::UdpMerge`].
    pub udp_merge: bool,
}

impl OffloadSet {
    /// Try everything.
    pub const ALL: Self = Self {
        checksum: true,
        tso4: true,
        tso6: true,
        uso: true,
        tcp_merge4: true,
        tcp_merge6: true,
        udp_merge: true,
    };

    /// Try nothing: one packet a read, one packet a write, every checksum complete.
    pub const NONE: Self = Self {
        checksum: false,
        tso4: false,
        tso6: false,
        uso: false,
        tcp_merge4: false,
        tcp_merge6: false,
        udp_merge: false,
    };

    /// Whether `offload` is to be tried.
    #[must_use]
    pub const fn wants(&self, offload: Offload) -> bool {
        match offload {
            Offload::Checksum => self.checksum,
            Offload::Tso4 => self.checksum && self.tso4,
            Offload::Tso6 => self.checksum && self.tso6,
            Offload::Uso => self.checksum && self.uso,
            Offload::TcpMerge4 => self.tcp_merge4,
            Offload::TcpMerge6 => self.tcp_merge6,
            Offload::UdpMerge => self.udp_merge,
        }
    }
}

impl Default for OffloadSet {
    fn default() -> Self {
        Self::ALL
    }
}

/// Whether an offload is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    On,
    /// Switched off by the user.
    Off,
    /// The kernel did not offer it when the device was opened; with the error number if it
    /// gave one.
    Unsupported(Option<i32>),
    /// The kernel offered it, then refused a super-packet with this error number. The packets
    /// were written singly, and have been since.
    Refused(i32),
}

impl State {
    /// A word for it, `on`, `off`, `unsupported` or `refused`, and the reason, if there is one.
    #[must_use]
    pub fn words(self) -> (&'static str, String) {
        let cause = io::Error::from_raw_os_error;
        match self {
            Self::On => ("on", String::new()),
            Self::Off => ("off", "switched off".to_owned()),
            Self::Unsupported(None) => {
                ("unsupported", "the device was opened without it".to_owned())
            }
            Self::Unsupported(Some(errno)) => (
                "unsupported",
                format!("the kernel does not offer it: {}", cause(errno)),
            ),
            Self::Refused(errno) => (
                "refused",
                format!("the kernel refused a packet: {}", cause(errno)),
            ),
        }
    }
}

/// `on`, or `off` and the reason.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            ("on", _) => f.write_str("on"),
            (_, reason) => write!(f, "off ({reason})"),
        }
    }
}

/// The state of every offload of one device, shared by its queues and whoever reports on it.
///
/// Each state is one atomic word. A reader that sees an old one writes one more super-packet,
/// is refused, and falls back as the first one did; so nothing needs ordering.
#[derive(Debug, Default)]
pub struct Offloads {
    states: [AtomicU64; Offload::ALL.len()],
}

impl Offloads {
    /// Every offload that `set` wants counts as on, until something else is known.
    #[must_use]
    pub fn new(set: &OffloadSet) -> Self {
        let offloads = Self::default();
        for offload in Offload::ALL {
            let state = if set.wants(offload) {
                State::On
            } else {
                State::Off
            };
            offloads.set(offload, state);
        }
        offloads
    }

    /// The state of one offload.
    #[must_use]
    pub fn state(&self, offload: Offload) -> State {
        decode(self.word(offload).load(Relaxed))
    }

    /// Whether an offload is in use.
    #[must_use]
    pub fn is_on(&self, offload: Offload) -> bool {
        self.state(offload) == State::On
    }

    /// Records what is known of an offload.
    pub fn set(&self, offload: Offload, state: State) {
        self.word(offload).store(encode(state), Relaxed);
    }

    /// Every offload with its state, for a status report.
    pub fn iter(&self) -> impl Iterator<Item = (Offload, State)> + '_ {
        Offload::ALL
            .into_iter()
            .map(|offload| (offload, self.state(offload)))
    }

    fn word(&self, offload: Offload) -> &AtomicU64 {
        let [checksum, tso4, tso6, uso, tcp_merge4, tcp_merge6, udp_merge] = &self.states;
        match offload {
            Offload::Checksum => checksum,
            Offload::Tso4 => tso4,
            Offload::Tso6 => tso6,
            Offload::Uso => uso,
            Offload::TcpMerge4 => tcp_merge4,
            Offload::TcpMerge6 => tcp_merge6,
            Offload::UdpMerge => udp_merge,
        }
    }
}

/// A state's tag in the upper half of a word; its error number, if any, in the lower.
const OFF: u64 = 0;
const ON: u64 = 1;
const UNSUPPORTED: u64 = 2;
const UNSUPPORTED_ERRNO: u64 = 3;
const REFUSED: u64 = 4;

fn encode(state: State) -> u64 {
    let word = |tag: u64, errno: i32| tag << 32 | u64::from(errno.cast_unsigned());
    match state {
        State::Off => word(OFF, 0),
        State::On => word(ON, 0),
        State::Unsupported(None) => word(UNSUPPORTED, 0),
        State::Unsupported(Some(errno)) => word(UNSUPPORTED_ERRNO, errno),
        State::Refused(errno) => word(REFUSED, errno),
    }
}

fn decode(word: u64) -> State {
    let errno = (word as u32).cast_signed();
    match word >> 32 {
        ON => State::On,
        UNSUPPORTED => State::Unsupported(None),
        UNSUPPORTED_ERRNO => State::Unsupported(Some(errno)),
        REFUSED => State::Refused(errno),
        _ => State::Off,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_survives_its_word() {
        let states = [
            State::On,
            State::Off,
            State::Unsupported(None),
            State::Unsupported(Some(22)),
            State::Refused(5),
            State::Refused(-1),
        ];
        for offload in Offload::ALL {
            let offloads = Offloads::default();
            for state in states {
                offloads.set(offload, state);
                assert_eq!(offloads.state(offload), state);
            }
            let others = offloads.iter().filter(|(other, _)| *other != offload);
            assert!(others.into_iter().all(|(_, state)| state == State::Off));
        }
    }

    #[test]
    fn segmentation_on_reading_needs_the_checksum_offload() {
        let set = OffloadSet {
            checksum: false,
            ..OffloadSet::ALL
        };
        let offloads = Offloads::new(&set);
        for offload in [Offload::Tso4, Offload::Tso6, Offload::Uso] {
            assert_eq!(offloads.state(offload), State::Off, "{offload}");
        }
        assert_eq!(offloads.state(Offload::TcpMerge4), State::On);
    }

    #[test]
    fn a_state_says_why() {
        let refused = State::Refused(libc::EINVAL).to_string();
        assert!(refused.contains("refused"), "{refused}");
        assert!(refused.contains("Invalid argument"), "{refused}");
    }
}

//! What is wrong with a device, and what to do about it.

use hushwire_config::status::{Count, Status};
use hushwire_engine::NO_SESSION;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// What.
    pub(super) what: String,
    /// What to do about it.
    pub(super) advice: String,
}

impl Problem {
    fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: advice.into(),
        }
    }
}

/// All that is wrong with the interface of this name, what keeps packets from arriving first.
pub(super) fn of(name: &str, status: &Status) -> Vec<Problem> {
    let mut problems = Vec::new();
    if status.up == Some(false) {
        let advice = format!("`ip link set {name} up`");
        problems.push(Problem::new("the interface is down", advice));
    }
    if status.has_private_key == Some(false) {
        let advice = format!("`hushwire set {name} private-key FILE`");
        let what = "there is no private key: nothing can be sent or received";
        problems.push(Problem::new(what, advice));
    }
    problems.extend(unanswered(name, status));
    let lists = [
        (&status.dropped, DROPPED),
        (&status.handshakes, HANDSHAKES),
        (&status.udp, UDP),
    ];
    for (counts, causes) in lists {
        problems.extend(causes.iter().filter_map(|cause| cause.of(name, counts)));
    }
    if status.under_load == Some(true) {
        problems.push(Problem::new(
            "under load: so many handshakes come that they are answered with cookies",
            "tunnels go on; if it lasts, limit with a firewall who reaches the port",
        ));
    }
    problems.extend(memory(status));
    problems.extend(offloads(status));
    problems.extend(sandbox(status));
    problems
}

fn unanswered(name: &str, status: &Status) -> Option<Problem> {
    let what = match status.unanswered? {
        0 => return None,
        1 => "1 peer has not answered the last handshake".to_owned(),
        several => format!("{several} peers have not answered the last handshake"),
    };
    let advice = format!(
        "`hushwire show {name}` has the peers' endpoints: is the other end up, does its firewall let UDP in, has it \
         this one's public key?"
    );
    Some(Problem::new(what, advice))
}

/// What a counter that is not zero means.
struct Cause {
    counter: &'static str,
    /// What is counted, for one of it.
    one: &'static str,
    /// Stands after the number and what is counted.
    what: &'static str,
    /// With `{}` for the interface's name.
    advice: &'static str,
}

impl Cause {
    fn of(&self, name: &str, counts: &[Count]) -> Option<Problem> {
        let counter = |count: &&Count| count.name == self.counter && count.count > 0;
        let count = counts.iter().find(counter)?.count;
        Some(Problem::new(
            self.counted(count),
            self.advice.replace("{}", name),
        ))
    }

    fn counted(&self, count: u64) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {}{plural} {}", self.one, self.what)
    }
}

const fn cause(
    counter: &'static str,
    one: &'static str,
    what: &'static str,
    advice: &'static str,
) -> Cause {
    Cause {
        counter,
        one,
        what,
        advice,
    }
}

const DROPPED: &[Cause] = &[
    cause(
        "no-peer",
        "packet",
        "dropped on the way out: no peer has the destination among its allowed IPs",
        "`hushwire set {} peer KEY allowed-ips +ADDRESS` gives it to a peer",
    ),
    cause(
        "no-endpoint",
        "packet",
        "dropped on the way out: it is not known where the peer is",
        "`hushwire set {} peer KEY endpoint HOST:PORT`, or the peer has to speak first",
    ),
    cause(
        NO_SESSION,
        "packet",
        "dropped on the way out: the peer did not answer, so there was no session for it",
        "see to the peers that do not answer; `hushwire show {}` tells when they last did",
    ),
    cause(
        "source-not-allowed",
        "packet",
        "dropped on the way in: the source is no allowed IP of the peer that sent it",
        "compare the peer's allowed IPs here with the addresses that the other end sends from",
    ),
    cause(
        "tun-write",
        "packet",
        "dropped on the way in: the interface would not take it",
        "it was down for a while, or memory is short: `dmesg` may say more",
    ),
    cause(
        "tun-read",
        "time",
        "the interface would not hand out a packet",
        "memory may be short: `dmesg` may say more",
    ),
    cause(
        "udp-receive",
        "time",
        "a socket would not hand out what it had received",
        "memory may be short: `dmesg` may say more",
    ),
    cause(
        "handshake-queue-full",
        "handshake message",
        "dropped: more come than can be worked on",
        "limit with a firewall who reaches the port",
    ),
];

const HANDSHAKES: &[Cause] = &[
    cause(
        "down",
        "handshake message",
        "while the interface was down or had no private key",
        "`hushwire show {}` tells whether it has a key now",
    ),
    cause(
        "unknown-peer",
        "handshake",
        "of somebody who is no peer here",
        "compare the public key of the other end (`hushwire show` there) with the peers here",
    ),
    cause(
        "unauthentic",
        "handshake message",
        "not authentic",
        "if no stranger sends them, the other end has a wrong public key for this one, or another pre-shared key",
    ),
    cause(
        "replay",
        "handshake",
        "older than another one before",
        "has the clock of the other end been set back?",
    ),
];

const UDP: &[Cause] = &[
    cause(
        "receive-full",
        "datagram",
        "dropped by the kernel: they came faster than they were taken",
        "more queues may help, with more processors: `hushwired --queues`",
    ),
    cause(
        "send-unreachable",
        "datagram",
        "not sent: there was no way to the peer's endpoint",
        "`ip route get ADDRESS` tells how the kernel would go there",
    ),
    cause(
        "send-denied",
        "datagram",
        "not sent: a firewall or a route forbids it",
        "let UDP to the endpoint out",
    ),
    cause(
        "send-too-large",
        "datagram",
        "not sent: larger than UDP allows",
        "`ip link set {} mtu 1420`",
    ),
    cause(
        "send-full",
        "datagram",
        "not sent: the way out stayed full",
        "more is sent into the tunnel than the link carries",
    ),
    cause(
        "send-other",
        "datagram",
        "not sent, for no usual reason",
        "`strace -f -e sendmmsg -p PID` tells the error",
    ),
];

/// So much of the limit may be spoken for before it is a problem, in percent.
const MEMORY_FULL: u64 = 95;

fn memory(status: &Status) -> Option<Problem> {
    let (limit, reserved) = (status.memory_limit?, status.memory_reserved?);
    (reserved / MEMORY_FULL >= limit / 100).then(|| {
        Problem::new(
            "the memory limit is almost spoken for: more peers or allowed IPs will be refused",
            "raise it (`--memory-limit`), or remove peers",
        )
    })
}

fn offloads(status: &Status) -> impl Iterator<Item = Problem> {
    let refused = status.offloads.iter();
    let refused = refused.filter(|offload| offload.state == "refused");
    refused.map(|offload| {
        Problem::new(
            format!("{} is off: {}", offload.name, offload.detail),
            "nothing is lost, but it is slower: a device on the way out, or IPsec, does not go with it",
        )
    })
}

fn sandbox(status: &Status) -> impl Iterator<Item = Problem> {
    // A user of its own is for those who ask for it; swap, for machines that have one.
    let layers = status.sandbox.iter();
    let layers = layers.filter(|layer| !matches!(layer.name.as_str(), "user" | "swap-lock"));
    layers.filter_map(|layer| {
        let advice = match layer.state.as_str() {
            "off" => "start the daemon without it, unless this is to find a fault",
            "missing" => "the other layers hold; `--sandbox strict` refuses to start without all",
            _ => return None,
        };
        let what = format!(
            "sandbox: {} is {}: {}",
            layer.name, layer.state, layer.detail
        );
        Some(Problem::new(what, advice))
    })
}

#[cfg(test)]
mod tests {
    use hushwire_config::status::Feature;

    use super::*;

    /// The first problem of a device about which nothing else is known.
    fn first(change: impl FnOnce(&mut Status)) -> Option<String> {
        let mut status = Status::default();
        change(&mut status);
        let problems = of("wg0", &status);
        assert!(problems.len() < 2, "{problems:?}");
        problems.into_iter().next().map(|problem| problem.what)
    }

    #[test]
    fn nothing_is_wrong_with_a_device_that_tells_nothing() {
        assert_eq!(first(|_| {}), None);
    }

    #[test]
    fn every_cause_is_told_when_its_counter_is_not_zero() {
        for (causes, list) in [
            (
                DROPPED,
                (|status| &mut status.dropped) as fn(&mut Status) -> &mut Vec<Count>,
            ),
            (HANDSHAKES, |status| &mut status.handshakes),
            (UDP, |status| &mut status.udp),
        ] {
            for cause in causes {
                let of =
                    |count| first(|status| *list(status) = vec![Count::new(cause.counter, count)]);
                assert_eq!(of(0), None);
                assert_eq!(of(1), Some(format!("1 {} {}", cause.one, cause.what)));
                assert_eq!(of(7), Some(format!("7 {}s {}", cause.one, cause.what)));
            }
        }
    }

    /// A counter under another name would never be told.
    #[test]
    fn the_counters_are_those_that_the_daemon_has() {
        use hushwire_engine::{DropReason, HandshakeEvent};
        for cause in DROPPED {
            let known = DropReason::ALL.map(DropReason::name);
            let is_known = known.contains(&cause.counter) || cause.counter == NO_SESSION;
            assert!(is_known, "{}", cause.counter);
        }
        for cause in HANDSHAKES {
            let known = HandshakeEvent::ALL.map(HandshakeEvent::name);
            assert!(known.contains(&cause.counter), "{}", cause.counter);
        }
    }

    #[test]
    fn peers_that_do_not_answer_and_no_key_are_told() {
        let of = |count| first(|status| status.unanswered = Some(count));
        assert_eq!(of(0), None);
        assert!(of(1).is_some_and(|told| told.starts_with("1 peer has ")));
        assert!(of(2).is_some_and(|told| told.starts_with("2 peers have ")));
        let key = |there| first(|status| status.has_private_key = Some(there));
        assert_eq!(key(true), None);
        assert!(key(false).is_some_and(|told| told.contains("no private key")));
    }

    #[test]
    fn what_to_do_names_the_interface() {
        let status = Status {
            up: Some(false),
            dropped: vec![Count::new("no-peer", 1)],
            ..Status::default()
        };
        for problem in of("wg7", &status) {
            assert!(problem.advice.contains(" wg7 "), "{problem:?}");
        }
    }

    #[test]
    fn what_was_chosen_is_no_problem() {
        let state = |name: &str, state: &str| {
            let features = vec![Feature::new(name, state, "why")];
            first(|status| status.offloads = features)
        };
        assert_eq!(state("tun-uso", "off"), None);
        assert_eq!(state("tun-uso", "unsupported"), None);
        assert_eq!(
            state("udp-gso4", "refused"),
            Some("udp-gso4 is off: why".to_owned())
        );
    }

    #[test]
    fn layers_of_the_sandbox_that_are_not_there() {
        let layer = |name: &str, state: &str| {
            let features = vec![Feature::new(name, state, "why")];
            first(|status| status.sandbox = features)
        };
        assert_eq!(layer("user", "off"), None);
        assert_eq!(layer("swap-lock", "missing"), None);
        assert_eq!(layer("landlock", "partial"), None);
        for state in ["off", "missing"] {
            let told = Some(format!("sandbox: seccomp is {state}: why"));
            assert_eq!(layer("seccomp", state), told);
        }
    }

    #[test]
    fn memory_is_told_before_it_is_gone() {
        let of = |reserved, limit| {
            first(|status| {
                status.memory_limit = Some(limit);
                status.memory_reserved = Some(reserved);
            })
        };
        assert_eq!(of(94 << 20, 100 << 20), None);
        assert!(of(95 << 20, 100 << 20).is_some());
        assert!(of(u64::MAX, u64::MAX).is_some());
    }
}

//! The session is renewed after two minutes (REKEY_AFTER_TIME of the paper, section 6.1) and nobody inside notices, with
//! every make at the other end and whoever spoke first.
//!
//! It takes the two minutes, so all pairs wait for it at the same time. `cargo xtask test` runs this module beside the
//! other tests.

use std::time::Duration;

use hushwire_lab::{Host, Implementation, Lab, Process, Tunnel, TunnelEnd, TunnelOptions};

use crate::common::implementation;
use crate::interop::{cable, outside};

/// A second handshake is due 120 seconds after the first; pings of one a second for this long must see it.
const SECONDS: u32 = 130;
/// By this ping all tunnels are up.
const SETTLED: u32 = 5;
/// The pings, and as much again for a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(2 * SECONDS as u64);

/// A pair of hosts, the tunnel between them, and the pings that go through it.
struct Pair {
    name: String,
    left: Host,
    right: Host,
    tunnel: Tunnel,
    pings: Vec<Process>,
}

impl Pair {
    fn start(
        lab: &Lab,
        number: u8,
        first: Implementation,
        second: Implementation,
        v6: bool,
    ) -> Self {
        let (left, right) = cable(lab);
        let options = TunnelOptions {
            number,
            // One of the two outer families with a pre-shared key, one without.
            preshared_key: v6.then_some([0x77; 32]),
            right_knows_left: false,
            ..TunnelOptions::default()
        };
        let (here, there) = outside(v6);
        let tunnel =
            Tunnel::between((&left, first, here), (&right, second, there), &options).unwrap();
        left.ping(&tunnel.right.ipv4).unwrap();
        let pings = [(&left, &tunnel.right.ipv6), (&right, &tunnel.left.ipv4)]
            .map(|(host, address)| {
                let count = SECONDS.to_string();
                let words = ["ping", "-n", "-i", "1", "-W", "10", "-c", &count, address];
                host.spawn(host.command(&words)).unwrap()
            })
            .into();
        let outer = if v6 { "IPv6" } else { "IPv4" };
        let name = format!("{first} to {second} over {outer}");
        Self {
            name,
            left,
            right,
            tunnel,
            pings,
        }
    }

    /// When the two ends last shook hands.
    fn handshakes(&self) -> [u64; 2] {
        [
            last_handshake(&self.left, &self.tunnel.left),
            last_handshake(&self.right, &self.tunnel.right),
        ]
    }

    /// What went wrong, if something did.
    fn finish(&mut self, first: [u64; 2]) -> Vec<String> {
        let mut complaints = Vec::new();
        for ping in self.pings.drain(..) {
            match ping.finish(LIMIT).map(|output| unanswered(&output.stdout)) {
                Ok(pings) if pings.is_empty() => {}
                Ok(pings) => complaints.push(format!("{}: no answer to {pings:?}", self.name)),
                Err(error) => complaints.push(format!("{}: {error}", self.name)),
            }
        }
        let ends = [("left", &self.tunnel.left), ("right", &self.tunnel.right)];
        for ((side, end), (first, second)) in
            ends.iter().zip(first.into_iter().zip(self.handshakes()))
        {
            // boringtun tells how long ago it was where the protocol asks for the time of day.
            let tells_the_time = end.daemon.implementation() != Implementation::Boringtun;
            // 120 s, less what the two readings may differ by rounding and by the way of the messages.
            if tells_the_time && (first == 0 || second < first + 115) {
                complaints.push(format!(
                    "{}: {side} shook hands at {first} and {second}",
                    self.name
                ));
            }
        }
        complaints
    }
}

/// The numbers of the pings that were not answered. Those before the other tunnels are up do not count, nor does the
/// last: ping does not wait for it any longer than two of the round trips it has seen.
fn unanswered(text: &str) -> Vec<u32> {
    let answered: Vec<u32> = text
        .lines()
        .filter_map(|line| {
            line.split_once("icmp_seq=")?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    (SETTLED..SECONDS)
        .filter(|number| !answered.contains(number))
        .collect()
}

fn last_handshake(host: &Host, end: &TunnelEnd) -> u64 {
    let answer = host.uapi(&end.interface, "get=1\n\n").unwrap();
    let seconds = answer
        .lines()
        .find_map(|line| line.strip_prefix("last_handshake_time_sec="));
    seconds.expect("a peer").parse().unwrap()
}

fn renewed_without_loss(pairs: &[(Implementation, Implementation)]) {
    let lab = Lab::new().unwrap();
    let mut tunnels = Vec::new();
    let mut number = 0;
    for &(first, second) in pairs {
        for v6 in [false, true] {
            number += 1;
            tunnels.push(Pair::start(&lab, number, first, second, v6));
        }
    }
    let first: Vec<_> = tunnels.iter().map(Pair::handshakes).collect();
    let complaints: Vec<String> = tunnels
        .iter_mut()
        .zip(first)
        .flat_map(|(pair, first)| pair.finish(first))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn sessions_are_renewed_without_loss_with_every_make_at_either_end() {
    use Implementation::{Boringtun, Gotatun, WireguardGo};
    let ours = implementation();

    renewed_without_loss(&[
        (ours, ours),
        (ours, WireguardGo),
        (WireguardGo, ours),
        (ours, Boringtun),
        (Boringtun, ours),
        (ours, Gotatun),
        (Gotatun, ours),
    ]);
}

//! An attacker who is where he says: cookies do not stop him, the limit of his address does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use hushwire_bench::hostile::Kind;
use hushwire_lab::{Datagram, wait_until};
use hushwire_proto::messages::Message;

use crate::cookie_path::{RETRY, get_in_by_a_cookie, under_flood};
use crate::peer::{Answer, Peer};
use crate::siege::{SOON, Siege};

/// Where he is.
const PLACE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
/// The peers whose keys he has, so that each initiation that is worked on is answered.
const STOLEN: std::ops::RangeInclusive<u32> = 2..=6;
/// Initiations with each of them, within the life of a cookie by their clocks.
const ROUNDS: u32 = 16;
/// More than the time within which a device answers one initiation of a peer only.
const PAUSE: Duration = Duration::from_millis(25);
/// What a source may send at once, and in a second, while the device is under load.
const BURST: f64 = 5.0;
const PER_SECOND: f64 = 20.0;

/// Whether the packet is a response for him.
fn is_response(packet: &[u8]) -> bool {
    Datagram::read(packet).is_some_and(|datagram| {
        datagram.to.ip() == PLACE
            && matches!(Message::parse(&datagram.payload), Ok(Message::Response(_)))
    })
}

/// Sends initiations as fast as each of the peers may, every one with a cookie. Says how many, and how many were answered.
fn press(siege: &Siege, attackers: &mut [Peer], heard: &mut Vec<Vec<u8>>) -> (usize, usize) {
    let mut answered = 0;
    for _ in 0..ROUNDS {
        for attacker in &mut *attackers {
            attacker.skip(&siege.wire, RETRY);
        }
        thread::sleep(PAUSE);
        // He does not take the responses, or he would have sessions and nothing to initiate.
        let packets = siege.wire.heard();
        answered += packets.iter().filter(|packet| is_response(packet)).count();
        heard.extend(packets);
    }
    (ROUNDS as usize * attackers.len(), answered)
}

#[test]
fn an_attacker_with_cookies_is_held_to_the_limit_of_his_address_and_shuts_nobody_out() {
    let mut siege = Siege::new();
    under_flood(&mut siege, Kind::Mac1, false, |siege| {
        wait_until(SOON, "cookies: the device is under load", || {
            !siege.wire.heard().is_empty()
        })
        .unwrap();
        let mut heard = Vec::new();
        let mut attackers: Vec<Peer> = STOLEN
            .map(|number| Peer::new(number, SocketAddr::new(PLACE, 6660 + number as u16)))
            .collect();
        for attacker in &mut attackers {
            attacker.ask(&siege.wire);
            let answer = attacker.answer(&siege.wire, &mut heard);
            assert_eq!(answer, Some(Answer::Cookie));
        }
        let started = Instant::now();
        let (sent, answered) = press(siege, &mut attackers, &mut heard);
        let allowed = BURST + PER_SECOND * started.elapsed().as_secs_f64();
        // The device may have caught its breath between two waves, and then asks nobody for a cookie.
        let allowed = allowed + sent as f64 / 4.0;
        assert!(answered > 0, "his initiations are not worked on at all");
        assert!(
            answered as f64 <= allowed,
            "{answered} of {sent} initiations were answered, of which {allowed:.0} at most should be"
        );
        get_in_by_a_cookie(siege, "203.0.113.1:1111".parse().unwrap());
    });
}
